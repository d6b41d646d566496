/** What RevOps see before anything is sent: types, columns, rows, the exact records; and runs as they go. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Business, type RunningService } from "../end-to-end/business.ts";

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

describe("what there is", () => {
  test("the types of destinations and sources, with what each needs to connect", async () => {
    const { body } = await service.ask("GET", "/v1/destination-types");
    const { data } = body as { data: readonly { type: string; connection: { properties: object } }[] };
    expect(data.map(({ type }) => type)).toEqual(expect.arrayContaining(["hubspot", "salesforce", "segment", "http"]));
    for (const { connection } of data) expect(connection.properties).toHaveProperty("base_url");
    const sources = await service.ask("GET", "/v1/source-types");
    expect(sources.body).toMatchObject({
      data: expect.arrayContaining([expect.objectContaining({ type: "snowflake" })]),
    });
  });

  test("what can be done with an object, in an answer and in a person's words", async () => {
    const { status, body } = await service.ask("GET", "/v1/destinations/hubspot/objects/companies");
    expect(status).toBe(200);
    expect(body).toMatchObject({
      object: "companies",
      modes: ["upsert", "update", "insert", "mirror"],
      removals: ["archive", "clear"],
      idempotent: ["upsert", "update", "mirror"],
      reads: true,
      batch: { records: 100 },
      fields: expect.arrayContaining([expect.objectContaining({ name: "mrr", type: "number" })]),
    });
    const { stdout } = await business.sluice(["describe", "hubspot", "companies"]);
    const words = [
      "removed rows: archive, clear, ignore",
      "batches of 100",
      "safe to send again: upsert, update, mirror",
    ];
    for (const said of words) expect(stdout).toContain(said);
  });

  test("the columns of a model, with their types", async () => {
    expect((await service.ask("GET", "/v1/models/accounts/columns")).body).toMatchObject({
      data: [
        { name: "id", type: "text" },
        { name: "name", type: "text" },
        { name: "mrr", type: "decimal", native: "DECIMAL(12,2)" },
        { name: "plan", type: "text" },
      ],
    });
  });

  test("which fields are named like a column, however either is spelled", async () => {
    const { document } = (await service.ask("GET", "/v1/syncs/companies")).body as { document: { fields: object } };
    const bare = { ...document, fields: { mrr: "mrr" } };
    expect(await service.ask("PUT", "/v1/syncs/bare", bare)).toMatchObject({ status: 201 });
    expect(await service.ask("GET", "/v1/syncs/bare/mapping/suggestion")).toMatchObject({
      status: 200,
      body: { sync: "bare", fields: { name: "name" }, columns_left: ["plan"], required_left: [] },
    });
    const { stdout } = await business.sluice(["suggest", "bare"]);
    expect(stdout).toBe("fields:\n  name: name\n");
  });

  test("the first rows of a model, and how many a filter leaves that is not saved yet", async () => {
    const whole = await service.ask("POST", "/v1/models/accounts/sample", { limit: 2 });
    expect(whole.body).toMatchObject({ count: 40, of: 40, rows: [{ id: "A1", mrr: "1.5" }, {}] });
    const filter = { all: [{ column: "plan", is: "in", value: ["pro"] }, { sql: "mrr > 10" }] };
    const narrowed = await service.ask("POST", "/v1/models/accounts/sample", { limit: 100, filter });
    const { count, of, rows } = narrowed.body as { count: number; of: number; rows: readonly { plan: string }[] };
    expect([of, rows.length]).toEqual([40, count]);
    expect(new Set(rows.map(({ plan }) => plan))).toEqual(new Set(["pro"]));
    expect((await service.ask("POST", "/v1/segments/paying/sample")).body).toMatchObject({ count: 32, of: 40 });
  });

  test("a filter that is wrong is refused with its place, one that the warehouse refuses in its words", async () => {
    const wrong = { filter: { column: "plan", is: "like", value: "x" } };
    expect(await service.ask("POST", "/v1/models/accounts/sample", wrong)).toMatchObject({ status: 422 });
    const unknown = { filter: { column: "plann", is: "=", value: "x" } };
    const answer = await service.ask("POST", "/v1/models/accounts/sample", unknown);
    expect(answer.status).toBe(502);
    expect(JSON.stringify(answer.body)).toContain("plann");
    const two = { filter: { sql: "1 = 1; drop table accounts" } };
    expect((await service.ask("POST", "/v1/models/accounts/sample", two)).status).toBeGreaterThanOrEqual(400);
    expect((await service.ask("POST", "/v1/models/accounts/sample")).body).toMatchObject({ of: 40 });
  });
});

describe("a preview", () => {
  test("shows the exact records of the first rows, and nothing is sent", async () => {
    const before = await business.requests();
    const { body } = await service.ask("POST", "/v1/syncs/companies/preview", { limit: 1 });
    expect(body).toMatchObject({
      sync: "companies",
      records: [
        {
          row_key: "A1",
          match: { account_id: "A1" },
          record: { name: "Account 1", mrr: "1.5", plan_name: "pro" },
          problem: null,
        },
      ],
    });
    await service.ask("POST", "/v1/syncs/companies/preview", { limit: 100 });
    // Its fields are asked for; no record is.
    expect((await business.requests()) - before).toBeLessThanOrEqual(2);
    expect(business.held()).toEqual([]);
  });

  test("of a draft shows what it would send, and leaves the sync as it was", async () => {
    const draft = { fields: { name: { template: "{{ id }} {{ plan | upcase }}" }, mrr: null } };
    const { body } = await service.ask("POST", "/v1/syncs/companies/preview", { limit: 1, draft });
    expect(body).toMatchObject({ records: [{ record: { name: "A1 PRO" } }] });
    expect((body as { records: { record: object }[] }).records[0]?.record).not.toHaveProperty("mrr");
    const saved = (await service.ask("GET", "/v1/syncs/companies")).body;
    expect(saved).toMatchObject({ version: 1, document: { fields: { name: "name" } } });
  });

  test("of a sync that there is not yet takes its whole document", async () => {
    const { document } = (await service.ask("GET", "/v1/syncs/companies")).body as { document: object };
    const draft = { ...document, schedule: null };
    const { body } = await service.ask("POST", "/v1/syncs/brand-new/preview", { limit: 1, draft });
    expect(body).toMatchObject({ sync: "brand-new", records: [{ row_key: "A1" }] });
    expect((await service.ask("POST", "/v1/syncs/brand-new/preview")).status).toBe(404);
  });

  test("of a draft that does not fit says what, and where", async () => {
    const misspelt = await service.ask("POST", "/v1/syncs/companies/preview", { draft: { mode: "upsrt" } });
    expect(misspelt).toMatchObject({ status: 422, body: { errors: [{ pointer: "/mode", suggestion: "upsert" }] } });
    const draft = { fields: { nmae: "name" } };
    const misfit = await service.ask("POST", "/v1/syncs/companies/preview", { draft });
    expect(misfit.status).toBe(422);
    expect(JSON.stringify(misfit.body)).toContain("nmae");
  });
});

describe("a mapping by itself", () => {
  test("is read, replaced, and made what it was; the rest of its sync stays", async () => {
    const path = "/v1/syncs/companies/mapping";
    const first = (await service.ask("GET", path)).body as { version: number; match: object; fields: object };
    expect(first).toMatchObject({ sync: "companies", match: { account_id: "id" }, fields: { mrr: "mrr" } });
    const { match } = first;
    const put = await service.ask("PUT", `${path}?override=true`, { match, fields: { name: { value: "x" } } });
    expect(put).toMatchObject({ status: 200, body: { version: first.version + 1, fields: { name: { value: "x" } } } });
    // A change of something else is none of the mapping.
    await service.ask("PATCH", "/v1/syncs/companies", { gate: { removed: "99%" } });
    const { data } = (await service.ask("GET", `${path}/versions`)).body as { data: readonly { version: number }[] };
    expect(data.map(({ version }) => version)).toEqual([first.version + 1, first.version]);
    const restored = await service.ask("POST", `${path}/restore`, { version: first.version });
    expect(restored.body).toMatchObject({ match, fields: first.fields });
    expect((await service.ask("GET", "/v1/syncs/companies")).body).toMatchObject({
      document: { gate: { removed: "99%" } },
    });
  });
});

describe("an ask for a run", () => {
  async function ask(key: string, body: object): Promise<{ status: number; body: { run?: string; code?: string } }> {
    const response = await fetch(`${service.url}/v1/syncs/companies/runs`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as { run?: string } };
  }

  test("that is repeated under its key is the same run, however many come at once; another one is refused", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask("once", {})));
    expect(new Set(answers.map(({ body }) => body.run)).size).toBe(1);
    const run = answers[0]?.body.run ?? "";
    await service.settled(run);
    expect(await ask("once", {})).toMatchObject({ status: 202, body: { run } });
    expect(await ask("once", { kind: "full" })).toMatchObject({
      status: 422,
      body: { code: "idempotency_key_reused" },
    });
    expect((await ask("another", {})).body.run).not.toBe(run);
  });

  test("can be watched until it has ended", async () => {
    await business.fault({ path: "/batch/", fault: { kind: "delay", ms: 1500 } });
    const { run } = await service.run("companies", { kind: "full" });
    const response = await fetch(`${service.url}/v1/runs/${run}/events`);
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const events = (await response.text()).trim().split("\n\n");
    const kinds = events.map((event) => /^event: (\w+)/.exec(event)?.[1]);
    expect([kinds.length > 1, kinds.at(-1), new Set(kinds.slice(0, -1))]).toEqual([true, "end", new Set(["progress"])]);
    expect(JSON.parse(/^data: (.*)$/m.exec(events.at(-1) ?? "")?.[1] ?? "")).toMatchObject({
      run,
      status: "succeeded",
    });
    expect((await service.ask("GET", "/v1/runs/run_nothing/events")).status).toBe(404);
  });
});
