/** What a Prometheus asks every while: how the syncs stand, what the API was asked, how the process does. */
import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { StatusView } from "../operations/run-schemas.ts";

export interface Metrics {
  /** All of it, as Prometheus reads it. */
  text(): Promise<string>;
  /** Notes a request to the API. `route` is its template, or there would be a series for every id. */
  asked(request: {
    readonly method: string;
    readonly route: string;
    readonly status: number;
    readonly ms: number;
  }): void;
}

/** The metrics of one process. The syncs are the whole site's: every process tells the same of them. */
export function openMetrics(status: () => Promise<readonly StatusView[]>): Metrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const requests = new Histogram({
    name: "sluice_http_request_duration_seconds",
    help: "Requests to the API.",
    labelNames: ["method", "route", "status"],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 1, 5],
    registers: [register],
  });
  const syncs = gaugesOfSyncs(register);
  return {
    text: async () => {
      for (const gauge of Object.values(syncs)) gauge.reset();
      for (const sync of await status()) note(sync, syncs);
      return await register.metrics();
    },
    asked: ({ method, route, status: code, ms }) => requests.observe({ method, route, status: code }, ms / 1000),
  };
}

type SyncGauges = ReturnType<typeof gaugesOfSyncs>;

function gaugesOfSyncs(register: Registry) {
  const gauge = <const Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
  ): Gauge<Label | "sync"> =>
    new Gauge({ name: `sluice_sync_${name}`, help, labelNames: ["sync", ...labels], registers: [register] });
  return {
    paused: gauge("paused", "1 while no run of the sync begins.", []),
    nextRun: gauge("next_run_timestamp_seconds", "When its schedule is due next.", []),
    status: gauge("last_run_status", "1 for the status of the sync's last run.", ["status"]),
    ended: gauge("last_run_end_timestamp_seconds", "When the sync's last run ended.", []),
    seconds: gauge("last_run_duration_seconds", "How long it took, or takes by now.", []),
    rows: gauge("last_run_rows", "What became of the rows that it planned.", ["outcome"]),
    requests: gauge("last_run_requests", "Requests that it made to the destination.", []),
  };
}

function note({ sync, paused, next_run: next, last_run: run }: StatusView, gauges: SyncGauges): void {
  gauges.paused.set({ sync }, paused ? 1 : 0);
  if (next !== null) gauges.nextRun.set({ sync }, Date.parse(next) / 1000);
  if (run === null) return;
  gauges.status.set({ sync, status: run.status }, 1);
  if (run.ended_at !== null) gauges.ended.set({ sync }, Date.parse(run.ended_at) / 1000);
  gauges.seconds.set({ sync }, run.seconds);
  gauges.requests.set({ sync }, run.requests);
  for (const outcome of ["accepted", "rejected", "invalid", "in_doubt", "waiting"] as const)
    gauges.rows.set({ sync, outcome }, run[outcome]);
}
