/** What a Prometheus is told. */
import { expect, test } from "vitest";
import { Business, type RunningService } from "../end-to-end/business.ts";

async function scraped(service: RunningService): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${service.url}/metrics`);
  expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line): [string, number] => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

test("how each sync stands is told, and what became of its rows; then that it is paused", async () => {
  await using business = await Business.open(20);
  await business.sql("update accounts set plan = 'unheard of' where id = 'A1'");
  await using service = await business.start();
  expect((await scraped(service)).get('sluice_sync_paused{sync="companies"}')).toBe(0);
  await service.settled((await service.run()).run);
  await service.ask("POST", "/v1/syncs/companies/pause");
  const metrics = await scraped(service);
  expect(Object.fromEntries([...metrics].filter(([name]) => name.startsWith("sluice_sync_")))).toMatchObject({
    'sluice_sync_paused{sync="companies"}': 1,
    'sluice_sync_last_run_status{sync="companies",status="partial"}': 1,
    'sluice_sync_last_run_rows{sync="companies",outcome="accepted"}': 15,
    'sluice_sync_last_run_rows{sync="companies",outcome="invalid"}': 1,
  });
  expect(metrics.get('sluice_sync_last_run_end_timestamp_seconds{sync="companies"}')).toBeGreaterThan(1.7e9);
  expect(metrics.get("nodejs_eventloop_lag_p99_seconds")).toBeGreaterThanOrEqual(0);
  // Routes are named by their templates: ids would make a series each.
  const routes = [...metrics.keys()].filter((name) => name.includes("/v1/runs/"));
  expect(routes.length).toBeGreaterThan(0);
  expect(routes.filter((name) => name.includes("run_"))).toEqual([]);
});
