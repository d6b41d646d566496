import { describe, expect, test } from "vitest";
import googlesheets from "../../destinations/googlesheets/index.ts";
import createSandbox from "../../destinations/googlesheets/sandbox.ts";
import type { Batch, Change, DestinationRecord, Outcome } from "../../src/destination.ts";
import { failureOf } from "./checks.ts";
import fixture, { accounts, email, rowsOf } from "./googlesheets.fixture.ts";
import { openPlace, type Place } from "./place.ts";

const [keyAccounts] = fixture.objects;
const tab = "Key accounts";
const header = ["notes", "account_id", "name", "mrr"];
const three = [header, ["call them", "A", "Ada", 1], ["", "B", "Bo", 2], ["vip", "C", "Cy", 3]];

/** A spreadsheet whose tab has these rows. */
async function spreadsheet(
  rows: readonly unknown[] = three,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Place> {
  if (!keyAccounts) throw new Error("the fixture has no tab");
  const seed = {
    accounts,
    tabs: [
      { title: tab, rows },
      { title: "Chart1", chart: true },
    ],
    ...more,
  };
  return openPlace({ adapter: googlesheets, createSandbox, fixture, object: keyAccounts, sandbox: { seed } });
}

const change = (key: string, record: DestinationRecord, seq = 1): Change => ({
  seq,
  match: { account_id: key },
  record,
  destinationId: undefined,
  renamed: false,
});

function batch(changes: readonly Change[], more: Partial<Batch> = {}): Batch {
  const fields = Object.keys(changes[0]?.record ?? {});
  return { object: tab, settings: {}, operation: "upsert", fields, match: ["account_id"], id: "1", changes, ...more };
}

async function write(place: Place, one: Change, more: Partial<Batch> = {}): Promise<Outcome | undefined> {
  return (await place.connection.write(batch([one], more)))[0];
}

const rows = (place: Place): Record<string, unknown>[] => rowsOf(place.contents(), tab);
const paths = async (place: Place): Promise<string[]> =>
  (await place.asked()).map(({ path }) => path.replace("/v4/spreadsheets/1AbC", ""));

describe("values", () => {
  test("are text where they look like formulas, numbers or dates, and numbers where they are", async () => {
    await using place = await spreadsheet([header]);
    for (const [at, name] of ["=1+1", "+49 30", "-5", "@x", "007", "2026-01-02", "'quoted"].entries()) {
      expect(await write(place, change(`K${at}`, { name, mrr: 4.5 }))).toMatchObject({ kind: "accepted" });
      expect(rows(place)[at]).toEqual({ account_id: `K${at}`, name, mrr: 4.5 });
    }
  });

  test("that are longer than a cell takes are rejected before they are sent", async () => {
    await using place = await spreadsheet();
    const outcome = await write(place, change("A", { name: "x".repeat(50_001) }));
    expect(outcome).toMatchObject({ kind: "rejected", code: "too_long", field: "name" });
    expect(await paths(place)).not.toContain(":batchUpdate");
  });
});

describe("rows", () => {
  test("are changed in one write; what people wrote beside them stays", async () => {
    await using place = await spreadsheet();
    const changes = [change("C", { name: "Cyd" }, 1), change("A", { mrr: null }, 2), change("D", { name: "Di" }, 3)];
    expect((await place.connection.write(batch(changes))).map(({ kind }) => kind)).toEqual(Array(3).fill("accepted"));
    expect(rows(place)).toEqual([
      { notes: "call them", account_id: "A", name: "Ada" },
      { account_id: "B", name: "Bo", mrr: 2 },
      { notes: "vip", account_id: "C", name: "Cyd", mrr: 3 },
      { account_id: "D", name: "Di" },
    ]);
    expect((await paths(place)).filter((path) => path === ":batchUpdate")).toHaveLength(1);
  });

  test("whose key people typed as a number are found by its digits", async () => {
    await using place = await spreadsheet([header, ["", 42, "Ada", 1]]);
    expect(await write(place, change("42", { name: "Ida" }))).toMatchObject({ kind: "accepted" });
    expect(rows(place)).toEqual([{ account_id: 42, name: "Ida", mrr: 1 }]);
  });

  test("with one key twice are rejected, for nobody could tell which is meant", async () => {
    await using place = await spreadsheet([...three, ["", "A", "Ann", 9]]);
    expect(await write(place, change("A", { name: "x" }))).toMatchObject({ kind: "rejected", code: "key_repeated" });
    expect(rows(place).map(({ name }) => name)).toEqual(["Ada", "Bo", "Cy", "Ann"]);
  });

  test("that are removed go, from below, and those beside them stay", async () => {
    await using place = await spreadsheet();
    const removed = [change("A", {}, 1), change("B", {}, 2), change("gone", {}, 3)];
    const outcomes = await place.connection.write(batch(removed, { operation: "delete" }));
    expect(outcomes.map(({ kind }) => kind)).toEqual(Array(3).fill("accepted"));
    expect(rows(place).map(({ account_id }) => account_id)).toEqual(["C"]);
  });

  test("that are appended need no key, and two alike are two rows", async () => {
    await using place = await spreadsheet();
    const changes = [change("E", { account_id: "E", name: "Ed" }, 1), change("E", { account_id: "E", name: "Ed" }, 2)];
    const outcomes = await place.connection.write(batch(changes, { operation: "append", match: [] }));
    expect(outcomes.map(({ kind }) => kind)).toEqual(["accepted", "accepted"]);
    expect(rows(place).filter(({ account_id }) => account_id === "E")).toHaveLength(2);
  });

  test("that are there need no write when a sync maps their key only", async () => {
    await using place = await spreadsheet();
    expect(await write(place, change("A", { account_id: "A" }))).toMatchObject({ kind: "accepted" });
    expect(await paths(place)).not.toContain(":batchUpdate");
  });

  test("that exist are not inserted again", async () => {
    await using place = await spreadsheet();
    const outcome = await write(place, change("A", { name: "x" }), { operation: "insert" });
    expect(outcome).toMatchObject({ kind: "rejected", code: "already_there" });
  });
});

describe("somebody who sorts between reading and writing", () => {
  const sorted = { sorts_before: [1] };

  test("leaves the change in doubt, and the row that was hit is put back", async () => {
    await using place = await spreadsheet(three, sorted);
    const outcome = await write(place, change("A", { name: "Ida" }));
    expect(outcome).toMatchObject({ kind: "in_doubt", message: expect.stringContaining('"C"') });
    expect(rows(place)).toEqual([
      { notes: "vip", account_id: "C", name: "Cy", mrr: 3 },
      { account_id: "B", name: "Bo", mrr: 2 },
      { notes: "call them", account_id: "A", name: "Ada", mrr: 1 },
    ]);
    // The next run sends it again.
    expect(await write(place, change("A", { name: "Ida" }))).toMatchObject({ kind: "accepted" });
    expect(rows(place).map(({ name }) => name)).toEqual(["Cy", "Bo", "Ida"]);
  });

  test("does not cost another row when one is removed: it is put back at the end", async () => {
    await using place = await spreadsheet(three, sorted);
    expect(await write(place, change("A", {}), { operation: "delete" })).toMatchObject({ kind: "in_doubt" });
    expect(rows(place)).toEqual([
      { account_id: "B", name: "Bo", mrr: 2 },
      { notes: "call them", account_id: "A", name: "Ada", mrr: 1 },
      { notes: "vip", account_id: "C", name: "Cy", mrr: 3 },
    ]);
  });

  test("leaves nothing of one change in the row of another, also where they write different columns", async () => {
    await using place = await spreadsheet(three, sorted);
    const changes = [change("A", { name: "Ida" }, 1), change("C", { mrr: 30 }, 2)];
    expect((await place.connection.write(batch(changes))).map(({ kind }) => kind)).toEqual(["in_doubt", "in_doubt"]);
    expect(rows(place).map(({ account_id, name, mrr }) => [account_id, name, mrr])).toEqual([
      ["C", "Cy", 3],
      ["B", "Bo", 2],
      ["A", "Ada", 1],
    ]);
  });

  test("does not harm new rows, which need no place", async () => {
    await using place = await spreadsheet(three, sorted);
    expect(await write(place, change("D", { name: "Di" }))).toMatchObject({ kind: "accepted" });
  });
});

describe("a write whose row cannot be looked at afterwards", () => {
  test("is in doubt, and is not sent again as if it had been refused", async () => {
    await using place = await spreadsheet();
    await place.strike({ kind: "failure", name: "quota" }, { path: "batchGetByDataFilter", after: 1 });
    const outcomes = await place.connection.write(
      batch([change("E", { name: "Ed" })], { operation: "append", match: [] }),
    );
    expect(outcomes).toMatchObject([{ seq: 1, kind: "in_doubt" }]);
  });
});

describe("headers", () => {
  test("are the fields; one that stands twice is none, and a chart is no object", async () => {
    await using place = await spreadsheet([[" name ", "plan", "", "plan", "account_id"]]);
    const { fields } = await place.connection.describe(tab, {});
    expect(fields.map(({ name }) => name)).toEqual(["name", "account_id"]);
    expect(await place.connection.objects()).toEqual([{ name: tab, title: tab }]);
  });

  test("may stand in a lower row", async () => {
    await using place = await spreadsheet([["Our accounts"], [], header, ["", "A", "Ada", 1]]);
    const settings = { header_row: 3 };
    expect(await write(place, change("A", { name: "Ida" }), { settings })).toMatchObject({ kind: "accepted" });
    expect(Object.values(place.contents()[tab] ?? {})[3]).toEqual(["", "A", "Ida", 1]);
  });

  test("that are missing from a tab are told", async () => {
    await using place = await spreadsheet([]);
    const error = await failureOf(place.connection.describe(tab, {}));
    expect(error).toMatchObject({ kind: "refused", code: "header_missing" });
  });

  test("that were renamed stop the run where they are the key, and reject the row where they are not", async () => {
    await using place = await spreadsheet();
    const error = await failureOf(write(place, change("A", { name: "x" }), { match: ["id"] }));
    expect(error).toMatchObject({ kind: "unauthorized", code: "column_missing", field: "id", applied: "no" });
    const outcome = await write(place, change("A", { plan: "x" }));
    expect(outcome).toMatchObject({ kind: "rejected", code: "column_missing", field: "plan" });
  });

  test("settings that name a column that is not there are refused", async () => {
    await using place = await spreadsheet();
    const error = await failureOf(place.connection.describe(tab, { types: { mmr: "number" } }));
    expect(error).toMatchObject({ kind: "refused", code: "settings_invalid" });
  });
});

describe("access", () => {
  test("is one token for many requests, and a new one after it was withdrawn", async () => {
    await using place = await spreadsheet();
    await place.connection.check();
    await place.connection.check();
    expect((await paths(place)).filter((path) => path === "/token")).toHaveLength(1);
    await place.strike({ kind: "failure", name: "token_ended" }, { path: "/v4", times: 1 });
    await place.connection.check();
    expect((await paths(place)).filter((path) => path === "/token")).toHaveLength(2);
  });

  test("with the key as its file writes it, line breaks as \\n, works", async () => {
    await using place = await spreadsheet();
    const written = String(fixture.connection["private_key"]).replaceAll("\n", String.raw`\n`);
    await expect(place.connect({ private_key: written }).check()).resolves.toMatchObject({ account: /Sandbox/ });
  });

  test("with a text that is no key is refused without telling it", async () => {
    await using place = await spreadsheet();
    const error = await failureOf(place.connect({ private_key: "not-a-key" }).check());
    expect(error).toMatchObject({ kind: "unauthorized", code: "private_key_invalid" });
    expect(error.message).not.toContain("not-a-key");
  });

  test("to a spreadsheet that is shared for reading only stops the run", async () => {
    await using place = await spreadsheet(three, { readers: [email] });
    const error = await failureOf(write(place, change("A", { name: "x" })));
    expect(error).toMatchObject({ kind: "unauthorized", status: 403 });
  });

  test("that waits for its quota is busy for a minute, also where Google says 403", async () => {
    await using place = await spreadsheet();
    await place.connection.check();
    for (const name of ["quota", "quota_403"]) {
      await place.strike({ kind: "failure", name });
      expect(await failureOf(place.connection.check())).toMatchObject({ kind: "busy", retryAfterMs: 60_000 });
      await place.calm();
    }
  });
});
