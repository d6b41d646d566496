import { describe, expect, test } from "vitest";
import { failureOf, kinds } from "./checks.ts";
import { account, ada, agent, asked, batch, bo, change, held, write } from "./zendesk.account.ts";

describe("users by external id", () => {
  test("are made or changed in one job, and read again to tell whose they are", async () => {
    await using place = await account();
    const outcomes = await place.connection.write(
      batch([
        change({ external_id: "new" }, { name: "New" }, { seq: 1 }),
        change({ external_id: "ada-1" }, { name: "Ada L" }, { seq: 2 }),
      ]),
    );
    expect(outcomes).toMatchObject([{ kind: "accepted" }, { kind: "accepted", destinationId: ada }]);
    expect(await asked(place)).toEqual([
      "POST /users/create_or_update_many",
      "GET /job_statuses/…",
      "GET /users/show_many",
    ]);
  });

  test("are sent no e-mail when they are made", async () => {
    await using place = await account();
    await write(place, change({ external_id: "a" }, { name: "A", email: "a@example.com" }));
    await write(place, change({ email: "b@example.com" }, { name: "B" }));
    const bodies = (await place.asked())
      .filter(({ method }) => method === "POST")
      .map(({ requestBody }) => requestBody);
    expect(bodies).toMatchObject([{ users: [{ skip_verify_email: true }] }, { users: [{ skip_verify_email: true }] }]);
  });

  test("ignore case but keep it, so those of rows that differ in nothing else are not sent", async () => {
    await using place = await account();
    expect(place.connection.ignoresCase?.("users", {}, "external_id")).toBe(false);
    expect(await write(place, change({ external_id: "ADA-1" }, { notes: "x" }))).toMatchObject({ destinationId: ada });
    expect(held(place, "users", ada)?.external_id).toBe("ADA-1");
    const twins = ["Twin", "TWIN", "other"].map((external_id, seq) => change({ external_id }, { name: "T" }, { seq }));
    expect(await place.connection.write(batch(twins))).toMatchObject([
      { seq: 0, kind: "rejected", code: "duplicate_match" },
      { seq: 1, kind: "rejected", code: "duplicate_match" },
      { seq: 2, kind: "accepted" },
    ]);
  });

  test("may have a comma, which ends an id in a list", async () => {
    await using place = await account();
    const strange = { external_id: "a,b/c&d" };
    const made = await write(place, change(strange, { name: "Strange" }));
    const again = await write(place, change(strange, { notes: "y" }), { operation: "update" });
    expect(made).toMatchObject({ kind: "accepted", destinationId: expect.stringMatching(/^\d+$/) });
    expect(again).toEqual(made);
  });

  test("are asked for in lists that fit into an address", async () => {
    await using place = await account();
    const long = (n: number): string => `${"x".repeat(240)}-${n}`;
    const changes = Array.from({ length: 100 }, (_, n) => change({ external_id: long(n) }, { notes: "n" }, { seq: n }));
    const outcomes = await place.connection.write(batch(changes, { operation: "update" }));
    expect(new Set(outcomes.map((outcome) => outcome.kind === "rejected" && outcome.code))).toEqual(
      new Set(["not_found"]),
    );
    expect((await asked(place)).length).toBeGreaterThan(3);
  });

  test("with an e-mail address that another has are rejected, and neither is changed", async () => {
    await using place = await account();
    const before = structuredClone(place.contents());
    const taken = "already being used";
    const stranger = change({ external_id: "stranger" }, { name: "S", email: "BO@example.com" });
    expect(await write(place, stranger)).toMatchObject({ kind: "rejected", message: expect.stringContaining(taken) });
    const other = change({ external_id: "ada-1" }, { name: "S", email: "bo@home.example" }, { destinationId: ada });
    expect(await write(place, other)).toMatchObject({ kind: "rejected", message: expect.stringContaining(taken) });
    expect(place.contents()).toEqual(before);
  });

  test("with another e-mail address than before get it as their primary one", async () => {
    await using place = await account();
    const moved = change({ external_id: "ada-1" }, { name: "Ada", email: "ada@new.example" });
    expect(await write(place, moved)).toEqual({ seq: 1, kind: "accepted", destinationId: ada });
    const emails = held(place, "users", ada)?.emails?.map(({ value }) => value);
    expect(emails).toEqual(["ada@new.example", "ada@example.com"]);
  });

  test("who are of the team keep their address: who has it could become an admin", async () => {
    await using place = await account();
    const moved = change({ external_id: "ag" }, { notes: "x", email: "thief@example.com" }, { destinationId: agent });
    expect(await write(place, moved)).toMatchObject({ kind: "rejected", code: "team_member", field: "email" });
    const renamed = change({ email: "thief@example.com" }, {}, { destinationId: agent, renamed: true });
    expect(await write(place, renamed)).toMatchObject({ kind: "rejected", code: "team_member" });
    expect(held(place, "users", agent)?.emails?.map(({ value }) => value)).toEqual(["ag@example.com"]);
    const same = change({ external_id: "ag" }, { notes: "x", email: "AG@example.com" });
    expect(await write(place, same)).toMatchObject({ kind: "accepted", destinationId: agent });
  });

  test("whose new address does not become the primary one are rejected, not called done", async () => {
    await using place = await account();
    await place.strike({ kind: "status", status: 200, body: { identities: [] } }, { path: "identities" });
    const moved = change({ external_id: "ada-1" }, { email: "ada@new.example" });
    expect(await write(place, moved)).toMatchObject({ kind: "rejected", code: "not_kept", field: "email" });
  });

  test("that are renamed keep their user", async () => {
    await using place = await account();
    const renamed = change({ external_id: "ada-2" }, { notes: "x" }, { destinationId: ada, renamed: true });
    expect(await write(place, renamed)).toEqual({ seq: 1, kind: "accepted", destinationId: ada });
    expect(held(place, "users", ada)).toMatchObject({ external_id: "ada-2", values: { notes: "x" } });
  });

  test("that are there are not inserted again, and that are not are not updated", async () => {
    await using place = await account();
    const present = change({ external_id: "ada-1" }, { name: "X" });
    expect(await write(place, present, { operation: "insert" })).toMatchObject({ kind: "rejected" });
    const absent = change({ external_id: "none" }, { name: "X" });
    expect(await write(place, absent, { operation: "update" })).toMatchObject({ kind: "rejected", code: "not_found" });
    expect(held(place, "users", ada)?.values["name"]).toBe("Ada");
  });
});

