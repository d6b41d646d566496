/** Webhooks that go out: whoever is to be told of a run is told, once it is due, signed, and again until it is taken. */
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { z } from "zod";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verify } from "../../src/triggers/verify.ts";
import { Business, type RunningService } from "./business.ts";

const secret = `whsec_${Buffer.from("a secret of enough bytes").toString("base64")}`;

const documents = `---
kind: notification
name: tell-n8n
url: "\${env:RECEIVER}"
secret: "\${env:SIGNING_SECRET}"
on: [succeeded, partial, failed, held]
---
kind: notification
name: tell-nobody
url: "\${env:RECEIVER}"
secret: "\${env:SIGNING_SECRET}"
on: [failed]
syncs: [companies]
`;

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A receiver as others would write one. */
class Receiver {
  readonly received: Received[] = [];
  /** What it answers next; 204 when there is nothing left. */
  readonly answers: number[] = [];
  readonly server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      this.received.push({ headers: request.headers, body: Buffer.concat(chunks) });
      response.writeHead(this.answers.shift() ?? 204).end();
    });
  });

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/webhook/a-secret-address`;
  }

  async until(count: number): Promise<readonly Received[]> {
    for (const deadline = Date.now() + 15_000; this.received.length < count; await sleep(50)) {
      if (Date.now() > deadline) throw new Error(`only ${this.received.length} of ${count} messages came`);
    }
    return this.received;
  }
}

let business: Business;
let service: RunningService;
const receiver = new Receiver();

beforeAll(async () => {
  receiver.server.listen(0, "127.0.0.1");
  await once(receiver.server, "listening");
  business = await Business.open(40);
  business.write("workspace.yaml", `${business.read("workspace.yaml")}${documents}`);
  Object.assign(business.environment, { RECEIVER: receiver.url, SIGNING_SECRET: secret });
  service = await business.start();
});
afterAll(async () => {
  await service?.stop();
  await business?.[Symbol.asyncDispose]();
  receiver.server.close();
});

async function notices(name: string): Promise<readonly Record<string, unknown>[]> {
  const { body } = await service.ask("GET", `/v1/notifications/${name}/notices`);
  return (body as { data: readonly Record<string, unknown>[] }).data;
}

describe("a notification", () => {
  test("tells what a run came to, signed as Standard Webhooks, to those who want to know it", async () => {
    const before = receiver.received.length;
    const { run } = await service.run();
    await service.settled(run);
    const message = (await receiver.until(before + 1)).at(-1);
    if (!message) throw new Error("nothing came");
    const verified = verify({ scheme: "standard_webhooks", secrets: [secret] }, message, new Date());
    expect(verified?.id).toBe(message.headers["webhook-id"]);
    expect(JSON.parse(message.body.toString())).toMatchObject({
      type: "run.succeeded",
      data: { run, sync: "companies", accepted: 32 },
    });
    await expect
      .poll(() => notices("tell-n8n"))
      .toMatchObject([{ run, event: "succeeded", status: "delivered", attempts: 1 }]);
    expect(await notices("tell-nobody")).toEqual([]);
  });

  test("comes again, as the same message, until it is taken", async () => {
    const before = receiver.received.length;
    receiver.answers.push(500);
    await service.settled((await service.run()).run);
    const [first, second] = (await receiver.until(before + 2)).slice(before);
    expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
    await expect
      .poll(() => notices("tell-n8n"))
      .toMatchObject([{ status: "delivered", attempts: 2, failure: null }, {}]);
  });

  test("that its receiver wants no more is given up at once", async () => {
    receiver.answers.push(410);
    await service.settled((await service.run()).run);
    await expect
      .poll(() => notices("tell-n8n"), { timeout: 10_000 })
      .toMatchObject([{ status: "given_up", attempts: 1 }, {}, {}]);
  });

  test("tells of a run that is held, and again when it has been released and is done", async () => {
    const before = receiver.received.length;
    await business.sql("delete from accounts where mrr > 0 and id > 'A2'");
    const { run } = await service.run();
    await service.settled(run);
    await receiver.until(before + 1);
    expect((await service.ask("POST", `/v1/runs/${run}/release`)).status).toBe(200);
    await receiver.until(before + 2);
    const types = receiver.received
      .slice(before)
      .map(({ body }) => (JSON.parse(body.toString()) as { type: string }).type);
    expect(types).toEqual(["run.held", "run.succeeded"]);
  });

  test("is tried with a test message, which says whether it was taken", async () => {
    const taken = await service.ask("POST", "/v1/notifications/tell-n8n/check");
    expect(taken).toMatchObject({ status: 200, body: { kind: "notification", ok: true } });
    expect(JSON.parse(receiver.received.at(-1)?.body.toString() ?? "")).toMatchObject({ type: "test" });
    receiver.answers.push(404);
    const refused = await service.ask("POST", "/v1/notifications/tell-n8n/check");
    expect(refused).toMatchObject({ status: 422, body: { code: "notification_not_taken" } });
    expect(JSON.stringify(refused.body)).not.toContain("a-secret-address");
  });

  test("tells of runs of the command as well, at once", async () => {
    await service.stop();
    const before = receiver.received.length;
    expect((await business.sluice(["run", "companies"])).code).toBe(0);
    expect(receiver.received.length).toBe(before + 1);
    service = await business.start();
  });

  test.each([
    ["of a sync that there is not", "syncs: [companys]", "/syncs/0"],
    ["of an event that there is not", "on: [finished]", "/on/0"],
    ["with its secret written out", "secret: whsec_c2VjcmV0", "/secret"],
    ["to something that is no address", "url: ftp://receiver", "/url"],
  ])("%s is refused with its place", async (_, wrong, pointer) => {
    const settings = { url: "https://receiver.example", secret: "${env:SIGNING_SECRET}" };
    const [name = "", value = ""] = wrong.split(": ");
    const written = value.startsWith("[") ? [value.slice(1, -1)] : value;
    const answer = await service.ask("PUT", "/v1/notifications/wrong", { ...settings, [name]: written });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  });
});

const workflow = z.object({
  nodes: z.array(z.object({ type: z.string(), parameters: z.record(z.string(), z.unknown()) })),
});

/** The settings of a workflow's node, as the documentation has it. */
function nodeOf(file: string, type: string): Readonly<Record<string, unknown>> {
  const text = readFileSync(join(import.meta.dirname, "../../docs/n8n", file), "utf8");
  const found = workflow.parse(JSON.parse(text)).nodes.find((node) => node.type === `n8n-nodes-base.${type}`);
  if (!found) throw new Error(`${file} has no ${type}`);
  return found.parameters;
}

/** What n8n makes of a setting: text with expressions in `{{ }}`, told by the `=` before it. */
function evaluated(setting: unknown, scope: { $json: unknown; $env: Readonly<Record<string, string>> }): string {
  return z
    .string()
    .startsWith("=")
    .parse(setting)
    .slice(1)
    .replaceAll(/\{\{(.*?)\}\}(?!\})/g, (_, expression: string) =>
      // oxlint-disable-next-line no-implied-eval -- the project's own documentation
      String(new Function("$json", "$env", `return (${expression})`)(scope.$json, scope.$env)),
    );
}

/** Runs the code of a Code node, which n8n takes as the body of an asynchronous function. */
async function runCode(code: unknown, { headers, body }: Received): Promise<unknown> {
  const helpers = { getBinaryDataBuffer: () => Promise.resolve(body) };
  const $input = { first: () => ({ json: { headers } }) };
  // oxlint-disable-next-line no-implied-eval -- the project's own documentation
  const run = new Function(
    "require",
    "$input",
    "$env",
    `return (async () => { ${z.string().parse(code)} }).call(this)`,
  );
  return await run.call({ helpers }, createRequire(import.meta.url), $input, { SLUICE_SIGNING_SECRET: secret });
}

describe("the n8n workflows of the documentation", () => {
  test("one has the rows sent that it was called with", async () => {
    const { method, url, jsonBody } = nodeOf("sync-named-rows.json", "httpRequest");
    const scope = { $json: { body: { ids: ["A11", "A12"] } }, $env: { SLUICE_URL: service.url } };
    // The example names its own sync.
    const address = evaluated(url, scope).replace("hubspot-companies", "companies");
    const headers = { "content-type": "application/json" };
    const response = await fetch(address, { method: String(method), headers, body: evaluated(jsonBody, scope) });
    const { run } = (await response.json()) as { run: string };
    expect(await service.settled(run)).toMatchObject({ kind: "keys", trigger: "n8n", accepted: 2 });
  });

  test("the other believes a message of the service, and none that was changed or is old", async () => {
    const { jsCode } = nodeOf("run-ended.json", "code");
    const count = receiver.received.length;
    await service.settled((await service.run()).run);
    const message = (await receiver.until(count + 1)).at(-1);
    if (!message) throw new Error("nothing came");
    expect(await runCode(jsCode, message)).toMatchObject([{ json: { verified: true, type: "run.succeeded" } }]);
    const refused = [{ json: { verified: false } }];
    expect(await runCode(jsCode, { ...message, body: Buffer.from("{}") })).toEqual(refused);
    const old = { ...message.headers, "webhook-timestamp": "1700000000" };
    expect(await runCode(jsCode, { ...message, headers: old })).toEqual(refused);
  });
});
