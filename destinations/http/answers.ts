/** What an answer says of each change that its request carried, as the declaration explains it; the rest is in doubt. */
import { type Change, DestinationError, type Outcome } from "../../src/destination.ts";
import type { Condition, ItemRule, ResultList, Rule } from "./declaration.ts";
import { textAt, textOf, valueAt } from "./pointer.ts";
import { referenceOf } from "./requests.ts";
import { includes } from "./status.ts";

/** An answer about records: its JSON, its text where it is no JSON, or null. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** How the answers to an operation are read. */
export interface Reading {
  /** In order; the first that fits decides. */
  readonly rules: readonly Rule[];
  /** Whether values of a match field that differ in case only are one. */
  readonly ignoresCase: (field: string) => boolean;
}

/**
 * One outcome for each change. Throws `busy` and `unauthorized` where the declaration says so, and `refused` when
 * several changes were refused as one.
 */
export function outcomesOf(answer: Answer, changes: readonly Change[], reading: Reading): readonly Outcome[] {
  const rule = reading.rules.find(({ status, when }) => includes(status, answer.status) && holds(when, answer.body));
  const all = (outcome: (seq: number) => Outcome): readonly Outcome[] => changes.map(({ seq }) => outcome(seq));
  switch (rule?.means) {
    case undefined:
      return all((seq) => ({
        seq,
        kind: "in_doubt",
        message: `No rule explains the service's answer (${answer.status}).`,
      }));
    case "accepted":
    case "in_doubt":
      return all((seq) => outcomeBy(rule, answer.body, seq, answer.status));
    case "rejected":
      if (changes.length > 1) throw refused(rule, answer);
      return all((seq) => outcomeBy(rule, answer.body, seq, answer.status));
    case "results":
      return resultsOf(rule.lists, answer, changes, reading);
    case "busy":
      throw busy(rule, answer);
    case "stop":
      throw stop(rule, answer);
  }
}

function holds(when: Rule["when"], body: unknown): boolean {
  return [when ?? []].flat().every((condition) => fits(condition, valueAt(body, condition.at)));
}

function fits({ is, present }: Condition, value: unknown): boolean {
  if (present !== undefined) return present === (value !== undefined && value !== null);
  return [is].flat().some((wanted) => wanted === value);
}

function outcomeBy(rule: ItemRule, told: unknown, seq: number, status: number): Outcome {
  switch (rule.means) {
    case "accepted": {
      const destinationId = rule.id === undefined ? undefined : textAt(told, rule.id);
      return { seq, kind: "accepted", ...(destinationId === undefined ? {} : { destinationId }) };
    }
    case "rejected":
      return { seq, kind: "rejected", ...reasonOf(rule, told, status) };
    case "in_doubt":
      return { seq, kind: "in_doubt", message: word(rule.message, told) ?? "The service gave no definite answer." };
  }
}

interface Reason {
  readonly code: string;
  readonly message: string;
  readonly field?: string;
}

function reasonOf(
  rule: Pick<Extract<ItemRule, { means: "rejected" }>, "code" | "message" | "field">,
  told: unknown,
  status: number,
): Reason {
  const field = word(rule.field, told);
  return {
    code: word(rule.code, told) ?? `http_${status}`,
    message: word(rule.message, told) ?? `The service refused it (${status}) and gave no reason.`,
    ...(field === undefined ? {} : { field }),
  };
}

/** A word of the declaration, or the one in the answer that it points to. */
function word(declared: string | undefined, told: unknown): string | undefined {
  return declared?.startsWith("/") ? textAt(told, declared) : declared;
}

/** Each change by the items that name it. One that none names, or of which two say different things, is in doubt. */
function resultsOf(
  lists: readonly ResultList[],
  { status, body }: Answer,
  changes: readonly Change[],
  { ignoresCase }: Reading,
): readonly Outcome[] {
  const found = new Map<number, Outcome[]>();
  for (const { at, by, items } of lists) {
    const listed = valueAt(body, at);
    if (!Array.isArray(listed)) continue;
    const fields =
      typeof by === "string" ? [] : Object.entries(by).toSorted(([one], [other]) => (one < other ? -1 : 1));
    const known = Map.groupBy(changes, (change) => identityOf(change, fields, ignoresCase));
    for (const item of listed as readonly unknown[]) {
      const identity = typeof by === "string" ? textAt(item, by) : identityIn(item, fields, ignoresCase);
      const rule = items.find(({ when }) => holds(when, item));
      if (identity === undefined || !rule) continue;
      for (const { seq } of known.get(identity) ?? []) {
        const outcome = outcomeBy(rule, item, seq, status);
        const others = found.get(seq);
        if (others) others.push(outcome);
        else found.set(seq, [outcome]);
      }
    }
  }
  return changes.map(({ seq }) => agreed(seq, found.get(seq) ?? []));
}

/** The match fields that name a record, by name, each with where an item of the answer repeats it. */
type By = readonly (readonly [field: string, pointer: string])[];

/** What names a change: its reference, or all its match values. Undefined for one that has not all of them. */
function identityOf(change: Change, by: By, ignoresCase: Reading["ignoresCase"]): string | undefined {
  if (by.length === 0) return referenceOf(change);
  return joined(by, (field) => textOf(change.match[field]), ignoresCase);
}

/** What an item of an answer names. */
function identityIn(item: unknown, by: By, ignoresCase: Reading["ignoresCase"]): string | undefined {
  return joined(by, (_field, pointer) => textAt(item, pointer), ignoresCase);
}

function joined(
  by: By,
  valueOf: (field: string, pointer: string) => string | undefined,
  ignoresCase: Reading["ignoresCase"],
): string | undefined {
  const values: string[] = [];
  for (const [field, pointer] of by) {
    const value = valueOf(field, pointer);
    if (value === undefined) return undefined;
    values.push(ignoresCase(field) ? value.trim().toLowerCase() : value);
  }
  return values.length === 1 ? values[0] : JSON.stringify(values);
}

function agreed(seq: number, outcomes: readonly Outcome[]): Outcome {
  const [first, ...others] = outcomes;
  if (!first) return { seq, kind: "in_doubt", message: "The service's answer does not mention this record." };
  const idOf = (outcome: Outcome): unknown => (outcome.kind === "accepted" ? outcome.destinationId : undefined);
  if (others.every((other) => other.kind === first.kind && idOf(other) === idOf(first))) return first;
  return { seq, kind: "in_doubt", message: "The service's answer says different things of this record." };
}

function refused(rule: Extract<Rule, { means: "rejected" }>, { status, body }: Answer): DestinationError {
  const { message, ...reason } = reasonOf(rule, body, status);
  return new DestinationError("refused", message, { ...reason, applied: "no", status });
}

function busy(rule: Extract<Rule, { means: "busy" }>, { status, body }: Answer): DestinationError {
  const seconds = Number(rule.retry_after === undefined ? Number.NaN : textAt(body, rule.retry_after));
  const retryAfterMs = seconds >= 0 ? Math.min(seconds * 1000, longestWaitMs) : undefined;
  const message = word(rule.message, body) ?? `The service asks to wait (${status}).`;
  return new DestinationError("busy", message, { code: `http_${status}`, applied: "no", status, retryAfterMs });
}

/** No service asks for more than a day in earnest. */
const longestWaitMs = 86_400_000;

function stop(rule: Extract<Rule, { means: "stop" }>, { status, body }: Answer): DestinationError {
  const { code, message } = reasonOf(rule, body, status);
  const words = `The service can take no record as things are (${status}): ${message}`;
  return new DestinationError("unauthorized", words, { code, applied: "no", status });
}