describe("users by e-mail address", () => {
  test("may be found by a further address, and are told by it", async () => {
    await using place = await account();
    const outcome = await write(place, change({ email: "Bo@Home.example " }, { name: "Bo B" }));
    expect(outcome).toEqual({ seq: 1, kind: "accepted", destinationId: bo });
    expect(held(place, "users", bo)?.emails?.map(({ value }) => value)).toEqual(["bo@example.com", "bo@home.example"]);
    const updated = await write(place, change({ email: "bo@home.example" }, { notes: "x" }), { operation: "update" });
    expect(updated).toEqual(outcome);
  });

  test("that are one user's are not sent, for the last one would be kept", async () => {
    await using place = await account();
    const rows = ["bo@example.com", "bo@home.example", "ada@example.com"].map((email, seq) =>
      change({ email }, { notes: email }, { seq }),
    );
    expect(await place.connection.write(batch(rows, { operation: "update" }))).toMatchObject([
      { seq: 0, code: "duplicate_match" },
      { seq: 1, code: "duplicate_match" },
      { seq: 2, kind: "accepted" },
    ]);
    expect(held(place, "users", bo)?.values).toEqual({ name: "Bo" });
    expect(kinds(await place.connection.write(batch(rows)))).toContainEqual([1, "in_doubt"]);
  });

  test("get their external id, unless it is another user's", async () => {
    await using place = await account();
    const given = await write(place, change({ email: "bo@example.com" }, { external_id: "bo-1", notes: "x" }));
    expect(given).toMatchObject({ kind: "accepted", destinationId: bo });
    expect(held(place, "users", bo)?.external_id).toBe("bo-1");
    const before = structuredClone(place.contents());
    const clash = await write(place, change({ email: "bo@example.com" }, { external_id: "ADA-1", notes: "y" }));
    expect(clash).toMatchObject({ kind: "rejected", code: "conflict", field: "external_id" });
    expect(place.contents()).toEqual(before);
  });

  test("that a search does not see yet are found by the id that they were sent to", async () => {
    await using place = await account({ search_delay_ms: 60_000 });
    const made = await write(place, change({ email: "new@example.com" }, { name: "N" }));
    if (made?.kind !== "accepted" || made.destinationId === undefined) throw new Error("not made");
    const sent = change({ email: "new@example.com" }, { notes: "x" }, { destinationId: made.destinationId });
    expect(await write(place, sent, { operation: "update" })).toEqual(made);
    const unsent = { ...sent, destinationId: undefined };
    expect(await write(place, unsent, { operation: "update" })).toMatchObject({ code: "not_found" });
  });

  test("that no longer are the sent user's are looked for again", async () => {
    await using place = await account();
    const moved = change({ email: "bo@example.com" }, { notes: "x" }, { destinationId: ada });
    expect(await write(place, moved, { operation: "update" })).toMatchObject({ destinationId: bo });
    expect(held(place, "users", ada)?.values).toEqual({ name: "Ada" });
  });

  test("that are renamed get the new one as their primary one", async () => {
    await using place = await account();
    const renamed = change({ email: "ada@new.example" }, {}, { destinationId: ada, renamed: true });
    expect(await write(place, renamed)).toMatchObject({ kind: "accepted", destinationId: ada });
    expect(held(place, "users", ada)?.emails?.[0]?.value).toBe("ada@new.example");
  });
});

