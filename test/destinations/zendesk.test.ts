import { describe, expect, test } from "vitest";
import zendesk from "../../destinations/zendesk/index.ts";
import { connection as settings } from "../../destinations/zendesk/settings.ts";
import type { Change, DestinationRecord, StartedJob } from "../../src/destination.ts";
import { failureOf, kinds } from "./checks.ts";
import { account, acme, ada, asked, batch, change, held, organizations, write } from "./zendesk.account.ts";

const connection = { subdomain: "acme", email: "admin@example.com", api_token: "t" };

describe("the connection", () => {
  test("takes the account's name alone, never what would lead to another's address", () => {
    for (const subdomain of ["evil.com/", "x.evil", "a@b", "a/b", "a:1", "a b", "", "-a"])
      expect([subdomain, zendesk.connection.safeParse({ ...connection, subdomain }).success]).toEqual([
        subdomain,
        false,
      ]);
    expect(zendesk.connection.safeParse(connection).success).toBe(true);
  });

  test("takes an API token with its e-mail address, or an OAuth token, not both and not neither", () => {
    const { email: _email, ...tokenAlone } = connection;
    const accepts = (given: object): boolean => zendesk.connection.safeParse(given).success;
    expect(accepts(tokenAlone)).toBe(false);
    expect(accepts({ ...connection, access_token: "o" })).toBe(false);
    expect(accepts({ subdomain: "acme" })).toBe(false);
    expect(accepts({ subdomain: "acme", access_token: "o" })).toBe(true);
  });

  test("keeps to the plan's limit, and to the smallest one if no plan is given", () => {
    const limit = (plan?: string): unknown => zendesk.limits(settings.parse({ ...connection, plan }));
    expect(limit()).toEqual([{ name: "minute", requests: 200, perMs: 60_000 }]);
    expect(limit("enterprise_plus")).toMatchObject([{ requests: 2500 }]);
  });

  test("is refused where Zendesk answers 200 to a stranger or to a customer", async () => {
    await using place = await account();
    const oauth = { email: undefined, api_token: undefined };
    expect(await place.connect({ ...oauth, access_token: "an-oauth-token" }).check()).toMatchObject({
      account: expect.stringContaining("admin@example.com"),
    });
    const customer = place.connect({ ...oauth, access_token: "a-customers-token" });
    expect(await failureOf(customer.check())).toMatchObject({ kind: "unauthorized", code: "not_an_admin" });
    const user = { id: null, name: "Anonymous user", email: "invalid@example.com", role: "end-user" };
    await place.strike({ kind: "status", status: 200, body: { user } });
    expect(await failureOf(place.connection.check())).toMatchObject({ kind: "unauthorized", code: "anonymous" });
  });

  test("says what to ask of Zendesk where users cannot be made in bulk", async () => {
    await using place = await account({ bulk_import: false });
    const failed = await failureOf(write(place, change({ external_id: "new" }, { name: "New" })));
    expect(failed).toMatchObject({ kind: "unauthorized", code: "bulk_import_forbidden", applied: "no" });
    expect(await write(place, change({ external_id: "ada-1" }, { name: "A" }), { operation: "update" })).toMatchObject({
      kind: "accepted",
    });
  });
});

