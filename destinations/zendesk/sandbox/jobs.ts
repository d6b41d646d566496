/** An account's background jobs: done at once, shown as done after a while. */
import type { SandboxResponse } from "../../../src/sandbox.ts";
import { notFound, tooManyJobs } from "./answers.ts";
import type { Fault } from "./values.ts";

/** What became of one record of a job. */
export type Result =
  | {
      readonly id: number;
      readonly did: "create" | "update" | "delete";
      readonly told: Readonly<Record<string, unknown>>;
    }
  | { readonly id?: number; readonly did: "create" | "update" | "delete"; readonly fault: Fault };

/**
 * In which form a job tells of a refused record: as Zendesk describes it, as seen in answers (the place in the request
 * stands for an id), with the place as such, or without either.
 */
export const failedForms = ["described", "observed", "indexed", "bare"] as const;

export type FailedForm = (typeof failedForms)[number];

interface JobRules {
  readonly now: () => number;
  /** How long a job is at work. */
  readonly jobMs: number;
  readonly failedForm: FailedForm;
}

interface Job {
  readonly id: string;
  readonly doneAt: number;
  readonly results: readonly Readonly<Record<string, unknown>>[];
}

const mostAtWork = 30;
const mostKept = 100;

export class Jobs {
  readonly #rules: JobRules;
  #jobs: Job[] = [];
  #last = 0;

  constructor(rules: JobRules) {
    this.#rules = rules;
  }

  /** Does the work, unless too many jobs are at work. */
  start(work: () => readonly Result[]): SandboxResponse {
    const { now, jobMs, failedForm } = this.#rules;
    const working = this.#jobs.filter(({ doneAt }) => doneAt > now());
    if (working.length >= mostAtWork) return tooManyJobs(working.map(({ id }) => id));
    const id = `82de0b044094f0c67893ac9fe64f${(this.#last += 1).toString(16).padStart(4, "0")}`;
    const results = work().map((result, place) => shown(result, place, failedForm));
    const job = { id, doneAt: now() + jobMs, results };
    this.#jobs = [...this.#jobs, job].slice(-mostKept);
    return { status: 200, body: { job_status: this.#status(job, "queued") } };
  }

  show(id: string): SandboxResponse {
    const job = this.#jobs.find((one) => one.id === id);
    if (!job) return notFound;
    const state = job.doneAt > this.#rules.now() ? "working" : "completed";
    return { status: 200, body: { job_status: this.#status(job, state) } };
  }

  #status({ id, results }: Job, status: "queued" | "working" | "completed"): Readonly<Record<string, unknown>> {
    const done = status === "completed";
    const progress = done ? results.length : null;
    const message = done ? "Completed at 2026-11-24 10:07:04 +0000" : null;
    return { id, job_type: "Bulk", status, total: results.length, progress, message, results: done ? results : null };
  }
}

function shown(result: Result, place: number, form: FailedForm): Readonly<Record<string, unknown>> {
  if ("told" in result) return { id: result.id, ...result.told };
  const { id = place, did: action, fault } = result;
  switch (form) {
    case "described":
      return { id, action, ...fault, success: false };
    case "observed":
      return { id, ...fault, status: "Failed" };
    case "indexed":
      return { index: place, ...fault };
    case "bare":
      return { ...fault };
  }
}
