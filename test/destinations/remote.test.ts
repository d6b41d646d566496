import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import remote from "../../destinations/remote/index.ts";
import * as protocol from "../../destinations/remote/protocol.ts";
import createSandbox from "../../destinations/remote/sandbox.ts";
import { askedSchema } from "../../destinations/remote/sandbox/store.ts";
import type { Batch, Change, Outcome, StartedJob } from "../../src/destination.ts";
import { Business, type RunJson } from "../end-to-end/business.ts";
import { failureOf, kinds } from "./checks.ts";
import { conformance } from "./conformance.ts";
import fixture, { fields, recordsOf, token } from "./remote.fixture.ts";
import { openPlace, type Place } from "./place.ts";
import { behindFaults, hasPython, type PythonAdapter, startPython } from "./remote-python.ts";

async function adapter(seed: Readonly<Record<string, unknown>> = {}): Promise<Place> {
  const [object] = fixture.objects;
  if (!object) throw new Error("the fixture has no object");
  const given = { ...(fixture.seed as object), ...seed };
  return openPlace({ adapter: remote, createSandbox, fixture, object, sandbox: { seed: given } });
}

function change(seq: number, more: Partial<Change> = {}): Change {
  const match = { email: `p${seq}@x.example` };
  return { seq, match, record: { name: `N${seq}` }, destinationId: undefined, renamed: false, ...more };
}

function batch(seqs: readonly number[], more: Partial<Batch> = {}): Batch {
  const base = { object: "contacts", settings: {}, operation: "upsert", match: ["email"], id: "b1" } as const;
  return { ...base, fields: ["name"], changes: seqs.map((seq) => change(seq)), ...more };
}

/** The outcomes of a batch of 1, 2 and 3, and what is answered to it. */
async function answered(results: unknown): Promise<readonly Outcome[]> {
  await using place = await adapter();
  await place.strike({ kind: "status", status: 200, body: { results }, headers: { "sluice-protocol": "1" } });
  return await place.connection.write(batch([1, 2, 3]));
}

const fine = (seq: unknown): object => ({ seq, outcome: "accepted", id: `r${String(seq)}` });

describe("a result", () => {
  test("is found by its seq, wherever it stands", async () => {
    const refused = { seq: 2, outcome: "rejected", code: "bad_plan", message: "No such plan.", field: "plan" };
    const unsure = { seq: 1, outcome: "in_doubt", message: "The vendor did not say." };
    expect(await answered([fine(3), refused, unsure])).toEqual([
      { seq: 1, kind: "in_doubt", message: "The vendor did not say." },
      { seq: 2, kind: "rejected", code: "bad_plan", message: "No such plan.", field: "plan" },
      { seq: 3, kind: "accepted", destinationId: "r3" },
    ]);
  });

  test.each<[what: string, results: readonly unknown[], words: RegExp]>([
    ["that is missing", [fine(1), fine(3)], /no result for this change\.$/],
    ["that is there twice", [fine(1), fine(2), fine(3), fine(2)], /more than one result/],
    [
      "that is there twice and differs",
      [fine(1), fine(2), { seq: 2, outcome: "rejected", code: "c", message: "m" }, fine(3)],
      /more than one result/,
    ],
    ["whose outcome is unknown", [fine(1), { seq: 2, outcome: "ok" }, fine(3)], /outcome/],
    ["that has something else beside", [fine(1), { ...fine(2), record: {} }, fine(3)], /record/],
    ["with a number for an id", [fine(1), { ...fine(2), id: 7 }, fine(3)], /id: .*string/],
    ["of a rejection without a reason", [fine(1), { seq: 2, outcome: "rejected" }, fine(3)], /code: .*message: /],
    ["for a change that was not sent", [fine(1), fine(4), fine(3)], /but 1 for changes it was not sent, such as seq 4/],
    ["whose seq is a text", [fine(1), fine("2"), fine(3)], /but 1 without a seq/],
    ["that is none", [fine(1), null, fine(3)], /but 1 without a seq/],
  ])("%s leaves its change in doubt, and no other", async (_, results, words) => {
    const outcomes = await answered(results);
    expect(kinds(outcomes)).toEqual([
      [1, "accepted"],
      [2, "in_doubt"],
      [3, "accepted"],
    ]);
    expect(outcomes.find(({ seq }) => seq === 2)).toMatchObject({ message: expect.stringMatching(words) });
  });
});