describe("fields", () => {
  test("are the account's own too: by key, with their types and their options' tags", async () => {
    await using place = await account();
    const { fields } = await place.connection.describe("users", {});
    const byName = Object.fromEntries(fields.map((field) => [field.name, field]));
    const types = ["plan", "seats", "score", "vip", "renews_on", "tier", "uses"].map(
      (key) => byName[`user_fields.${key}`]?.type,
    );
    expect(types).toEqual(["text", "integer", "number", "boolean", "date", "enum", "multi_enum"]);
    expect(byName["user_fields.tier"]?.options?.map(({ value }) => value)).toEqual(["tier_gold", "tier_silver"]);
    expect(byName["user_fields.zendesk_own"]?.writable).toBe(false);
    expect(Object.keys(byName)).not.toContain("user_fields.former");
    const matching = fields.filter(({ matches }) => matches).map(({ name }) => name);
    expect(matching).toEqual(["external_id", "email"]);
  });

  test("do not let a sync decide who is of the team", async () => {
    await using place = await account();
    const { fields } = await place.connection.describe("users", {});
    expect(fields.map(({ name }) => name).filter((name) => name.includes("role"))).toEqual([]);
    const outcome = await write(place, change({ external_id: "ada-1" }, { role: "admin" }));
    expect(outcome).toMatchObject({ kind: "rejected", code: "unknown_field" });
  });

  test("are read to the last page", async () => {
    const many = Array.from({ length: 230 }, (_, at) => ({ key: `f${at}`, type: "text" }));
    await using place = await account({ user_fields: many });
    const { fields } = await place.connection.describe("users", {});
    expect(fields.filter(({ name }) => name.startsWith("user_fields."))).toHaveLength(230);
  });

  test.each<[code: string, record: DestinationRecord]>([
    ["unknown_field", { "user_fields.no_such": "x" }],
    ["not_writable", { "user_fields.zendesk_own": "x" }],
    ["not_an_option", { "user_fields.tier": "Gold" }],
    ["not_an_option", { "user_fields.uses": ["use_chat", "use_fax"] }],
    ["not_a_date", { "user_fields.renews_on": "2026-02-30" }],
    ["not_an_integer", { "user_fields.seats": 1.5 }],
    ["not_a_number", { "user_fields.score": "much" }],
    ["not_a_boolean", { "user_fields.vip": "yes" }],
    ["not_a_tag", { tags: ["two words"] }],
    ["not_an_email", { email: "ada" }],
    ["not_clearable", { name: null }],
    ["not_text", { notes: 7 }],
  ])("%s is known before anything is sent", async (code, record) => {
    await using place = await account();
    const [field] = Object.keys(record);
    const outcome = await write(place, change({ external_id: "ada-1" }, record));
    expect(outcome).toMatchObject({ kind: "rejected", code, field });
    expect(await asked(place)).toEqual([]);
  });

  test("that are lists are replaced whole, and emptied by null", async () => {
    await using place = await account();
    const record = { tags: ["a", "b", "a"], "user_fields.uses": ["use_voice"] };
    await write(place, change({ external_id: "ada-1" }, record));
    expect(held(place, "users", ada)).toMatchObject({
      values: { tags: ["a", "b"] },
      user_fields: { uses: ["use_voice"] },
    });
    await write(place, change({ external_id: "ada-1" }, { tags: null, "user_fields.uses": null }));
    expect(held(place, "users", ada)?.values).toEqual({ name: "Ada" });
    expect(held(place, "users", ada)?.user_fields).toEqual({});
  });
});

