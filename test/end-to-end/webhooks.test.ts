/** Webhooks on the real service: who is let in, what is sent, and that nothing that was answered is lost. */
import { createHmac, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Business, type RunJson, type RunningService } from "./business.ts";

const triggers = `---
kind: trigger
name: zendesk-users
sync: companies
webhook: { scheme: zendesk, secrets: ["\${env:HOOK_SECRET}"] }
keys: "$.objects[*].id"
---
kind: trigger
name: anything
sync: companies
webhook: { scheme: standard_webhooks, secrets: ["\${env:NEXT_SECRET}", "\${env:HOOK_SECRET}"] }
`;

const secret = "aG9vay1zZWNyZXQ=";

interface Answer {
  readonly status: number;
  readonly body: { readonly status?: string; readonly run?: string | null; readonly code?: string };
}

let business: Business;
let service: RunningService;
let paths: Readonly<Record<string, string>>;

beforeAll(async () => {
  business = await Business.open(400);
  business.write("workspace.yaml", `${business.read("workspace.yaml")}${triggers}`);
  Object.assign(business.environment, { HOOK_SECRET: secret, NEXT_SECRET: "bmV4dA==" });
  service = await business.start();
  const { body } = await service.ask("GET", "/v1/triggers");
  const { data } = body as { data: readonly { trigger: string; path: string }[] };
  paths = Object.fromEntries(data.map(({ trigger, path }) => [trigger, path]));
  await service.settled((await service.run()).run);
});
afterAll(async () => {
  await service?.stop();
  await business?.[Symbol.asyncDispose]();
});

async function post(path: string, body: string | Buffer, headers: Record<string, string>): Promise<Answer> {
  const sent = { "content-type": "application/json", ...headers };
  const response = await fetch(new URL(path, service.url), {
    method: "POST",
    headers: sent,
    body: new Uint8Array(Buffer.from(body)),
  });
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

function byZendesk(payload: unknown): { body: string; headers: Record<string, string> } {
  const body = JSON.stringify(payload);
  const timestamp = new Date().toISOString();
  const signature = createHmac("sha256", secret).update(`${timestamp}${body}`).digest("base64");
  const headers = {
    "x-zendesk-webhook-signature": signature,
    "x-zendesk-webhook-signature-timestamp": timestamp,
  };
  return { body, headers };
}

function standard(id: string = randomUUID()): { body: string; headers: Record<string, string> } {
  const body = "{}";
  const timestamp = String(Math.floor(Date.now() / 1000));
  const mac = createHmac("sha256", Buffer.from(secret, "base64")).update(`${id}.${timestamp}.${body}`);
  const signature = `v1,${mac.digest("base64")}`;
  return { body, headers: { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature } };
}

async function send(trigger: string, { body, headers }: ReturnType<typeof standard>): Promise<Answer> {
  return await post(paths[trigger] ?? "", body, headers);
}

async function runs(): Promise<readonly RunJson[]> {
  return ((await service.ask("GET", "/v1/runs?limit=100")).body as { data: readonly RunJson[] }).data;
}

describe("webhooks", () => {
  test("a delivery that names two rows reads and sends just these, although nothing about them changed", async () => {
    await business.sql("update accounts set name = name || '*' where id in ('A21', 'A31')");
    const { status, body } = await send("zendesk-users", byZendesk({ objects: [{ id: "A21" }, { id: "A22" }] }));
    expect([status, body.status]).toEqual([202, "accepted"]);
    const run = await service.settled(body.run ?? "");
    expect(run).toMatchObject({
      status: "succeeded",
      kind: "keys",
      accepted: 2,
      already_there: 0,
      planned: { changed: 2 },
    });
    expect(run.trigger).toBe("webhook zendesk-users");
    expect(await service.settled((await service.run()).run)).toMatchObject({ accepted: 1 });
    expect(business.held()).toEqual(await business.expected());
  });

  test("a delivery without a row starts nothing, one whose rows are none is told so", async () => {
    expect(await send("zendesk-users", byZendesk({ objects: [] }))).toMatchObject({
      status: 200,
      body: { status: "empty" },
    });
    const wrong = await send("zendesk-users", byZendesk({ objects: [{ id: { or: 1 } }] }));
    expect(wrong).toMatchObject({ status: 422, body: { code: "payload_invalid" } });
  });

  test("the same delivery again, also a hundred at once, is one run", async () => {
    const once = standard();
    const first = await send("anything", once);
    expect(first.status).toBe(202);
    await service.settled(first.body.run ?? "");
    const before = (await runs()).length;
    const again = await Promise.all(Array.from({ length: 100 }, async () => await send("anything", once)));
    expect(new Set(again.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await runs()).length).toBe(before);
  });

  test("an unknown address, a wrong signature and another trigger's delivery get the same answer", async () => {
    const good = standard();
    const tampered = { ...good, headers: { ...good.headers, "webhook-signature": "v1," } };
    const answers = [
      await post("/hooks/nothing", good.body, good.headers),
      await send("anything", tampered),
      await send("zendesk-users", good),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401]);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  });

  test("what is too large, packed or no JSON is refused before anything is reckoned", async () => {
    const { headers } = standard();
    const path = paths["anything"] ?? "";
    expect((await post(path, Buffer.alloc(100_000, "a"), headers)).status).toBe(413);
    expect((await post(path, "{}", { ...headers, "content-encoding": "gzip" })).status).toBe(415);
    expect((await post(path, "{}", { ...headers, "content-type": "text/html" })).status).toBe(415);
  });

  test("deliveries that come during a run, however many, are one more run with every row that they name", async () => {
    const before = (await runs()).length;
    await business.fault({ path: "/batch/", times: null, fault: { kind: "delay", ms: 12_000 } });
    const full = await service.run("companies", { kind: "full" });
    await service.settled(full.run, /sending/);
    const answers: Answer[] = [];
    for (let n = 0; n < 1000; n += 100) {
      const burst = Array.from({ length: 100 }, async (_, i) =>
        send("zendesk-users", byZendesk({ objects: [{ id: `A${(n + i) % 500}` }], n: n + i })),
      );
      answers.push(...(await Promise.all(burst)));
    }
    expect((await service.ask("GET", `/v1/runs/${full.run}`)).body).toMatchObject({ status: "sending" });
    await business.clearFaults();
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    const [next = "", ...others] = new Set(answers.map(({ body }) => body.run ?? ""));
    expect(others).toEqual([]);
    await service.settled(full.run);
    const run = await service.settled(next);
    expect(run).toMatchObject({ kind: "keys", status: "succeeded" });
    expect(run.accepted + run.not_found).toBe(500);
    expect((await runs()).length - before).toBe(2);
  }, 60_000);

  test("a burst of seconds over short runs is at most two runs, and the last data is read", async () => {
    const before = new Set((await runs()).map(({ run }) => run));
    let last = "";
    for (let n = 0; n < 30; n += 1) {
      await business.sql(`update accounts set mrr = ${1000 + n} where id = 'A31'`);
      const answers = await Promise.all(Array.from({ length: 20 }, async () => send("anything", standard())));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
      last = answers.at(-1)?.body.run ?? "";
    }
    await service.settled(last);
    expect((await runs()).filter(({ run }) => !before.has(run)).length).toBeLessThanOrEqual(2);
    expect(business.held()).toEqual(await business.expected());
  }, 60_000);
});
