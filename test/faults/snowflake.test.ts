/** A worker that is killed while a long statement of it runs in Snowflake, which goes on with it as if nothing were. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { SnowflakeFault } from "../../src/warehouses/snowflake/sandbox/index.ts";
import { Business } from "../end-to-end/business.ts";

const command = join(import.meta.dirname, "../../src/cli/sluice.js");

interface Asked {
  readonly sql: string;
  readonly status: string;
  readonly code: string | null;
}

/** The first statement that begins so. */
async function find(business: Business, beginning: RegExp): Promise<Asked | undefined> {
  const response = await fetch(`${business.snowflake?.url}/_sandbox/requests`);
  return ((await response.json()) as Asked[]).find(({ sql }) => beginning.test(sql));
}

/** Runs the sync until a statement of it is under way, then kills the command, and first its driver's process if `both`. */
async function killDuring(business: Business, statement: RegExp, both: boolean): Promise<void> {
  const child = spawn(process.execPath, [command, "--dir", business.folder, "--json", "run", "companies"], {
    env: { PATH: process.env["PATH"], ...business.environment },
    stdio: "ignore",
  });
  const ended = once(child, "close");
  await expect.poll(async () => (await find(business, statement))?.status, { timeout: 30_000 }).toBe("running");
  const drivers = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ");
  child.kill("SIGSTOP");
  if (both) for (const driver of drivers) process.kill(Number(driver), "SIGKILL");
  child.kill("SIGKILL");
  await ended;
}

/** A statement by how it begins, and a part of its text that no earlier one has. */
const plan = [/^insert into [^ ]*plan_/i, "with source as"] as const;
const commit = [/^merge into [^ ]*state_/i, "merge into"] as const;
const never: SnowflakeFault["fault"] = { kind: "hang" };
const late: SnowflakeFault["fault"] = { kind: "slow", ms: 3000 };

test.each([
  ["plan", "never ends", plan, never],
  ["plan", "ends after its owner", plan, late],
  ["commit", "never ends", commit, never],
  ["commit", "ends after its owner", commit, late],
] as const)(
  "the statement of a %s that %s is ended by who comes next, and what it wrote is nowhere",
  async (_what, _how, [statement, part], fault) => {
    await using business = await Business.open(300, { source: "snowflake" });
    business.snowflake?.faults.add({ statement: part, fault });
    await killDuring(business, statement, true);
    const status = async (): Promise<string | undefined> => (await find(business, statement))?.status;
    if (fault === late) await expect.poll(status, { timeout: 30_000 }).toBe("success");
    expect(await business.run()).toMatchObject({ status: "succeeded", in_doubt: 0 });
    if (fault === never) expect((await find(business, statement))?.code).toBe("000604");
    expect(business.held()).toEqual(await business.expected());
    expect(await business.falseClaims()).toEqual([]);
    expect(await business.run()).toMatchObject({ planned: { added: 0, changed: 0, removed: 0 }, requests: 0 });
  },
);

test("the driver's process of a command that was killed stops its statement in Snowflake", async () => {
  await using business = await Business.open(300, { source: "snowflake" });
  business.snowflake?.faults.add({ statement: plan[1], fault: never });
  await killDuring(business, plan[0], false);
  await expect.poll(async () => (await find(business, plan[0]))?.code, { timeout: 10_000 }).toBe("000604");
  expect(await business.run()).toMatchObject({ status: "succeeded", accepted: 240 });
});