describe("a job", () => {
  const three = ["ok-1", "bad-2", "ok-3"].map((external_id, at) =>
    change({ external_id }, { name: external_id, ...(at === 1 ? { organization_id: 404 } : {}) }, { seq: at }),
  );

  test.each(["described", "observed", "indexed", "bare"])(
    "that refuses one record is understood in the form %s: that row is rejected, in Zendesk's words",
    async (failed_rows) => {
      await using place = await account({ failed_rows });
      const outcomes = await place.connection.write(batch(three));
      expect(kinds(outcomes)).toEqual([
        [0, "accepted"],
        [1, "rejected"],
        [2, "accepted"],
      ]);
      expect(outcomes[1]).toMatchObject({ code: "UserUpdateError", message: "Organization: is not valid" });
    },
  );

  test("that tells a place for an id is not taken to mean the user with that id", async () => {
    await using place = await account({ failed_rows: "observed" });
    const late = change({ external_id: "bad" }, { name: "Bad", organization_id: 404 }, { seq: 9 });
    const changes = [change({ external_id: "ada-1" }, { notes: "Hi" }, { seq: 1 }), three[0], late].filter(
      (one) => one !== undefined,
    );
    expect(kinds(await place.connection.write(batch(changes)))).toEqual([
      [0, "accepted"],
      [1, "accepted"],
      [9, "rejected"],
    ]);
    expect(held(place, "users", ada)?.values["notes"]).toBe("Hi");
  });

  test("that refuses several tells each its own reason by its place, or all reasons if it tells no place", async () => {
    const faults = [
      change({ external_id: "x" }, { name: "X", organization_id: 404 }, { seq: 1 }),
      change({ external_id: "y" }, { notes: "without a name" }, { seq: 2 }),
    ];
    await using placed = await account({ failed_rows: "indexed" });
    expect(await placed.connection.write(batch(faults))).toMatchObject([
      { kind: "rejected", message: "Organization: is not valid" },
      { kind: "rejected", message: expect.stringContaining("Name: is too short") },
    ]);
    await using bare = await account({ failed_rows: "bare" });
    expect(await bare.connection.write(batch(faults))).toMatchObject([
      { kind: "rejected", code: "refused_with_others" },
      { kind: "rejected", message: expect.stringContaining("Name: is too short") },
    ]);
  });

  test("whose rows do not add up leaves those in doubt that it does not name", async () => {
    await using place = await account();
    await place.strike({ kind: "partial" }, { path: "job_statuses" });
    const [good, bad, other] = three;
    const outcomes = await place.connection.write(batch([bad, good, other].filter((one) => one !== undefined)));
    expect(kinds(outcomes)).toEqual([
      [0, "in_doubt"],
      [1, "in_doubt"],
      [2, "accepted"],
    ]);
  });

  test("is waited for, and asked again", async () => {
    await using place = await account({ job_ms: 300 });
    expect(await write(place, change({ external_id: "ada-1" }, { name: "A" }))).toMatchObject({ destinationId: ada });
    expect((await asked(place)).filter((one) => one === "GET /job_statuses/…")).toHaveLength(2);
  });

  test("that Zendesk has forgotten leaves all in doubt", async () => {
    await using place = await account();
    const body = { error: "RecordNotFound", description: "Not found" };
    await place.strike({ kind: "status", status: 404, body }, { path: "job_statuses" });
    expect(kinds(await place.connection.write(batch(three)))).toEqual([0, 1, 2].map((seq) => [seq, "in_doubt"]));
  });

  test("that is waited for is left at once by who stops", async () => {
    await using place = await account({ job_ms: 60_000 });
    const stop = new AbortController();
    const reason = new Error("stopped");
    setTimeout(() => stop.abort(reason), 150);
    const began = performance.now();
    await expect(place.connection.write(batch(three), stop.signal)).rejects.toBe(reason);
    expect(performance.now() - began).toBeLessThan(450);
  });

  test.each([
    ["makes users", [...three], {}, ["accepted", "none", "accepted"]],
    [
      "changes users",
      [change({ external_id: "ada-1" }, { name: "Countess" }, { seq: 4 })],
      { operation: "update" },
      ["accepted"],
    ],
    ["makes organizations", [change({ external_id: "o-1" }, { name: "O" }, { seq: 5 })], organizations, ["accepted"]],
  ] as const)(
    "that %s is kept before it is waited for, and tells another process what became of it",
    async (_what, changes, more, expected) => {
      await using place = await account({ job_ms: 400 });
      const kept: StartedJob[] = [];
      const stop = new AbortController();
      const onJob = async (job: StartedJob): Promise<void> => {
        kept.push(job);
        stop.abort(new Error("killed"));
      };
      await expect(place.connection.write(batch(changes, { ...more, onJob }), stop.signal)).rejects.toThrow("killed");
      expect(kept.map(({ seqs }) => seqs)).toEqual([changes.map(({ seq }) => seq)]);
      for (const { match } of changes) expect(kept[0]?.handle).not.toContain(match["external_id"]);
      const outcomes = (await place.connect({}).resume?.(kept[0]?.handle ?? "")) ?? [];
      const kindOf = ({ seq }: Change): string => outcomes.find((one) => one.seq === seq)?.kind ?? "none";
      expect(changes.map(kindOf)).toEqual(expected);
    },
  );

  test("that is asked about after Zendesk has forgotten it tells nothing", async () => {
    await using place = await account();
    const handle = JSON.stringify({ job: "82de0000", object: "users", field: "email", by: "hash", seqs: { a: 1 } });
    expect(await place.connection.resume?.(handle)).toEqual([]);
  });

  test("that Zendesk has no room for is busy, and nothing was applied", async () => {
    await using place = await account({ job_ms: 60_000 });
    const headers = { authorization: "Bearer an-oauth-token" };
    const body = JSON.stringify({ users: [{ id: Number(ada), notes: "x" }] });
    for (let n = 0; n < 30; n += 1)
      await fetch(`${place.url}/api/v2/users/update_many`, { method: "PUT", headers, body });
    expect(await failureOf(write(place, change({ external_id: "n" }, { name: "N" })))).toMatchObject({
      kind: "busy",
      code: "TooManyJobs",
      applied: "no",
      retryAfterMs: 10_000,
    });
  });

  test("whose end cannot be asked for may have been applied", async () => {
    await using place = await account();
    await place.strike({ kind: "failure", name: "rate_limit" }, { path: "job_statuses" });
    const failed = await failureOf(write(place, change({ external_id: "ada-1" }, { name: "A" })));
    expect(failed).toMatchObject({ kind: "busy", applied: "unknown", retryAfterMs: 7000 });
  });

  test("whose rows have a form that is not known is not taken for a success", async () => {
    await using place = await account();
    const sent = change({ external_id: "acc-1" }, { notes: "x" }, { destinationId: acme });
    const answer = async (row: object): Promise<unknown> => {
      const job_status = { id: "j", status: "completed", results: [{ id: Number(acme), ...row }] };
      await place.strike({ kind: "status", status: 200, body: { job_status } }, { path: "job_statuses" });
      const outcome = await write(place, sent, organizations);
      await place.calm();
      return outcome?.kind;
    };
    expect(await answer({ error: { title: "Broken" } })).toBe("rejected");
    expect(await answer({ status: "Skipped" })).toBe("in_doubt");
    expect(await answer({ status: "Updated" })).toBe("accepted");
  });

  test.each([
    ["makes users", [...three], {}, ["accepted", "none", "accepted"]],
    [
      "changes users",
      [change({ external_id: "ada-1" }, { name: "Countess" }, { seq: 4 })],
      { operation: "update" },
      ["accepted"],
    ],
    ["makes organizations", [change({ external_id: "o-1" }, { name: "O" }, { seq: 5 })], organizations, ["accepted"]],
  ] as const)(
    "that %s is kept before it is waited for, and tells another process what became of it",
    async (_what, changes, more, expected) => {
      await using place = await account({ job_ms: 400 });
      const kept: StartedJob[] = [];
      const stop = new AbortController();
      const onJob = async (job: StartedJob): Promise<void> => {
        kept.push(job);
        stop.abort(new Error("killed"));
      };
      await expect(place.connection.write(batch(changes, { ...more, onJob }), stop.signal)).rejects.toThrow("killed");
      expect(kept.map(({ seqs }) => seqs)).toEqual([changes.map(({ seq }) => seq)]);
      for (const { match } of changes) expect(kept[0]?.handle).not.toContain(match["external_id"]);
      const outcomes = (await place.connect({}).resume?.(kept[0]?.handle ?? "")) ?? [];
      const kindOf = ({ seq }: Change): string => outcomes.find((one) => one.seq === seq)?.kind ?? "none";
      expect(changes.map(kindOf)).toEqual(expected);
    },
  );

  test("that is asked about after Zendesk has forgotten it tells nothing", async () => {
    await using place = await account();
    const handle = JSON.stringify({ job: "82de0000", object: "users", field: "email", by: "hash", seqs: { a: 1 } });
    expect(await place.connection.resume?.(handle)).toEqual([]);
  });

  test("that Zendesk has no room for is busy whatever the status of the answer", async () => {
    await using place = await account();
    const body = { error: "TooManyJobs", description: "Too many jobs are currently queued or running." };
    await place.strike({ kind: "status", status: 422, body }, { method: "POST" });
    const failed = await failureOf(write(place, change({ external_id: "n" }, { name: "N" })));
    expect(failed).toMatchObject({ kind: "busy", code: "TooManyJobs", applied: "no", retryAfterMs: 10_000 });
  });

  test("that got in another's way is tried again, not rejected", async () => {
    await using place = await account();
    await place.strike({ kind: "failure", name: "conflict" }, { method: "POST" });
    const failed = await failureOf(write(place, change({ external_id: "ada-1" }, { name: "A" })));
    expect(failed).toMatchObject({ kind: "busy", code: "DatabaseConflict", applied: "no" });
  });

  test("beyond the limit of a minute is busy for as long as Zendesk says", async () => {
    await using place = await account({ requests_per_minute: 4 }, true);
    const one = change({ external_id: "ada-1" }, { name: "A" });
    expect(await write(place, one)).toMatchObject({ kind: "accepted" });
    const failed = await failureOf(write(place, one));
    expect(failed).toMatchObject({ kind: "busy", code: "APIRateLimitExceeded" });
    expect(failed.retryAfterMs).toBeGreaterThan(0);
  });
});

