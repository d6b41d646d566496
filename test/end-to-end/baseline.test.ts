/** A destination that holds the records already is taken as it is. */
import { expect, test } from "vitest";
import { Business } from "./business.ts";

test("a baseline takes every row as sent and sends none; then what changes is sent, and what leaves is removed", async () => {
  await using business = await Business.open(400);
  // The records are there, but not by this sync's state: as after a spreadsheet, or another tool.
  expect(await business.run()).toMatchObject({ accepted: 320 });
  const held = business.held();
  await business.sql("drop schema sluice cascade");

  const { code, stdout } = await business.sluice(["--json", "baseline", "companies"]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    kind: "baseline",
    status: "succeeded",
    planned: { added: 320 },
    accepted: 320,
    already_there: 320,
  });
  expect(business.held()).toEqual(held);

  expect(await business.run()).toMatchObject({ planned: { added: 0, changed: 0, removed: 0 }, requests: 0 });
  await business.sql("update accounts set name = 'New name' where id in ('A1', 'A2')");
  await business.sql("delete from accounts where id = 'A3'");
  expect(await business.run()).toMatchObject({ planned: { added: 0, changed: 2, removed: 1 }, accepted: 3 });
  expect(business.held()).toEqual(await business.expected());
});

test("a baseline also forgets what has left the model, and leaves its records", async () => {
  await using business = await Business.open(40);
  await business.run();
  await business.sql("delete from accounts where id <> 'A1'");
  const { stdout } = await business.sluice(["--json", "baseline", "companies"]);
  expect(JSON.parse(stdout)).toMatchObject({ status: "succeeded", planned: { removed: 31 }, already_there: 31 });
  expect(business.held()).toHaveLength(32);
  expect(await business.run()).toMatchObject({ planned: { added: 0, changed: 0, removed: 0 } });
});

test("a baseline and what is to be sent do not become one run", async () => {
  await using business = await Business.open(40);
  await using service = await business.start();
  await business.fault({ path: "/batch/", fault: { kind: "delay", ms: 2500 } });
  const first = await service.run();
  await service.settled(first.run, /sending/);
  const baseline = await service.ask("POST", "/v1/syncs/companies/baseline");
  expect(baseline).toMatchObject({ status: 202, body: { kind: "baseline", status: "queued" } });
  const refused = await service.ask("POST", "/v1/syncs/companies/runs", { kind: "full" });
  expect(refused).toMatchObject({ status: 409, body: { code: "run_waiting" } });
  await service.settled(first.run);
  const { run } = baseline.body as { run: string };
  expect(await service.settled(run)).toMatchObject({ kind: "baseline", status: "succeeded" });
});
