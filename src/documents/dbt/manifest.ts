/** What dbt writes into target/manifest.json, so much of it as is needed here. Read tolerantly: dbt adds to it often. */
import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { messageOf } from "../../errors.ts";
import { closest } from "../../nearest.ts";
import { isRecord } from "../value-at.ts";

const constraint = z.looseObject({ type: z.string(), columns: z.array(z.string()).nullish() });

const enforced = z.looseObject({ enforced: z.boolean().nullish() }).nullish();

const columnSchema = z.looseObject({
  name: z.string(),
  description: z.string().nullish(),
  constraints: z.array(constraint).nullish(),
});

const nodeSchema = z.looseObject({
  unique_id: z.string(),
  resource_type: z.string(),
  name: z.string(),
  package_name: z.string(),
  version: z.union([z.string(), z.number()]).nullish(),
  relation_name: z.string().nullish(),
  description: z.string().nullish(),
  columns: z.record(z.string(), columnSchema).nullish(),
  constraints: z.array(constraint).nullish(),
  contract: enforced,
  config: z
    .looseObject({
      materialized: z.string().nullish(),
      contract: enforced,
      severity: z.string().nullish(),
      where: z.string().nullish(),
      limit: z.number().nullish(),
      error_if: z.string().nullish(),
      fail_calc: z.string().nullish(),
    })
    .nullish(),
});

const testSchema = nodeSchema.extend({
  attached_node: z.string().nullish(),
  depends_on: z.looseObject({ nodes: z.array(z.string()).nullish() }).nullish(),
  test_metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().nullish(),
    kwargs: z.record(z.string(), z.unknown()).nullish(),
  }),
});

export type DbtNode = z.infer<typeof nodeSchema>;
export type DbtTest = z.infer<typeof testSchema>;

/** What has rows of its own in the warehouse. */
const relations = ["model", "seed", "snapshot"];

/** Why something of dbt's cannot be used; the message completes a problem of a document. */
export class DbtError extends Error {
  override readonly name = "DbtError";
  /** Whose fault it is: that of the manifest, or of the model that was named. */
  readonly of: "manifest" | "model";
  readonly suggestion: string | undefined;

  constructor(of: "manifest" | "model", message: string, suggestion?: string) {
    super(message);
    this.of = of;
    this.suggestion = suggestion;
  }
}

/** dbt 1.3 writes version 7, dbt 1.11 version 12. */
const oldest = 7;

export class Manifest {
  readonly #nodes: readonly unknown[];
  readonly #disabled: readonly unknown[];

  private constructor(nodes: readonly unknown[], disabled: readonly unknown[]) {
    this.#nodes = nodes;
    this.#disabled = disabled;
  }

  /** Reads a manifest file. Throws DbtError when it is none. */
  static async read(file: string): Promise<Manifest> {
    const parsed = parseJson(await readText(file));
    const { metadata, nodes, disabled } = isRecord(parsed) ? parsed : {};
    const written = isRecord(metadata) ? String(metadata["dbt_schema_version"]) : "";
    const version = /\/manifest\/v(\d+)\b/.exec(written)?.[1];
    if (version === undefined || !isRecord(nodes)) throw new DbtError("manifest", "this is not a dbt manifest");
    if (Number(version) < oldest)
      throw new DbtError("manifest", `this manifest has version ${version}; dbt 1.3 and later write ${oldest} or more`);
    const lists = isRecord(disabled) ? Object.values(disabled) : [];
    return new Manifest(Object.values(nodes), lists.flat());
  }

  /** The model that is called so: by name, by package and name, or by unique id. Throws DbtError when it is not one. */
  model(wanted: string): DbtNode {
    const all = this.#nodes.filter(isRelation);
    const found = all.filter((node) => namesOf(node).includes(wanted));
    const [only, ...others] = found;
    if (only && others.length > 0) {
      const ids = found.map(({ unique_id: id }) => id).join(", ");
      throw new DbtError("model", `several dbt models are called "${wanted}": ${ids}; give the unique id`);
    }
    if (!only) throw this.#notThere(wanted, all);
    const parsed = nodeSchema.safeParse(only);
    if (!parsed.success) throw new DbtError("manifest", `what it says of "${wanted}" is not as dbt writes it`);
    const node = parsed.data;
    if (node.config?.materialized === "ephemeral")
      throw new DbtError(
        "model",
        `the dbt model "${wanted}" is ephemeral, so it has no table or view in the warehouse`,
      );
    return node;
  }

  /** The tests of a model, those left out that only warn, look at some of its rows, or let some fail: they prove nothing. */
  testsOf({ unique_id: id }: DbtNode): readonly DbtTest[] {
    return this.#nodes.flatMap((node) => {
      if (!isRecord(node) || node["resource_type"] !== "test") return [];
      const test = testSchema.safeParse(node).data;
      if (!test) return [];
      const own = test.attached_node == null ? test.depends_on?.nodes?.[0] === id : test.attached_node === id;
      return own && isStrict(test) ? [test] : [];
    });
  }

  #notThere(wanted: string, all: readonly Named[]): DbtError {
    if (this.#disabled.some((node) => isRelation(node) && namesOf(node).includes(wanted)))
      return new DbtError("model", `the dbt model "${wanted}" is disabled`);
    return new DbtError(
      "model",
      `the manifest has no model "${wanted}"`,
      closest(
        wanted,
        all.map(({ name }) => name),
      ),
    );
  }
}

function isStrict({ config }: DbtTest): boolean {
  const { severity, where, limit, error_if: errorIf, fail_calc: failCalc } = config ?? {};
  return (
    severity?.toLowerCase() !== "warn" &&
    where == null &&
    limit == null &&
    (errorIf ?? "!= 0").replaceAll(/\s/g, "") === "!=0" &&
    (failCalc ?? "count(*)").replaceAll(/\s/g, "") === "count(*)"
  );
}

interface Named {
  readonly unique_id: string;
  readonly name: string;
  readonly package_name: string;
}

function isRelation(node: unknown): node is Named {
  return (
    isRecord(node) &&
    typeof node["unique_id"] === "string" &&
    typeof node["name"] === "string" &&
    typeof node["package_name"] === "string" &&
    relations.includes(String(node["resource_type"]))
  );
}

function namesOf({ unique_id: id, name, package_name: of }: Named): readonly string[] {
  return [id, name, `${of}.${name}`];
}

async function readText(file: string): Promise<string> {
  try {
    if ((await stat(file)).isDirectory()) throw new DbtError("manifest", "this is a folder, not a manifest.json");
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof DbtError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new DbtError(
      "manifest",
      missing ? "there is no such file; dbt writes it" : `it cannot be read: ${messageOf(error)}`,
    );
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
