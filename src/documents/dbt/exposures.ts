/** The syncs of a workspace as dbt exposures, so that dbt's lineage shows where its models go. */
import { hash } from "node:crypto";
import { stringify } from "yaml";
import type { Documents } from "../documents.ts";
import type { ModelDocument } from "../model.ts";
import type { SyncDocument } from "../sync.ts";

export interface ExposureOwner {
  readonly name?: string | undefined;
  readonly email?: string | undefined;
}

/** A dbt properties file, the same for the same workspace. Syncs whose models are not dbt's are named in a comment. */
export function exposuresYaml(documents: Documents, owner: ExposureOwner): string {
  const syncs = [...documents.syncs.values()].toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const written = syncs.flatMap((sync) => {
    const model = documents.models.get(sync.from.model);
    const dbt = model && provenanceOf(model);
    return dbt ? [exposure(sync, dbt, documents, owner)] : [];
  });
  const taken = Map.groupBy(written, ({ name }) => name);
  // dbt refuses two of one name: those get what tells them apart, the same in every run.
  const named = written.map((one) =>
    (taken.get(one.name)?.length ?? 0) > 1
      ? { ...one, name: `${one.name}_${hash("sha256", one.label).slice(0, 6)}` }
      : one,
  );
  const others = syncs.filter(({ from }) => {
    const model = documents.models.get(from.model);
    return !(model && provenanceOf(model));
  });
  const comment = [
    "# Written by `sluice dbt exposures`.",
    ...(others.length === 0 ? [] : [`# Not from dbt models: ${others.map(({ name }) => name).join(", ")}.`]),
  ];
  return `${comment.join("\n")}\n${stringify({ version: 2, exposures: named }, { lineWidth: 120 })}`;
}

interface Exposure {
  readonly name: string;
  /** The sync's name. */
  readonly label: string;
  readonly type: "application";
  readonly maturity: "high";
  readonly description: string;
  readonly depends_on: readonly string[];
  readonly owner: ExposureOwner;
  readonly tags: readonly string[];
}

type Provenance = Extract<NonNullable<ModelDocument["dbt"]>, { readonly unique_id: string }>;

function provenanceOf({ dbt }: ModelDocument): Provenance | undefined {
  return dbt && "unique_id" in dbt ? dbt : undefined;
}

function exposure(sync: SyncDocument, dbt: Provenance, documents: Documents, owner: ExposureOwner): Exposure {
  const { name, from, to, mode, match, fields } = sync;
  const type = documents.destinations.get(to.destination)?.type ?? to.destination;
  const audience = from.segment === undefined ? from.model : `${from.model} (segment ${from.segment})`;
  const targets = Object.keys(fields).toSorted();
  return {
    name: `sluice_${name.replaceAll(/\W/g, "_")}`,
    label: name,
    type: "application",
    maturity: "high",
    description: `${audience} to ${type} ${to.object} by ${mode}, matched by ${Object.keys(match).join(", ")}. Fields: ${targets.join(", ")}.`,
    depends_on: [reference(dbt)],
    owner: {
      ...(owner.name === undefined ? {} : { name: owner.name }),
      ...(owner.email === undefined ? {} : { email: owner.email }),
    },
    tags: ["sluice"],
  };
}

function reference({ package: of, model, version }: Provenance): string {
  const wanted = version === undefined ? "" : `, version='${version}'`;
  return `ref('${of}', '${model}'${wanted})`;
}
