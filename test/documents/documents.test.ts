import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { collect, listOf, schemas } from "../../src/documents/documents.ts";
import type { Documents, WorkspaceDocument } from "../../src/documents/documents.ts";
import { toYaml } from "../../src/documents/export.ts";
import { checkDocument, parseDocument } from "../../src/documents/parse.ts";
import { InvalidDocument, printProblem } from "../../src/documents/problem.ts";
import { checkReferences, dependents } from "../../src/documents/references.ts";
import { resolveSync } from "../../src/documents/resolve.ts";
import {
  type Known,
  literalSecrets,
  resolveConnection,
  resolveSecrets,
  secretNames,
} from "../../src/documents/secrets.ts";
import { parseDocuments } from "../../src/documents/together.ts";
import { durationMs } from "../../src/documents/values.ts";
import { testRegistry } from "./adapters/registry.ts";

const registry = await testRegistry();
const kinds = await registry.mappingKinds();

const sync = {
  from: { model: "accounts", segment: "paying" },
  to: { destination: "hubspot", object: "companies" },
  mode: "mirror",
  match: { account_id: "account_id" },
  fields: {
    mrr: "mrr",
    plan_name: { column: "plan", when_null: "skip" },
    by: { value: ["a", 1] },
    up: { template: "{{ plan | upcase }}" },
  },
};

async function workspace(...overrides: readonly object[]): Promise<Documents> {
  const written: readonly object[] = [
    { kind: "source", name: "warehouse", type: "memory", connection: { account: "acme" } },
    { kind: "model", name: "accounts", source: "warehouse", sql: "select 1", key: "account_id" },
    { kind: "segment", name: "paying", model: "accounts", filter: { column: "mrr", is: ">", value: 0 } },
    { kind: "destination", name: "hubspot", type: "crm", connection: { access_token: "${env:TOKEN}" } },
    { kind: "sync", name: "companies", ...sync },
    ...overrides,
  ];
  const checked = await Promise.all(written.map((one) => checkDocument(one, registry)));
  return collect(checked.flatMap((one) => (one.ok ? [one.value] : [])));
}

describe("a document as a value", () => {
  test("needs no kind and name, but must not contradict its address", async () => {
    const parsed = await parseDocument("sync", "companies", sync, registry);
    expect(parsed.ok && parsed.value.name).toBe("companies");
    const other = await parseDocument("sync", "companies", { ...sync, name: "people" }, registry);
    expect(other.ok || other.problems.map((one) => `${one.code} ${one.pointer}`)).toEqual(["conflict /name"]);
  });

  test("has problems with JSON pointers", async () => {
    const wrong = { ...sync, mode: "upsrt", fields: { "a/b~c": { template: "{{" } }, secret: 1 };
    const parsed = await parseDocument("sync", "companies", wrong, registry);
    expect(parsed.ok || parsed.problems.map((one) => `${one.code} ${one.pointer}`)).toEqual([
      "unknown_value /mode",
      "unknown_key /secret",
      "invalid_mapping /fields/a~1b~0c",
    ]);
  });

  test("cannot pollute prototypes or overflow the stack", async () => {
    const polluted: unknown = JSON.parse('{"__proto__":{"x":1},"fields":{"__proto__":"mrr","constructor":"mrr"}}');
    const parsed = await parseDocument("sync", "companies", polluted, registry);
    expect(parsed.ok || parsed.problems.map((one) => one.code)).toContain("unsafe_key");
    expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
    const deep: unknown = JSON.parse(`{"filter":${'{"not":'.repeat(5000)}1${"}".repeat(5000)}}`);
    const nested = await parseDocument("segment", "a", deep, registry);
    expect(nested.ok || nested.problems.map((one) => one.code)).toEqual(["too_deep"]);
    for (const primitive of [10, "x", null, [], true]) {
      const refused = await parseDocument("model", "a", primitive, registry);
      expect(refused.ok || refused.problems.map((one) => `${one.code} ${one.pointer}`)).toEqual(["invalid "]);
    }
  });

  test("whatever it is, is refused or taken, never a crash", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("source", "model", "segment", "destination", "sync"),
        fc.jsonValue(),
        async (kind, value) => {
          const parsed = await parseDocument(kind, "a", value, registry);
          expect(parsed.ok || parsed.problems.length > 0).toBe(true);
        },
      ),
    );
  });

  test("of a hostile size is answered, with no more problems than a person can read", async () => {
    const repeat = <T>(count: number, value: T): Record<string, T> =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, value]));
    const nested = Array.from({ length: 10 }).reduce<object>((inner) => ({ all: [inner, inner] }), {});
    const documents = [
      ["sync", { ...sync, fields: repeat(20_000, { template: "{{" }) }],
      ["sync", { ...sync, fields: { [".".repeat(500_000)]: "a" } }],
      ["sync", { ...sync, ...repeat(20_000, 1) }],
      ["sync", { ...sync, fields: repeat(20_000, "a") }],
      ["segment", { model: "a", filter: nested }],
      ["segment", { model: "a", filter: { all: Array.from({ length: 20_000 }, () => ({})) } }],
    ] as const;
    for (const [kind, value] of documents) {
      const parsed = await parseDocument(kind, "a", value, registry);
      expect(parsed.ok || parsed.problems.length <= 200).toBe(true);
    }
  });

  test("has a JSON Schema with a description of every setting", () => {
    for (const schema of Object.values(schemas)) {
      const { properties } = z.toJSONSchema(schema, { io: "input" });
      const undescribed = Object.entries(properties ?? {}).filter(
        ([name, property]) =>
          name !== "kind" &&
          typeof property === "object" &&
          property.description === undefined &&
          property.$ref === undefined,
      );
      expect(undescribed).toEqual([]);
    }
  });
});

