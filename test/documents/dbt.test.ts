import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { exposuresYaml } from "../../src/documents/dbt/exposures.ts";
import { type LoadedWorkspace, loadWorkspace } from "../../src/documents/load.ts";
import { parseDocuments } from "../../src/documents/together.ts";
import { InvalidDocument, InvalidWorkspace } from "../../src/documents/problem.ts";
import { testRegistry } from "./adapters/registry.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-dbt-"));
afterAll(() => rmSync(folder, { recursive: true }));

function node(name: string, more: object = {}): object {
  return {
    unique_id: `model.shop.${name}`,
    resource_type: "model",
    name,
    package_name: "shop",
    relation_name: `"analytics"."marts"."${name}"`,
    config: { enabled: true, materialized: "table" },
    columns: {},
    raw_code: "select 1",
    ...more,
  };
}

/** A generic test as dbt 1.4 and later write it; before, it says nothing of the node that it is attached to. */
function check(name: string, of: string, kwargs: object, more: object = {}): object {
  return {
    unique_id: `test.shop.${name}_${of}.${JSON.stringify(kwargs).length}`,
    resource_type: "test",
    name: `${name}_${of}`,
    package_name: "shop",
    attached_node: `model.shop.${of}`,
    depends_on: { macros: [], nodes: [`model.shop.${of}`] },
    test_metadata: { name, namespace: null, kwargs: { ...kwargs, model: "{{ get_where_subquery(ref('x')) }}" } },
    config: { severity: "ERROR", where: null },
    ...more,
  };
}

const proven = (of: string, column: string): readonly object[] => [
  check("unique", of, { column_name: column }),
  check("not_null", of, { column_name: column }),
];

const nodes = [
  node("account_metrics", {
    columns: {
      account_id: { name: "account_id", description: "The account's number." },
      mrr: { name: "mrr", description: "" },
    },
  }),
  ...proven("account_metrics", "account_id"),
  node("monthly"),
  check(
    "unique_combination_of_columns",
    "monthly",
    { combination_of_columns: ["account_id", "month"] },
    {
      test_metadata: {
        name: "unique_combination_of_columns",
        namespace: "dbt_utils",
        kwargs: { combination_of_columns: ["account_id", "month"] },
      },
    },
  ),
  check("not_null", "monthly", { column_name: "account_id" }),
  check("not_null", "monthly", { column_name: "month" }),
  node("contracted", { constraints: [{ type: "primary_key", columns: ["id"] }], contract: { enforced: true } }),
  node("two_columns", {
    config: { contract: { enforced: true } },
    columns: Object.fromEntries(
      ["a", "b"].map((name) => [name, { name, constraints: [{ type: "primary_key" }, { type: "not_null" }] }]),
    ),
  }),
  node("declared", { constraints: [{ type: "primary_key", columns: ["id"] }], contract: { enforced: false } }),
  node("lenient"),
  check("unique", "lenient", { column_name: "id" }, { config: { error_if: ">100" } }),
  check("not_null", "lenient", { column_name: "id" }, { config: { limit: 10 } }),
  node("broken", { columns: [1] }),
  node("two_keys"),
  ...proven("two_keys", "id"),
  ...proven("two_keys", '"email"'),
  node("unproven"),
  check("unique", "unproven", { column_name: "id" }, { config: { severity: "warn" } }),
  check("not_null", "unproven", { column_name: "id" }),
  check("unique", "unproven", { column_name: "id" }, { config: { severity: "ERROR", where: "id > 9" } }),
  node("passing", { config: { materialized: "ephemeral" }, relation_name: null }),
  node("shared", { unique_id: "model.shop.shared" }),
  node("shared", { unique_id: "model.crm.shared", package_name: "crm" }),
  node("orders", { unique_id: "model.shop.orders.v2", version: 2, relation_name: "analytics.marts.orders_v2" }),
  ...proven("orders.v2", "order_id"),
];