describe("an answer that is not of the protocol", () => {
  test.each<[what: string, body: unknown, words: string]>([
    ["to a write", { results: "all done" }, "POST /write is not what the protocol says. results: "],
    ["to a write, with something beside", { results: [], ok: true }, '"ok"'],
  ])("%s may have been applied, and says what is wrong and where", async (_, body, words) => {
    await using place = await adapter();
    await place.strike({ kind: "status", status: 200, body, headers: { "sluice-protocol": "1" } });
    const error = await failureOf(place.connection.write(batch([1])));
    expect(error).toMatchObject({ kind: "unavailable", applied: "unknown", code: "answer_invalid" });
    expect(error.message).toContain(words);
  });

  test.each<[what: string, says: object, words: string]>([
    ["an unknown type", { fields: [{ name: "email", type: "string", matches: true }] }, "fields[0].type: "],
    ["no field that matches", { fields: [{ name: "email", type: "text" }] }, "fields: no field finds a record"],
    ["a field twice", { fields: [1, 2].map(() => ({ name: "a", type: "text", matches: true })) }, "fields[1].name: "],
    ["a mode that is none", { modes: ["replace"] }, "modes[0]: "],
    ["mirror without removals", { removals: [] }, "removals: mirror and removals need each other"],
    ["no limit on batches", { batch: { records: 0 } }, "batch.records: "],
    ["a word of another version", { upserts: true }, '"upserts"'],
    [
      "options of a text",
      { fields: [{ name: "a", type: "text", matches: true, options: [{ value: "x" }] }] },
      "options",
    ],
    ["another object", { name: "deals" }, 'asked for "contacts" and described "deals"'],
  ])("a description with %s is refused by name", async (_, says, words) => {
    await using place = await adapter({ objects: { contacts: { match: "email", fields, says } } });
    const error = await failureOf(place.connection.describe("contacts", {}));
    expect(error).toMatchObject({ kind: "refused", code: "answer_invalid", applied: "no" });
    expect(error.message).toContain(words);
  });

  test.each<[version: string | null, code: string, words: RegExp]>([
    ["2", "protocol_unknown", /speaks version "2" .* this Sluice speaks 1/],
    [null, "not_an_adapter", /not with the header Sluice-Protocol/],
  ])("in version %s is refused by name, and a write may have been applied", async (version, code, words) => {
    await using place = await adapter({ version });
    const error = await failureOf(place.connection.check());
    expect(error).toMatchObject({ kind: "refused", code });
    expect(error.message).toMatch(words);
    expect(await failureOf(place.connection.write(batch([1])))).toMatchObject({ kind: "unavailable", code });
  });

  test("because it is no JSON is told", async () => {
    await using place = await adapter();
    await place.strike({ kind: "failure", name: "not_json" });
    expect(await failureOf(place.connection.check())).toMatchObject({ kind: "refused", code: "answer_invalid" });
  });
});

describe("a request that fails", () => {
  test("whole has the adapter's code and words, and was not applied", async () => {
    await using place = await adapter();
    const error = await failureOf(place.connection.write(batch([1], { operation: "archive" })));
    const kind = { kind: "refused", code: "operation_unsupported", applied: "no", status: 422 };
    expect(error).toMatchObject({ ...kind, message: "contacts knows no archive by email." });
  });

  test.each([
    ["busy", { kind: "busy", code: "rate_limit", retryAfterMs: 3000, applied: "no" }],
    ["unavailable", { kind: "unavailable", code: "vendor_down", applied: "unknown" }],
    ["unauthorized", { kind: "unauthorized", code: "token_refused", applied: "no" }],
  ])("by its status has the adapter's code and words: %s", async (name, expected) => {
    await using place = await adapter();
    await place.strike({ kind: "failure", name });
    expect(await failureOf(place.connection.write(batch([1])))).toMatchObject(expected);
  });

  test("without words at an address where no adapter is asks whether one is there", async () => {
    await using place = await adapter();
    await place.strike({ kind: "status", status: 404, body: "nothing here" });
    const error = await failureOf(place.connection.check());
    expect(error).toMatchObject({ kind: "refused", code: "http_404" });
    expect(error.message).toContain("base_url");
  });
});

