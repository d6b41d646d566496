import { describe, expect, test } from "vitest";
import { type Batch, DestinationError, type Outcome } from "../../src/destination.ts";
import { failureOf, kinds } from "./checks.ts";
import { accepting, batch, bodyOf, change, one, things, two, wired } from "./http.service.ts";

describe("an answer", () => {
  const told = async (answers: unknown, answer: Response, of: Batch = one): Promise<readonly Outcome[]> => {
    const per = of.changes.length > 1 ? "batch" : "record";
    return wired(things({ per, answers }), answer).connection.write(of);
  };
  const results = (items: unknown, by: unknown = { key: "/key" }): unknown => [
    { status: 200, means: "results", lists: [{ at: "/results", by, items }] },
  ];
  const items = [
    { when: { at: "/ok", is: true }, means: "accepted" },
    { when: { at: "/ok", is: false }, means: "rejected", code: "/code", message: "/why", field: "/field" },
  ];

  test.each([200, 201, 204, 400, 404, 409, 422])("of %d that no rule explains is in doubt", async (status) => {
    const answers = [{ status: 202, means: "accepted" }];
    expect(kinds(await told(answers, new Response(null, { status })))).toEqual([[1, "in_doubt"]]);
  });

  test("is explained by the first rule whose status and condition fit", async () => {
    const answers = [
      { status: [404, "410-411"], means: "rejected", code: "gone", message: "It is gone." },
      { status: 200, when: { at: "/ok", is: [true, "yes"] }, means: "accepted", id: "/it/0/id" },
      {
        status: 200,
        when: [
          { at: "/error", present: true },
          { at: "/ok", present: false },
        ],
        means: "rejected",
      },
      { status: "2xx", means: "in_doubt", message: "/why" },
    ];
    const upsert = { answers, body: { id: "{{ id }}" } };
    const ask = async (answer: Response): Promise<Outcome | undefined> =>
      (await wired(things(upsert), answer).connection.write(one))[0];
    expect(await ask(Response.json(null, { status: 411 }))).toMatchObject({ kind: "rejected", code: "gone" });
    expect(await ask(Response.json({ ok: "yes", it: [{ id: 7 }] }))).toEqual({
      seq: 1,
      kind: "accepted",
      destinationId: "7",
    });
    expect(await ask(Response.json({ error: "no" }))).toMatchObject({ kind: "rejected", code: "http_200" });
    expect(await ask(Response.json({ ok: false, error: "no", why: "busy" }))).toMatchObject({
      kind: "in_doubt",
      message: "busy",
    });
  });

  test("that is no JSON is one text", async () => {
    const answers = [{ status: 200, when: { at: "", is: "OK" }, means: "accepted" }];
    expect(kinds(await told(answers, new Response("OK")))).toEqual([[1, "accepted"]]);
    expect(kinds(await told(answers, new Response("<html>Sign in</html>")))).toEqual([[1, "in_doubt"]]);
  });

  test("to a batch finds its records by their match values, in any order, and no others", async () => {
    const answer = {
      results: [
        { key: "z", ok: true },
        { key: "b", ok: false, code: "no", why: "Not\u001b[2J\nso.", field: "data" },
        { key: "a", ok: true },
        "nothing",
      ],
    };
    expect(await told(results(items), Response.json(answer), two)).toEqual([
      { seq: 1, kind: "accepted" },
      { seq: 2, kind: "rejected", code: "no", message: "Not [2J so.", field: "data" },
    ]);
  });

  test("to a batch leaves in doubt what it does not name, or names with two fates, or in an unknown form", async () => {
    const fates = async (...listed: unknown[]): Promise<unknown> =>
      kinds(await told(results(items), Response.json({ results: listed }), two)).map(([, kind]) => kind);
    expect(await fates({ key: "a", ok: true })).toEqual(["accepted", "in_doubt"]);
    expect(await fates({ key: "a", ok: true }, { key: "a", ok: false })).toEqual(["in_doubt", "in_doubt"]);
    expect(await fates({ key: "a", ok: "maybe" }, { ok: true })).toEqual(["in_doubt", "in_doubt"]);
    expect(await fates({ key: "a", ok: true }, { key: "a", ok: true })).toEqual(["accepted", "in_doubt"]);
    expect(kinds(await told(results(items), Response.json({}), two)).map(([, kind]) => kind)).toEqual([
      "in_doubt",
      "in_doubt",
    ]);
  });

  test("to a batch finds records by the reference that they were sent with", async () => {
    const answers = results(items, "/ref");
    const declared = things({ per: "batch", item: { ref: "{{ reference }}" }, answers });
    const answer = Response.json({
      results: [
        { ref: 2, ok: false, code: "no" },
        { ref: "1", ok: true },
      ],
    });
    const { connection, sent } = wired(declared, answer);
    expect(kinds(await connection.write(two))).toEqual([
      [1, "accepted"],
      [2, "rejected"],
    ]);
    expect(bodyOf(sent)).toEqual([{ ref: "1" }, { ref: "2" }]);
  });

  test("to a batch finds records by several match fields together, and in any case where that is declared", async () => {
    const fields = { email: { matching: "case_insensitive" } };
    const answers = results(items, { tenant: "/t", email: "/e" });
    const declared = things({ per: "batch", answers }, { match: ["email", "tenant"], fields });
    const answer = Response.json({
      results: [
        { t: 7, e: "A@Example.com ", ok: true },
        { t: 8, e: "b@e.com", ok: true },
      ],
    });
    const { connection } = wired(declared, answer);
    const changes = [change(1, { email: "a@example.com", tenant: 7 }), change(2, { email: "b@e.com", tenant: 7 })];
    expect(kinds(await connection.write(batch("things", changes)))).toEqual([
      [1, "accepted"],
      [2, "in_doubt"],
    ]);
    expect(connection.ignoresCase?.("things", {}, "email")).toBe(true);
    expect(connection.ignoresCase?.("things", {}, "tenant")).toBe(false);
  });

  test("to a batch may have one list for each fate", async () => {
    const lists = [
      { at: "/created", by: { key: "/key" }, items: [{ means: "accepted" }] },
      { at: "/failed", by: { key: "/row/key" }, items: [{ means: "rejected", message: "/why" }] },
    ];
    const answer = Response.json({ created: [{ key: "b" }], failed: [{ row: { key: "a" }, why: "No." }] });
    const outcomes = await told([{ status: 200, means: "results", lists }], answer, two);
    expect(kinds(outcomes)).toEqual([
      [1, "rejected"],
      [2, "accepted"],
    ]);
  });

  test("that refuses a batch whole is refused, so that it is halved; a record alone is rejected", async () => {
    const answers = [...accepting, { status: 422, means: "rejected", code: "/code", message: "/why", field: "/at" }];
    const answer = Response.json({ code: "bad", why: "No.", at: "data" }, { status: 422 });
    await expect(told(answers, answer, two)).rejects.toMatchObject({
      kind: "refused",
      applied: "no",
      code: "bad",
      field: "data",
    });
    const alone = await told(answers, answer, { ...two, changes: two.changes.slice(0, 1) });
    expect(alone).toEqual([{ seq: 1, kind: "rejected", code: "bad", message: "No.", field: "data" }]);
  });

  test("can mean to wait, or to stop", async () => {
    const answers = [
      ...accepting,
      { status: 409, means: "busy", message: "/why", retry_after: "/wait" },
      { status: 404, means: "stop", code: "moved", message: "/why" },
    ];
    const waiting = told(answers, Response.json({ why: "locked", wait: 2.5 }, { status: 409 }), two);
    await expect(waiting).rejects.toMatchObject({ kind: "busy", applied: "no", retryAfterMs: 2500 });
    const untold = told(answers, Response.json({ wait: "soon" }, { status: 409 }), two);
    await expect(untold).rejects.toMatchObject({ kind: "busy", retryAfterMs: undefined });
    const stopped = told(answers, Response.json({ why: "Moved." }, { status: 404 }));
    await expect(stopped).rejects.toMatchObject({ kind: "unauthorized", applied: "no", code: "moved" });
  });
});

describe("a batch that takes several requests", () => {
  const busy = new DestinationError("busy", "wait", { code: "http_429", applied: "no", retryAfterMs: 1000 });

  test("and fails between them may have been applied", async () => {
    const { connection } = wired(things({}), Response.json({}), busy);
    expect(await failureOf(connection.write(two))).toMatchObject({
      kind: "busy",
      applied: "unknown",
      retryAfterMs: 1000,
    });
    const first = wired(things({}), busy);
    expect(await failureOf(first.connection.write(two))).toMatchObject({ kind: "busy", applied: "no" });
  });

  test("and fails between inserts keeps the outcomes that it has, so that none is inserted twice", async () => {
    const { connection, sent } = wired(things({}, {}, "insert"), Response.json({}), busy);
    const three = [...two.changes, change(3, { key: "c" })];
    const outcomes = await connection.write({ ...two, changes: three, operation: "insert" });
    expect(kinds(outcomes).map(([, kind]) => kind)).toEqual(["accepted", "in_doubt", "in_doubt"]);
    expect(sent).toHaveLength(2);
  });

  test("is never made by the service where every request carries one record", async () => {
    const described = await wired(things({})).connection.describe("things", {});
    expect(described.batch).toEqual({ records: 1 });
  });
});