describe("organizations", () => {
  test("that are there already are tried as new, and then found by their external id or name", async () => {
    await using place = await account();
    const byId = change({ external_id: "ACC-1" }, { name: "Acme Inc", "organization_fields.plan": "pro" });
    expect(await write(place, byId, organizations)).toEqual({ seq: 1, kind: "accepted", destinationId: acme });
    expect(held(place, "organizations", acme)).toMatchObject({ name: "Acme Inc", values: { notes: "Old" } });
    const byName = change({ name: "acme inc" }, { "organization_fields.plan": "free" });
    expect(await write(place, byName, organizations)).toMatchObject({ destinationId: acme });
    expect(Object.keys(place.contents()["organizations"] ?? {})).toHaveLength(1);
  });

  test("that were sent before are changed in one job, by Zendesk's id", async () => {
    await using place = await account();
    const sent = change({ external_id: "acc-1" }, { notes: "New" }, { destinationId: acme });
    expect(await write(place, sent, organizations)).toMatchObject({ destinationId: acme });
    expect(await asked(place)).toEqual([
      "GET /organizations/show_many",
      "PUT /organizations/update_many",
      "GET /job_statuses/…",
    ]);
  });

  test("whose name another has are rejected, and that one is left alone", async () => {
    await using place = await account();
    const outcome = await write(place, change({ external_id: "other" }, { name: "ACME", notes: "x" }), organizations);
    expect(outcome).toMatchObject({ kind: "rejected", message: expect.stringContaining("already been taken") });
    expect(held(place, "organizations", acme)).toMatchObject({ external_id: "acc-1", values: { notes: "Old" } });
  });

  test("are deleted or cleared, but never suspended", async () => {
    await using place = await account();
    const row = change({ external_id: "acc-1" }, { notes: null, name: null });
    expect(await write(place, row, { ...organizations, operation: "clear" })).toMatchObject({ kind: "accepted" });
    expect(held(place, "organizations", acme)).toMatchObject({ name: "Acme", values: {} });
    const archived = write(place, row, { ...organizations, operation: "archive" });
    expect(await failureOf(archived)).toMatchObject({ kind: "refused", code: "operation_unsupported" });
    expect(await write(place, row, { ...organizations, operation: "delete" })).toMatchObject({ kind: "accepted" });
    expect(held(place, "organizations", acme)).toBe(undefined);
  });
});