describe("users of rows that left", () => {
  test("are suspended, deleted, or cleared but for what identifies and names them", async () => {
    await using place = await account();
    const row = change({ external_id: "ada-1" }, { name: null, email: null, notes: null });
    await write(place, change({ external_id: "ada-1" }, { notes: "Notes" }));
    expect(await write(place, row, { operation: "clear" })).toMatchObject({ kind: "accepted" });
    expect(held(place, "users", ada)).toMatchObject({ external_id: "ada-1", values: { name: "Ada" } });
    expect(held(place, "users", ada)?.values).not.toHaveProperty("notes");
    expect(await write(place, row, { operation: "archive" })).toMatchObject({ kind: "accepted" });
    expect(held(place, "users", ada)).toMatchObject({ active: true, values: { suspended: true } });
    expect(await write(place, row, { operation: "delete" })).toMatchObject({ kind: "accepted" });
    expect(held(place, "users", ada)).toMatchObject({ active: false });
    expect(await write(place, row, { operation: "delete" })).toMatchObject({ kind: "accepted" });
  });

  test("are never of the team", async () => {
    await using place = await account();
    for (const operation of ["archive", "delete"] as const) {
      const outcome = await write(place, change({ email: "ag@example.com" }), { operation });
      expect(outcome).toMatchObject({ kind: "rejected", code: "team_member" });
    }
    expect(held(place, "users", agent)).toMatchObject({ active: true, values: { name: "Ag" } });
  });

  test("that are still there after a job that said nothing of them are in doubt", async () => {
    await using place = await account();
    await place.connection.describe("users", {});
    const job = { id: "j", status: "completed", results: [{ id: Number(ada), status: "Deleted", success: true }] };
    await place.strike({ kind: "status", status: 200, body: { job_status: job } }, { method: "DELETE" });
    const rows = [change({ external_id: "ada-1" }, {}, { seq: 1 }), change({ external_id: "none" }, {}, { seq: 2 })];
    expect(kinds(await place.connection.write(batch(rows, { operation: "delete" })))).toEqual([
      [1, "in_doubt"],
      [2, "accepted"],
    ]);
  });

  test("are not looked for where an answer has another form", async () => {
    await using place = await account();
    await place.connection.describe("users", {});
    await place.strike({ kind: "status", status: 200, body: { people: [] } }, { path: "show_many" });
    const failed = await failureOf(write(place, change({ external_id: "ada-1" }), { operation: "delete" }));
    expect(failed).toMatchObject({ kind: "unavailable", code: "unknown_answer" });
    expect(held(place, "users", ada)?.active).toBe(true);
  });
});