describe("a job", () => {
  const slow = { object: "accounts", match: ["account_id"] };
  const changes = [1, 2].map((seq) => change(seq, { match: { account_id: `A${seq}` } }));

  test("is kept before it is waited for, and tells its outcomes to whoever asks next", async () => {
    await using place = await adapter({ looks: 3 });
    const kept: StartedJob[] = [];
    const stop = new AbortController();
    const onJob = async (job: StartedJob): Promise<void> => {
      kept.push(job);
      stop.abort(new Error("killed"));
    };
    const writing = place.connection.write(batch([], { ...slow, changes, onJob }), stop.signal);
    await expect(writing).rejects.toThrow("killed");
    expect(kept).toEqual([{ handle: "accounts/1", seqs: [1, 2] }]);
    const outcomes = (await place.connect({}).resume?.("accounts/1")) ?? [];
    expect(outcomes).toEqual([1, 2].map((seq) => ({ seq, kind: "accepted", destinationId: `accounts-${seq}` })));
  });

  test("that is forgotten leaves all in doubt, and tells nothing when it is asked about again", async () => {
    await using place = await adapter();
    await place.strike({ kind: "status", status: 404 }, { path: "/jobs/" });
    const outcomes = await place.connection.write(batch([], { ...slow, changes }));
    expect(kinds(outcomes)).toEqual([1, 2].map((seq) => [seq, "in_doubt"]));
    expect(await place.connection.resume?.("accounts/1")).toEqual([]);
  });

  test("goes on when a look at it fails", async () => {
    await using place = await adapter();
    await place.strike({ kind: "status", status: 503 }, { path: "/jobs/", times: 1 });
    const outcomes = await place.connection.write(batch([], { ...slow, changes }));
    expect(kinds(outcomes)).toEqual([1, 2].map((seq) => [seq, "accepted"]));
  });

  test("that may not be asked about may have been applied", async () => {
    await using place = await adapter();
    await place.strike({ kind: "status", status: 403 }, { path: "/jobs/" });
    const error = await failureOf(place.connection.write(batch([], { ...slow, changes })));
    expect(error).toMatchObject({ kind: "unauthorized", applied: "unknown" });
  });

  test.each([".", "..", ""])("cannot be called %j, which in a path leads elsewhere", async (job) => {
    await using place = await adapter();
    await place.strike({ kind: "status", status: 202, body: { job }, headers: { "sluice-protocol": "1" } });
    const error = await failureOf(place.connection.write(batch([1])));
    expect(error).toMatchObject({ kind: "unavailable", code: "answer_invalid", applied: "unknown" });
    expect((await place.asked()).map(({ path }) => path)).toEqual(["/write"]);
  });

  test("tells nothing of a change whose result is in doubt", async () => {
    await using place = await adapter();
    const results = [
      fine(1),
      fine(2),
      fine(2),
      { seq: 3, outcome: "in_doubt", message: "m" },
      { seq: 4, outcome: "?" },
    ];
    await place.strike({ kind: "status", status: 200, body: { results }, headers: { "sluice-protocol": "1" } });
    expect(await place.connection.resume?.("j")).toEqual([{ seq: 1, kind: "accepted", destinationId: "r1" }]);
  });
});

test("a record that is told twice, or that nobody asked for, is not told", async () => {
  await using place = await adapter();
  const records = [1, 2, 2, 4].map((seq) => ({ seq, record: { name: "N" } }));
  const told = [...records, { seq: 3, record: null }];
  await place.strike({ kind: "status", status: 200, body: { records: told }, headers: { "sluice-protocol": "1" } });
  const read = await place.connection.read?.(batch([1, 2, 3]), ["name"]);
  expect([...(read ?? [])]).toEqual([
    [1, { name: "N" }],
    [3, null],
  ]);
});

describe("what must be known without asking", () => {
  const cased = { objects: { contacts: { match: "email", fields, ignores_case: true } } };

  test("about case is in the settings, and a description that says otherwise is refused with what to write", async () => {
    await using place = await adapter(cased);
    const error = await failureOf(place.connection.describe("contacts", {}));
    expect(error).toMatchObject({ kind: "refused", code: "ignores_case_differs" });
    expect(error.message).toContain("It should have { contacts: [email] }.");
    const knowing = place.connect({ ignores_case: { contacts: ["email"] } });
    expect((await knowing.describe("contacts", {})).fields[0]).toMatchObject({ matching: "case_insensitive" });
    expect(knowing.ignoresCase?.("contacts", {}, "email")).toBe(true);
    expect(knowing.ignoresCase?.("constructor", {}, "email")).toBe(false);
  });

  test("about the pace is in the settings", () => {
    const config = remote.connection.parse({
      base_url: "http://127.0.0.1:1",
      auth: "none",
      rate_limits: [{ requests: 5, per_seconds: 2 }],
    }) as Parameters<typeof remote.limits>[0];
    expect(remote.limits(config)).toEqual([{ name: "5 requests in 2 s", requests: 5, perMs: 2000 }]);
  });
});

