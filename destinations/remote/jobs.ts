/** Work that a remote adapter goes on with after it has answered: asked about until it ends. */
import { setTimeout as sleep } from "node:timers/promises";
import { DestinationError } from "../../src/destination.ts";
import { afterApplying, type Answer, type RemoteApi } from "./api.ts";
import { refusalOf } from "./errors.ts";
import { type Results, resultsOf } from "./results.ts";

/** How long to wait before each look where the adapter says nothing, an hour in all. */
const waitsMs: readonly number[] = [50, 500, 1000, 2000, 5000, ...Array<number>(360).fill(10_000)];
const longestWaitMs = 60_000;

/** A job's results, or why there are none to be had. */
export type Ended = { readonly results: Results } | { readonly lost: string };

export async function endOfJob(api: RemoteApi, job: string, signal: AbortSignal | undefined): Promise<Ended> {
  let wait: number | undefined;
  for (const waitMs of waitsMs) {
    await pause(wait ?? waitMs, signal);
    const answer = await look(api, job, signal);
    if (answer === undefined) continue;
    if (answer.status === 404 || answer.status === 410) return { lost: "The adapter does not know the job any more." };
    if (answer.status >= 400) throw afterApplying(refusalOf(answer));
    if (answer.status !== 202) return { results: resultsOf(answer.body, "GET /jobs", "to write") };
    wait = askedWaitMs(answer.headers);
  }
  return { lost: "The adapter's job took too long." };
}

/** A look that fails tells nothing; the job goes on. */
async function look(api: RemoteApi, job: string, signal: AbortSignal | undefined): Promise<Answer | undefined> {
  try {
    return await api.call({ method: "GET", path: `/jobs/${encodeURIComponent(job)}`, asked: "to write", signal });
  } catch (error) {
    if (!(error instanceof DestinationError)) throw error;
    // An answer that is not of the protocol will not be one at the next look.
    const isAnAnswer = error.status === undefined && error.code !== "unreachable";
    if (!isAnAnswer && (error.kind === "unavailable" || error.kind === "busy")) return undefined;
    throw afterApplying(error);
  }
}

/** The wait in Retry-After, in seconds. */
export function askedWaitMs(headers: Headers): number | undefined {
  const seconds = headers.get("retry-after")?.trim() ?? "";
  return /^\d+(\.\d+)?$/.test(seconds) ? Math.min(Number(seconds) * 1000, longestWaitMs) : undefined;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