function manifest(version: number, more: object = {}): string {
  return JSON.stringify({
    metadata: { dbt_schema_version: `https://schemas.getdbt.com/dbt/manifest/v${version}.json`, dbt_version: "1.0.0" },
    nodes: Object.fromEntries(nodes.map((one) => [(one as { unique_id: string }).unique_id, one])),
    disabled: { "model.shop.retired": [node("retired")] },
    sources: {},
    ...more,
  });
}

let made = 0;
async function load(model: string, text = manifest(12)): Promise<LoadedWorkspace> {
  const place = join(folder, String((made += 1)));
  mkdirSync(join(place, "target"), { recursive: true });
  writeFileSync(join(place, "target/manifest.json"), text);
  writeFileSync(
    join(place, "workspace.yaml"),
    `kind: source
name: warehouse
type: memory
connection: { account: acme, password: "\${env:PASSWORD}" }
---
kind: model
name: accounts
source: warehouse
${model}
`,
  );
  return await loadWorkspace(place, await testRegistry());
}

async function problemsOf(model: string, text?: string): Promise<readonly string[]> {
  const error: unknown = await load(model, text).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof InvalidWorkspace)) throw error;
  return error.problems.map(({ code, line, column, path, suggestion }) =>
    [code, `${line}:${column}`, path, ...(suggestion === undefined ? [] : [suggestion])].join(" "),
  );
}

const named = (model: string): string => `dbt: { manifest: target/manifest.json, model: ${model} }`;

describe("a model of a dbt manifest", () => {
  test.each([7, 9, 12])(
    "is a model of its table, by the key that dbt proves (manifest version %i)",
    async (version) => {
      const { documents, warnings } = await load(named("account_metrics"), manifest(version));
      expect(warnings).toEqual([]);
      expect(documents.models.get("accounts")).toEqual({
        kind: "model",
        name: "accounts",
        source: "warehouse",
        table: '"analytics"."marts"."account_metrics"',
        key: "account_id",
        dbt: {
          unique_id: "model.shop.account_metrics",
          package: "shop",
          model: "account_metrics",
          columns: { account_id: "The account's number." },
        },
      });
    },
  );

  test("before dbt 1.4 tests say which model they are of by what they depend on", async () => {
    const old = JSON.parse(manifest(7)) as { nodes: Record<string, { attached_node?: string }> };
    for (const one of Object.values(old.nodes)) delete one.attached_node;
    const { documents } = await load(named("account_metrics"), JSON.stringify(old));
    expect(documents.models.get("accounts")).toMatchObject({ key: "account_id" });
  });

  test.each([
    ["monthly", ["account_id", "month"]],
    ["contracted", "id"],
    ["two_columns", ["a", "b"]],
    ["shop.account_metrics", "account_id"],
    ["model.shop.account_metrics", "account_id"],
    ["orders", "order_id"],
  ])("%s: the key is %j", async (model, key) => {
    expect((await load(named(model))).documents.models.get("accounts")).toMatchObject({ key });
  });

  test("a key that is not proven is warned of at its line; one that is proven is not", async () => {
    const { warnings } = await load(`${named("unproven")}\nkey: id`);
    expect(warnings).toMatchObject([{ code: "unproven_key", path: "key", line: 10 }]);
    expect((await load(`${named("monthly")}\nkey: [month, account_id]`)).warnings).toEqual([]);
    expect((await load(`${named("two_keys")}\nkey: email`)).warnings).toEqual([]);
  });

  test.each([
    [named("account_metric"), ["dbt 9:47 dbt.model account_metrics"]],
    [named("retired"), ["dbt 9:47 dbt.model"]],
    [named("passing"), ["dbt 9:47 dbt.model"]],
    [named("shared"), ["dbt 9:47 dbt.model"]],
    [named("unproven"), ["missing 6:1 key"]],
    [named("two_keys"), ["missing 6:1 key"]],
    [named("declared"), ["missing 6:1 key"]],
    [named("lenient"), ["missing 6:1 key"]],
    [`${named("broken")}\nkey: id`, ["dbt 9:18 dbt.manifest"]],
    ["dbt: { manifest: target/manifst.json, model: account_metrics }", ["dbt 9:18 dbt.manifest"]],
    ["dbt: { manifest: target, model: account_metrics }", ["dbt 9:18 dbt.manifest"]],
    [`${named("account_metrics")}\ntable: accounts\nkey: id`, ["conflict 9:6 dbt"]],
    [`${named("account_metrics")}\nsql: select 1\nkey: id`, ["conflict 9:6 dbt"]],
    ["dbt: { manifest: target/manifest.json }\nkey: id", ["missing 9:1 dbt.model"]],
  ])("%s is refused at its place", async (model, problems) => {
    expect(await problemsOf(model)).toEqual(problems);
  });

  test.each(["{}", "[]", "no json", '{"metadata": {}, "nodes": {}}', manifest(4)])(
    "a file that is no manifest of today is refused: %s",
    async (text) => {
      expect(await problemsOf(named("account_metrics"), text)).toEqual(["dbt 9:18 dbt.manifest"]);
    },
  );

  test("over REST a manifest's path means nothing, and what was stored of a model is taken", async () => {
    const { documents } = await load(named("account_metrics"));
    const stored = [...documents.sources.values(), ...documents.models.values()];
    expect((await parseDocuments(stored, await testRegistry())).models).toEqual(documents.models);
    const { table: _table, ...unresolved } = {
      ...documents.models.get("accounts"),
      dbt: { manifest: "target/manifest.json", model: "account_metrics" },
    };
    const refused = parseDocuments([...documents.sources.values(), unresolved], await testRegistry());
    await expect(refused).rejects.toBeInstanceOf(InvalidDocument);
    await expect(refused).rejects.toMatchObject({ problems: [{ code: "dbt", path: "dbt.manifest" }] });
  });
});

