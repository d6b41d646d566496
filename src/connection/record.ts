/**
 * Keeps a few of a run's requests, for whoever wonders what was sent: the first ones, one of each hundred, and what failed.
 * Values are left out; names, forms and the vendor's words about failures stay.
 */
import type { Exchange } from "./trace.ts";

/** A request as it is kept. */
export interface RecordedExchange {
  readonly at: Date;
  readonly method: string;
  readonly path: string;
  readonly status: number | null;
  readonly ms: number;
  /** The request's body, without its values. */
  readonly request: string | null;
  /** The answer, without its values; of a failure in the vendor's own words. */
  readonly answer: string | null;
}

const first = 5;
const everyNth = 100;
const mostOfEach = 50;
const mostText = 2000;

export class Recorder {
  readonly #now: () => Date;
  #requests = 0;
  #good = 0;
  #failed = 0;
  #kept: Promise<RecordedExchange>[] = [];

  constructor(now: () => Date) {
    this.#now = now;
  }

  note(exchange: Exchange): void {
    if (!this.#wants(exchange)) return;
    const { method, path, status, ms, body, answer, failure } = exchange;
    const at = this.#now();
    const told = { at, method, path: withoutAddresses(path), status, ms };
    const request = typeof body === "string" ? withoutValues(body) : null;
    // Copied now, before whoever asked reads it.
    const words = answer ? answer.clone().text() : Promise.resolve(failure ?? "");
    this.#kept.push(words.then((text) => ({ ...told, request, answer: shown(text, status) })));
  }

  /** What was kept since the last time. */
  async take(): Promise<readonly RecordedExchange[]> {
    const kept = this.#kept;
    this.#kept = [];
    return await Promise.all(kept);
  }

  #wants({ status, failure }: Exchange): boolean {
    this.#requests += 1;
    // Other protocols than HTTP have no status.
    const isGood = status === null ? failure === null : status < 400;
    if (!isGood) return (this.#failed += 1) <= mostOfEach;
    const isSample = this.#requests <= first || this.#requests % everyNth === 0;
    return isSample && (this.#good += 1) <= mostOfEach;
  }
}

function shown(text: string, status: number | null): string | null {
  if (text === "") return null;
  return status !== null && status < 400 ? withoutValues(text) : cut(text);
}

/** Some APIs name a record in the path by its e-mail address. */
function withoutAddresses(path: string): string {
  return path
    .split("/")
    .map((part) => (/@|%40/i.test(part) ? "…" : part))
    .join("/");
}

/** JSON with its names and its form; of text that is no JSON, how long it is. */
export function withoutValues(text: string): string {
  try {
    return cut(JSON.stringify(formOf(JSON.parse(text))));
  } catch {
    return `${text.length} characters`;
  }
}

function formOf(value: unknown): unknown {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return `text of ${value.length}`;
  if (typeof value === "number") return "number";
  if (Array.isArray(value)) {
    const [one, ...others] = value;
    if (value.length === 0) return [];
    return others.length === 0 ? [formOf(one)] : [formOf(one), `and ${others.length} more`];
  }
  return Object.fromEntries(Object.entries(Object(value)).map(([name, inner]) => [name, formOf(inner)]));
}

function cut(text: string): string {
  return text.length > mostText ? `${text.slice(0, mostText)}…` : text;
}
