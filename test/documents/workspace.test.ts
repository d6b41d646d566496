import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { loadWorkspace } from "../../src/documents/load.ts";
import type { LoadedWorkspace } from "../../src/documents/load.ts";
import { InvalidWorkspace, printProblem } from "../../src/documents/problem.ts";
import type { DocumentProblem } from "../../src/documents/problem.ts";
import { testRegistry } from "./adapters/registry.ts";

const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

async function load(files: Readonly<Record<string, string>>): Promise<LoadedWorkspace> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-workspace-"));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return await loadWorkspace(folder, await testRegistry());
}

async function problemsOf(files: Readonly<Record<string, string>>): Promise<readonly DocumentProblem[]> {
  const error: unknown = await load(files).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error === undefined) return [];
  expect(error).toBeInstanceOf(InvalidWorkspace);
  return (error as InvalidWorkspace).problems;
}

const brief = (problem: DocumentProblem): string =>
  `${problem.file}:${problem.line}:${problem.column} ${problem.code} ${problem.pointer}`;

const base = `kind: source
name: warehouse
type: memory
connection: { account: acme, password: "\${env:PASSWORD}" }
---
kind: model
name: accounts
source: warehouse
sql: select account_id, plan, mrr from accounts
key: account_id
---
kind: segment
name: paying
model: accounts
filter: { all: [ { column: mrr, is: ">", value: 0 }, { column: plan, is: not_in, value: [free] } ] }
---
kind: destination
name: hubspot
type: crm
connection: { access_token: "\${env:TOKEN}" }
pace: { share: 0.5 }
---
kind: sync
name: companies
from: { model: accounts, segment: paying }
to: { destination: hubspot, object: companies }
mode: mirror
match: { account_id: account_id }
fields:
  mrr: mrr
  plan_name: { column: plan, when_null: skip }
  health: { template: "{{ plan | capitalize }}" }
  synced_by: { value: sluice }
schedule: { every: 15m }
`;

describe("a workspace that is right", () => {
  test("is loaded from any layout of files, with defaults filled in", async () => {
    const parts = base.split("---\n");
    const files = Object.fromEntries(
      parts.map((part, index) => [`deep/${index}/some.${index % 2 ? "yml" : "yaml"}`, part]),
    );
    const { documents, warnings } = await load(files);
    expect([...documents.models.keys()]).toEqual(["accounts"]);
    expect(documents.sources.get("warehouse")?.planner).toEqual({ in: "warehouse", schema: "sluice" });
    expect(documents.syncs.get("companies")?.gate).toEqual({ removed: "30%", rejected: "10%", keys: "withhold" });
    expect(documents.destinations.get("hubspot")?.pace).toEqual({ share: 0.5 });
    expect(warnings).toEqual([]);
    expect((await load({ "all.yaml": base })).documents).toEqual(documents);
  });

  test("leaves dot folders, node_modules, other files and empty documents alone", async () => {
    const broken = "kind: [";
    const { documents } = await load({
      "all.yaml": `# ours\n---\n${base}---\n# nothing\n`,
      "empty.yaml": "",
      ".git/x.yaml": broken,
      "node_modules/y/z.yaml": broken,
      "notes.txt": broken,
    });
    expect(documents.syncs.size).toBe(1);
  });

  test("reads YAML 1.2: no is a text, and anchors work", async () => {
    const text = base.replace("value: [free]", "value: [no]").replace("mrr: mrr", "mrr: &m mrr\n  again: *m");
    const { documents } = await load({ "all.yaml": text });
    expect(JSON.stringify(documents.segments.get("paying"))).toContain('["no"]');
    expect(documents.syncs.get("companies")?.fields["again"]).toBe("mrr");
  });

  test("warns of a secret that is written out, where it is", async () => {
    const { warnings } = await load({ "all.yaml": base.replace('"${env:TOKEN}"', "pat-123") });
    expect(warnings.map(brief)).toEqual(["all.yaml:20:29 literal_secret /connection/access_token"]);
    expect(JSON.stringify(warnings)).not.toContain("pat-123");
  });
});

