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
  readonly rules: readonly CompiledRule[];
  /** Whether values of a match field that differ in case only are one. */
  readonly ignoresCase: (field: string) => boolean;
}

/** Whether what is told, an answer or an item of one, is as a declaration wants it. */
type Test = (told: unknown) => boolean;

interface CompiledRule {
  readonly rule: Rule;
  readonly holds: Test;
  /** Where it means `results`. */
  readonly lists: readonly CompiledList[];
}

interface CompiledList {
  readonly at: string;
  readonly by: string | By;
  readonly items: readonly { readonly rule: ItemRule; readonly holds: Test }[];
}

/** Compiles the rules of an operation, which are looked at for each record of an answer. */
export function compileReading(rules: readonly Rule[], ignoresCase: Reading["ignoresCase"]): Reading {
  const compiled = rules.map((rule) => ({
    rule,
    holds: compileWhen(rule.when),
    lists: rule.means === "results" ? rule.lists.map(compileList) : [],
  }));
  return { rules: compiled, ignoresCase };
}

function compileList({ at, by, items }: ResultList): CompiledList {
  const compiled = items.map((rule) => ({ rule, holds: compileWhen(rule.when) }));
  if (typeof by === "string") return { at, by, items: compiled };
  return { at, by: Object.entries(by).toSorted(([one], [other]) => (one < other ? -1 : 1)), items: compiled };
}

function compileWhen(when: Rule["when"]): Test {
  const tests = [when ?? []].flat().map(compileCondition);
  return (told) => tests.every((test) => test(told));
}

function compileCondition({ at, is, present }: Condition): Test {
  if (present !== undefined) {
    return (told) => {
      const value = valueAt(told, at);
      return present === (value !== undefined && value !== null);
    };
  }
  const wanted: readonly unknown[] = [is].flat();
  return (told) => wanted.includes(valueAt(told, at));
}

/**
 * One outcome for each change. Throws `busy` and `unauthorized` where the declaration says so, and `refused` when
 * several changes were refused as one.
 */
export function outcomesOf(answer: Answer, changes: readonly Change[], reading: Reading): readonly Outcome[] {
  const found = reading.rules.find(({ rule, holds }) => includes(rule.status, answer.status) && holds(answer.body));
  const rule = found?.rule;
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
      return resultsOf(found?.lists ?? [], answer, changes, reading);
    case "busy":
      throw busy(rule, answer);
    case "stop":
      throw stop(rule, answer);
  }
}

function outcomeBy(rule: ItemRule, told: unknown, seq: number, status: number): Outcome {
  switch (rule.means) {
    case "accepted": {
      const destinationId = rule.id === undefined ? undefined : textAt(told, rule.id);
      return destinationId === undefined ? { seq, kind: "accepted" } : { seq, kind: "accepted", destinationId };
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
  lists: readonly CompiledList[],
  { status, body }: Answer,
  changes: readonly Change[],
  { ignoresCase }: Reading,
): readonly Outcome[] {
  const found: (Outcome | undefined)[] = changes.map(() => undefined);
  for (const { at, by, items } of lists) {
    const listed = valueAt(body, at);
    if (!Array.isArray(listed)) continue;
    const places = placesByIdentity(changes, by, ignoresCase);
    for (const item of listed as readonly unknown[]) {
      const identity = typeof by === "string" ? textAt(item, by) : identityIn(item, by, ignoresCase);
      const rule = items.find(({ holds }) => holds(item))?.rule;
      if (identity === undefined || !rule) continue;
      for (const place of places.get(identity) ?? []) {
        const outcome = outcomeBy(rule, item, changes[place]?.seq ?? 0, status);
        found[place] = agreed(found[place], outcome);
      }
    }
  }
  return changes.map(({ seq }, place) => found[place] ?? inDoubt(seq, "does not mention this record"));
}

/** Where the changes that go by one identity stand: nearly always one. */
function placesByIdentity(
  changes: readonly Change[],
  by: string | By,
  ignoresCase: Reading["ignoresCase"],
): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>();
  changes.forEach((change, place) => {
    const identity = identityOf(change, by, ignoresCase);
    if (identity === undefined) return;
    const others = places.get(identity);
    if (others) others.push(place);
    else places.set(identity, [place]);
  });
  return places;
}

/** The match fields that name a record, by name, each with where an item of the answer repeats it. */
type By = readonly (readonly [field: string, pointer: string])[];

/** What names a change: its reference, or all its match values. Undefined for one that has not all of them. */
function identityOf(change: Change, by: string | By, ignoresCase: Reading["ignoresCase"]): string | undefined {
  if (typeof by === "string" || by.length === 0) return referenceOf(change);
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

/** Of two outcomes of one change the first, unless they say different things. */
function agreed(first: Outcome | undefined, other: Outcome): Outcome {
  const idOf = (outcome: Outcome): unknown => (outcome.kind === "accepted" ? outcome.destinationId : undefined);
  if (first === undefined) return other;
  if (other.kind === first.kind && idOf(other) === idOf(first)) return first;
  return inDoubt(other.seq, "says different things of this record");
}

function inDoubt(seq: number, what: string): Outcome {
  return { seq, kind: "in_doubt", message: `The service's answer ${what}.` };
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
