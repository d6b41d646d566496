/** Access tokens that end: replaced once for all who have one, and never lost, over a real store and a vendor's sandbox. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import createSandbox from "../destinations/zendesk/sandbox.ts";
import { DestinationError } from "../src/destination.ts";
import type { DestinationDocument } from "../src/documents/destination.ts";
import { openDestination } from "../src/operations/connect.ts";
import { rotateSecrets } from "../src/operations/secrets.ts";
import { Places } from "../src/operations/places.ts";
import type { Service } from "../src/operations/service.ts";
import { openRegistry } from "../src/registry.ts";
import { serveSandbox, type ServedSandbox } from "../src/serve-sandbox.ts";
import { Sealer } from "../src/security/sealing.ts";
import { openStore, type Store } from "../src/store/open.ts";
import { kindsOfStore, startStore, type TestStore } from "./store/stores.ts";

const registry = await openRegistry();
const secretKey = randomBytes(32).toString("base64");
const firstToken = "zendesk-refresh-first";

interface Vendor extends ServedSandbox {
  readonly end: () => void;
  readonly exchanges: () => Promise<readonly { readonly path: string; readonly status: number }[]>;
  /** How often a token was asked for. */
  readonly asked: () => Promise<number>;
}

/** A vendor with one client, whose refresh tokens are good for one use; `end` ends the access tokens of now. */
async function vendor(): Promise<Vendor> {
  let now = Date.now();
  const clients = [
    {
      client_id: "sluice",
      client_secret: "client-secret",
      refresh_token: firstToken,
      rotates: true,
      lasts_seconds: 3600,
    },
  ];
  const served = await serveSandbox(
    createSandbox({ limits: false, seed: { clients, credentials: [] }, now: () => now }),
  );
  const exchanges: Vendor["exchanges"] = async () => {
    const answer = await fetch(`${served.url}/_sandbox/requests`);
    return ((await answer.json()) as { last: Awaited<ReturnType<Vendor["exchanges"]>> }).last;
  };
  return {
    ...served,
    end: () => (now += 3_600_001),
    exchanges,
    asked: async () => (await exchanges()).filter(({ path }) => path === "/oauth/tokens").length,
  };
}

function serviceOver(store: Store, key: string | undefined = secretKey): Service {
  return {
    store,
    registry,
    clock: store.clock,
    random: Math.random,
    environment: {},
    sealer: new Sealer(key),
    allowedAddresses: ["127.0.0.0/8"],
    lines: new Map(),
    places: new Places(),
    tokens: new Map(),
    folder: ".",
    dataDir: ".",
    filesDir: ".",
    partRows: 100_000,
    worker: "tokens",
  };
}

function zendesk(url: string, settings: Readonly<Record<string, string>> = {}): DestinationDocument {
  return {
    kind: "destination",
    name: "support",
    type: "zendesk",
    connection: {
      subdomain: "acme",
      client_id: "sluice",
      client_secret: "client-secret",
      refresh_token: firstToken,
      plan: "enterprise_plus",
      base_url: url,
      ...settings,
    },
    pace: { share: 1 },
  };
}

/** Opens a connection of its own and checks it. */
async function check(service: Service, document: DestinationDocument): Promise<string> {
  await using opened = await openDestination(document, service);
  return (await opened.connection.check()).account;
}

async function failureOf(doing: Promise<unknown>): Promise<DestinationError> {
  const error: unknown = await doing.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DestinationError);
  return error as DestinationError;
}

