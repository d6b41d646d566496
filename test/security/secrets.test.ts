/** Secrets at rest, and where they may go. The numbers are those of the attack list. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Sealer } from "../../src/security/sealing.ts";
import { type Answered, Business, type RunningService } from "../end-to-end/business.ts";

const newKey = (): string => randomBytes(32).toString("base64");
const [oldKey, key] = [newKey(), newKey()];

describe("an envelope", () => {
  const sealer = new Sealer(key);
  const sealed = sealer.seal("s3cret", "secret 1 hubspot");

  test("opens for what it was sealed for", () => {
    expect(sealer.open(sealed, "secret 1 hubspot")).toBe("s3cret");
    for (const text of ["", "\0", "é😀", "x".repeat(65_536)]) {
      expect(sealer.open(sealer.seal(text, "a"), "a")).toBe(text);
    }
  });

  test("77: with any bit changed, cut, or for another name, version or key, opens for nobody, and all sound alike", () => {
    const broken = { code: "secret_unreadable", message: "A stored secret cannot be read." };
    for (const part of ["wrapped", "body"] as const) {
      for (let bit = 0; bit < sealed[part].length * 8; bit += 1) {
        const bytes = Buffer.from(sealed[part]);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => sealer.open({ ...sealed, [part]: bytes }, "secret 1 hubspot")).toThrow(
          expect.objectContaining(broken),
        );
      }
      for (const length of [0, 5, 12, 27, sealed[part].length - 1]) {
        const cut = { ...sealed, [part]: sealed[part].subarray(0, length) };
        expect(() => sealer.open(cut, "secret 1 hubspot")).toThrow(expect.objectContaining(broken));
      }
    }
    const other = sealer.seal("other", "secret 1 zendesk");
    const attempts = [
      () => sealer.open(sealed, "secret 1 zendesk"),
      () => sealer.open(sealed, "secret 2 hubspot"),
      () => sealer.open({ ...other, body: sealed.body }, "secret 1 hubspot"),
      () => sealer.open({ ...sealed, keyId: "000000000000" }, "secret 1 hubspot"),
      () => new Sealer(oldKey).open(sealed, "secret 1 hubspot"),
      () => new Sealer(oldKey).open({ ...sealed, keyId: new Sealer(oldKey).keyIds[0] ?? "" }, "secret 1 hubspot"),
    ];
    for (const attempt of attempts) expect(attempt).toThrow(expect.objectContaining(broken));
  });

  test("78: no key that is missing, short, an example or one byte over and over is taken", () => {
    expect(() => new Sealer(undefined).seal("a", "a")).toThrow(expect.objectContaining({ code: "secret_key_missing" }));
    const wrong = [
      "change-me",
      "x".repeat(32),
      "0".repeat(64),
      Buffer.alloc(32, 7).toString("base64"),
      newKey().slice(4),
      `${key},`,
    ];
    for (const text of wrong) {
      expect(() => new Sealer(text)).toThrow(expect.objectContaining({ code: "wrong_setting" }));
    }
    expect(new Sealer(Buffer.from(key, "base64").toString("hex")).open(sealed, "secret 1 hubspot")).toBe("s3cret");
  });

  test("79: the same secret never has the same bytes, nor any nonce twice", () => {
    const seen = new Set<string>();
    for (let n = 0; n < 20_000; n += 1) {
      const { wrapped, body } = sealer.seal("same", "same");
      for (const bytes of [wrapped, body]) seen.add(bytes.subarray(0, 12).toString("hex"));
    }
    expect(seen.size).toBe(40_000);
  });
});

describe("in a service", () => {
  let business: Business;
  let service: RunningService;
  const both = { SLUICE_SECRET_KEY: `${key},${oldKey}` };
  const keys: Record<string, string> = {};
  beforeAll(async () => {
    business = await Business.open(20);
    const under = { environment: { SLUICE_SECRET_KEY: oldKey } };
    expect(await business.sluice(["secrets", "set", "hubspot"], { ...under, input: "right-token\n" })).toMatchObject({
      code: 0,
    });
    const text = business.read("workspace.yaml").replace("${env:TOKEN}", "${secret:hubspot}");
    business.write("workspace.yaml", text);
    for (const scope of ["write", "admin"]) {
      const { stdout } = await business.sluice(["--json", "keys", "create", scope, "--scope", scope], under);
      keys[scope] = (JSON.parse(stdout) as { key: string }).key;
    }
    service = await business.start([], { ...both, SLUICE_LOG_LEVEL: "trace" });
  }, 60_000);
  afterAll(async () => {
    await service?.stop();
    await business?.[Symbol.asyncDispose]();
  });

  async function ask(method: string, path: string, body?: unknown, as = "admin"): Promise<Answered> {
    const response = await fetch(`${service.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${keys[as]}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, type: "", body: text === "" ? null : JSON.parse(text) };
  }

  test("80: a key is changed while the service has both; after that the old one is not needed", async () => {
    expect(service.output).toContain("sealed under the new key");
    expect(await ask("POST", "/v1/destinations/hubspot/check")).toMatchObject({ status: 200 });
    await service.stop();
    service = await business.start([], { SLUICE_SECRET_KEY: key, SLUICE_LOG_LEVEL: "trace" });
    expect(await ask("POST", "/v1/destinations/hubspot/check")).toMatchObject({ status: 200 });
  });

  test("78: with a wrong key, or none, a service that has secrets does not start, and leaves them as they are", async () => {
    await service.stop();
    for (const environment of [{ SLUICE_SECRET_KEY: oldKey }, {}]) {
      const { code, stderr } = await business.sluice(["start", "--port", "0"], { environment });
      expect({ code, told: stderr.includes("SLUICE_SECRET_KEY") }).toEqual({ code: 2, told: true });
    }
    service = await business.start([], { SLUICE_SECRET_KEY: key, SLUICE_LOG_LEVEL: "trace" });
    expect(await ask("POST", "/v1/destinations/hubspot/check")).toMatchObject({ status: 200 });
  });

  test("78: off loopback it does not start without a key to store secrets under", async () => {
    await using other = await Business.open(1);
    await other.sluice(["keys", "create", "ops", "--scope", "admin"]);
    const { code, stderr } = await other.sluice(["start", "--port", "0", "--host", "0.0.0.0"]);
    expect({ code, told: stderr.includes("SLUICE_SECRET_KEY") }).toEqual({ code: 2, told: true });
  });

  test("10: what a secret says is in no answer, export, log or audit entry", async () => {
    const answers = [
      await ask("PUT", "/v1/secrets/unused", { value: "canary-value" }),
      await ask("PUT", "/v1/secrets/unused", { value: "canary-value", more: 1 }),
      await ask("PUT", "/v1/secrets/unused", { value: ["canary-value"] }),
      await ask("GET", "/v1/secrets"),
      await ask("GET", "/v1/workspace"),
      await ask("GET", "/v1/destinations/hubspot"),
      await ask("GET", "/v1/audit"),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 422, 422, 200, 200, 200, 200]);
    expect(answers[3]?.body).toMatchObject({
      data: [
        { name: "hubspot", version: 1, used_by: ['destination "hubspot"'] },
        { name: "unused", version: 1, used_by: [] },
      ],
    });
    const all = JSON.stringify(answers) + service.output;
    for (const secret of ["canary-value", "right-token", key]) expect(all).not.toContain(secret);
  });

  test("a secret that is replaced is what the next request has; one that is named stays", async () => {
    expect(await ask("PUT", "/v1/secrets/hubspot", { value: "wrong-token" })).toMatchObject({
      status: 200,
      body: { version: 2 },
    });
    expect((await ask("POST", "/v1/destinations/hubspot/check")).status).not.toBe(200);
    await ask("PUT", "/v1/secrets/hubspot", { value: "right-token" });
    expect(await ask("POST", "/v1/destinations/hubspot/check")).toMatchObject({ status: 200 });
    expect(await ask("DELETE", "/v1/secrets/hubspot")).toMatchObject({ status: 409, body: { code: "in_use" } });
    expect(await ask("DELETE", "/v1/secrets/unused")).toMatchObject({ status: 204 });
    expect(await ask("DELETE", "/v1/secrets/unused")).toMatchObject({ status: 404 });
  });

  test("11: only an admin decides where a secret goes: not by a new address, document, variable or file", async () => {
    const connection = { access_token: "${secret:hubspot}", base_url: "https://evil.example" };
    const refused = { status: 403, body: { code: "scope_too_small" } };
    const put = (name: string, body: unknown): Promise<Answered> =>
      ask("PUT", `/v1/destinations/${name}?override=true`, body, "write");
    expect(await put("hubspot", { type: "hubspot", connection })).toMatchObject(refused);
    expect(await put("mine", { type: "hubspot", connection })).toMatchObject(refused);
    const named = { ...connection, access_token: "${env:TOKEN}" };
    expect(await put("mine", { type: "hubspot", connection: named })).toMatchObject(refused);
    const patch = { connection: { base_url: "https://evil.example" } };
    expect(await ask("PATCH", "/v1/destinations/hubspot?override=true", patch, "write")).toMatchObject(refused);
    const documents = [{ kind: "destination", name: "hubspot", type: "hubspot", connection }];
    expect(await ask("POST", "/v1/workspace", { documents }, "write")).toMatchObject(refused);
    const paced = { pace: { share: 0.5 } };
    expect(await ask("PATCH", "/v1/destinations/hubspot?override=true", paced, "write")).toMatchObject({ status: 200 });
    expect(await ask("PUT", "/v1/destinations/mine", { type: "hubspot", connection })).toMatchObject({ status: 201 });
  });

  test("11: nor is a database reached by others, though it may ask for no password", async () => {
    const login = { base_url: "postgres://127.0.0.1:5432/sluice?sslmode=disable", user: "postgres" };
    const put = (connection: object): Promise<Answered> =>
      ask("PUT", "/v1/destinations/own-store", { type: "postgres", connection }, "write");
    for (const more of [{}, { password: "" }, { password: "anything" }])
      expect(await put({ ...login, ...more })).toMatchObject({ status: 422 });
    expect(await put({ ...login, password: "${env:TOKEN}" })).toMatchObject({ status: 403 });
    expect(await put({ url: "${env:TOKEN}" })).toMatchObject({ status: 403 });
    const connection = { ...login, password: "anything" };
    const documents = [{ kind: "destination", name: "own-store", type: "postgres", connection }];
    expect(await ask("POST", "/v1/workspace", { documents }, "write")).toMatchObject({ status: 403 });
  });

  test("11: nor does anybody else say where a source leads, which is read with the service's own rights", async () => {
    const sources = [
      { type: "duckdb", connection: { path: "/var/lib/another.duckdb" } },
      { type: "postgres", connection: { host: "127.0.0.1", database: "sluice", user: "postgres" } },
    ];
    for (const source of sources) {
      expect(await ask("PUT", "/v1/sources/mine", source, "write")).toMatchObject({ status: 403 });
      const documents = [{ kind: "source", name: "mine", ...source }];
      expect(await ask("POST", "/v1/workspace", { documents }, "write")).toMatchObject({ status: 403 });
    }
  });

  test("57: the service's own settings cannot be named by a document", async () => {
    const connection = { access_token: "${env:SLUICE_SECRET_KEY}" };
    expect(await ask("PUT", "/v1/destinations/own", { type: "hubspot", connection })).toMatchObject({ status: 201 });
    expect(await ask("POST", "/v1/destinations/own/check")).toMatchObject({ body: { code: "missing_variable" } });
  });
});
