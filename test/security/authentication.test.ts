/** Attacks 1–14: who may ask, and how far a key reaches. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Access, type KeyRing } from "../../src/security/access.ts";
import { makeKey, type MadeKey } from "../../src/security/key.ts";
import { performRun } from "../../src/operations/perform.ts";
import { Description } from "../api/described.ts";
import { House } from "./house.ts";

let house: House;
beforeAll(async () => {
  house = await House.open({ rows: 2000 });
});
afterAll(() => house?.[Symbol.asyncDispose]());

const made = (lifeMs: number | null = null): Promise<MadeKey> => addKey(makeKey(), lifeMs);

async function addKey(key: MadeKey, lifeMs: number | null): Promise<MadeKey> {
  const { id, hash } = key;
  await house.service.store.keys.add({ id, name: "made", scope: "read", hash, createdBy: "test", lifeMs });
  return key;
}

/** A minute later the throttle has forgotten who guessed. */
function waitAMinute(): void {
  house.elapsed += 61_000;
}

test("1: without a key, or with what is none, every request gets the same 401", async () => {
  const key = house.keys.read;
  const wrong = ["Bearer null", "Bearer undefined", "Bearer", "Bearer ", "", "null", `Basic ${btoa("a:b")}`, key];
  const spoilt = [
    `Bearer ${key.slice(0, -1)}`,
    `Bearer ${key.slice(0, -1)}g`,
    `Bearer ${key} ${key}`,
    `bearer\t${key}x`,
  ];
  const bodies = new Set<string>();
  for (const authorization of [...wrong, ...spoilt]) {
    waitAMinute();
    const { status, text, headers } = await house.ask("GET", "/v1/syncs", { key: null, headers: { authorization } });
    expect([authorization, status]).toEqual([authorization, 401]);
    expect(headers.get("www-authenticate")).toMatch(/^Bearer/);
    bodies.add(text);
  }
  expect(bodies.size).toBe(1);
  expect(await house.ask("GET", "/v1/syncs", { key: null })).toMatchObject({
    status: 401,
    body: { code: "key_missing" },
  });
});

test("2: a known id with a wrong secret is refused like an unknown one, after as long", async () => {
  const [known, unknown, guess] = [makeKey(), makeKey(), makeKey()];
  const found = { name: "k", scope: "read", hash: known.hash, valid: true, revokedAt: null } as const;
  const keys: KeyRing = {
    find: async (id) => (id === guess.id ? found : null),
    touch: async () => undefined,
    any: async () => true,
  };
  let now = 0;
  const access = new Access({ keys, localHash: makeKey().hash, openWithoutKeys: false, now: () => (now += 1e6) });
  async function nanoseconds({ text }: MadeKey): Promise<number> {
    const started = process.hrtime.bigint();
    await expect(access.identify({ authorization: `Bearer ${text}`, address: "a" })).rejects.toThrow();
    return Number(process.hrtime.bigint() - started);
  }
  const times: Record<"known" | "unknown", number[]> = { known: [], unknown: [] };
  for (let round = 0; round < 5000; round += 1) {
    times.known.push(await nanoseconds(guess));
    times.unknown.push(await nanoseconds(unknown));
  }
  const median = (list: number[]): number => list.toSorted((one, other) => one - other)[2500] ?? 0;
  const ratio = median(times.known) / median(times.unknown);
  // One hash more shows as 1.08.
  expect(Math.abs(Math.log(ratio))).toBeLessThan(0.05);

  waitAMinute();
  const real = await made();
  const [one, other] = [
    await house.ask("GET", "/v1/syncs", { key: makeKeyOf(real.id) }),
    await house.ask("GET", "/v1/syncs", { key: unknown.text }),
  ];
  expect([one.status, one.text]).toEqual([401, other.text]);
});

/** A key that is whole in every way but is not the one of this id. */
function makeKeyOf(id: string): string {
  const body = `${id}_${randomBytes(32).toString("hex")}`;
  return `sluice_${body}${crc32(body).toString(16).padStart(8, "0")}`;
}

test("3: a revoked key is refused at the very next request", async () => {
  const { id, text } = await made();
  expect((await house.ask("GET", "/v1/syncs", { key: text })).status).toBe(200);
  expect((await house.ask("DELETE", `/v1/keys/${id}`)).status).toBe(200);
  expect((await house.ask("GET", "/v1/syncs", { key: text })).body).toMatchObject({ status: 401, code: "key_revoked" });
});

test("4: an expired key is refused", async () => {
  const { text } = await made(-1000);
  expect((await house.ask("GET", "/v1/syncs", { key: text })).body).toMatchObject({ status: 401, code: "key_expired" });
});

test("5: a key in the address does not count, and stands in neither log", async () => {
  const { admin } = house.keys;
  for (const query of [`key=${admin}`, `api_key=${admin}`, `access_token=${admin}`]) {
    expect((await house.ask("GET", `/v1/runs?${query}`, { key: null })).status).toBe(401);
    expect((await house.ask("GET", `/v1/nothing?${query}`, { key: null })).text).not.toContain(admin);
  }
  const { text } = await house.ask("GET", "/v1/audit?limit=20");
  expect(text).toContain("GET /v1/runs");
  expect(text).not.toContain(admin);
  expect(house.log.filter((line) => line.includes(admin))).toEqual([]);
});

