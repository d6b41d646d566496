/** Turns what zod finds into problems that a person can act on: one problem for one mistake. */
import { z } from "zod";
import { closest } from "../nearest.ts";
import { problem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { valueAt } from "./value-at.ts";
import type { Path } from "./value-at.ts";

type Issue = z.core.$ZodIssue;

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Checks a value against a schema. `at` is where in its document the value stands. */
export function check<T>(schema: z.ZodType<T>, value: unknown, at: Path = []): Checked<T> {
  const result = schema.safeParse(value, { error: nameKnownKeys });
  if (result.success) return { ok: true, value: result.data };
  const problems = explainAll(result.error.issues, [], value);
  return { ok: false, problems: problems.map((one) => problem(one.code, [...at, ...one.at], one.message, one)) };
}

/** An unknown key's issue does not say which keys there are, but its schema does: its message carries them, as JSON. */
const nameKnownKeys: z.core.$ZodErrorMap = (issue) => {
  if (issue.code !== "unrecognized_keys") return undefined;
  return JSON.stringify(issue.inst instanceof z.ZodObject ? Object.keys(issue.inst.shape) : []);
};

/** So many mistakes of one document are told at most; no person reads more, and explaining costs time. */
const mostTold = 100;

function explainAll(issues: readonly Issue[], prefix: Path, root: unknown): Problem[] {
  const told = issues.slice(0, mostTold).flatMap((issue) => explain(issue, [...prefix, ...(issue.path as Path)], root));
  const problems = told.slice(0, mostTold);
  return problems.filter((one) => !isMisspelt(one, problems));
}

function explain(issue: Issue, at: Path, root: unknown): Problem[] {
  const value = valueAt(root, at);
  if (issue.code === "invalid_union" && issue.errors.length > 0) return explainUnion(issue.errors, at, root);
  if (issue.code === "unrecognized_keys") {
    const known = z.array(z.string()).parse(JSON.parse(issue.message));
    return issue.keys.slice(0, mostTold).map((key) => unknownKey([...at, key], known, value));
  }
  const expected = expectedOf(issue);
  if (value === undefined && at.length > 0) {
    return [problem("missing", at, `${JSON.stringify(at.at(-1))} is missing`, { expected })];
  }
  if (issue.code === "invalid_key") {
    const key = JSON.stringify(at.at(-1));
    return [problem("invalid_name", at, `${key} cannot be used as a name here`, { found: key, expected })];
  }
  // A schema may say that what stands there is not to be repeated.
  if (issue.code === "custom" && issue.params?.["secret"] === true) {
    return [problem("invalid", at, "the value does not fit", { expected })];
  }
  const found = describe(value);
  const options = optionsOf(issue);
  if (options.length > 0 && typeof value === "string") {
    const detail = { found, expected, suggestion: closest(value.slice(0, 80), options) };
    return [problem("unknown_value", at, `there is no choice ${found}`, detail)];
  }
  return [problem("invalid", at, "the value does not fit", { found, expected })];
}

/** What is wrong by the one alternative that was most likely meant, or that the value is none of them. */
function explainUnion(alternatives: readonly (readonly Issue[])[], at: Path, root: unknown): Problem[] {
  const readings = alternatives.map((issues) => explainAll(issues, at, root));
  const possible = readings.filter((problems) => problems.every((one) => one.at.length > at.length));
  const byLikeliness = (one: readonly Problem[], other: readonly Problem[]): number =>
    misshape(one, at) - misshape(other, at) || misshape(one) - misshape(other);
  const likely = possible.toSorted(byLikeliness)[0];
  if (likely !== undefined) return likely;
  const first = readings.flatMap((problems) => problems.slice(0, 1));
  const expected = [...new Set(first.map((one) => one.expected))].join(", or ");
  return first.slice(0, 1).map((one) => problem(one.code, at, one.message, { ...one, expected }));
}

/**
 * How far a value is from the shape of an alternative: the keys that are missing or too many directly at `at`, or
 * else all that is wrong. A misspelling is a smaller step than another meaning.
 */
function misshape(problems: readonly Problem[], at?: Path): number {
  const counted = problems.filter(
    (one) =>
      at === undefined || (one.at.length === at.length + 1 && (one.code === "missing" || one.code === "unknown_key")),
  );
  return counted.reduce((sum, one) => sum + (one.suggestion === undefined ? 1 : 0.5), 0);
}

/**
 * Whether something is missing only because a name is misspelt: the unknown key beside it suggests it, or an unknown
 * key stands within it. That key's problem then says all.
 */
export function isMisspelt(missing: Problem, problems: readonly Problem[]): boolean {
  if (missing.code !== "missing") return false;
  return problems.some((one) => {
    if (one.code !== "unknown_key") return false;
    const parent = problem("unknown_key", one.at.slice(0, -1), "").pointer;
    const suggested = problem("missing", [...one.at.slice(0, -1), one.suggestion ?? ""], "").pointer;
    return missing.pointer === suggested || missing.pointer === parent;
  });
}

/** An unknown key, with the known one that it resembles, unless that one is there already. */
export function unknownKey(at: Path, known: readonly string[], beside: unknown): Problem {
  const free = known.filter((name) => valueAt(beside, [name]) === undefined);
  const key = String(at.at(-1));
  return problem("unknown_key", at, `there is no setting ${JSON.stringify(key)} here`, {
    found: JSON.stringify(key),
    expected: known.length === 0 ? "nothing" : oneOf(known),
    suggestion: closest(key.slice(0, 80), free),
  });
}

/** A value in a few words, as it was written. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  const written = JSON.stringify(value) ?? typeof value;
  return written.length > 80 ? `${written.slice(0, 77)}…` : written;
}

/** Names as a choice: `one of: a, b, c`. */
export function oneOf(names: readonly string[]): string {
  return names.length === 1 ? String(names[0]) : `one of: ${names.join(", ")}`;
}

const typeWords: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a map",
  record: "a map",
  array: "a list",
  null: "nothing",
};

function expectedOf(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return typeWords[issue.expected] ?? issue.expected;
    case "invalid_value":
    case "invalid_union":
      return oneOf(optionsOf(issue));
    case "too_small":
      return sizeWords(issue.origin, issue.inclusive === false ? "more than" : "at least", Number(issue.minimum));
    case "too_big":
      return sizeWords(issue.origin, issue.inclusive === false ? "less than" : "at most", Number(issue.maximum));
    case "invalid_key":
      return issue.issues.map(expectedOf).join(", ");
    case "invalid_format":
    case "not_multiple_of":
    case "invalid_element":
    case "unrecognized_keys":
    case "custom":
      return issue.message;
  }
}

function sizeWords(origin: string, comparison: string, limit: number): string {
  if (origin === "string") return limit === 1 ? "text that is not empty" : `text of ${comparison} ${limit} characters`;
  if (origin === "array") return limit === 1 ? "a list that is not empty" : `a list of ${comparison} ${limit}`;
  return `a number of ${comparison} ${limit}`;
}

function optionsOf(issue: Issue): string[] {
  if (issue.code === "invalid_value") return issue.values.map(String);
  if (issue.code === "invalid_union" && "options" in issue) return (issue.options ?? []).map(String);
  return [];
}
