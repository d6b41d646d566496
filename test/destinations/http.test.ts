import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { openApi } from "../../destinations/http/api.ts";
import http from "../../destinations/http/index.ts";
import { redactor } from "../../destinations/http/redact.ts";
import createSandbox from "../../destinations/http/sandbox.ts";
import { deliver, everyWord, failureOf, kinds } from "./checks.ts";
import fixture, { objects } from "./http.fixture.ts";
import {
  batch,
  bodyOf,
  change,
  config,
  one,
  type Settings,
  signingSecret,
  things,
  two,
  wired,
  withObject,
} from "./http.service.ts";
import { openPlace, type Place } from "./place.ts";
import { contextOf } from "./context.ts";

describe("the examples of the README", () => {
  const readme = readFileSync(join(import.meta.dirname, "../../destinations/http/README.md"), "utf8");
  const documents = [...readme.matchAll(/```yaml\n(.*?)```/gs)].flatMap(([, source = ""]) =>
    parseAllDocuments(source).map((document) => document.toJS() as Settings),
  );
  const variables: Readonly<Record<string, string>> = {
    ACCOUNTS_TOKEN: "token-of-readme",
    ACCOUNTS_SIGNING_SECRET: signingSecret,
    N8N_SLUICE_KEY: "key-of-readme",
    LIVESTORM_TOKEN: "storm-of-readme",
  };
  const example = (name: string): Settings => {
    const found = documents.find((document) => document["name"] === name)?.["connection"];
    const filled = JSON.stringify(found).replaceAll(/\$\{env:(\w+)\}/g, (_, name: string) => variables[name] ?? "");
    const { base_url: _address, ...others } = JSON.parse(filled) as Record<string, unknown>;
    return others;
  };
  const [object] = fixture.objects;
  const at = async (name: string, seed: unknown): Promise<Place> => {
    if (!object) throw new Error("the fixture has no object");
    const own = { ...fixture, connection: example(name), seed };
    return openPlace({ adapter: http, createSandbox, fixture: own, object, wrapped: true });
  };

  test("write to an in-house service in batches, by record, and as events", async () => {
    await using place = await at("accounts-service", {
      access: { bearer: variables["ACCOUNTS_TOKEN"], signing_secret: signingSecret },
    });
    expect(await place.connection.check()).toMatchObject({
      account: expect.stringContaining("own service at 127.0.0.1"),
    });
    const accounts = ["A-1", "A-2", "A-3"].map((id, seq) =>
      change(seq, { account_id: id }, { name: `Name ${id}`, plan: seq === 1 ? "gold" : "scale", mrr: seq }),
    );
    const outcomes = await place.connection.write(batch("accounts", accounts));
    expect(kinds(outcomes).map(([, kind]) => kind)).toEqual(["accepted", "rejected", "accepted"]);
    expect(outcomes[1]).toMatchObject({ seq: 1, code: "invalid", field: "plan" });
    const removal = batch("accounts", [change(9, { account_id: "A-1" }), change(10, { account_id: "A-7" })]);
    expect(kinds(await place.connection.write({ ...removal, operation: "delete", id: "run-1-9" }))).toEqual([
      [9, "accepted"],
      [10, "accepted"],
    ]);
    expect(Object.values(place.contents()["accounts"] ?? {})).toMatchObject([{ account_id: "A-3" }]);
    const person = batch("contacts", [change(1, { email: "a/b@example.com" }, { name: "A" })]);
    for (const operation of ["insert", "upsert", "update", "delete", "delete"] as const)
      expect(kinds(await place.connection.write({ ...person, operation, id: operation }))).toEqual([[1, "accepted"]]);
    expect(place.contents()["contacts"]).toEqual({});
    const event = batch("events", [change(1, { event_id: "e1" }, { kind: "opened" })], {
      operation: "append",
      id: "run-2-1",
    });
    expect(kinds(await place.connection.write(event))).toEqual([[1, "accepted"]]);
  });

  test("wait for an in-house service that says it is locked, as long as it says", async () => {
    await using place = await at("accounts-service", {});
    await place.strike({ kind: "failure", name: "locked" }, { times: 2 });
    const outcomes = await place.connection.write(batch("accounts", [change(1, { account_id: "A-1" }, { mrr: 1 })]));
    expect(kinds(outcomes)).toEqual([[1, "accepted"]]);
    await place.strike({ kind: "failure", name: "locked" });
    const bare = place.connect({ bearer_token: "x" });
    expect(await failureOf(bare.write(batch("accounts", [change(1, { account_id: "A-1" })])))).toMatchObject({
      kind: "busy",
      retryAfterMs: 3000,
    });
  });

  test("write through an n8n workflow that tells what it did with each record", async () => {
    await using place = await at("n8n", {
      access: { header: { name: "X-Sluice-Key", value: variables["N8N_SLUICE_KEY"] } },
    });
    const changes = ["A-1", "A-2"].map((id, seq) =>
      change(seq, { account_id: id }, { plan: seq === 1 ? "gold" : "scale", seats: 3 }),
    );
    expect(await place.connection.write(batch("account_metrics", changes))).toMatchObject([
      { seq: 0, kind: "accepted" },
      { seq: 1, kind: "rejected", code: "workflow_refused", message: expect.stringContaining("plan") },
    ]);
    const removal = batch("account_metrics", [change(5, { account_id: "A-1" })], { operation: "delete" });
    expect(kinds(await place.connection.write(removal))).toEqual([[5, "accepted"]]);
    expect(place.contents()["workflow account-metrics"]).toEqual({});
    const news = batch("account_news", [change(1, { account_id: "A-1" }, { headline: "Big" })], {
      operation: "append",
    });
    expect(kinds(await place.connection.write(news))).toEqual([[1, "accepted"]]);
    const wrong = place.connect({ api_key: "another-key" });
    expect(await failureOf(wrong.write(news))).toMatchObject({ kind: "unauthorized", applied: "no", status: 403 });
  });

  test("stop when the n8n workflow is not active, instead of rejecting every row", async () => {
    const table = { key: "account_id" };
    await using place = await at("n8n", {
      workflows: { "account-metrics": { active: false, respond: "results", table } },
    });
    const changes = [change(1, { account_id: "A-1" }, { seats: 3 })];
    expect(await failureOf(place.connection.write(batch("account_metrics", changes)))).toMatchObject({
      kind: "unauthorized",
      code: "workflow_not_registered",
      applied: "no",
    });
  });

  test("leave in doubt what a workflow answers in a form that is not declared", async () => {
    const table = { key: "account_id" };
    await using place = await at("n8n", { workflows: { "account-metrics": { respond: "immediately", table } } });
    const changes = [change(1, { account_id: "A-1" }, { seats: 3 })];
    expect(kinds(await place.connection.write(batch("account_metrics", changes)))).toEqual([[1, "in_doubt"]]);
  });

  test("make the request that the tool documents", async () => {
    const person = change(1, { email: "a@example.com", session_id: "s 1" }, { first_name: "A" });
    const { connection, sent } = wired(example("livestorm"), Response.json({ data: { id: "p1" } }, { status: 201 }));
    const insert = batch("registrants", [person], { operation: "insert" });
    expect(kinds(await connection.write(insert))).toEqual([[1, "accepted"]]);
    expect(sent[0]?.url).toBe("https://svc.test/api/sessions/s%201/people");
    expect(sent[0]?.headers.get("authorization")).toBe("storm-of-readme");
    expect(sent[0]?.headers.get("content-type")).toBe("application/vnd.api+json");
    expect(bodyOf(sent)).toEqual({
      data: {
        type: "people",
        attributes: {
          fields: [{ id: "email", value: "a@example.com" }, { id: "first_name", value: "A" }, { id: "last_name" }],
        },
      },
    });
    expect(http.limits(config(example("livestorm"))).map(({ perMs }) => perMs)).toEqual([1000, 2_592_000_000]);
  });
});

