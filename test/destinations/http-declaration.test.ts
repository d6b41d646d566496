import { describe, expect, test } from "vitest";
import { connection as settings } from "../../destinations/http/settings.ts";
import { failureOf } from "./checks.ts";
import { accepting, type Settings, things, wired, withObject } from "./http.service.ts";

describe("an object", () => {
  test("has the modes, removals, limits and fields that it declares", async () => {
    await using place = await withObject({});
    expect(await place.connection.describe("accounts", {})).toMatchObject({
      title: "Accounts",
      modes: ["upsert", "update", "insert", "mirror"],
      removals: ["delete"],
      batch: { records: 50, bytes: 262_144 },
      matchFields: 1,
      idempotent: { upsert: true, mirror: true, update: true, insert: false, append: false },
    });
    const events = await place.connection.describe("events", {});
    expect([events.modes, events.removals]).toEqual([["append"], []]);
    expect(events.fields).toEqual([
      { name: "event_id", title: "event_id", type: "text", writable: false, matches: true },
      { name: "kind", title: "kind", type: "text", writable: true, matches: false },
    ]);
  });

  test("without fields takes any name below `data`", async () => {
    const { connection } = wired(things({}));
    const { fields } = await connection.describe("things", {});
    expect(fields.map(({ name, type }) => [name, type])).toEqual([
      ["key", "text"],
      ["data", "json"],
    ]);
  });

  test("has no settings, and says so", async () => {
    const asked = wired(things({})).connection.describe("things", { list: "x" });
    expect(await failureOf(asked)).toMatchObject({ kind: "refused", code: "settings_invalid" });
  });
});

describe("a declaration is refused, with the place of the fault, that", () => {
  const idTold = [{ status: 200, means: "accepted", id: "/id" }];
  const list = (by: unknown): unknown => [
    { status: 200, means: "results", lists: [{ at: "/r", by, items: [{ means: "accepted" }] }] },
  ];
  const upsert = ["objects", "things", "operations", "upsert"];

  test.each<[fault: string, given: Settings, path: readonly (string | number)[]]>([
    ["has Liquid that cannot be read", things({ path: "/{{ match.key" }), [...upsert, "path"]],
    [
      "has Liquid with a filter that is not there",
      things({ body: { a: ["{{ match.key | now }}"] } }),
      [...upsert, "body", "a", 0],
    ],
    ["reads files", things({ text: "{% include 'x' %}" }), [...upsert, "text"]],
    ["reads a name that is not there", things({ body: "{{ row.key }}" }), [...upsert, "body"]],
    ["reads a field that is not declared", things({ query: { q: "{{ record.mrr }}" } }), [...upsert, "query", "q"]],
    ["reads a record where there is a batch", things({ per: "batch", path: "/{{ match.key }}" }), [...upsert, "path"]],
    ["has a query in its path", things({ path: "/things?a=b" }), [...upsert, "path"]],
    ["leaves its place by its path", things({ path: "/things/../admin" }), [...upsert, "path"]],
    ["leaves its place by an encoded path", things({ path: "/things/%2E./admin" }), [...upsert, "path"]],
    ["has two bodies", things({ body: {}, text: "x" }), [...upsert, "text"]],
    ["has an item for a single record", things({ item: {} }), [...upsert, "item"]],
    ["sends JSON as something else", things({ content_type: "text/csv" }), [...upsert, "content_type"]],
    [
      "sets a header of the connection",
      things({ headers: { Authorization: "x" } }),
      [...upsert, "headers", "Authorization"],
    ],
    ["has no answers", things({ answers: undefined }), [...upsert, "answers"]],
    ["accepts nothing", things({ answers: [{ status: 200, means: "in_doubt" }] }), [...upsert, "answers"]],
    [
      "explains a status that is settled",
      things({ answers: [...accepting, { status: 429, means: "busy" }] }),
      [...upsert, "answers", 1, "status"],
    ],
    ["has results of a single record", things({ answers: list({ key: "/k" }) }), [...upsert, "answers"]],
    [
      "finds results by a part of the match",
      things({ per: "batch", answers: list({ other: "/k" }) }),
      [...upsert, "answers"],
    ],
    [
      "finds results by a reference that is never sent",
      things({ per: "batch", answers: list("/ref") }),
      [...upsert, "answers"],
    ],
    [
      "is told one id for a whole batch",
      things({ per: "batch", answers: idTold, item: "{{ id }}" }),
      [...upsert, "answers"],
    ],
    ["is told an id and never sends it", things({ answers: idTold }), upsert],
    [
      "has limits for batches that it never sends",
      things({}, { batch: { records: 5 } }),
      ["objects", "things", "batch"],
    ],
    [
      "has no operation",
      { objects: { things: { match: "key", operations: {} } } },
      ["objects", "things", "operations"],
    ],
    ["has no object", { objects: {} }, ["objects"]],
    ["lacks its credential", { ...things({}), auth: "bearer" }, ["bearer_token"]],
    ["lacks one half of its credential", { ...things({}), auth: "basic", username: "a" }, ["password"]],
    ["has a credential that is not sent", { ...things({}), api_key: "k" }, ["api_key"]],
    [
      "sets a header twice",
      { ...things({}), headers: { "X-a": "1" }, secret_headers: { "x-A": "2" } },
      ["secret_headers", "x-A"],
    ],
    ["has a secret in its address", { ...things({}), base_url: "https://a:b@svc.test" }, ["base_url"]],
    ["has an address with a query", { ...things({}), base_url: "https://svc.test/?key=1" }, ["base_url"]],
    ["does not say how it authenticates", { ...things({}), auth: undefined }, ["auth"]],
    ["has a signing secret in another form", { ...things({}), signing_secret: "plain" }, ["signing_secret"]],
  ])("%s", (_fault, given, path) => {
    const parsed = settings.safeParse({ base_url: "https://svc.test", auth: "none", ...given });
    expect(parsed.error?.issues.map((issue) => issue.path)).toEqual([path]);
  });
});