test("twelve mistakes in a workspace are twelve problems, each at its line and column", async () => {
  const sources = `kind: source
name: Warehouse
type: memory
connection: { acount: acme }
---
kind: modell
name: lost
---
kind: source
name: warehouse
type: memroy
connection: {}
`;
  const syncs = `kind: sync
name: companies
from: { model: accounts, segment: leads-only }
to:
  destination: hubspt
  object: companies
mode: upsrt
match: { account_id: account_id }
fields:
  mrr: { colum: mrr }
  plan: { template: "{{ plan | shout }}" }
schedule: { every: 15 minutes }
gate:
  removed: 130%
---
kind: model
name: accounts
source: warehouse
sql: select 1
key: account_id
---
kind: destination
name: hubspot
type: crm
connection: { access_token: "\${env:TOKEN}" }
---
kind: model
name: leads
source: warehouse
table: leads
key: id
---
kind: segment
name: leads-only
model: leads
filter: { column: score, is: "==", value: 3 }
`;
  const problems = await problemsOf({ "a/sources.yaml": sources, "syncs.yaml": syncs });
  expect(problems.map(brief)).toEqual([
    "a/sources.yaml:2:7 invalid /name",
    "a/sources.yaml:4:15 unknown_key /connection/acount",
    "a/sources.yaml:6:7 unknown_value /kind",
    "a/sources.yaml:11:7 unknown_value /type",
    "syncs.yaml:3:35 other_model /from/segment",
    "syncs.yaml:5:16 unknown_reference /to/destination",
    "syncs.yaml:7:7 unknown_value /mode",
    "syncs.yaml:10:10 unknown_key /fields/mrr/colum",
    "syncs.yaml:11:9 invalid_mapping /fields/plan",
    "syncs.yaml:12:20 invalid /schedule/every",
    "syncs.yaml:14:12 invalid /gate/removed",
    "syncs.yaml:36:30 unknown_value /filter/is",
  ]);
  const suggestions = Object.fromEntries(problems.map((problem) => [problem.pointer, problem.suggestion]));
  expect(suggestions).toMatchObject({
    "/connection/acount": "account",
    "/kind": "model",
    "/type": "memory",
    "/to/destination": "hubspot",
    "/mode": "upsert",
    "/fields/mrr/colum": "column",
    "/filter/is": "=",
  });
  expect(printProblem(problems[5]!)).toBe(
    'syncs.yaml:5:16  to.destination: there is no destination "hubspt". Did you mean "hubspot"?\n    found "hubspt"; expected hubspot',
  );
});

describe("one mistake is one problem", () => {
  // What is wrong, the change to the workspace above, the problem, and the text that it points at.
  const cases: readonly [string, string, string, string, string][] = [
    ["a repeated key", "mode: mirror", "mode: mirror\nmode: upsert", "duplicate_key ", "mode: upsert"],
    ["an unknown tag", "mrr: mrr\n", "mrr: !!js/function mrr\n", "syntax ", "!!js/function"],
    ["a syntax error", "is: not_in, value: [free] } ] }", "is: not_in, value: [free] }", "syntax ", "---"],
    ["a missing setting", ", object: companies }", "}", "missing /to/object", "to: {"],
    ["a misspelt required setting", "object: companies", "objekt: companies", "unknown_key /to/objekt", "objekt"],
    ["a stray setting", "mode: mirror", "mode: mirror\nbatch_size: 10", "unknown_key /batch_size", "batch_size"],
    ["a removal without mirror", "mode: mirror", "mode: upsert\nremoved: delete", "conflict /removed", "delete"],
    ["a mirror without match", "match: { account_id: account_id }\n", "", "missing /match", "kind: sync"],
    ["an unsafe target", "mrr: mrr\n", "__proto__.x: mrr\n", "invalid_name /fields/__proto__.x", "__proto__.x"],
    [
      "a prototype as target",
      "mrr: mrr\n",
      "constructor.prototype.x: mrr\n",
      "invalid_name /fields/constructor.prototype.x",
      "cons",
    ],
    ["an index as target", "mrr: mrr\n", '"a[1e9]": mrr\n', "invalid_name /fields/a[1e9]", '"a[1e9]"'],
    ["the name __proto__", "mrr: mrr\n", "__proto__: mrr\n", "unsafe_key /fields/__proto__", "__proto__"],
    ["a field whole and in part", "mrr: mrr\n", "a: mrr\n  a.b: plan\n", "conflict /fields/a", "mrr\n  a.b"],
    [
      "a field mapped twice",
      "{ value: sluice }",
      "{ value: sluice, column: plan }",
      "conflict /fields/synced_by",
      "{ value",
    ],
    ["a field mapped by nothing", "{ value: sluice }", "{ when_null: skip }", "missing /fields/synced_by", "synced_by"],
    ["a field that is a list", "{ value: sluice }", "[plan]", "invalid /fields/synced_by", "[plan]"],
    ["a field that is empty", "{ value: sluice }", "", "invalid /fields/synced_by", "\nschedule"],
    [
      "a misspelt kind of mapping",
      "{ value: sluice }",
      "{ valuee: sluice }",
      "unknown_key /fields/synced_by/valuee",
      "valuee",
    ],
    ["a stray option", "{ value: sluice }", "{ value: sluice, x: 1 }", "unknown_key /fields/synced_by/x", "x: 1"],
    ["a wrong when_null", "when_null: skip", "when_null: skp", "unknown_value /fields/plan_name/when_null", "skp"],
    [
      "a template that does not parse",
      "{{ plan | capitalize }}",
      "{% if plan %}",
      "invalid_mapping /fields/health",
      "{ template",
    ],
    [
      "a schedule of both kinds",
      "every: 15m",
      'every: 15m, cron: "0 * * * *"',
      "conflict /schedule/cron",
      '"0 * * * *"',
    ],
    ["a schedule of no kind", "{ every: 15m }", "{ timezone: UTC }", "missing /schedule", "schedule"],
    ["a cron of six fields", "every: 15m", 'cron: "0 0 * * * *"', "invalid /schedule/cron", '"0 0 *'],
    ["an unknown time zone", "every: 15m", 'cron: "0 6 * * 1-5", timezone: Mars', "invalid /schedule/timezone", "Mars"],
    ["a model of two queries", "key: account_id", "table: t\nkey: account_id", "conflict /table", "t\nkey"],
    ["a model of none", "sql: select account_id, plan, mrr from accounts\n", "", "missing ", "kind: model"],
    ["a misspelt query", "sql: select", "sqll: select", "unknown_key /sqll", "sqll"],
    ["a key column twice", "key: account_id", "key: [a, b, a]", "duplicate /key/2", "a]"],
    ["a key that is no column", "key: account_id", "key: 7", "invalid /key", "7"],
    ["a misspelt condition", 'is: ">", value: 0', 'is: ">", valu: 0', "unknown_key /filter/all/0/valu", "valu"],
    ["a list of values that is none", "value: [free]", "value: free", "invalid /filter/all/1/value", "free"],
    ["a filter of nothing", "all: [ {", "al: [ {", "unknown_key /filter/al", "al: ["],
    ["an inexact number", "value: 0", "value: 9007199254740993", "invalid /filter/all/0/value", "90071"],
    ["a missing source", "source: warehouse", "source: warehous", "unknown_reference /source", "warehous\n"],
    [
      "a missing secret",
      'access_token: "${env:TOKEN}"',
      "region: eu",
      "missing /connection/access_token",
      "connection: { region",
    ],
    ["a setting out of range", "share: 0.5", "share: 1.5", "invalid /pace/share", "1.5"],
    ["a malformed reference", "${env:TOKEN}", "${env:}", "invalid /connection/access_token", '"${env:}'],
  ];
  for (const [what, before, after, expected, pointedAt] of cases) {
    test(what, async () => {
      expect(base).toContain(before);
      const text = base.replace(before, () => after);
      const problems = await problemsOf({ "w.yaml": text });
      expect(problems.map((problem) => `${problem.code} ${problem.pointer}`)).toEqual([expected]);
      const { line, column } = problems[0]!;
      const rest = text
        .split("\n")
        .slice(line - 1)
        .join("\n")
        .slice(column - 1);
      expect(rest.slice(0, pointedAt.length)).toBe(pointedAt);
    });
  }
});

