/** Who may ask the API for what. The numbers are those of the attack list that the project keeps. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Description } from "./described.ts";
import { Business, type RunningService } from "../end-to-end/business.ts";

let business: Business;
let service: RunningService;
const keys: Record<string, { id: string; key: string }> = {};
const scopes = ["read", "run", "write", "admin"] as const;

beforeAll(async () => {
  business = await Business.open(20);
  for (const scope of scopes) {
    const { stdout } = await business.sluice(["--json", "keys", "create", `${scope} key`, "--scope", scope]);
    keys[scope] = JSON.parse(stdout) as { id: string; key: string };
  }
  service = await business.start();
});
afterAll(async () => {
  await service?.stop();
  await business?.[Symbol.asyncDispose]();
});

async function ask(
  method: string,
  path: string,
  key: string | null,
  more: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const response = await fetch(`${service.url}${path}`, {
    method,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(more.body === undefined ? {} : { "content-type": "application/json" }),
      ...more.headers,
    },
    ...(more.body === undefined ? {} : { body: JSON.stringify(more.body) }),
  });
  const isJson = /\bjson\b/.test(response.headers.get("content-type") ?? "");
  const body = isJson ? await response.json() : { text: await response.text() };
  return { status: response.status, body: body as Record<string, unknown>, headers: response.headers };
}

/** Every route under /v1, the least scope that it needs, and a body that it would take. */
const routes = [
  ["GET", "/v1/syncs", "read"],
  ["POST", "/v1/syncs/nothing/plan", "run"],
  ["POST", "/v1/syncs/nothing/runs", "run"],
  ["POST", "/v1/syncs/nothing/baseline", "run"],
  ["POST", "/v1/syncs/nothing/pause", "run"],
  ["POST", "/v1/syncs/nothing/resume", "run"],
  ["POST", "/v1/dbt/results", "run"],
  ["POST", "/v1/syncs/nothing/preview", "run"],
  ["GET", "/v1/syncs/nothing/mapping", "read"],
  ["PUT", "/v1/syncs/nothing/mapping", "write"],
  ["GET", "/v1/syncs/nothing/mapping/versions", "read"],
  ["GET", "/v1/syncs/nothing/mapping/suggestion", "run"],
  ["POST", "/v1/syncs/nothing/mapping/restore", "write"],
  ["GET", "/v1/source-types", "read"],
  ["GET", "/v1/destination-types", "read"],
  ["GET", "/v1/models/nothing/columns", "read"],
  ["POST", "/v1/models/nothing/sample", "run"],
  ["POST", "/v1/segments/nothing/sample", "run"],
  ["GET", "/v1/runs/run_nothing/events", "read"],
  ["GET", "/v1/runs", "read"],
  ["GET", "/v1/runs/run_nothing", "read"],
  ["GET", "/v1/runs/run_nothing/rejections", "read"],
  ["GET", "/v1/runs/run_nothing/requests", "read"],
  ["POST", "/v1/runs/run_nothing/cancel", "run"],
  ["POST", "/v1/runs/run_nothing/release", "run"],
  ["POST", "/v1/runs/run_nothing/revert", "run"],
  ["POST", "/v1/runs/run_nothing/revert/plan", "run"],
  ["POST", "/v1/sources/nothing/check", "run"],
  ["GET", "/v1/sources/nothing/grants", "read"],
  ["POST", "/v1/destinations/nothing/check", "run"],
  ["GET", "/v1/destinations/nothing/objects", "read"],
  ["GET", "/v1/destinations/nothing/objects/companies", "read"],
  ["GET", "/metrics", "read"],
  ["GET", "/v1/workspace", "read"],
  ["POST", "/v1/workspace", "write"],
  ["GET", "/v1/documents?kind=sync", "read"],
  ["POST", "/v1/notifications/nothing/check", "run"],
  ["GET", "/v1/notifications/nothing/notices", "read"],
  ...["source", "model", "segment", "destination", "sync", "trigger", "notification"].flatMap((kind) => [
    ["GET", `/v1/${kind}s/nothing`, "read"] as const,
    ["PUT", `/v1/${kind}s/nothing`, "write"] as const,
    ["PATCH", `/v1/${kind}s/nothing`, "write"] as const,
    ["DELETE", `/v1/${kind}s/nothing`, "write"] as const,
    ["GET", `/v1/${kind}s/nothing/versions`, "read"] as const,
    ["POST", `/v1/${kind}s/nothing/restore`, "write"] as const,
  ]),
  ["GET", "/v1/triggers", "admin"],
  ["GET", "/v1/keys", "admin"],
  ["POST", "/v1/keys", "admin"],
  ["DELETE", "/v1/keys/nothing", "admin"],
  ["GET", "/v1/secrets", "read"],
  ["PUT", "/v1/secrets/nothing", "admin"],
  ["DELETE", "/v1/secrets/nothing", "admin"],
  ["GET", "/v1/audit", "admin"],
] as const;

