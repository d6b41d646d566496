/** The API's description is valid, and the API is as it says, whatever it is asked. */
import { Validator } from "@seriousme/openapi-schema-validator";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Business, type RunningService } from "../end-to-end/business.ts";
import { type Asked, Description } from "./described.ts";

/** Of every operation; more where there is time. */
const requestsOfEach = Number(process.env["SLUICE_FUZZ_REQUESTS"] ?? 25);

let business: Business;
let service: RunningService;
let document: Record<string, unknown>;
let key: string;
let run: string;
beforeAll(async () => {
  business = await Business.open(10);
  // Keys that are made meanwhile do not lock it out.
  const { stdout } = await business.sluice(["--json", "keys", "create", "fuzz", "--scope", "admin"]);
  ({ key } = JSON.parse(stdout) as { key: string });
  run = (await business.run()).run;
  service = await business.start();
  document = (await service.ask("GET", "/openapi.json")).body as Record<string, unknown>;
});
afterAll(async () => {
  await service?.stop();
  await business?.[Symbol.asyncDispose]();
});

test("the description is valid OpenAPI 3.1", async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  expect(errors ?? []).toEqual([]);
  expect(valid).toBe(true);
  expect(document).toMatchObject({ openapi: "3.1.0" });
});

test("its page needs nothing from elsewhere", async () => {
  const page = await fetch(`${service.url}/docs/`);
  expect(page.status).toBe(200);
  const sources = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source = ""]) => source);
  expect(sources.length).toBeGreaterThan(2);
  for (const source of sources) expect(source).toMatch(/^\.?\//);
});

test(
  "whatever is asked, no answer is an error of the service, and each is as described",
  { timeout: 120_000 },
  async () => {
    const description = new Description(document);
    const names = ["companies", "accounts", "hubspot", "warehouse", "paying", "new-one", run];
    const wrong: string[] = [];

    const documents = await allDocuments();
    for (const operation of description.operations) {
      await send({ method: "POST", url: "/v1/workspace", headers: {}, body: { documents } });
      const ask = async (asked: Asked): Promise<void> => {
        const { status, type, body } = await send(asked);
        // What the vendor or the warehouse refuses is 502, and theirs.
        const misfit = status >= 500 && status !== 502 ? JSON.stringify(body) : null;
        const told = misfit ?? description.misfit(operation, status, type, body);
        if (told !== null)
          throw new Error(`${asked.method} ${asked.url} ${JSON.stringify(asked.body)}: ${status} ${told}`);
      };
      const property = fc.asyncProperty(description.requests(operation, names), ask);
      const found = await fc.check(property, { numRuns: requestsOfEach, interruptAfterTimeLimit: 10_000 });
      if (found.failed)
        wrong.push(`${String(found.errorInstance)} (seed ${found.seed}, path ${found.counterexamplePath})`);
    }
    expect(wrong).toEqual([]);
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
  },
);

async function allDocuments(): Promise<readonly object[]> {
  const kinds = ["source", "model", "segment", "destination", "sync"];
  const pages = await Promise.all(
    kinds.map(async (kind) => {
      const { body } = await send({ method: "GET", url: `/v1/documents?kind=${kind}`, headers: {}, body: undefined });
      return (body as { data: readonly { kind: string; name: string; document: object }[] }).data;
    }),
  );
  return pages.flat().map(({ kind, name, document: written }) => ({ kind, name, ...written }));
}

async function send({ method, url, headers, body }: Asked): Promise<{ status: number; type: string; body: unknown }> {
  const response = await fetch(`${service.url}${url}`, {
    method,
    headers: {
      ...headers,
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  const type = response.headers.get("content-type") ?? "";
  const text = await response.text();
  return {
    status: response.status,
    type,
    body: type.includes("json") && text !== "" ? JSON.parse(text) : text || null,
  };
}