test("a name used twice is refused at its second use", async () => {
  const model = "kind: model\nname: accounts\nsource: warehouse\ntable: t\nkey: id\n";
  const problems = await problemsOf({ "a.yaml": base, "b.yaml": model });
  expect(problems.map(brief)).toEqual(["b.yaml:2:7 duplicate /name"]);
});

test("a document that is broken still counts as there for those that refer to it", async () => {
  const problems = await problemsOf({ "w.yaml": base.replace("access_token", "acces_token") });
  expect(problems.map(brief)).toEqual(["w.yaml:20:15 unknown_key /connection/acces_token"]);
});

test("problems of a connection never show its values", async () => {
  const text = base.replace("access_token:", "region: pat-secret-1, port: pat-secret-2, access_token:");
  const problems = await problemsOf({ "w.yaml": text });
  expect(problems.map((problem) => problem.pointer)).toEqual(["/connection/region", "/connection/port"]);
  expect(problems.map(printProblem).join()).not.toContain("pat-secret");
});

test("aliases that multiply, bottomless nesting and control bytes are problems, not crashes", async () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefgh"
    .split("")
    .map((name, i) => `${name}: &${name} [${`*${"abcdefgh"[i]},`.repeat(9)}]`)
    .join("\n")}`;
  expect((await problemsOf({ "bomb.yaml": bomb })).map((one) => one.code)).toEqual(["syntax"]);
  expect(
    (
      await problemsOf({ "deep.yaml": `kind: segment\nname: a\nmodel: b\nfilter: ${"[".repeat(60)}${"]".repeat(60)}` })
    ).map((one) => one.code),
  ).toEqual(["unknown_reference", "too_deep"]);
  expect((await problemsOf({ "very-deep.yaml": `a: ${"[".repeat(20_000)}` })).map((one) => one.code)).toEqual([
    "syntax",
  ]);
  expect((await problemsOf({ "list.yaml": "- a\n- b\n" })).map((one) => one.code)).toEqual(["invalid"]);
});

test("a folder that is not there is wrong use", async () => {
  await expect(loadWorkspace("/nowhere/at/all", await testRegistry())).rejects.toMatchObject({ code: "no_workspace" });
});