test("6: a read key changes nothing by any route, and every refusal is in the audit log", async () => {
  const { body } = await house.ask("GET", "/openapi.json");
  const mutating = new Description(body).operations.filter(
    ({ method, scope }) => method !== "GET" && scope !== undefined && scope !== "read",
  );
  expect(mutating.length).toBeGreaterThan(30);
  const before = await house.stored();
  const asked: string[] = [];
  for (const { method, path } of mutating) {
    const address = path.replaceAll(/\{\w+\}/g, "companies");
    const answer = await house.ask(method, address, { key: house.keys.read, body: {} });
    expect([address, answer.body["code"]]).toEqual([address, "scope_too_small"]);
    asked.push(`${method} ${address}`);
  }
  expect(await house.stored()).toBe(before);
  const { data } = await house.service.store.audit.list({ limit: asked.length });
  expect(data.map(({ action }) => action).toReversed()).toEqual(asked);
  expect(new Set(data.map(({ status, actor }) => `${status} ${actor}`)).size).toBe(1);
});

test("8: a sync that names what is not there, or is of another kind, is refused and not saved", async () => {
  const before = await house.stored();
  const sync = (await house.ask("GET", "/v1/syncs/companies")).body["document"] as Record<string, unknown>;
  for (const part of [
    { from: { model: "hubspot" } },
    { from: { model: "accounts", segment: "companies" } },
    { to: { destination: "warehouse", object: "companies" } },
    { to: { destination: "../hubspot", object: "companies" } },
    { after: { sync: "accounts" } },
  ]) {
    const answer = await house.ask("PUT", "/v1/syncs/foreign?override=true", { body: { ...sync, ...part } });
    expect([part, answer.status]).toEqual([part, 422]);
  }
  expect(await house.stored()).toBe(before);
});

test("9: what is not a client's to set is refused by name, and nothing is saved", async () => {
  const before = await house.stored();
  for (const name of ["workspace_id", "role", "status", "id", "created_at", "managed_by", "version", "paused"]) {
    const body = { model: "accounts", filter: { column: "mrr", is: ">", value: 1 }, [name]: "x" };
    const segment = await house.ask("PUT", "/v1/segments/assigned", { body });
    expect([name, segment.status, segment.body["code"]]).toEqual([name, 422, "invalid_document"]);
    const key = await house.ask("POST", "/v1/keys", { body: { name: "k", scope: "read", [name]: "x" } });
    expect([name, key.status]).toEqual([name, 422]);
    const run = await house.ask("POST", "/v1/syncs/companies/runs", { body: { [name]: "x" } });
    expect([name, run.status]).toEqual([name, 422]);
  }
  expect(await house.stored()).toBe(before);
});

test("12: wrong keys are throttled whatever address they claim to come from, and who has a right one is not", async () => {
  waitAMinute();
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const address = `10.0.${attempt}.1`;
    const headers = { "x-forwarded-for": address, "x-real-ip": address, forwarded: `for=${address}` };
    statuses.push((await house.ask("GET", "/v1/syncs", { key: "guess", headers })).status);
  }
  expect(statuses.filter((status) => status === 401)).toHaveLength(20);
  expect(statuses.slice(20).every((status) => status === 429)).toBe(true);
  expect((await house.ask("GET", "/v1/syncs")).status).toBe(200);
  waitAMinute();
  expect((await house.ask("GET", "/v1/syncs", { key: "guess" })).status).toBe(401);
});

test("12: who has no key does not fill the audit log", async () => {
  const entries = async (): Promise<number> => {
    const { data } = await house.service.store.audit.list({ limit: 10_000 });
    return data.filter(({ actor }) => actor === "nobody").length;
  };
  for (let attempt = 0; attempt < 300; attempt += 1) await house.ask("GET", "/v1/syncs", { key: null });
  // The tests before may have begun another minute.
  expect(await entries()).toBeLessThanOrEqual(200);
});

test("13: limits that are none are refused, and a cursor that was tampered with finds nothing more than it may", async () => {
  for (const list of ["/v1/runs", "/v1/audit", "/v1/documents?kind=sync"]) {
    const mark = list.includes("?") ? "&" : "?";
    for (const limit of ["1e9", "-1", "1.5", "0", "NaN", "", "501", "1;2"]) {
      const { status } = await house.ask("GET", `${list}${mark}limit=${encodeURIComponent(limit)}`);
      expect([list, limit, status]).toEqual([list, limit, 422]);
    }
    for (const cursor of ["' or 1=1 --", "../..", "-1", "9".repeat(200), "%", "{}"]) {
      const { status } = await house.ask("GET", `${list}${mark}cursor=${encodeURIComponent(cursor)}`);
      expect([list, cursor, status]).toEqual([list, cursor, 200]);
    }
    expect((await house.ask("GET", `${list}${mark}cursor=${"9".repeat(201)}`)).status).toBe(422);
    expect((await house.ask("GET", `${list}${mark}cursor=a&cursor=b`)).status).toBe(422);
  }
});

test.each([
  ["cancelled", "POST", "cancel"],
  ["of a sync that is deleted", "DELETE", ""],
])("14: a run that is %s sends nothing any more within five seconds", async (_, method, action) => {
  const { run } = await house.operations.startRun("companies", { kind: "full", trigger: "test" });
  await house.fault({ path: "/batch/", times: null, fault: { kind: "delay", ms: 2000 } });
  const done = performRun(run, house.service, { signal: new AbortController().signal });
  const status = async (): Promise<string> => (await house.operations.run(run)).status;
  while ((await status()) !== "sending") await sleep(20);
  const cancelled = performance.now();
  const path = action === "" ? "/v1/syncs/companies?override=true" : `/v1/runs/${run}/${action}`;
  expect((await house.ask(method, path, { key: house.keys.write })).status).toBeLessThan(300);
  await done;
  expect(performance.now() - cancelled).toBeLessThan(5000);
  const ended = await house.operations.run(run);
  expect(ended.status).toBe("cancelled");
  expect(ended.accepted + ended.in_doubt).toBe(2000);
  expect(ended.unsent).toBeGreaterThan(0);
});