describe("a request", () => {
  test("carries values of every type as they are; what is missing is left out, and null stays", async () => {
    const record = { n: 1.5, yes: true, list: [1, "two"], map: { a: null }, none: null };
    const fields = Object.fromEntries(["n", "yes", "list", "map", "none", "gone"].map((name) => [name, "json"]));
    const body = { all: "{{ record }}", none: "{{ record.none }}", gone: "{{ record.gone }}", n: "n={{ record.n }}" };
    const { connection, sent } = wired(things({ body }, { fields }));
    await connection.write(batch("things", [change(1, { key: "a" }, record)]));
    expect(bodyOf(sent)).toEqual({ all: { key: "a", ...record }, none: null, n: "n=1.5" });
  });

  test("has the record as its body unless another is declared; a deletion has none", async () => {
    const { connection, sent } = wired(things({}));
    await connection.write(one);
    expect(bodyOf(sent)).toEqual({ key: "a", data: { n: 5 } });
    const deleting = wired(things({ method: "DELETE", path: "/things/{{ match.key }}" }, {}, "delete"));
    await deleting.connection.write({ ...one, operation: "delete" });
    expect(deleting.sent).toMatchObject([{ url: "https://svc.test/api/things/a", method: "DELETE", body: undefined }]);
  });

  test.each([
    ["a/b?c#d%", "https://svc.test/api/things/a%2Fb%3Fc%23d%25"],
    ["é\n", "https://svc.test/api/things/%C3%A9%0A"],
    ["...", "https://svc.test/api/things/..."],
  ])("has the value %j in one segment of its address", async (key, url) => {
    const { connection, sent } = wired(things({ path: "/things/{{ match.key }}" }));
    expect(kinds(await connection.write(batch("things", [change(1, { key })])))).toEqual([[1, "accepted"]]);
    expect(sent[0]?.url).toBe(url);
  });

  test.each([
    ["", "address_incomplete"],
    [null, "address_incomplete"],
    ["..", "address_invalid"],
    [".", "address_invalid"],
    ["\ud800", "address_invalid"],
  ])("is not made with the value %j in its address", async (key, code) => {
    const { connection, sent } = wired(things({ path: "/things/{{ match.key }}", method: "DELETE" }, {}, "delete"));
    const removal = batch("things", [change(1, { key }), change(2, { key: "b" })], { operation: "delete" });
    const outcomes = await connection.write(removal);
    expect(outcomes).toMatchObject([
      { seq: 1, kind: "rejected", code },
      { seq: 2, kind: "accepted" },
    ]);
    expect(sent.map(({ url }) => url)).toEqual(["https://svc.test/api/things/b"]);
  });

  test("leaves out a parameter without a value, and encodes the others", async () => {
    const query = { plan: "{{ record.data.plan }}", of: "{{ match.key }}&x" };
    const { connection, sent } = wired(things({ query }));
    await connection.write(one);
    expect(sent[0]?.url).toBe("https://svc.test/api/things?of=a%26x");
  });

  test("is not made with a header that cannot be sent, and the other records go on", async () => {
    const { connection, sent } = wired(things({ headers: { "X-Key": "{{ match.key }}" } }));
    const outcomes = await connection.write(
      batch("things", [change(1, { key: "a\r\nX-Admin: 1" }), change(2, { key: "b" })]),
    );
    expect(outcomes).toMatchObject([
      { seq: 1, code: "header_invalid" },
      { seq: 2, kind: "accepted" },
    ]);
    expect(sent.map(({ headers }) => headers.get("x-key"))).toEqual(["b"]);
  });

  test("can have text for its body, such as NDJSON", async () => {
    const text = "{% for item in items %}{{ item | json }}\n{% endfor %}";
    const { connection, sent } = wired(things({ per: "batch", text, content_type: "application/x-ndjson" }));
    await connection.write(two);
    expect(sent[0]?.body).toBe('{"key":"a"}\n{"key":"b"}\n');
    expect(sent[0]?.headers.get("content-type")).toBe("application/x-ndjson");
  });

  test("with text that should be JSON and is not rejects the record alone", async () => {
    const text = '[{% for item in items %}"{{ item.key }}"{% unless forloop.last %},{% endunless %}{% endfor %}]';
    await using place = await withObject(things({ path: "/things", per: "batch", text }));
    const bad = batch(
      "things",
      ["a", 'b"', "c"].map((key, seq) => change(seq, { key })),
    );
    const outcomes = await deliver(place, bad);
    expect(outcomes.filter(({ kind }) => kind === "rejected")).toMatchObject([{ seq: 1, code: "body_not_json" }]);
  });

  test("over the declared bytes is halved; a record over them alone is rejected", async () => {
    const declared = things({ per: "batch" }, { batch: { records: 10, bytes: 60 } });
    const { connection, sent } = wired(declared);
    const large = change(3, { key: "x".repeat(80) });
    expect(await failureOf(connection.write({ ...two, changes: [...two.changes, large] }))).toMatchObject({
      kind: "refused",
      code: "too_large",
      applied: "no",
    });
    expect(await connection.write({ ...two, changes: [large] })).toMatchObject([{ seq: 3, code: "too_large" }]);
    expect(sent).toEqual([]);
  });

  test("has the same key in every attempt, and no other request has it", async () => {
    const { connection, sent } = wired({ ...things({}), idempotency_header: "Idempotency-Key" });
    await connection.write(two);
    await connection.write(two);
    await connection.write(one);
    expect(sent.map(({ headers }) => headers.get("idempotency-key"))).toEqual([
      "run-1-2-1",
      "run-1-2-2",
      "run-1-2-1",
      "run-1-2-2",
      "run-1-2",
    ]);
  });

  test("sent again after its answer was lost makes no second record where the service knows the key", async () => {
    const post = { method: "POST", path: "/contacts", idempotent: true };
    const contacts = { ...objects.contacts, operations: { upsert: post } };
    await using place = await withObject({ objects: { contacts }, idempotency_header: "Idempotency-Key" });
    const insert = batch("contacts", [change(1, { email: "a@example.com" }, { name: "A" })]);
    await place.strike({ kind: "drop_after" }, { times: 1 });
    expect(await failureOf(place.connection.write(insert))).toMatchObject({ applied: "unknown" });
    expect(kinds(await place.connection.write(insert))).toEqual([[1, "accepted"]]);
    expect(Object.keys(place.contents()["contacts"] ?? {})).toHaveLength(1);
  });

  test("is signed as Standard Webhooks' own example is", async () => {
    const given = config({ ...things({}), auth: "signature", signing_secret: signingSecret });
    const sent: Headers[] = [];
    const fetch = async (_url: string | URL, init?: RequestInit): Promise<Response> => {
      sent.push(new Headers(init?.headers ?? {}));
      return Response.json({});
    };
    const api = openApi(given, contextOf(fetch), { redact: redactor(given), now: () => 1_614_265_330_500 });
    const request = { method: "POST", address: "/things", headers: {}, body: '{"test": 2432232314}' } as const;
    await api.send(request, "msg_p5jXN8AQM9LWM0D4loKWxJek");
    expect(Object.fromEntries(sent[0] ?? [])).toMatchObject({
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  test("with a wrong signature is refused by who checks it", async () => {
    const other = `whsec_${Buffer.from("another secret of 24 byte").toString("base64")}`;
    await using place = await withObject(
      { auth: "signature", signing_secret: other },
      { access: { signing_secret: signingSecret } },
    );
    const write = place.connection.write(batch("contacts", [change(1, { email: "a@example.com" })]));
    expect(await failureOf(write)).toMatchObject({ kind: "unauthorized", status: 401 });
    const right = place.connect({ signing_secret: signingSecret });
    expect(kinds(await right.write(batch("contacts", [change(1, { email: "a@example.com" })])))).toEqual([
      [1, "accepted"],
    ]);
  });

  test.each([
    [{ auth: "bearer", bearer_token: "t-1" }, "authorization", "Bearer t-1"],
    [{ auth: "basic", username: "ann", password: "pä ss" }, "authorization", "Basic YW5uOnDDpCBzcw=="],
    [{ auth: "api_key", api_key: "k-1" }, "x-api-key", "k-1"],
    [{ auth: "api_key", api_key: "k-1", api_key_header: "Authorization" }, "authorization", "k-1"],
    [{ headers: { "X-Team": "ops" } }, "x-team", "ops"],
    [{ secret_headers: { "X-Secret": "s-1" } }, "x-secret", "s-1"],
  ])("with %j has the header %s", async (given, name, value) => {
    const { connection, sent } = wired({ ...things({}), ...given });
    await connection.write(one);
    expect(sent[0]?.headers.get(name)).toBe(value);
  });

  test("of an operation that is not declared, or without all match fields, is not made", async () => {
    const { connection, sent } = wired(things({}, { match: ["key", "tenant"] }));
    expect(await failureOf(connection.write(one))).toMatchObject({ kind: "unauthorized", code: "match_incomplete" });
    const update = { ...one, operation: "update" } as const;
    expect(await failureOf(connection.write(update))).toMatchObject({ kind: "refused", code: "operation_unsupported" });
    expect(sent).toEqual([]);
  });
});

describe("a check", () => {
  test("without a declared address finds out that something answers, whatever it answers", async () => {
    await using place = await withObject({});
    for (const status of [200, 302, 401, 403, 404, 429]) {
      await place.strike({ kind: "status", status });
      expect((await place.connection.check()).account).toContain(String(status));
      await place.calm();
    }
    await place.strike({ kind: "status", status: 502 });
    expect(await failureOf(place.connection.check())).toMatchObject({ kind: "unavailable" });
    await place.calm();
    await place.shut();
    expect(await failureOf(place.connection.check())).toMatchObject({ kind: "unavailable", code: "unreachable" });
  });

  test("at a declared address that is not there fails, and says which", async () => {
    await using place = await withObject({ check: { path: "/whoami" } });
    expect(await failureOf(place.connection.check())).toMatchObject({ kind: "unauthorized", code: "check_failed" });
  });
});

test("what a service says in a failure is told, from where services usually say it", async () => {
  await using place = await withObject(things({}));
  for (const body of [{ message: "Down." }, { error: { message: "Down." } }, { error: "Down." }, { detail: "Down." }]) {
    await place.strike({ kind: "status", status: 503, body });
    const error = await failureOf(place.connection.write(one));
    expect(error).toMatchObject({ kind: "unavailable", applied: "unknown" });
    expect(error.message).toMatch(/\(503\): Down\.$/);
    await place.calm();
  }
});

describe("no secret is told", () => {
  const given = { auth: "basic", username: "ann", password: "swordfish", secret_headers: { "X-Secret": "s-3cr3t" } };
  const asSent = Buffer.from("ann:swordfish").toString("base64");

  test.each([200, 403, 409, 422, 500])("by a service that repeats its headers with %d", async (status) => {
    const rules = [
      { status: 200, when: { at: "/no", present: true }, means: "accepted" },
      { status: "2xx", means: "rejected", code: "/message", message: "/message", field: "/message" },
      { status: "4xx", means: "stop", code: "/message", message: "/message" },
    ];
    await using place = await withObject({ ...things({ answers: rules }), ...given });
    const words = `You sent Basic ${asSent} (swordfish) and s-3cr3t.`;
    await place.strike({ kind: "status", status, body: { message: words } });
    const told = await place.connection.write(one).then(JSON.stringify, everyWord);
    for (const secret of [asSent, "swordfish", "s-3cr3t"]) expect(told).not.toContain(secret);
    expect(told).toContain("[redacted]");
  });
});
