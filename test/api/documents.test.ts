/** RevOps edit documents over REST: nothing is lost, nothing breaks, and everything can be undone. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answered, Business, type RunningService } from "../end-to-end/business.ts";

let business: Business;
let service: RunningService;
beforeAll(async () => {
  business = await Business.open(40);
  service = await business.start();
});
afterAll(async () => {
  await service?.stop();
  await business?.[Symbol.asyncDispose]();
});

async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered & { etag: string | null }> {
  const response = await fetch(`${service.url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const { status } = response;
  const type = response.headers.get("content-type") ?? "";
  return { status, type, body: text === "" ? null : JSON.parse(text), etag: response.headers.get("etag") };
}

const segment = (value: number): object => ({ model: "accounts", filter: { column: "mrr", is: ">", value } });

describe("a document", () => {
  test("is made, read, changed, changed in part and deleted", async () => {
    const made = await ask("PUT", "/v1/segments/small", segment(1));
    expect(made).toMatchObject({ status: 201, etag: '"1"', body: { managed_by: "api", document: segment(1) } });
    expect(await ask("GET", "/v1/segments/small")).toMatchObject({ status: 200, etag: '"1"', body: made.body });
    expect(await ask("PUT", "/v1/segments/small", segment(2))).toMatchObject({ status: 200, etag: '"2"' });
    const patched = await ask("PATCH", "/v1/segments/small", { filter: { value: 3 } });
    expect(patched).toMatchObject({ status: 200, etag: '"3"', body: { document: segment(3) } });
    expect((await ask("DELETE", "/v1/segments/small")).status).toBe(204);
    expect(await ask("GET", "/v1/segments/small")).toMatchObject({ status: 404, body: { code: "not_found" } });
    // What is made anew goes on counting: an old ETag never fits it.
    expect(await ask("PUT", "/v1/segments/small", segment(4))).toMatchObject({ status: 200, etag: '"5"' });
  });

  test("that is the same again is no change", async () => {
    const { etag } = await ask("PUT", "/v1/segments/same", segment(1));
    expect((await ask("PUT", "/v1/segments/same", segment(1))).etag).toBe(etag);
  });

  test("that two people change at once: the second is told, and nothing is lost", async () => {
    const { etag } = await ask("PUT", "/v1/segments/shared", segment(1));
    const match = { "if-match": etag ?? "" };
    const answers = await Promise.all([
      ask("PUT", "/v1/segments/shared", segment(10), match),
      ask("PUT", "/v1/segments/shared", segment(20), match),
    ]);
    expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([200, 412]);
    const lost = answers.find(({ status }) => status === 412);
    expect(lost?.body).toMatchObject({ code: "version_conflict" });
    const winner = answers.find(({ status }) => status === 200)?.body as { document: unknown };
    expect((await ask("GET", "/v1/segments/shared")).body).toMatchObject({ document: winner.document });
    expect((await ask("DELETE", "/v1/segments/shared", undefined, match)).status).toBe(412);
    expect((await ask("PUT", "/v1/segments/shared", segment(1), { "if-none-match": "*" })).status).toBe(412);
    expect((await ask("PUT", "/v1/segments/shared", segment(1), { "if-match": "1" })).body).toMatchObject({
      code: "etag_wrong",
    });
  });

  test.each([
    ["that names what is not there", "/v1/segments/x", { ...segment(1), model: "acounts" }, "/model"],
    ["with a setting that there is not", "/v1/segments/x", { ...segment(1), filtr: 1 }, "/filtr"],
    ["that says another name than its address", "/v1/segments/x", { ...segment(1), name: "y" }, "/name"],
    ["that is none", "/v1/segments/x", [], ""],
  ])("%s is refused with its place, and changes nothing", async (_, path, body, pointer) => {
    const answer = await ask("PUT", path, body);
    expect(answer).toMatchObject({ status: 422, body: { code: "invalid_document" } });
    const { errors } = answer.body as { errors: { pointer: string }[] };
    expect(errors.map((one) => one.pointer)).toContain(pointer);
    expect((await ask("GET", path)).status).toBe(404);
  });

  test("that would change prototypes is refused, and changes nothing", async () => {
    const body = JSON.parse('{ "model": "accounts", "__proto__": { "filter": 1 } }') as unknown;
    expect(await ask("PUT", "/v1/segments/x", body)).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect((await ask("GET", "/v1/segments/x")).status).toBe(404);
  });

  test("with a secret written out is refused without repeating it", async () => {
    const connection = { access_token: "pat-eu1-hunter2", base_url: business.sandbox.url };
    const answer = await ask("PUT", "/v1/destinations/open", { type: "hubspot", connection });
    expect(answer.body).toMatchObject({ status: 422, errors: [{ pointer: "/connection/access_token" }] });
    expect(JSON.stringify(answer.body)).not.toContain("hunter2");
    const named = { ...connection, access_token: "${env:TOKEN}" };
    expect((await ask("PUT", "/v1/destinations/open", { type: "hubspot", connection: named })).status).toBe(201);
  });

  test("that others need is not deleted, and says who", async () => {
    const answer = await ask("DELETE", "/v1/models/accounts?override=true");
    expect(answer).toMatchObject({ status: 409, body: { code: "in_use" } });
    expect(JSON.stringify(answer.body)).toContain('sync \\"companies\\"');
  });

  test("that is kept in files is edited there, unless one insists", async () => {
    const path = "/v1/syncs/companies";
    expect((await ask("GET", path)).body).toMatchObject({ managed_by: "files" });
    expect(await ask("PATCH", path, { gate: { removed: "10%" } })).toMatchObject({
      status: 409,
      body: { code: "kept_in_files" },
    });
    const insisted = await ask("PATCH", `${path}?override=true`, { gate: { removed: "10%" } });
    expect(insisted.body).toMatchObject({ managed_by: "api", document: { gate: { removed: "10%" } } });
  });
});

describe("the history of a document", () => {
  test("has who changed what and when, and goes back to any version", async () => {
    for (const value of [1, 2]) await ask("PUT", "/v1/segments/history", segment(value));
    await ask("DELETE", "/v1/segments/history");
    const { body } = await ask("GET", "/v1/segments/history/versions");
    expect(body).toMatchObject({
      data: [
        { version: 3, deleted: true, author: "anyone" },
        { version: 2, deleted: false, changes: [{ pointer: "/filter/value", before: 1, after: 2 }] },
        { version: 1, deleted: false },
      ],
    });
    const restored = await ask("POST", "/v1/segments/history/restore", { version: 1 });
    expect(restored).toMatchObject({ status: 200, etag: '"4"', body: { document: segment(1) } });
    const nowhere = await ask("POST", "/v1/segments/history/restore", { version: 3 });
    expect(nowhere).toMatchObject({ status: 404, body: { code: "version_not_found" } });
  });
});

test("an edited mapping is what the next run sends", async () => {
  await service.settled((await service.run()).run);
  await ask("PATCH", "/v1/syncs/companies?override=true", { fields: { plan_name: { value: "free" } } });
  const run = await service.settled((await service.run()).run);
  expect(run).toMatchObject({ status: "succeeded", accepted: 32 });
  expect(business.held().every((line) => line.endsWith("|free"))).toBe(true);
});

test("documents are listed by kind, page by page", async () => {
  for (const name of ["page-a", "page-b", "page-c"]) await ask("PUT", `/v1/segments/${name}`, segment(1));
  const names: string[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const { body } = await ask("GET", `/v1/documents?kind=segment&limit=2&cursor=${cursor}`);
    const page = body as { data: { name: string }[]; next_cursor: string | null };
    names.push(...page.data.map(({ name }) => name));
    cursor = page.next_cursor;
  }
  expect(names).toEqual(names.toSorted());
  expect(names.filter((name) => name.startsWith("page-"))).toEqual(["page-a", "page-b", "page-c"]);
  expect((await ask("GET", "/v1/documents?kind=nothing")).status).toBe(422);
});

test("what was made over REST is still there after a restart, and a folder's documents are the folder's again", async () => {
  await ask("PUT", "/v1/segments/stays", segment(7));
  await service.stop();
  service = await business.start();
  expect((await ask("GET", "/v1/segments/stays")).body).toMatchObject({ managed_by: "api", document: segment(7) });
  expect((await ask("GET", "/v1/syncs/companies")).body).toMatchObject({ managed_by: "files" });
});
