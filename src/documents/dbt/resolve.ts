/** Models that a dbt manifest describes, as models of tables: what is stored and run needs the manifest no more. */
import { resolve } from "node:path";
import { problem } from "../problem.ts";
import type { Problem } from "../problem.ts";
import { isRecord, valueAt } from "../value-at.ts";
import { DbtError, type DbtNode, Manifest } from "./manifest.ts";
import { isProven, provenKeys } from "./proven-keys.ts";

/** A document as a file has it, its dbt model looked up if it names one. */
export interface ResolvedValue {
  readonly value: unknown;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** Looks models up in the manifests that they name, relative to the workspace's folder; each manifest is read once. */
export class DbtModels {
  readonly #folder: string;
  readonly #manifests = new Map<string, Promise<Manifest>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async resolve(value: unknown): Promise<ResolvedValue> {
    const manifest = valueAt(value, ["dbt", "manifest"]);
    const model = valueAt(value, ["dbt", "model"]);
    const alone =
      isRecord(value) && value["kind"] === "model" && value["sql"] === undefined && value["table"] === undefined;
    // Anything else is the schema's to report.
    if (!alone || typeof manifest !== "string" || typeof model !== "string")
      return { value, problems: [], warnings: [] };
    try {
      const read = await this.#read(manifest);
      const node = read.model(model);
      return asTable(value, node, provenKeys(node, read.testsOf(node)));
    } catch (error) {
      if (!(error instanceof DbtError)) throw error;
      const { of, message, suggestion } = error;
      const found = JSON.stringify(of === "manifest" ? manifest : model);
      return { value, problems: [problem("dbt", ["dbt", of], message, { found, suggestion })], warnings: [] };
    }
  }

  #read(path: string): Promise<Manifest> {
    const file = resolve(this.#folder, path);
    const known = this.#manifests.get(file);
    if (known) return known;
    const read = Manifest.read(file);
    this.#manifests.set(file, read);
    return read;
  }
}

function asTable(
  document: Readonly<Record<string, unknown>>,
  node: DbtNode,
  keys: readonly (readonly string[])[],
): ResolvedValue {
  if (node.relation_name == null) throw new DbtError("model", `the dbt model "${node.name}" has no relation`);
  const { unique_id, name, package_name, version, columns } = node;
  const described = Object.values(columns ?? {}).flatMap((column) =>
    column.description ? [[column.name, column.description] as const] : [],
  );
  const provenance = {
    unique_id,
    package: package_name,
    model: name,
    ...(version == null ? {} : { version: String(version) }),
    ...(described.length === 0 ? {} : { columns: Object.fromEntries(described) }),
  };
  const value = { ...document, table: node.relation_name, dbt: provenance };
  const { key } = document;
  if (key === undefined) return withProvenKey(value, node, keys);
  const given = [key].flat().map(String);
  if (isProven(given, keys)) return { value, problems: [], warnings: [] };
  const message = `no dbt test proves that this key of "${name}" is unique and never null`;
  const expected =
    keys.length === 0 ? "the tests unique and not_null" : keys.map((one) => one.join(", ")).join("; or ");
  return { value, problems: [], warnings: [problem("unproven_key", ["key"], message, { expected })] };
}

function withProvenKey(
  value: Readonly<Record<string, unknown>>,
  { name }: DbtNode,
  [only, ...others]: readonly (readonly string[])[],
): ResolvedValue {
  if (only && others.length === 0)
    return { value: { ...value, key: only.length === 1 ? only[0] : only }, problems: [], warnings: [] };
  const why = only ? "dbt's tests prove several keys" : "no dbt tests prove a key";
  const expected = only
    ? [only, ...others].map((one) => one.join(", ")).join("; or ")
    : "a key, or tests unique and not_null on one column";
  return {
    value,
    problems: [problem("missing", ["key"], `${why} of "${name}", so the model must say it`, { expected })],
    warnings: [],
  };
}