test("the routes below are all that the API has, each with its scope", async () => {
  const { body } = await ask("GET", "/openapi.json", null);
  const described = new Description(body).operations.filter(({ scope }) => scope !== undefined);
  const templates = new Map(described.map(({ method, path, scope }) => [`${method} ${path}`, scope]));
  const known = routes.map(([method, path, scope]) => {
    const [plain = ""] = path.split("?");
    const fits = (template: string): boolean =>
      new RegExp(`^${method} ${template.replace(/^\S+ /, "").replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(
        `${method} ${plain}`,
      ) && template.startsWith(`${method} `);
    const found = [...templates.keys()].find(fits);
    return [found, scope];
  });
  expect(known).toEqual(known.map(([found]) => [found, templates.get(String(found))]));
  expect(new Set(known.map(([found]) => found))).toEqual(new Set(templates.keys()));
});

describe("a request", () => {
  test.each(routes)("%s %s needs a key", async (method, path) => {
    const answer = await ask(method, path, null);
    expect(answer.body).toMatchObject({ status: 401, code: "key_missing" });
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
  });

  test.each(routes)(
    "%s %s needs a key of scope %s, and each that reaches further does",
    async (method, path, needed) => {
      const reach = scopes.indexOf(needed);
      for (const [index, scope] of scopes.entries()) {
        const { status, body } = await ask(method, path, keys[scope]?.key ?? "", {
          body: method === "GET" ? undefined : {},
        });
        if (index < reach) expect(body).toMatchObject({ status: 403, code: "scope_too_small" });
        else expect([200, 404, 422]).toContain(status);
      }
    },
  );

  test("to know whether the service lives needs none", async () => {
    expect((await ask("GET", "/healthz", null)).status).toBe(200);
    expect((await ask("GET", "/readyz", null)).status).toBe(200);
  });

  test.each([
    ["cut", (key: string) => key.slice(0, -1)],
    ["with a letter changed", (key: string) => key.replace(/.$/, (last) => (last === "0" ? "1" : "0"))],
    ["of another scheme", () => "Basic c2x1aWNlOnNsdWljZQ=="],
    ["as nothing", () => ""],
  ])("with a key %s is refused without a word of it", async (_, spoil) => {
    const spoilt = spoil(keys["admin"]?.key ?? "");
    const { body } = await ask("GET", "/v1/syncs", spoilt);
    expect(body).toMatchObject({ status: 401, code: "key_wrong" });
    if (spoilt !== "") expect(JSON.stringify(body)).not.toContain(spoilt);
  });
});

describe("a key", () => {
  test("is shown once, and nothing that is stored or listed gives it back", async () => {
    const made = await ask("POST", "/v1/keys", keys["admin"]?.key ?? "", { body: { name: "once", scope: "read" } });
    expect(made.status).toBe(201);
    const text = String(made.body["key"]);
    expect(text).toMatch(/^sluice_[0-9a-f]{12}_/);
    const listed = JSON.stringify((await ask("GET", "/v1/keys", keys["admin"]?.key ?? "")).body);
    expect(listed).toContain(String(made.body["id"]));
    expect(listed).not.toContain(text.slice(-40));
    expect(service.output).not.toContain(text);
  });

  test("that is revoked or has expired is refused at once, and says so", async () => {
    const admin = keys["admin"]?.key ?? "";
    const { body } = await ask("POST", "/v1/keys", admin, {
      body: { name: "short", scope: "read", expires_in_days: 1 },
    });
    const [id, key] = [String(body["id"]), String(body["key"])];
    expect((await ask("GET", "/v1/syncs", key)).status).toBe(200);
    expect((await ask("DELETE", `/v1/keys/${id}`, admin)).body).toMatchObject({ id, valid: false });
    expect((await ask("GET", "/v1/syncs", key)).body).toMatchObject({ status: 401, code: "key_revoked" });
    expect((await ask("DELETE", `/v1/keys/${id}`, admin)).status).toBe(200);
  });

  test("cannot be made of a scope that there is not", async () => {
    const answer = await ask("POST", "/v1/keys", keys["admin"]?.key ?? "", { body: { name: "x", scope: "root" } });
    expect(answer.status).toBe(422);
  });
});

describe("the command", () => {
  test("on the service's own folder needs no key, and elsewhere reads SLUICE_API_KEY", async () => {
    expect((await business.sluice(["status"])).code).toBe(0);
    const elsewhere = ["--url", service.url, "status"];
    const without = await business.sluice(elsewhere);
    expect(without.code).not.toBe(0);
    expect(without.stderr).toContain("SLUICE_API_KEY");
    const environment = { SLUICE_API_KEY: keys["read"]?.key ?? "" };
    expect((await business.sluice(elsewhere, { environment })).code).toBe(0);
    const refused = await business.sluice(["--url", service.url, "keys", "list"], { environment });
    expect(refused.stderr).toContain("scope admin");
  });

  test("makes, lists and revokes keys through the service", async () => {
    const made = await business.sluice(["keys", "create", "by hand", "--scope", "run", "--days", "30"]);
    expect(made.stdout.trim()).toMatch(/^sluice_/);
    const id = made.stdout.split("_")[1] ?? "";
    expect((await business.sluice(["keys", "list"])).stdout).toMatch(new RegExp(`${id} +by hand +run +valid`));
    expect((await business.sluice(["keys", "revoke", id])).code).toBe(0);
    expect((await ask("GET", "/v1/runs", made.stdout.trim())).body).toMatchObject({ code: "key_revoked" });
    expect((await business.sluice(["keys", "revoke", "nothing"])).code).toBe(2);
  });
});

test("the audit log has every change and every refusal, with its author, and no secret", async () => {
  const admin = keys["admin"]?.key ?? "";
  const documents = [
    { kind: "segment", name: "audited", model: "accounts", filter: { column: "mrr", is: ">", value: 1 } },
  ];
  expect((await ask("POST", "/v1/workspace", keys["write"]?.key ?? "", { body: { documents } })).status).toBe(200);
  await ask("POST", "/v1/workspace", keys["read"]?.key ?? "", { body: { documents } });
  const { body } = await ask("GET", "/v1/audit?limit=10", admin);
  const [refused, applied] = body["data"] as Record<string, unknown>[];
  expect(refused).toMatchObject({ status: 403, action: "POST /v1/workspace", address: "127.0.0.1", detail: null });
  expect(refused?.["actor"]).toBe(`${keys["read"]?.id} (read key)`);
  expect(applied).toMatchObject({
    status: 200,
    actor: `${keys["write"]?.id} (write key)`,
    detail: { changes: [{ kind: "segment", name: "audited", change: "created" }], dry_run: false },
  });
  const next = await ask("GET", `/v1/audit?limit=10&cursor=${String(body["next_cursor"])}`, admin);
  expect(next.body["data"]).toHaveLength(10);
  expect(JSON.stringify([body, next.body])).not.toMatch(/sluice_[0-9a-f]{12}_/);
});

test("wrong keys come only so often from one address", async () => {
  await using own = await Business.open(1);
  await own.sluice(["keys", "create", "k"]);
  await using other = await own.start();
  const answers: number[] = [];
  for (let attempt = 0; attempt < 25; attempt += 1) {
    const response = await fetch(`${other.url}/v1/syncs`, { headers: { authorization: "Bearer guess" } });
    answers.push(response.status);
  }
  expect(answers.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 401));
  expect(answers.slice(20)).toEqual([429, 429, 429, 429, 429]);
});

describe("before there is any key", () => {
  test("a service that others can reach does not start, and says what to do", async () => {
    await using own = await Business.open(1);
    const { code, stderr } = await own.sluice(["start", "--host", "0.0.0.0", "--port", "0"]);
    expect(code).toBe(2);
    expect(stderr).toContain("sluice keys create");
  });

  test("one on loopback serves programs, and no page in a browser", async () => {
    await using own = await Business.open(1);
    await using open = await own.start();
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${open.url}/v1/syncs`, { headers })).status;
    expect(await status({})).toBe(200);
    expect(await status({ origin: "https://evil.example" })).toBe(403);
    await own.sluice(["keys", "create", "first"]);
    expect(await status({})).toBe(401);
  });
});
