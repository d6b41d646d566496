/** Attacks 15–24: requests that two readers would read differently, or that nobody could read to the end. */
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { House } from "./house.ts";

let house: House;
beforeAll(async () => {
  house = await House.open({ patience: { headMs: 400, requestMs: 800 } });
});
afterAll(() => house?.[Symbol.asyncDispose]());

const runs = "/v1/syncs/companies/plan";

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
}

async function post(headers: readonly string[], body: string, path = runs): Promise<number> {
  return statusOf(await house.request(`POST ${path}`, [...headers, `content-length: ${body.length}`], body));
}

test("15: whatever the content type looks like, a body is checked or refused", async () => {
  const wrong = '{"limit":"many","surprise":1}';
  const types = [
    "application/json",
    "application/json\t",
    " application/json",
    "\tapplication/json",
    "APPLICATION/JSON",
    "application/json garbage",
    "application/json; charset=utf-16",
    "application/json;;;",
    "application/json, text/plain",
    "application/jsonx",
    "application\x00/json",
    "text/plain",
    "text/html",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/merge-patch+json",
    "*/*",
    "json",
    "",
  ];
  for (const type of types) {
    const status = await post([`content-type: ${type}`], wrong);
    expect([type, [400, 415, 422].includes(status)]).toEqual([type, true]);
  }
  expect([400, 415, 422]).toContain(await post([], wrong));
  expect(await post(["content-type: application/json", "content-type: text/plain"], wrong)).toBeGreaterThanOrEqual(400);
});

test("16: nobody reaches JavaScript's own names, by body, query, path or row", async () => {
  const poisons = [
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"\\u005f_proto__":{"polluted":1}}',
    '{"a":[{"__proto__":{"polluted":1}}]}',
  ];
  for (const body of poisons) {
    for (const [method, path] of [
      ["POST", runs],
      ["PUT", "/v1/segments/poisoned"],
      ["PATCH", "/v1/syncs/companies?override=true"],
      ["POST", "/v1/workspace"],
    ] as const)
      expect([body, (await house.ask(method, path, { body })).status]).toEqual([body, 400]);
  }
  for (const path of [
    "/v1/runs?__proto__[polluted]=1",
    "/v1/runs?constructor.prototype.polluted=1",
    "/v1/runs?__proto__=1",
    "/v1/syncs/__proto__/mapping",
    "/v1/models/constructor/columns",
    "/v1/destination-types/__proto__",
    "/v1/destinations/hubspot/objects/__proto__",
    "/v1/runs/constructor",
  ]) {
    const { status } = await house.ask("GET", path);
    expect([path, [400, 404, 422, 502].includes(status)]).toEqual([path, true]);
  }
  const row = { model: "accounts", filter: { column: "__proto__", is: "=", value: "toString" } };
  expect((await house.ask("PUT", "/v1/segments/proto", { body: row })).status).toBe(201);
  expect((await house.ask("POST", "/v1/segments/proto/sample")).status).toBe(502);
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(Reflect.get({}, "polluted")).toBeUndefined();
});

test("17: a body that is too large, too deep, or says one name twice is refused", async () => {
  const large = JSON.stringify({ documents: ["x".repeat(10 * 1024 * 1024)] });
  expect((await house.ask("POST", "/v1/workspace", { body: large })).status).toBe(413);
  for (const [open, close] of [
    ["[", "]"],
    ['{"a":', "}"],
  ] as const) {
    const deep = `{"documents":[${open.repeat(100_000)}1${close.repeat(100_000)}]}`;
    expect((await house.ask("POST", "/v1/workspace", { body: deep })).status).toBe(400);
    const cut = `{"documents":[${open.repeat(100_000)}`;
    expect((await house.ask("POST", "/v1/workspace", { body: cut })).status).toBe(400);
  }
  for (const body of [
    '{"limit":1,"limit":2}',
    '{"limit":1,"\\u006cimit":2}',
    '{"a":{"b":1,"c":[1,{"d":"\\"","d":2}]}}',
    '{"full":true , "limit" : 1 , "full" : false}',
  ]) {
    const { status, body: told } = await house.ask("POST", runs, { body });
    expect([body, status, told["code"]]).toEqual([body, 400, "invalid_request"]);
  }
  // What only looks alike is not.
  const alike = { limit: 1, full: false };
  expect((await house.ask("POST", runs, { body: JSON.stringify(alike) })).status).toBe(200);
  const filter = {
    all: [
      { column: "name", is: "=", value: '"column","column":\\' },
      { column: "id", is: "not_null" },
    ],
  };
  expect((await house.ask("PUT", "/v1/segments/alike", { body: { model: "accounts", filter } })).status).toBe(201);
});

test("18: numbers and texts that would come out as others are refused, or come out as they went in", async () => {
  const put = (value: string): ReturnType<House["ask"]> =>
    house.ask("PUT", "/v1/segments/exact", {
      body: `{"model":"accounts","filter":{"column":"mrr","is":"=","value":${value}}}`,
    });
  for (const value of ["1e400", "-1e400", "9007199254740993", "1e20", '"\\ud800"', '"\\u0000"', '"a\\u0000b"']) {
    const { status } = await put(value);
    expect([value, [400, 422].includes(status)]).toEqual([value, true]);
  }
  for (const value of ["9007199254740991", "-0", "0.1", '"ü\\ud83d\\ude00"', '"9007199254740993"', '"1e400"']) {
    const { status, body } = await put(value);
    const kept = (body["document"] as { filter: { value: unknown } } | undefined)?.filter.value;
    expect([value, status < 300]).toEqual([value, true]);
    expect(kept).toBe(JSON.parse(value) === 0 ? 0 : JSON.parse(value));
  }
});

