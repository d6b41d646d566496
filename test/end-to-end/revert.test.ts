/** A sync that keeps values: what a plan shows field by field, what the gate holds, and how a run is undone. */
import { expect, test } from "vitest";
import { Business, type RunJson, type Source } from "./business.ts";

async function keeping(rows: number, extra = "", source: Source = "duckdb"): Promise<Business> {
  const business = await Business.open(rows, { source });
  const gate = "gate: { removed: 60%, rejected: 50%, keys: withhold";
  business.write(
    "workspace.yaml",
    business
      .read("workspace.yaml")
      .replace("mode: mirror", "mode: mirror\nkeep: values")
      .replace(gate, `${gate}${extra}`),
  );
  return business;
}

interface PlanJson {
  readonly to_send: number;
  readonly already_there: number;
  readonly fields: readonly { field: string; changed: number }[] | null;
  readonly sample: readonly {
    row_key: string;
    changes: readonly { field: string; before: unknown; after: unknown }[] | null;
  }[];
  readonly requests: number;
  readonly gate: { readonly reasons: readonly { code: string; message: string }[] } | null;
}

async function plan(business: Business): Promise<PlanJson> {
  const { stdout } = await business.sluice(["--json", "plan", "companies"]);
  return JSON.parse(stdout) as PlanJson;
}

function edit(business: Business, from: string, to: string): void {
  const text = business.read("workspace.yaml");
  expect(text).toContain(from);
  business.write("workspace.yaml", text.replace(from, to));
}

for (const source of ["duckdb", "snowflake"] as const) {
  test(`over ${source}: a plan shows old and new values, the run sends just that, and a revert takes it back`, async () => {
    await using business = await keeping(100, "", source);
    await business.run();
    const before = business.held();
    await business.sql("update accounts set mrr = 1000, name = 'Renamed' where id in ('A1', 'A2')");
    await business.sql("delete from accounts where id = 'A3'");
    await business.sql("insert into accounts values ('A500', 'New', 7, 'pro')");

    const planned = await plan(business);
    expect(planned).toMatchObject({
      to_send: 4,
      requests: 2,
      fields: [
        { field: "name", changed: 2 },
        { field: "mrr", changed: 2 },
      ],
    });
    expect(planned.sample.find(({ row_key }) => row_key === "A1")?.changes).toEqual([
      { field: "name", before: "Account 1", after: "Renamed" },
      { field: "mrr", before: "1.5", after: "1000" },
    ]);

    const bad = await business.run();
    expect(bad).toMatchObject({ status: "succeeded", accepted: 4 });
    const dry = await business.sluice(["--json", "revert", bad.run, "--dry-run"]);
    expect(JSON.parse(dry.stdout)).toMatchObject({ changed: 2, restored: 1, first: 1, overtaken: 0, unknown: 0 });

    const { code, stdout } = await business.sluice(["--json", "revert", bad.run]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ kind: "revert", reverts: bad.run, status: "succeeded", accepted: 3 });
    expect(business.held().filter((line) => !line.startsWith("A500|"))).toEqual(before);

    // The sync is paused; when it is resumed, what the model says goes out again.
    const refused = await business.sluice(["run", "companies"]);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain("sluice resume companies");
    await business.sluice(["resume", "companies"]);
    expect(await business.run()).toMatchObject({ planned: { added: 0, changed: 2, removed: 1 }, accepted: 3 });
    expect(business.held()).toEqual(await business.expected());
  });
}

test("after an edit of the mapping a plan says how many records really change, and only these are sent", async () => {
  await using business = await keeping(100);
  await business.run();
  edit(business, "plan_name: plan", "plan_name: { template: \"{{ plan | replace: 'free', 'pro' }}\" }");
  const planned = await plan(business);
  expect(planned.to_send + planned.already_there).toBe(80);
  expect(planned.fields).toEqual([{ field: "plan_name", changed: planned.to_send }]);
  const run = await business.run();
  expect(run).toMatchObject({ status: "succeeded", accepted: 80, already_there: planned.already_there });
});

test("the gate holds a run that changes a field of more records than it allows, and a person lets it go on", async () => {
  await using business = await keeping(100, ", fields: { mrr: 5% }, changed: 50%");
  await business.run();
  await business.sql("update accounts set name = upper(name) where mrr > 50");
  expect(await business.run()).toMatchObject({ status: "succeeded" });
  await business.sql("update accounts set mrr = mrr * 100 where mrr between 1 and 20");
  expect((await plan(business)).gate?.reasons[0]).toMatchObject({ code: "too_many_changes" });
  const { code, stdout } = await business.sluice(["--json", "run", "companies"]);
  const held = JSON.parse(stdout) as RunJson;
  expect({ code, status: held.status, requests: held.requests }).toEqual({ code: 4, status: "held", requests: 0 });
  const released = await business.sluice(["--json", "release", held.run]);
  expect(JSON.parse(released.stdout)).toMatchObject({ status: "succeeded" });
  expect(business.held()).toEqual(await business.expected());
});

test("the gate counts records that change, not rows that an edited mapping plans anew", async () => {
  await using business = await keeping(100, ", changed: 10%");
  await business.run();
  edit(business, "name: name", 'name: { template: "{{ name }}" }');
  expect(await business.run()).toMatchObject({ status: "succeeded", already_there: 80 });
  edit(business, '"{{ name }}"', '"{{ name | upcase }}"');
  const { stdout } = await business.sluice(["--json", "run", "companies"]);
  expect(JSON.parse(stdout)).toMatchObject({ status: "held", gate: { reasons: [{ code: "too_many_changes" }] } });
});

test("a run of a sync that kept nothing cannot be undone, and says why", async () => {
  await using business = await Business.open(20);
  const { run } = await business.run();
  const { code, stderr } = await business.sluice(["revert", run]);
  expect({ code, kept: stderr.includes("keep: values") }).toEqual({ code: 1, kept: true });
});

test("a source that is only read keeps no values, and says so before anything is sent", async () => {
  await using business = await Business.open(20, { planner: "{ in: local }" });
  edit(business, "mode: mirror", "mode: mirror\nkeep: values");
  const { code, stdout } = await business.sluice(["--json", "run", "companies"]);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ status: "failed", failure: { code: "keep_unsupported" }, requests: 0 });
});
