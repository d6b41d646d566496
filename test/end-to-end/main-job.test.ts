import { expect, test } from "vitest";
import { Business, isAccountedFor } from "./business.ts";
import { mainJob } from "./main-job.ts";

mainJob("DuckDB");

test("any answer of HubSpot leaves contents equal to the model in the end", async () => {
  await using business = await Business.open(600);
  const path = "/batch/upsert";
  await business.fault(
    { path, fault: { kind: "silent" } },
    { path, after: 1, fault: { kind: "partial" } },
    { path, after: 2, fault: { kind: "shuffle" } },
    { path, after: 3, fault: { kind: "drop_after" } },
    { path, after: 4, fault: { kind: "status", status: 503 } },
    { path, after: 5, fault: { kind: "failure", name: "locked_423" } },
  );
  const first = await business.run();
  expect(first.in_doubt).toBeGreaterThan(0);
  expect(isAccountedFor(first)).toBe(true);
  expect(await business.falseClaims()).toEqual([]);
  const second = await business.run();
  expect(second).toMatchObject({ status: "succeeded", in_doubt: 0 });
  expect(business.held()).toEqual(await business.expected());
});

test("a sync that is pointed to another HubSpot begins anew there, and finds its state again when it is pointed back", async () => {
  await using business = await Business.open(100);
  await using other = await Business.open(1);
  expect(await business.run()).toMatchObject({ planned: { added: 80 }, accepted: 80 });
  const elsewhere = await business.sluice(["--json", "run", "companies"], {
    environment: { HUBSPOT: other.sandbox.url },
  });
  expect(JSON.parse(elsewhere.stdout)).toMatchObject({ planned: { added: 80 }, accepted: 80 });
  expect(other.held()).toEqual(business.held());
  expect(await business.run()).toMatchObject({ planned: { added: 0, changed: 0, removed: 0 }, unchanged: 80 });
});