test("documents that come together are checked together, each problem naming its document", async () => {
  const source = { kind: "source", name: "warehouse", type: "memory", connection: { account: "acme" } };
  const model = { kind: "model", name: "accounts", source: "warehous", table: "t", key: "id" };
  expect((await parseDocuments([source, { ...model, source: "warehouse" }], registry)).models.size).toBe(1);
  const refused: unknown = await parseDocuments([model, source, source, { name: "x" }], registry).catch(
    (error: unknown) => error,
  );
  expect(refused).toBeInstanceOf(InvalidDocument);
  const { problems } = refused as InvalidDocument;
  expect(problems.map((one) => `${one.document}: ${one.code} ${one.pointer}`)).toEqual([
    "document 4: missing /3/kind",
    'source "warehouse": duplicate /2/name',
    'model "accounts": unknown_reference /0/source',
  ]);
  expect(printProblem(problems[2]!)).toContain(
    'model "accounts"  source: there is no source "warehous". Did you mean "warehouse"?',
  );
});

describe("references", () => {
  test("that lead nowhere are named with the nearest name", async () => {
    const documents = await workspace({ kind: "segment", name: "free", model: "acounts", filter: { sql: "x" } });
    const problems = checkReferences(listOf(documents));
    expect(
      problems.map(({ document, problem }) => [document.name, problem.code, problem.pointer, problem.suggestion]),
    ).toEqual([["free", "unknown_reference", "/model", "accounts"]]);
  });

  test("to a segment of another model are refused", async () => {
    const documents = await workspace(
      { kind: "model", name: "users", source: "warehouse", table: "u", key: ["a", "b"] },
      { kind: "sync", name: "people", ...sync, from: { model: "users", segment: "paying" } },
    );
    expect(
      checkReferences(listOf(documents)).map(({ document, problem }) => `${document.name} ${problem.code}`),
    ).toEqual(["people other_model"]);
  });

  test("tell who would break without a document", async () => {
    const all = listOf(await workspace());
    expect(dependents(all, "model", "accounts").map((one) => one.name)).toEqual(["paying", "companies"]);
    expect(dependents(all, "sync", "companies")).toEqual([]);
  });
});

describe("a sync, resolved", () => {
  test("has its model, filter, mappings and defaults", async () => {
    const { spec, source, destination } = resolveSync(await workspace(), "companies", kinds);
    expect([source.name, destination.name]).toEqual(["warehouse", "hubspot"]);
    expect(spec).toEqual({
      name: "companies",
      model: { from: { sql: "select 1" }, key: ["account_id"], filter: { column: "mrr", is: ">", value: 0 } },
      object: "companies",
      settings: {},
      mode: "mirror",
      match: { account_id: "account_id" },
      fields: [
        { target: "mrr", kind: "column", options: { column: "mrr" }, whenNull: "clear" },
        { target: "plan_name", kind: "column", options: { column: "plan" }, whenNull: "skip" },
        { target: "by", kind: "constant", options: { value: ["a", 1] }, whenNull: "clear" },
        { target: "up", kind: "template", options: { template: "{{ plan | upcase }}" }, whenNull: "clear" },
      ],
      removed: "archive",
      gate: { removed: { percent: 30 }, rejected: { percent: 10 }, keys: "withhold" },
      keepValues: false,
      skipUnchanged: false,
    });
  });

  test("removes nothing in another mode than mirror", async () => {
    const upsert = await workspace({
      kind: "sync",
      name: "companies",
      ...sync,
      mode: "upsert",
      gate: { removed: 500, keys: "hold" },
    });
    const { spec } = resolveSync(upsert, "companies", kinds);
    expect(spec.removed).toBe("ignore");
    expect(spec.gate).toEqual({ removed: { rows: 500 }, rejected: { percent: 10 }, keys: "hold" });
  });

  test("that is not there is suggested", async () => {
    const documents = await workspace();
    expect(() => resolveSync(documents, "compnies", kinds)).toThrow(
      expect.objectContaining({ code: "not_found", hint: 'Did you mean "companies"?' }),
    );
  });
});