describe.each(kindsOfStore)("over the %s store", (kind) => {
  let started: TestStore;
  beforeAll(async () => {
    started = await startStore(kind);
  });
  afterAll(() => started?.stop());

  test("fifty workers whose token ends together replace it once, and none is revoked", async () => {
    const place = await vendor();
    const stores = [started.store];
    if (started.databaseUrl !== undefined) {
      const { databaseUrl, dataDir } = started;
      for (let more = 0; more < 3; more += 1) stores.push(await openStore({ databaseUrl, dataDir }));
    }
    const services = stores.map((store) => serviceOver(store));
    const document = zendesk(place.url);
    const workers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => openDestination(document, services[n % services.length] ?? services[0]!)),
    );
    await Promise.all(workers.map(({ connection }) => connection.check()));
    expect(await place.asked()).toBe(1);
    place.end();
    await Promise.all(workers.map(({ connection }) => connection.check()));
    expect(await place.asked()).toBe(2);
    for (const worker of workers) await worker[Symbol.asyncDispose]();
    for (const store of stores.slice(1)) await store.close();
    await place.close();
  });

  test("a refresh token that replaced another is the one that the next process uses", async () => {
    const place = await vendor();
    const document = zendesk(place.url);
    await check(serviceOver(started.store), document);
    await check(serviceOver(started.store), document);
    expect(await place.asked()).toBe(1);
    place.end();
    await check(serviceOver(started.store), document);
    place.end();
    // What else is set of the connection does not matter: the refresh token that a person gave is spent.
    await check(serviceOver(started.store), zendesk(place.url, { plan: "team" }));
    expect(await place.asked()).toBe(3);
    await place.close();
  });

  test("a new one is stored before it is used, however often the store fails", async () => {
    const place = await vendor();
    const { store } = started;
    let failures = 3;
    const put: Store["tokens"]["put"] = async (...given) => {
      if ((failures -= 1) >= 0) throw new Error("the store is away");
      return store.tokens.put(...given);
    };
    const clock = { ...store.clock, now: () => store.clock.now(), sleep: async () => undefined };
    const failing = { ...serviceOver({ ...store, tokens: { ...store.tokens, put } }), clock };
    await check(failing, zendesk(place.url));
    expect(failures).toBe(-1);
    place.end();
    await check(serviceOver(store), zendesk(place.url));
    await place.close();
  });

  test("one that could not be stored is kept, and stored first thing when the store is back", async () => {
    const place = await vendor();
    const { store } = started;
    let away = true;
    const put: Store["tokens"]["put"] = async (...given) => {
      if (away) throw new Error("the store is away");
      return store.tokens.put(...given);
    };
    const clock = { now: () => store.clock.now(), sleep: async () => undefined };
    const service = { ...serviceOver({ ...store, tokens: { ...store.tokens, put } }), clock };
    await expect(check(service, zendesk(place.url))).rejects.toThrow("the store is away");
    away = false;
    await check(service, zendesk(place.url));
    expect(await place.asked()).toBe(1);
    await check(serviceOver(store), zendesk(place.url));
    await place.close();
  });

  test("a process that died while it asked keeps nobody else from asking when its turn is over", async () => {
    const place = await vendor();
    const { store } = started;
    const service = serviceOver(store);
    const claim: Store["tokens"]["claim"] = (...given) => store.tokens.claim(...given);
    const dead: string[] = [];
    const tokens: Store["tokens"] = {
      ...store.tokens,
      claim: async (name, turn) => {
        if (dead.length === 0) dead.push(`${await claim(name, { ...turn, asker: "dead", ms: 300 })}`);
        return claim(name, turn);
      },
    };
    await check({ ...service, store: { ...store, tokens } }, zendesk(place.url));
    expect(dead).toEqual(["true"]);
    expect(await place.asked()).toBe(1);
    await place.close();
  });

  test("one whose end is known is replaced before the vendor refuses it", async () => {
    const place = await vendor();
    const { store } = started;
    let later = 0;
    const clock = { ...store.clock, now: () => new Date(store.clock.now().getTime() + later) };
    const service: Service = { ...serviceOver(store), clock };
    await using opened = await openDestination(zendesk(place.url), service);
    await opened.connection.check();
    place.end();
    later = 3_600_000;
    await opened.connection.check();
    expect((await place.exchanges()).map(({ path, status }) => `${path} ${status}`)).toEqual([
      "/oauth/tokens 200",
      "/api/v2/users/me 200",
      "/oauth/tokens 200",
      "/api/v2/users/me 200",
    ]);
    await place.close();
  });

  test("tokens are sealed, and stay readable under a new key", async () => {
    const place = await vendor();
    const { store } = started;
    await check(serviceOver(store), zendesk(place.url));
    const { rows } = await store.pool.query<{ row: string }>("select t::text as row from app.tokens t", []);
    expect(rows.length).toBeGreaterThan(0);
    const texts = rows.flatMap(({ row }) => [row, Buffer.from(row.replaceAll(/\\x/g, ""), "hex").toString()]);
    for (const text of texts) expect(text).not.toMatch(/zendesk-(access|refresh)/);
    const newKey = randomBytes(32).toString("base64");
    await rotateSecrets(serviceOver(store, `${newKey},${secretKey}`));
    await check(serviceOver(store, newKey), zendesk(place.url));
    expect(await place.asked()).toBe(1);
    await place.close();
    await rotateSecrets(serviceOver(store, `${secretKey},${newKey}`));
  });
});