test.each([
  [{ auth: "bearer" }, "bearer_token"],
  [{ auth: "none", bearer_token: token }, "bearer_token"],
  [{ auth: "none", base_url: "https://user@adapter.example" }, "base_url"],
])("a connection that says two things is refused: %j", (given, path) => {
  const { error } = remote.connection.safeParse({ base_url: "https://adapter.example", ...given });
  expect(error?.issues.map((issue) => issue.path[0])).toEqual([path]);
});

test("the examples of the protocol's reference are of the protocol", () => {
  const reference = readFileSync(join(import.meta.dirname, "../../destinations/remote/README.md"), "utf8");
  const schemas = [
    protocol.aboutSchema,
    protocol.objectsSchema,
    protocol.descriptionSchema,
    askedSchema,
    protocol.resultsSchema.extend({ results: z.array(protocol.resultSchema) }),
    protocol.startedSchema,
    protocol.recordsSchema,
    protocol.refusalSchema,
  ];
  const examples = [...reference.matchAll(/```json\n([^]*?)```/g)].map(([, text = ""]) => JSON.parse(text) as unknown);
  expect(examples.map((example, at) => schemas[at]?.safeParse(example).error)).toEqual(schemas.map(() => undefined));
});

test("without a token, none is sent", async () => {
  await using place = await adapter({ token: undefined });
  expect(await place.connect({ auth: "none", bearer_token: undefined }).check()).toEqual({ account: "Sandbox" });
});

describe.runIf(hasPython())("in Python", () => {
  const people = recordsOf("people", "email", (n) => `person-${n}@customer.example`);
  let python: PythonAdapter;
  beforeAll(async () => {
    python = await startPython(token);
  });
  afterAll(() => python.stop());

  conformance({
    folder: "remote",
    adapter: remote,
    createSandbox: () => behindFaults(python),
    fixture: { ...fixture, seed: undefined, objects: [people] },
  });

  test("a sync goes its whole way: added, changed, refused, removed, and nothing twice", async () => {
    python.empty();
    await using business = await Business.open(1);
    Object.assign(business.environment, { ADAPTER: python.url, ADAPTER_TOKEN: token });
    const workspace = business.read("workspace.yaml");
    const run = async (rows: string): Promise<RunJson> => {
      business.write("workspace.yaml", `${workspace}${documentsOf(rows)}`);
      const { stdout, stderr } = await business.sluice(["--json", "run", "people"]);
      expect(stderr).toBe("");
      return JSON.parse(stdout) as RunJson;
    };
    expect(
      await run("('a@x.example', 'pro', 1), ('b@x.example', 'gold', 2), ('c@x.example', 'free', 3)"),
    ).toMatchObject({
      planned: { added: 3 },
      accepted: 2,
      invalid: 1,
    });
    const changed = await run("('a@x.example', 'free', 1), ('b@x.example', 'pro', 2)");
    expect(changed).toMatchObject({ planned: { added: 1, changed: 1, removed: 1 }, accepted: 3, requests: 3 });
    expect(Object.values(python.contents()["people"] ?? {})).toEqual([
      { email: "a@x.example", plan: "free", seats: 1 },
      { email: "b@x.example", plan: "pro", seats: 2 },
    ]);
    const again = await run("('a@x.example', 'free', 1), ('b@x.example', 'pro', 2)");
    expect(again).toMatchObject({ planned: { added: 0, changed: 0, removed: 0 }, unchanged: 2, requests: 0 });
  });
});

function documentsOf(rows: string): string {
  return `
---
kind: model
name: people
source: warehouse
sql: select email, plan, seats from (values ${rows}) t(email, plan, seats)
key: email
---
kind: destination
name: people
type: remote
connection: { base_url: "\${env:ADAPTER}", auth: bearer, bearer_token: "\${env:ADAPTER_TOKEN}" }
---
kind: sync
name: people
from: { model: people }
to: { destination: people, object: people }
mode: mirror
removed: delete
match: { email: email }
fields: { plan: plan, seats: seats }
gate: { removed: 100%, rejected: 100% }
`;
}