describe("secrets", () => {
  const destination = {
    kind: "destination",
    name: "hubspot",
    connection: { access_token: "Bearer ${env:TOKEN}", port: "${env:PORT}", region: "eu" },
  } as const;

  const known = (
    environment: Readonly<Record<string, string>>,
    secrets: Readonly<Record<string, string>> = {},
  ): Known => ({
    environment,
    secrets: new Map(Object.entries(secrets)),
  });

  test("are read from those that are stored, and the service's own settings are not for documents", () => {
    const connection = { token: "Bearer ${secret:crm-token}", port: "${env:PORT}" };
    expect(secretNames(connection)).toEqual(["crm-token"]);
    const values = known({ PORT: "1" }, { "crm-token": "t" });
    expect(resolveSecrets({ ...destination, connection }, values)).toEqual({ token: "Bearer t", port: "1" });
    expect(() => resolveSecrets({ ...destination, connection }, known({ PORT: "1" }))).toThrow(
      expect.objectContaining({
        code: "missing_variable",
        message: expect.stringContaining("secret crm-token") as string,
      }),
    );
    const stolen = { token: "${env:SLUICE_SECRET_KEY}" };
    expect(() => resolveSecrets({ ...destination, connection: stolen }, known({ SLUICE_SECRET_KEY: "k" }))).toThrow(
      expect.objectContaining({ code: "missing_variable" }),
    );
  });

  test("are read from the environment, anywhere in a text, and only once", () => {
    const env = { TOKEN: "a${env:PORT}$&", PORT: "80" };
    expect(resolveSecrets(destination, known(env))).toEqual({
      access_token: "Bearer a${env:PORT}$&",
      port: "80",
      region: "eu",
    });
    expect(destination.connection.port).toBe("${env:PORT}");
  });

  test("that the environment lacks are named, all of them, with their document", () => {
    expect(() => resolveSecrets(destination, known({ TOKEN: "" }))).toThrow(
      expect.objectContaining({
        code: "missing_variable",
        message: expect.stringMatching(/"hubspot".*TOKEN, PORT/) as string,
      }),
    );
    expect(() => resolveSecrets({ ...destination, connection: { a: "${env:toString}" } }, known({}))).toThrow(
      expect.objectContaining({ code: "missing_variable" }),
    );
  });

  test("become what the adapter's schema wants, a number from a variable too", async () => {
    const { connection } = await registry.loadDestination("crm");
    const config = resolveConnection(destination, connection, known({ TOKEN: "t", PORT: "8080" }));
    expect(config).toEqual({ access_token: "Bearer t", port: 8080, region: "eu" });
    expect(() => resolveConnection(destination, connection, known({ TOKEN: "t", PORT: "eighty" }))).toThrow(
      expect.objectContaining({ code: "invalid_document" }),
    );
  });

  test("written out are found by the adapter's mark", async () => {
    const { connection } = await registry.loadWarehouse("memory");
    expect(literalSecrets({ account: "a", password: "x" }, connection).map((one) => one.pointer)).toEqual([
      "/connection/password",
    ]);
    expect(literalSecrets({ account: "a", password: "${env:X}" }, connection)).toEqual([]);
  });
});

test("a bucket's keys are never written out in a source, and the one that was is not repeated", async () => {
  const source = (secret: string): object => ({
    kind: "source",
    name: "warehouse",
    type: "memory",
    connection: { account: "a" },
    planner: { in: "local", s3: { bucket: "b", access_key_id: "${env:KEY}", secret_access_key: secret } },
  });
  expect((await checkDocument(source("${env:SECRET}"), registry)).ok).toBe(true);
  const checked = await checkDocument(source("hunter2"), registry);
  const problems = checked.ok ? [] : checked.problems;
  expect(problems.map((one) => one.pointer)).toEqual(["/planner/s3/secret_access_key"]);
  expect(JSON.stringify(problems)).not.toContain("hunter2");
});

