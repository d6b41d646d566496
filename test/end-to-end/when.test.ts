/** Fields that are only for new records, or only for empty ones: what people have entered stays. */
import { expect, test } from "vitest";
import { Business } from "./business.ts";

const fields =
  "fields: { name: { column: name, when: insert }, mrr: mrr, plan_name: { column: plan, when: if_empty } }";

test("what people have entered stays, new records get everything, and the rest follows the model", async () => {
  await using business = await Business.open(20);
  const text = business.read("workspace.yaml");
  business.write("workspace.yaml", text.replace("fields: { name: name, mrr: mrr, plan_name: plan }", fields));
  const body = {
    inputs: [
      { properties: { account_id: "A1", name: "By hand", plan_name: "free" }, associations: [] },
      { properties: { account_id: "A2", name: "By hand" }, associations: [] },
    ],
  };
  const made = await fetch(`${business.sandbox.url}/crm/objects/2026-09/companies/batch/create`, {
    method: "POST",
    headers: { authorization: "Bearer right-token", "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(made.ok).toBe(true);
  expect(await business.run()).toMatchObject({ status: "succeeded", accepted: 16 });
  expect(business.held().filter((line) => /^A[123]\|/.test(line))).toEqual([
    "A1|By hand|1.5|free",
    "A2|By hand|2.5|team",
    "A3|Account 3|3.5|free",
  ]);
  await business.sql("update accounts set name = 'Renamed', plan = 'pro', mrr = 99 where id in ('A1', 'A3')");
  expect(await business.run()).toMatchObject({ status: "succeeded", accepted: 2 });
  expect(business.held().filter((line) => /^A[13]\|/.test(line))).toEqual([
    "A1|By hand|99|free",
    "A3|Account 3|99|free",
  ]);
});
