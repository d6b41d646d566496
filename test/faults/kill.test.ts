import { expect, test } from "vitest";
import { Business, type BusinessOptions, isAccountedFor, type RunJson } from "../end-to-end/business.ts";

test.each<BusinessOptions>([{ source: "duckdb" }, { source: "snowflake" }])(
  "kill -9 at any moment over $source, then run again: contents equal the model, and state claims nothing that HubSpot lacks",
  async (options) => {
    await using business = await Business.open(6000, options);
    // Slow enough that a kill strikes while batches are under way.
    await business.fault({ path: "/batch/", times: null, fault: { kind: "delay", ms: 15 } });
    const moments = [
      { killAfterMs: 600 },
      { killAfterRequests: 2 },
      { killAfterRequests: 5 },
      { killAfterRequests: 11 },
      { killAfterMs: 1500 },
      { killAfterRequests: 1 },
      { killAfterRequests: 19 },
      { killAfterRequests: 26 },
    ];
    for (const [turn, moment] of moments.entries()) {
      await business.sql(`update accounts set mrr = mrr + ${turn + 1} where mrr > 0 and hash(id) % 2 = ${turn % 2}`);
      await business.sql(`update accounts set mrr = 0 where hash(id || 'leaves') % 60 = ${turn}`);
      const { code, stdout, stderr } = await business.sluice(["--json", "run", "companies"], moment);
      expect([null, 0, 3], stderr + stdout).toContain(code);
      expect(await business.falseClaims()).toEqual([]);
    }
    await business.clearFaults();
    const run = await business.run();
    expect(run).toMatchObject({ status: "succeeded", in_doubt: 0 });
    expect(business.held()).toEqual(await business.expected());
    const history = JSON.parse((await business.sluice(["--json", "runs", "companies"])).stdout) as readonly RunJson[];
    for (const one of history) expect(isAccountedFor(one), JSON.stringify(one)).toBe(true);
    const lost = history.filter(({ failure }) => failure?.code === "worker_lost");
    expect(lost.length).toBeGreaterThan(3);
    expect(lost.some(({ accepted, in_doubt, unsent }) => accepted > 0 && in_doubt > unsent && unsent > 0)).toBe(true);
    expect(await business.run()).toMatchObject({ planned: { added: 0, changed: 0, removed: 0 }, requests: 0 });
  },
);
