/** Asks at a fixed rate, whether or not the answers keep up: waiting for them would hide how late they are. */
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";

export interface Asked {
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Load {
  readonly url: string;
  readonly perSecond: number;
  readonly seconds: number;
  readonly request: (index: number) => Asked;
}

export interface Answered {
  /** How many answers of each status; 0 for none. */
  readonly statuses: Readonly<Record<number, number>>;
  /** From when each should have been asked to the last byte of its answer. */
  readonly latencies: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** Asks so many times, evenly over the time, on at most 64 connections. */
export async function ask({ url, perSecond, seconds, request }: Load): Promise<Answered> {
  const pool = new Pool(url, { connections: 64 });
  const statuses: Record<number, number> = {};
  const latencies: number[] = [];
  const started = performance.now();
  const total = perSecond * seconds;
  const answers: Promise<void>[] = [];

  async function one(index: number): Promise<void> {
    const due = started + (index * 1000) / perSecond;
    const { method, path, headers = {}, body } = request(index);
    const status = await pool
      .request({ method, path, headers, body: body ?? null })
      .then(async (answer) => {
        await answer.body.dump();
        return answer.statusCode;
      })
      .catch(() => 0);
    statuses[status] = (statuses[status] ?? 0) + 1;
    latencies.push(performance.now() - due);
  }

  for (let index = 0; index < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - started) * perSecond) / 1000) + 1);
    for (; index < due; index += 1) answers.push(one(index));
    await sleep(1);
  }
  await Promise.all(answers);
  await pool.close();
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { statuses, latencies: { p50: at(0.5), p99: at(0.99), max: at(1) } };
}

/** One line of a report. */
export function told({ statuses, latencies: { p50, p99, max } }: Answered): string {
  const counts = Object.entries(statuses).map(([status, count]) => `${count} × ${status}`);
  return `${counts.join(", ")}; p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(0)} ms`;
}
