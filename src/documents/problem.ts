import { UsageError } from "../errors.ts";
import type { Path } from "./value-at.ts";

/** What kind of mistake it is. Stable; tests and programs assert it. */
export type ProblemCode =
  | "syntax"
  | "duplicate_key"
  | "too_deep"
  | "too_large"
  | "unsafe_key"
  | "unsafe_text"
  | "missing"
  | "unknown_key"
  | "unknown_value"
  | "invalid"
  | "invalid_name"
  | "invalid_mapping"
  | "conflict"
  | "duplicate"
  | "unknown_reference"
  | "other_model"
  | "cycle"
  | "lookup_impossible"
  | "literal_secret"
  | "dbt"
  | "unproven_key";

/** One mistake in one document: where it is, what was found there, and what would be right. */
export interface Problem {
  readonly code: ProblemCode;
  /** Of which document, where several came together and none is from a file: `sync "companies"`. */
  readonly document?: string;
  readonly at: Path;
  /** The place as people read it: `to.destination`. Empty for the document as a whole. */
  readonly path: string;
  /** The place as programs read it, a JSON pointer: `/to/destination`. */
  readonly pointer: string;
  readonly message: string;
  readonly found: string | undefined;
  readonly expected: string | undefined;
  /** The name that was likely meant. */
  readonly suggestion: string | undefined;
}

/** A problem of a document that came from a file, with lines and columns counted from 1. */
export interface DocumentProblem extends Problem {
  /** Relative to the workspace's folder. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export function problem(
  code: ProblemCode,
  at: Path,
  message: string,
  detail: { found?: string | undefined; expected?: string | undefined; suggestion?: string | undefined } = {},
): Problem {
  const pointer = at.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  const { found, expected, suggestion } = detail;
  return { code, at, path: pathText(at), pointer, message, found, expected, suggestion };
}

function pathText(at: Path): string {
  let path = "";
  for (const part of at) {
    if (typeof part === "number") path += `[${part}]`;
    else if (/^[\w$-]+$/.test(part)) path += path === "" ? part : `.${part}`;
    else path += `[${JSON.stringify(part)}]`;
  }
  return path;
}

/** A problem as a person reads it: `syncs.yaml:12:9  to.destination: there is no destination "hubspt". Did you …?` */
export function printProblem(problem: Problem | DocumentProblem): string {
  const document = problem.document === undefined ? "" : `${problem.document}  `;
  const place = "file" in problem ? `${problem.file}:${problem.line}:${problem.column}  ` : document;
  const path = problem.path === "" ? "" : `${problem.path}: `;
  const question = problem.suggestion === undefined ? "." : `. Did you mean "${problem.suggestion}"?`;
  const details = [
    problem.found === undefined ? [] : [`found ${problem.found}`],
    problem.expected === undefined ? [] : [`expected ${problem.expected}`],
  ].flat();
  const detail = details.length === 0 ? "" : `\n    ${details.join("; ")}`;
  return `${place}${path}${problem.message}${question}${detail}`;
}

/** A document that came as a value, over REST, is wrong. */
export class InvalidDocument extends UsageError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super("invalid_document", problems.map(printProblem).join("\n"));
    this.problems = problems;
  }
}

/** A workspace has mistakes: all of them, in the order of files and lines. */
export class InvalidWorkspace extends UsageError {
  readonly problems: readonly DocumentProblem[];

  constructor(problems: readonly DocumentProblem[]) {
    super("invalid_workspace", problems.map(printProblem).join("\n"));
    this.problems = problems;
  }
}
