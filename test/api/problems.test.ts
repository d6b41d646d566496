/** Every wrong request is answered by a problem document (RFC 9457) that names the place and says what would be right. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

/** The answer is a problem document with this status and code, and its type leads to where the code is explained. */
function expectProblem(answer: Answered, status: number, code: string, anchor = code): void {
  expect(answer.type).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({
    type: `/docs/errors#${anchor}`,
    status,
    code,
    title: expect.stringMatching(/./),
    detail: expect.stringMatching(/./),
  });
  expect(answer.status).toBe(status);
}

/** The places that a problem document names. */
function pointers({ body }: Answered): readonly string[] {
  return ((body as { errors?: { pointer: string }[] }).errors ?? []).map(({ pointer }) => pointer);
}

describe("what is not there is 404, and the name that was likely meant is told", () => {
  test.each([
    ["GET", "/v1/runs/run_nothing", "run_not_found"],
    ["GET", "/v1/runs/run_nothing/rejections", "run_not_found"],
    ["POST", "/v1/runs/run_nothing/cancel", "run_not_found"],
    ["POST", "/v1/runs/run_nothing/release", "run_not_found"],
    ["POST", "/v1/syncs/nothing/runs", "not_found"],
    ["POST", "/v1/syncs/nothing/plan", "not_found"],
    ["POST", "/v1/destinations/nothing/check", "not_found"],
    ["GET", "/v1/destinations/nothing/objects", "not_found"],
    ["GET", "/v1/sources/nothing/grants", "not_found"],
    ["GET", "/v1/nothing", "route_not_found"],
    ["DELETE", "/v1/runs", "route_not_found"],
  ])("%s %s", async (method, path, code) => {
    expectProblem(await service.ask(method, path), 404, code);
  });

  test.each([
    ["/v1/syncs/companys/runs", "companies"],
    ["/v1/destinations/hubspt/check", "hubspot"],
    ["/v1/sources/warehose/check", "warehouse"],
  ])("POST %s means %s", async (path, meant) => {
    const answer = await service.ask("POST", path);
    expectProblem(answer, 404, "not_found");
    expect(JSON.stringify(answer.body)).toContain(`Did you mean \\"${meant}\\"?`);
  });
});

describe("what is wrong with the request is 422 and names every field", () => {
  test.each([
    ["/v1/syncs/companies/runs", { kind: "all" }, ["/kind"]],
    ["/v1/syncs/companies/runs", { kind: "keys" }, ["/keys"]],
    ["/v1/syncs/companies/runs", { keys: ["A1"] }, ["/keys"]],
    ["/v1/syncs/companies/runs", { kind: "keys", keys: [2 ** 60] }, ["/keys/0"]],
    ["/v1/syncs/companies/runs", { kind: "all", kindd: "full", trigger: 7 }, ["/kind", "/kindd", "/trigger"]],
    ["/v1/syncs/companies/runs", [], [""]],
    ["/v1/syncs/companies/runs", { trigger: "\0" }, ["/trigger"]],
    ["/v1/syncs/companies/plan", { limit: 101, full: "yes" }, ["/full", "/limit"]],
    ["/v1/workspace", {}, ["/documents"]],
    ["/v1/workspace", { documents: {}, prune: 1 }, ["/documents", "/prune"]],
  ])("POST %s with %j", async (path, body, places) => {
    const answer = await service.ask("POST", path, body);
    expectProblem(answer, 422, "invalid_request");
    expect(pointers(answer).toSorted()).toEqual(places);
  });

  test.each([
    ["/v1/runs?limit=0", ["/limit"]],
    ["/v1/runs?limit=many&page=2", ["/limit", "/page"]],
    ["/v1/runs?cursor=%00", ["/cursor"]],
    ["/v1/runs?sync=%00", ["/sync"]],
    ["/v1/runs/%00", ["/id"]],
    ["/v1/destinations/hubspot/objects/companies?settings=%5B", ["/settings"]],
  ])("GET %s", async (path, places) => {
    const answer = await service.ask("GET", path);
    expectProblem(answer, 422, "invalid_request");
    expect(pointers(answer).toSorted()).toEqual(places);
  });

  test("with the choices that there are", async () => {
    const answer = await service.ask("POST", "/v1/syncs/companies/runs", { kind: "all" });
    expect(JSON.stringify(answer.body)).toMatch(/changes.*full/);
  });
});

describe("what cannot be read at all is a problem too", () => {
  test.each([
    ["JSON that is cut short", "/v1/syncs/companies/runs", "{", 400],
    ["JSON that reaches into JavaScript's own names", "/v1/syncs/companies/runs", '{"__proto__":{"kind":"full"}}', 400],
    ["an address that cannot be decoded", "/v1/syncs/%zz/runs", undefined, 400],
    ["a name without end", `/v1/syncs/${"x".repeat(300)}/runs`, undefined, 414],
  ])("%s", async (_what, path, body, status) => {
    expectProblem(await service.ask("POST", path, body), status, "invalid_request");
  });
});

describe("what the state of things forbids is 409", () => {
  test("to cancel a run that has ended, or to release one that is not held", async () => {
    const { run } = await service.settled((await service.run()).run);
    expectProblem(await service.ask("POST", `/v1/runs/${run}/cancel`), 409, "run_ended");
    expectProblem(await service.ask("POST", `/v1/runs/${run}/release`), 409, "run_not_held");
  });

  test("to start a run while one is held; the hint says what to do first", async () => {
    await business.sql("update accounts set mrr = 0 where id <> 'A9'");
    const held = await service.settled((await service.run()).run);
    expect(held.status).toBe("held");
    const answer = await service.ask("POST", "/v1/syncs/companies/runs", {});
    expectProblem(answer, 409, "run_held");
    expect(answer.body).toMatchObject({
      detail: expect.stringContaining(held.run),
      hint: expect.stringMatching(/release|cancel/i),
    });
    await service.ask("POST", `/v1/runs/${held.run}/cancel`);
  });
});

test("a destination that refuses is 502, and the service goes on", async () => {
  await business.fault({ path: "/", fault: { kind: "status", status: 401 } });
  expectProblem(await service.ask("POST", "/v1/destinations/hubspot/check"), 502, "http_401", "http_status");
  await business.clearFaults();
  expect(await service.ask("POST", "/v1/destinations/hubspot/check")).toMatchObject({ status: 200 });
});

test("the type of a problem leads to its row of the catalogue, which everybody may read", async () => {
  const { body } = await service.ask("GET", "/v1/runs/run_nothing");
  const [path = "", anchor = ""] = (body as { type: string }).type.split("#");
  const response = await fetch(`${service.url}${path}`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/markdown; charset=utf-8");
  expect(await response.text()).toContain(`<a id="${anchor}"></a>\`run_not_found\``);
});

test("no wrong request is worth an error in the log", () => {
  const errors = service.output.split("\n").filter((line) => line.includes('"level":50'));
  expect(errors.filter((line) => !line.includes("http_401"))).toEqual([]);
});
