/** `POST /v1/workspace`: all documents at once, all or nothing. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ApplyView } from "../../src/operations/schemas.ts";
import { type Answered, Business, type RunningService } from "../end-to-end/business.ts";

let business: Business;
let service: RunningService;
beforeAll(async () => {
  business = await Business.open(50);
  service = await business.start();
});
afterAll(async () => {
  await service?.stop();
  await business?.[Symbol.asyncDispose]();
});

const model = { kind: "model", name: "customers", source: "warehouse", table: "accounts", key: "id" };
const sync = {
  kind: "sync",
  name: "customers",
  from: { model: "customers" },
  to: { destination: "hubspot", object: "companies" },
  mode: "upsert",
  match: { account_id: "id" },
  fields: { name: "name" },
};

function apply(documents: readonly unknown[], options: object = {}): Promise<Answered> {
  return service.ask("POST", "/v1/workspace", { documents, ...options });
}

function changes({ body }: Answered): readonly string[] {
  return (body as ApplyView).changes.map(({ change, kind, name }) => `${change} ${kind} ${name}`).toSorted();
}

async function syncs(): Promise<readonly string[]> {
  const { body } = await service.ask("GET", "/v1/syncs");
  return (body as { data: { sync: string }[] }).data.map((one) => one.sync).toSorted();
}

describe("documents are applied", () => {
  test("a dry run says what would change and changes nothing", async () => {
    const answer = await apply([model, sync], { dry_run: true });
    expect(answer).toMatchObject({ status: 200, body: { dry_run: true, unchanged: 0 } });
    expect(changes(answer)).toEqual(["created model customers", "created sync customers"]);
    expect(await syncs()).toEqual(["companies"]);
  });

  test("those that are there stay, and what is applied can be run at once", async () => {
    expect(changes(await apply([model, sync]))).toEqual(["created model customers", "created sync customers"]);
    expect(await syncs()).toEqual(["companies", "customers"]);
    const run = await service.settled((await service.run("customers")).run);
    expect(run).toMatchObject({ status: "succeeded", planned: { added: 50 }, accepted: 50 });
  });

  test("a dry run shows how the service differs from the files, and what was edited there", async () => {
    const edit = await service.ask("PATCH", "/v1/syncs/customers?override=true", {
      fields: { name: { value: "Edited" } },
    });
    expect(edit.status).toBe(200);
    const { body } = await apply([model, sync], { dry_run: true });
    expect(body).toMatchObject({
      unchanged: 1,
      changes: [
        {
          change: "replaced",
          name: "customers",
          edited_over_api: true,
          settings: [{ pointer: "/fields/name", before: { value: "Edited" }, after: "name" }],
        },
      ],
    });
    expect(changes(await apply([model, sync]))).toEqual(["replaced sync customers"]);
  });

  test("the same again is no change", async () => {
    expect((await apply([model, sync])).body).toEqual({ changes: [], unchanged: 2, dry_run: false });
  });

  test("one that differs is replaced, and the next run goes by it", async () => {
    const edited = { ...sync, fields: { name: { template: "{{ name }} Ltd" } } };
    expect(changes(await apply([edited]))).toEqual(["replaced sync customers"]);
    expect(await service.settled((await service.run("customers")).run)).toMatchObject({ accepted: 50 });
    expect(business.held().every((line) => line.split("|")[1]?.endsWith(" Ltd"))).toBe(true);
  });

  test("pruning deletes what is not among them, but nothing that the rest refers to", async () => {
    const refused = await apply([sync], { prune: true });
    expect(refused).toMatchObject({ status: 422, body: { code: "invalid_document" } });
    expect(await syncs()).toEqual(["companies", "customers"]);
  });
});

describe("wrong documents", () => {
  const wrong = [
    { ...model, name: "orders", source: "warehose" },
    { ...sync, name: "orders", mode: "sideways", feilds: { a: "b" }, to: { destination: "hubspt", object: "deals" } },
    { ...model, name: "Not A Name" },
    { kind: "destination", name: "crm", type: "hubspott", connection: {} },
    { kind: "sync", name: "customers", from: { model: "customers" } },
    { kind: "modle", name: "x" },
    { name: "nameless" },
    "not a document",
    sync,
  ];

  test("change nothing, and every mistake is told with its place and what would be right", async () => {
    const before = await service.ask("GET", "/v1/syncs");
    const answer = await apply([...wrong, { ...model, name: "right" }]);
    expect(answer).toMatchObject({ status: 422, body: { status: 422, code: "invalid_document" } });
    expect(answer.type).toMatch(/^application\/problem\+json/);
    const { errors } = answer.body as { errors: { code: string; pointer: string; suggestion?: string }[] };
    const told = errors.map(({ code, pointer, suggestion }) => [pointer, code, suggestion].filter(Boolean).join(" "));
    expect(told.toSorted()).toEqual([
      "/0/source unknown_reference warehouse",
      "/1/feilds unknown_key",
      "/1/mode unknown_value",
      "/1/to/destination unknown_reference hubspot",
      "/2/name invalid",
      "/3/type unknown_value hubspot",
      "/4/mode missing",
      "/4/to missing",
      "/5/kind unknown_value model",
      "/6/kind missing",
      "/7 invalid",
      "/8/name duplicate",
    ]);
    expect(await service.ask("GET", "/v1/syncs")).toEqual(before);
    expect(changes(await apply([{ ...model, name: "right" }], { dry_run: true }))).toEqual(["created model right"]);
  });

  test("that would break one which stays are refused for it", async () => {
    const answer = await apply([{ ...model, name: "accounts", source: "elsewhere" }]);
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: "/0/source" }] } });
    const moved = { kind: "segment", name: "paying", model: "customers", filter: { column: "mrr", is: ">", value: 0 } };
    const broken = await apply([moved]);
    expect(broken).toMatchObject({
      status: 422,
      body: { errors: [{ document: 'sync "companies"', code: "other_model" }] },
    });
  });
});

describe("documents that are exported", () => {
  test("are the same documents again, and overwrite nothing unless one insists", async () => {
    const folder = join(business.folder, "exported");
    const done = await business.sluice(["--url", service.url, "--json", "export", folder]);
    expect(done.code, done.stderr).toBe(0);
    const { files } = JSON.parse(done.stdout) as { files: readonly string[] };
    expect(files).toEqual(expect.arrayContaining(["sources.yaml", "models.yaml", "destinations.yaml", "syncs.yaml"]));
    const again = await business.sluice(["--url", service.url, "--json", "apply", folder, "--dry-run"]);
    expect(JSON.parse(again.stdout)).toMatchObject({ changes: [], dry_run: true });
    const refused = await business.sluice(["--url", service.url, "export", folder]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("sources.yaml")]);
    expect((await business.sluice(["--url", service.url, "export", folder, "--force"])).code).toBe(0);
    rmSync(folder, { recursive: true });
  });
});
