/**
 * The API under load: 200 requests a second with a key, a fifth of them edits, control store on Postgres; idle, and
 * beside a run of 100,000 rows.
 *
 *   node test/bench/api.ts [--rate 200] [--seconds 15] [--rows 100000]
 */
import { parseArgs } from "node:util";
import { Business } from "../end-to-end/business.ts";
import { startPostgres } from "../postgres.ts";
import { ask, type Asked, told } from "./load.ts";

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "200" },
    seconds: { type: "string", default: "15" },
    rows: { type: "string", default: "100000" },
  },
});
const perSecond = Number(values.rate);
const seconds = Number(values.seconds);

const postgres = await startPostgres();
const business = await Business.open(Number(values.rows));
try {
  business.environment["SLUICE_DATABASE_URL"] = await postgres.database();
  await business.sluice(["apply", business.folder]);
  const { stdout } = await business.sluice(["--json", "keys", "create", "bench", "--scope", "write"]);
  const { key } = JSON.parse(stdout) as { key: string };
  const service = await business.start();
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };

  const reads = ["/v1/syncs", "/v1/runs?limit=20", "/v1/segments/paying", "/v1/documents?kind=segment"];
  const request = (index: number): Asked => {
    if (index % 5 > 0) return { method: "GET", path: reads[(index % 5) - 1] ?? "", headers };
    const body = JSON.stringify({ model: "accounts", filter: { column: "mrr", is: ">", value: index } });
    return { method: "PUT", path: `/v1/segments/edited-${index % 50}`, headers, body };
  };
  const load = { url: service.url, perSecond, seconds, request };

  // Its code is compiled and its connections are made.
  await ask({ ...load, seconds: 3 });
  console.log(`API: ${perSecond}/s for ${seconds} s with a key, a fifth of them edits, control store on Postgres`);
  console.log(`  idle: ${told(await ask(load))}`);
  const started = await fetch(`${service.url}/v1/syncs/companies/runs`, { method: "POST", headers, body: "{}" });
  const { run } = (await started.json()) as { run: string };
  console.log(`  beside a run: ${told(await ask(load))}`);
  const state = (await (await fetch(`${service.url}/v1/runs/${run}`, { headers })).json()) as Record<string, unknown>;
  console.log(`  the run is ${String(state["status"])} after it, ${String(state["accepted"])} accepted`);
  await service.stop("SIGKILL");
} finally {
  await business[Symbol.asyncDispose]();
  await postgres.stop();
}