test("19: a request whose length can be read in two ways is refused, and its connection closed", async () => {
  const second = "GET /v1/keys HTTP/1.1\r\nhost: x\r\n\r\n";
  const attacks = [
    ["transfer-encoding: chunked", "content-length: 6"],
    ["content-length: 6", "content-length: 7"],
    ["content-length: 6, 7"],
    ["transfer-encoding: xchunked"],
    ["transfer-encoding: chunked, identity"],
    ["transfer-encoding : chunked"],
    ["content-length: +6"],
    ["content-length: 0x6"],
    ["x: a\rb"],
    ["x: a\nset-cookie: b\rc"],
    ["x: \x00"],
    ["\tfolded"],
  ];
  for (const headers of attacks) {
    const line = `POST ${runs} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json`;
    const answer = await house.raw(`${[line, ...headers].join("\r\n")}\r\n\r\n0\r\n\r\n${second}`);
    expect([headers, statusOf(answer), answer.split("HTTP/1.1 ").length]).toEqual([headers, 400, 2]);
  }
});

test("20: slow and idle clients are cut, and others are served meanwhile", async () => {
  const { port } = new URL(house.url);
  let cut = 0;
  const starts = ["", "GET /healthz HTTP/1.1\r\n", `POST ${runs} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{`];
  const sockets = Array.from({ length: 600 }, (_, index) => {
    const socket = connect(Number(port), "127.0.0.1");
    socket.on("error", () => undefined).on("close", () => (cut += 1));
    socket.write(starts[index % starts.length] ?? "");
    socket.resume();
    return socket;
  });
  const dripping = setInterval(() => sockets.forEach((socket) => socket.writable && socket.write("x")), 150);
  try {
    for (let asked = 0; asked < 5; asked += 1) expect((await house.ask("GET", "/healthz")).status).toBe(200);
    await expect.poll(() => cut, { timeout: 8000 }).toBe(600);
  } finally {
    clearInterval(dripping);
    for (const socket of sockets) socket.destroy();
  }
  expect(await house.answers()).toBe(true);
});

test("21: no other method, and none by a header, does anything", async () => {
  for (const method of ["TRACE", "PROPFIND", "SEARCH", "CONNECTX", "get"]) {
    const status = statusOf(await house.request(`${method} /v1/syncs`));
    expect([method, [400, 404, 405].includes(status)]).toEqual([method, true]);
  }
  const headers = { "x-http-method-override": "DELETE", "x-method-override": "DELETE", "x-http-method": "DELETE" };
  expect((await house.ask("GET", "/v1/segments/alike?_method=DELETE", { headers })).status).toBeLessThan(500);
  expect((await house.ask("GET", "/v1/syncs/companies", { headers })).status).toBe(200);
  expect((await house.ask("GET", "/v1/syncs/companies")).status).toBe(200);
  expect((await house.request("TRACE /v1/syncs", ["x-probe: secret-header"])).includes("secret-header")).toBe(false);
});

test("22: an address that walks about leads nowhere", async () => {
  for (const path of [
    "/v1/syncs/..%2fkeys",
    "/v1/syncs/%2e%2e/keys",
    "/v1/syncs/..%5c..%5cetc",
    "/docs/static/..%2f..%2f..%2fpackage.json",
    "/docs/static/%2e%2e/%2e%2e/package.json",
    "/docs/static/....//....//package.json",
    "//etc/passwd",
    "//evil.example/v1/syncs",
    "/v1//syncs",
    "/v1/syncs/a%00b",
    "/v1/syncs/%zz",
    "/v1/runs/%ff",
    `/v1/syncs/${"x".repeat(5000)}`,
    "/v1;/syncs",
  ]) {
    const answer = await house.request(`GET ${path}`);
    expect([path, [400, 403, 404, 414, 422].includes(statusOf(answer))]).toEqual([path, true]);
    expect(answer).not.toMatch(/root:|"dependencies"|sluice_[0-9a-f]{12}_/);
  }
  expect([400, 414, 431]).toContain(statusOf(await house.request(`GET /${"x".repeat(100_000)}`)));
});

test("23: what is for operators only is not there for others, and health tells no version", async () => {
  expect((await house.ask("GET", "/metrics", { key: null })).status).toBe(401);
  for (const path of ["/debug", "/debug/pprof", "/json", "/json/version", "/.env", "/server-status", "/admin"])
    expect([path, (await house.ask("GET", path, { key: null })).status]).toEqual([path, 404]);
  for (const path of ["/healthz", "/readyz"]) {
    const { text, headers } = await house.ask("GET", path, { key: null });
    expect(JSON.parse(text)).toEqual({ status: expect.stringMatching(/^(ok|ready)$/) });
    expect([...headers.keys()]).not.toEqual(expect.arrayContaining(["server"]));
    expect(headers.get("x-powered-by")).toBeNull();
  }
  // The description is that of the product: it knows nothing of this installation.
  const { text } = await house.ask("GET", "/openapi.json", { key: null });
  for (const own of ["warehouse.duckdb", "account_id", house.service.folder]) expect(text).not.toContain(own);
  expect(process.execArgv.join(" ")).not.toContain("--inspect");
});

test("24: a body that is a bare value is refused", async () => {
  for (const body of ["10", '"x"', "true", "null", "[]", "[{}]"]) {
    for (const path of [runs, "/v1/workspace", "/v1/keys"]) {
      const { status } = await house.ask("POST", path, { body });
      expect([path, body, status === 422 || (body === "null" && status === 200)]).toEqual([path, body, true]);
    }
    expect((await house.ask("PUT", "/v1/segments/bare", { body })).status).toBe(422);
    expect((await house.ask("PATCH", "/v1/syncs/companies?override=true", { body })).status).toBe(422);
  }
});
