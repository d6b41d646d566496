/** Checks a sync against the model's columns and the destination's object, before anything is planned. */
import { coercion } from "./coerce.ts";
import { nearest } from "../nearest.ts";
import { SluiceError } from "../errors.ts";
import type { Field, ObjectDescription } from "../destination.ts";
import { InvalidMapping } from "../mapping.ts";
import type { Column } from "../warehouse.ts";
import { columnsRead, fieldOf, kindOf, type MappingKinds } from "./map.ts";
import type { SyncSpec } from "./ports.ts";

/** One thing that keeps a sync from running, and where in its document. */
export interface Misfit {
  readonly code: string;
  /** The place in the sync's document, such as `fields.mrr`. */
  readonly path: string;
  readonly message: string;
}

/** A sync does not fit its model or its destination. */
export class MisfitError extends SluiceError {
  override readonly name = "MisfitError";
  readonly misfits: readonly Misfit[];
  constructor(sync: string, misfits: readonly Misfit[]) {
    const lines = misfits.map(({ path, message }) => `${path}: ${message}`);
    super(misfits[0]?.code ?? "mapping_invalid", `Sync "${sync}" cannot run.\n  ${lines.join("\n  ")}`, {
      hint: "Mend the sync's document, then run it again. Nothing was sent.",
    });
    this.misfits = misfits;
  }
}

/** Everything about a sync that does not fit, not only the first thing. */
export function misfits(
  spec: SyncSpec,
  columns: readonly Column[],
  object: ObjectDescription,
  kinds: MappingKinds,
): readonly Misfit[] {
  return [
    ...modeMisfits(spec, object),
    ...matchMisfits(spec, object),
    ...spec.fields.flatMap((field) => fieldMisfits(field, spec, object, kinds)),
    ...columnMisfits(spec, columns, kinds),
    ...requiredMisfits(spec, object),
  ];
}

/** The columns that a sync reads and its model does not have. */
export function columnMisfits(spec: SyncSpec, columns: readonly Column[], kinds: MappingKinds): readonly Misfit[] {
  const reads = [
    ...Object.entries(spec.match).map(([target, column]) => ({ path: `match.${target}`, column })),
    ...spec.fields.flatMap((field) => {
      const names = kindOf(field, kinds).columns(field.options as never);
      return names.map((column) => ({ path: `fields.${field.target}`, column: keyOfLookup(spec, column) }));
    }),
  ];
  const known = new Set(columns.map(({ name }) => name));
  const unknown = reads.filter(({ column }) => !known.has(column));
  return unknown.map(({ path, column }) => ({ code: "unknown_column", path, message: unknownColumn(column, columns) }));
}

/** A looked-up column is there if the column is that has its key. */
function keyOfLookup({ lookups = [] }: SyncSpec, name: string): string {
  return lookups.find(({ column }) => column === name)?.by ?? name;
}

/** The columns that a sync reads, in the order in which they are planned. */
export function readColumns(spec: SyncSpec, columns: readonly Column[], kinds: MappingKinds): readonly Column[] {
  return columnsRead(spec, kinds).map((name) => {
    const column = columns.find((candidate) => candidate.name === name);
    if (!column) throw new InvalidMapping(unknownColumn(name, columns));
    return column;
  });
}

function modeMisfits({ mode, removed }: SyncSpec, object: ObjectDescription): readonly Misfit[] {
  if (!object.modes.includes(mode)) {
    const message = `${object.name} cannot do mode ${mode}; it can do ${list(object.modes)}`;
    return [{ code: "mode_unsupported", path: "mode", message }];
  }
  if (mode !== "mirror" || removed === "ignore" || object.removals.includes(removed)) return [];
  const message = `${object.name} cannot ${removed} the records of removed rows; it can ${list([...object.removals, "ignore"])}`;
  return [{ code: "removal_unsupported", path: "removed", message }];
}