describe("exposures", () => {
  const rest = `
---
kind: segment
name: paying
model: accounts
filter: { column: mrr, is: ">", value: 0 }
---
kind: model
name: plain
source: warehouse
table: plain
key: id
---
kind: destination
name: crm
type: crm
connection: { access_token: "\${env:TOKEN}" }
---
kind: sync
name: crm-companies
from: { model: accounts, segment: paying }
to: { destination: crm, object: companies }
mode: mirror
match: { account_id: account_id }
fields: { mrr: mrr, name: name }
---
kind: sync
name: crm-plain
from: { model: plain }
to: { destination: crm, object: contacts }
mode: upsert
match: { email: email }
fields: { name: name }
`;

  test("name each sync's model, destination, match and fields; syncs without dbt are told of in a comment", async () => {
    const { documents } = await load(`${named("orders")}${rest}`);
    const yaml = exposuresYaml(documents, { email: "revops@example.com" });
    expect(yaml).toMatch(/^# Not from dbt models: crm-plain\.$/m);
    expect(parse(yaml)).toEqual({
      version: 2,
      exposures: [
        {
          name: "sluice_crm_companies",
          label: "crm-companies",
          type: "application",
          maturity: "high",
          description:
            "accounts (segment paying) to crm companies by mirror, matched by account_id. Fields: mrr, name.",
          depends_on: ["ref('shop', 'orders', version='2')"],
          owner: { email: "revops@example.com" },
          tags: ["sluice"],
        },
      ],
    });
    expect(exposuresYaml(documents, { email: "revops@example.com" })).toBe(yaml);
  });

  test("syncs whose names dbt cannot tell apart get names that it can", async () => {
    const sync = (name: string): string => `---
kind: sync
name: ${name}
from: { model: accounts }
to: { destination: crm, object: companies }
mode: upsert
match: { account_id: account_id }
fields: { name: name }
`;
    const { documents } = await load(`${named("orders")}${rest}${sync("a-b")}${sync("a_b")}`);
    const { exposures } = parse(exposuresYaml(documents, { name: "RevOps" })) as { exposures: { name: string }[] };
    const names = exposures.map(({ name }) => name);
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(name).toMatch(/^[a-zA-Z0-9_]+$/);
  });
});
