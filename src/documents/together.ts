/** Several documents that are to hold together: each is checked by itself, then their names and references. */
import type { Registry } from "../registry.ts";
import { collect, isKind } from "./documents.ts";
import type { Documents, WorkspaceDocument } from "./documents.ts";
import { checkDocument } from "./parse.ts";
import { InvalidDocument, problem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { checkReferences } from "./references.ts";
import type { NamedDocument } from "./references.ts";
import { isRecord } from "./value-at.ts";

/** A problem of one of several documents. */
export interface ProblemOfOne {
  /** Which of the documents, counted from 0. */
  readonly index: number;
  readonly problem: Problem;
  /** For a name that is taken: the document that has it. */
  readonly takenBy?: number;
}

export interface CheckedTogether {
  /** One for each value, undefined for a wrong one. */
  readonly documents: readonly (WorkspaceDocument | undefined)[];
  readonly problems: readonly ProblemOfOne[];
}

/** Checks documents that say their kinds and names, such as those of `sluice apply`. Throws InvalidDocument with all problems. */
export async function parseDocuments(values: readonly unknown[], registry: Registry): Promise<Documents> {
  const { documents, problems } = await checkTogether(values, registry);
  if (problems.length === 0) return collect(documents.filter((document) => document !== undefined));
  throw new InvalidDocument(
    problems.map(({ index, problem: one }) => {
      const named = nameOf(values[index]);
      const document = named === undefined ? `document ${index + 1}` : `${named.kind} "${named.name}"`;
      return { ...one, pointer: `/${index}${one.pointer}`, document };
    }),
  );
}

/**
 * Checks documents and how they refer to each other. A wrong one still counts as there for those that refer to it; one
 * that is in `namesOnly` does nothing else.
 */
export async function checkTogether(
  values: readonly unknown[],
  registry: Registry,
  namesOnly: ReadonlySet<number> = new Set(),
): Promise<CheckedTogether> {
  const documents: (WorkspaceDocument | undefined)[] = [];
  const problems: ProblemOfOne[] = [];
  for (const [index, value] of values.entries()) {
    const checked = namesOnly.has(index) ? undefined : await checkDocument(value, registry);
    documents.push(checked?.ok === true ? checked.value : undefined);
    if (checked?.ok === false) problems.push(...checked.problems.map((one) => ({ index, problem: one })));
  }
  problems.push(...takenNames(values), ...brokenReferences(values).filter(({ index }) => !namesOnly.has(index)));
  return { documents, problems };
}

/** Two documents of one kind with one name: the later one is at fault. */
function takenNames(values: readonly unknown[]): ProblemOfOne[] {
  const first = new Map<string, number>();
  return values.flatMap((value, index) => {
    const named = nameOf(value);
    if (named === undefined) return [];
    const key = `${named.kind} ${named.name}`;
    const takenBy = first.get(key);
    if (takenBy === undefined) {
      first.set(key, index);
      return [];
    }
    const message = `there is already a ${named.kind} "${named.name}"`;
    return [{ index, takenBy, problem: problem("duplicate", ["name"], message, { expected: "another name" }) }];
  });
}

function brokenReferences(values: readonly unknown[]): ProblemOfOne[] {
  const indexes = new Map<NamedDocument, number>();
  for (const [index, value] of values.entries()) {
    const named = nameOf(value);
    if (named !== undefined) indexes.set(named, index);
  }
  return checkReferences(indexes.keys()).map((one) => ({
    index: indexes.get(one.document) ?? 0,
    problem: one.problem,
  }));
}

function nameOf(value: unknown): NamedDocument | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, name } = value;
  return isKind(kind) && typeof name === "string" ? { ...value, kind, name } : undefined;
}