function matchMisfits(spec: SyncSpec, object: ObjectDescription): readonly Misfit[] {
  const entries = Object.entries(spec.match);
  const { matchFields = entries.length } = object;
  if (entries.length > matchFields) {
    const message = `${object.name} finds a record by ${matchFields} field, not by ${entries.length}`;
    return [{ code: "too_many_match_fields", path: "match", message }];
  }
  return entries.flatMap(([target]) => {
    const path = `match.${target}`;
    const field = object.fields.find(({ name }) => name === target);
    const able = object.fields.filter(({ matches }) => matches).map(({ name }) => name);
    if (!field) return [{ code: "unknown_field", path, message: unknownField(target, object) }];
    if (!field.matches) {
      const message = `"${target}" does not find one record of ${object.name}; ${list(able)} can`;
      return [{ code: "field_does_not_match", path, message }];
    }
    return [];
  });
}

function fieldMisfits(
  spec: SyncSpec["fields"][number],
  { match }: SyncSpec,
  object: ObjectDescription,
  kinds: MappingKinds,
): readonly Misfit[] {
  const path = `fields.${spec.target}`;
  let field: Field;
  try {
    field = fieldOf(object, spec.target);
  } catch {
    return [{ code: "unknown_field", path, message: unknownField(spec.target, object) }];
  }
  if (!field.writable && !(spec.target in match)) {
    return [{ code: "field_read_only", path, message: `"${spec.target}" of ${object.name} cannot be written` }];
  }
  return [...constantMisfits(spec, field, kinds, path), ...whenMisfits(spec, field, object, path)];
}

/** What a record has now can be known only where it can be read, and only of whole fields. */
function whenMisfits(
  { target, when }: SyncSpec["fields"][number],
  field: Field,
  object: ObjectDescription,
  path: string,
): readonly Misfit[] {
  if (when === undefined || (object.reads === true && field.name === target)) return [];
  const why = object.reads === true ? "a part of a field" : `${object.name}, whose records cannot be read before`;
  return [{ code: "when_unsupported", path: `${path}.when`, message: `when: ${when} cannot be had of ${why}` }];
}

function constantMisfits(
  spec: SyncSpec["fields"][number],
  field: Field,
  kinds: MappingKinds,
  path: string,
): readonly Misfit[] {
  if (spec.kind !== "constant") return [];
  // A constant is the same for every row, so a value that does not fit is a mistake of the document.
  try {
    const mapping = kindOf(spec, kinds).compile(spec.options as never, { column: () => ({ index: 0, type: "text" }) });
    const text = mapping.evaluate([]);
    if (text !== null) coercion(mapping.type, field)(text);
    return [];
  } catch (error) {
    return [{ code: "value_does_not_fit", path, message: error instanceof Error ? error.message : String(error) }];
  }
}

function requiredMisfits(spec: SyncSpec, object: ObjectDescription): readonly Misfit[] {
  if (spec.mode === "update") return [];
  const given = new Set([...spec.fields.map(({ target }) => target.split(".")[0]), ...Object.keys(spec.match)]);
  return object.fields
    .filter(({ required, name }) => required && !given.has(name))
    .map(({ name }) => ({
      code: "required_field_missing",
      path: "fields",
      message: `${object.name} needs "${name}" to make a record, but nothing is mapped to it`,
    }));
}

function unknownColumn(name: string, columns: readonly Column[]): string {
  const names = columns.filter(({ lookup }) => lookup === undefined).map((column) => column.name);
  return `the model has no column "${name}"${nearest(name, names) || "."} It has ${list(names)}.`;
}

function unknownField(name: string, object: ObjectDescription): string {
  const names = object.fields.map((field) => field.name);
  return `${object.name} has no field "${name}"${nearest(name, names) || "."} "sluice describe" lists its fields.`;
}

function list(names: readonly string[]): string {
  return names.length > 12 ? `${names.slice(0, 12).join(", ")}, …` : names.join(", ");
}