test("durations are milliseconds", () => {
  expect(["30s", "15m", "1h", "1d"].map(durationMs)).toEqual([30_000, 900_000, 3_600_000, 86_400_000]);
});

describe("a document as YAML", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,62}$/);
  const words = fc.string({ unit: "binary", minLength: 1, maxLength: 40 }).filter((one) => !one.includes("\0"));
  const column = fc.string({ minLength: 1, maxLength: 30 });
  const number = fc
    .oneof(fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }))
    .map((one) => one + 0);
  const scalar = fc.oneof(fc.string(), number, fc.boolean());
  const target = fc
    .stringMatching(/^[A-Za-z][A-Za-z0-9_ -]{0,20}$/)
    .filter((one) => !["constructor", "prototype"].includes(one));
  const filter = fc.letrec<{ filter: unknown }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 3 },
      fc.record({ column, is: fc.constantFrom("=", "!=", ">", "<="), value: scalar }),
      fc.record({
        column,
        is: fc.constantFrom("in", "not_in"),
        value: fc.array(scalar, { minLength: 1, maxLength: 3 }),
      }),
      fc.record({ column, is: fc.constantFrom("null", "not_null") }),
      fc.record({ sql: words }),
      fc.record({ all: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }) }),
      fc.record({ any: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }) }),
      fc.record({ not: tie("filter") }),
    ),
  })).filter;
  const field = fc.oneof(
    column,
    fc.record({ column, when_null: fc.constantFrom("skip", "clear", "reject") }, { requiredKeys: ["column"] }),
    fc.record({ value: fc.oneof(scalar, fc.constant(null), fc.array(scalar)) }),
    fc.constant({ template: "{% if plan %}{{ plan | upcase }}\n: #{% endif %}" }),
  );
  const kind = <K extends string>(value: K): fc.Arbitrary<K> => fc.constant(value);
  const documents = fc.oneof(
    fc.record({ kind: kind("source"), name, type: kind("memory"), connection: fc.record({ account: words }) }),
    fc.record({
      kind: kind("model"),
      name,
      source: name,
      sql: words,
      key: fc.oneof(column, fc.uniqueArray(column, { minLength: 1, maxLength: 3 })),
    }),
    fc.record({ kind: kind("segment"), name, model: name, filter }),
    fc.record({ kind: kind("destination"), name, type: kind("crm"), connection: fc.record({ access_token: words }) }),
    fc.record(
      {
        kind: kind("sync"),
        name,
        from: fc.record({ model: name, segment: name }, { requiredKeys: ["model"] }),
        to: fc.record(
          { destination: name, object: words, settings: fc.dictionary(target, scalar, { maxKeys: 2 }) },
          { requiredKeys: ["destination", "object"] },
        ),
        mode: kind("mirror"),
        match: fc.dictionary(target, column, { minKeys: 1, maxKeys: 2 }),
        fields: fc.dictionary(target, field, { maxKeys: 4 }),
        removed: fc.constantFrom("archive", "delete", "clear", "ignore"),
        schedule: fc.constantFrom({ every: "15m" }, { cron: "*/5 0-6,8 * jan-mar MON", timezone: "Europe/Berlin" }),
        gate: fc.record(
          { removed: fc.constantFrom("5%", "0.5%", 500), keys: fc.constantFrom("withhold", "hold") },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: ["kind", "name", "from", "to", "mode", "match"] },
    ),
  );

  const valid = async (value: unknown): Promise<WorkspaceDocument> => {
    const checked = await checkDocument(value, registry);
    if (!checked.ok) throw new Error(JSON.stringify(checked.problems));
    return checked.value;
  };

  test("comes back as it was, whatever its values", async () => {
    await fc.assert(
      fc.asyncProperty(documents, async (written) => {
        fc.pre(!JSON.stringify(written).includes("${"));
        const document = await valid(written);
        expect(await valid(parse(toYaml(document), { version: "1.2" }))).toEqual(document);
      }),
      { numRuns: 300 },
    );
  });

  test("has its settings in the same order, whatever order they came in", async () => {
    const document = await valid({ kind: "sync", name: "companies", ...sync });
    const shuffled = Object.fromEntries(Object.entries(document).toReversed()) as WorkspaceDocument;
    expect(toYaml(shuffled)).toBe(toYaml(document));
    expect(toYaml(document).split("\n")[0]).toBe("kind: sync");
  });
});