describe("a connection by refresh token", () => {
  let started: TestStore;
  beforeAll(async () => {
    started = await startStore("embedded");
  });
  afterAll(() => started?.stop());

  const app = { client_id: "app", client_secret: "app-secret", refresh_token: "app-refresh", rotates: true };
  test.each([
    ["hubspot", { apps: [app], tokens: [] }],
    ["salesforce", { authorized: [app], apps: [] }],
  ])("goes on when its token has ended: %s", async (type, seed) => {
    const { client_id, client_secret, refresh_token } = app;
    let now = Date.now();
    const served = await serveSandbox((await registry.loadSandbox(type))({ limits: false, seed, now: () => now }));
    const connection = { client_id, client_secret, refresh_token, base_url: served.url };
    const document: DestinationDocument = { kind: "destination", name: type, type, connection, pace: { share: 1 } };
    await using opened = await openDestination(document, serviceOver(started.store));
    await opened.connection.check();
    now += 3_600_000;
    await opened.connection.check();
    await served.close();
  });
});

describe("a token that is not given", () => {
  let started: TestStore;
  let place: Awaited<ReturnType<typeof vendor>>;
  beforeAll(async () => {
    started = await startStore("embedded");
    place = await vendor();
  });
  afterAll(async () => {
    await place?.close();
    await started?.stop();
  });

  const strike = async (fault: object): Promise<void> => {
    const body = JSON.stringify({ path: "/oauth/tokens", times: 1, fault });
    await fetch(`${place.url}/_sandbox/faults`, { method: "POST", body });
  };

  test("because a person took it back stops the run and says what to do, without telling the token", async () => {
    const withdrawn = zendesk(place.url, { refresh_token: "zendesk-refresh-withdrawn" });
    const error = await failureOf(check(serviceOver(started.store), withdrawn));
    expect(error).toMatchObject({ kind: "unauthorized", code: "invalid_grant", applied: "no" });
    expect(error.message).toBe(
      "Zendesk gave no access token (400): invalid_grant. The refresh token is expired or revoked. Authorize Sluice there anew.",
    );
  });

  test.each([
    ["the vendor is down", { kind: "status", status: 503, body: "down" }],
    ["the vendor says that it passes", { kind: "status", status: 400, body: { error: "temporarily_unavailable" } }],
    ["the answer is in no known form", { kind: "status", status: 200, body: { ok: true } }],
    ["the vendor asks to wait", { kind: "status", status: 429, headers: { "retry-after": "0" } }],
    ["the connection breaks", { kind: "drop_before" }],
  ])("because %s is asked for again, and needs nobody", async (_why, fault) => {
    place.end();
    const before = await place.asked();
    await strike(fault);
    await check(serviceOver(started.store), zendesk(place.url));
    expect(await place.asked()).toBe(before + 2);
  });

  test("because no key is set is told before anything is asked", async () => {
    const before = await place.asked();
    const service: Service = { ...serviceOver(started.store), sealer: new Sealer(undefined) };
    await expect(check(service, zendesk(place.url))).rejects.toMatchObject({ code: "secret_key_missing" });
    expect(await place.asked()).toBe(before);
  });

  test("is shown by no message, however often it changes", async () => {
    place.end();
    await using opened = await openDestination(zendesk(place.url), serviceOver(started.store));
    await opened.connection.check();
    const names = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].flatMap((n) => [`zendesk-access-${n}`, `zendesk-refresh-${n}`]);
    const body = JSON.stringify({ path: "/api", times: 1, fault: { kind: "status", status: 403, body: names } });
    await fetch(`${place.url}/_sandbox/faults`, { method: "POST", body });
    const { message } = await failureOf(opened.connection.check());
    expect(message).toContain("[redacted]");
    const [used] = (await started.store.pool.query<{ n: number }>("select max(version) as n from app.tokens", [])).rows;
    expect(message).not.toContain(`zendesk-access-${used?.n}"`);
  });
});
