/** A folder of YAML files as a workspace: all of its documents, or all of its mistakes at once. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { LineCounter, parseAllDocuments } from "yaml";
import type { Document, YAMLError } from "yaml";
import { messageOf, UsageError } from "../errors.ts";
import type { Registry } from "../registry.ts";
import { DbtModels } from "./dbt/resolve.ts";
import { collect } from "./documents.ts";
import type { Documents, WorkspaceDocument } from "./documents.ts";
import { positionOf, toPosition } from "./positions.ts";
import { InvalidWorkspace, problem } from "./problem.ts";
import type { DocumentProblem, Problem } from "./problem.ts";
import { literalSecrets } from "./secrets.ts";
import { checkTogether } from "./together.ts";
import type { ProblemOfOne } from "./together.ts";

export interface LoadedWorkspace {
  readonly documents: Documents;
  /** Nothing wrong, but worth a person's attention: secrets written out in a file, a key that dbt does not prove. */
  readonly warnings: readonly DocumentProblem[];
}

/** A document as a file has it, before it is known whether it is right. */
interface Written {
  readonly file: string;
  readonly lines: LineCounter;
  readonly yaml: Document;
  readonly value: unknown;
}

/** Loads every YAML file below the folder. Throws InvalidWorkspace with every problem of every file. */
export async function loadWorkspace(folder: string, registry: Registry): Promise<LoadedWorkspace> {
  const written: Written[] = [];
  const problems: DocumentProblem[] = [];
  for (const file of await yamlFiles(folder)) {
    const read = readDocuments(file, await readFile(join(folder, file), "utf8"));
    written.push(...read.written);
    problems.push(...read.problems);
  }
  const dbt = new DbtModels(folder);
  const resolved = await Promise.all(written.map(async (one) => await dbt.resolve(one.value)));
  problems.push(...resolved.flatMap((one, index) => one.problems.map((found) => locate(found, written[index]!))));
  // A document that is not YAML, or whose dbt model is not to be had, is among them only for its name.
  const namesOnly = written.flatMap(({ yaml }, index) =>
    yaml.errors.length > 0 || resolved[index]!.problems.length > 0 ? [index] : [],
  );
  const checked = await checkTogether(
    resolved.map(({ value }) => value),
    registry,
    new Set(namesOnly),
  );
  problems.push(...checked.problems.map((one) => locateOne(one, written)));
  if (problems.length > 0) throw new InvalidWorkspace(problems.toSorted(inReadingOrder));
  const warnings = await Promise.all(
    checked.documents.map(async (document, index) => await warningsOf(document, written[index]!, registry)),
  );
  const documents = checked.documents.filter((document) => document !== undefined);
  const unproven = resolved.flatMap((one, index) => one.warnings.map((found) => locate(found, written[index]!)));
  return { documents: collect(documents), warnings: [...warnings.flat(), ...unproven].toSorted(inReadingOrder) };
}

/** The folder's YAML files, by path. Dot folders and node_modules are not a workspace's. */
async function yamlFiles(folder: string, below = ""): Promise<string[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true }).catch((cause: unknown) => {
    throw new UsageError("no_workspace", `the folder ${join(folder, below)} cannot be read: ${messageOf(cause)}`, {
      hint: "Name the folder that holds the workspace's YAML files.",
      cause,
    });
  });
  const files: string[] = [];
  for (const entry of entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    if (entry.isDirectory()) files.push(...(await yamlFiles(folder, path)));
    else if (/\.ya?ml$/i.test(entry.name)) files.push(path);
  }
  return files;
}

function readDocuments(file: string, text: string): { written: Written[]; problems: DocumentProblem[] } {
  const lines = new LineCounter();
  const written: Written[] = [];
  const problems: DocumentProblem[] = [];
  for (const yaml of documentsOf(text, lines)) {
    const problemAt = (one: Problem, offset: number): void => {
      problems.push({ ...one, file, ...toPosition(offset, lines) });
    };
    // One slip often makes several syntax errors; only the first tells what it was. Repeated keys are each their own.
    const repeated = yaml.errors.filter((error) => error.code === "DUPLICATE_KEY");
    // YAML only warns of a tag that it does not know, such as !!binary, and reads the value as something else.
    const first = [...yaml.errors, ...yaml.warnings].find((error) => error.code !== "DUPLICATE_KEY");
    for (const error of repeated) {
      problemAt(
        problem("duplicate_key", [], "the same key is here twice", { expected: "each key once" }),
        error.pos[0],
      );
    }
    if (first !== undefined) {
      problemAt(problem("syntax", [], syntaxMessage(first)), first.pos[0]);
    }
    try {
      const value: unknown = yaml.toJS({ maxAliasCount: 100 });
      if (value !== null && value !== undefined) written.push({ file, lines, yaml, value });
    } catch (error) {
      if (yaml.errors.length > 0) continue;
      problemAt(problem("syntax", [], messageOf(error).replace(/\.$/, "")), yaml.range[0]);
    }
  }
  return { written, problems };
}

function syntaxMessage(error: YAMLError): string {
  if (/call stack/i.test(error.message)) return "this is nested too deeply to be read";
  return `this is not YAML: ${error.message.replace(/\.$/, "")}`;
}

function documentsOf(text: string, lines: LineCounter): Document.Parsed[] {
  const parsed = parseAllDocuments(text, { lineCounter: lines, version: "1.2", prettyErrors: false, uniqueKeys: true });
  return "empty" in parsed ? [] : parsed;
}

async function warningsOf(
  document: WorkspaceDocument | undefined,
  origin: Written,
  registry: Registry,
): Promise<DocumentProblem[]> {
  if (document?.kind !== "source" && document?.kind !== "destination") return [];
  const { kind, type } = document;
  const adapter = await (kind === "source" ? registry.loadWarehouse(type) : registry.loadDestination(type));
  return literalSecrets(document.connection, adapter.connection).map((found) => locate(found, origin));
}

function locateOne({ index, problem: found, takenBy }: ProblemOfOne, written: readonly Written[]): DocumentProblem {
  const located = locate(found, written[index]!);
  const other = takenBy === undefined ? undefined : written[takenBy];
  if (other === undefined) return located;
  const { file, line } = locate(found, other);
  return { ...located, message: `${located.message}, at ${file}:${line}` };
}

function locate(found: Problem, { file, yaml, lines }: Written): DocumentProblem {
  return { ...found, file, ...positionOf(found, yaml, lines) };
}

function inReadingOrder(one: DocumentProblem, other: DocumentProblem): number {
  if (one.file !== other.file) return one.file < other.file ? -1 : 1;
  return one.line - other.line || one.column - other.column;
}
