/** Maps a planned row to the change that a destination takes. Pure; compiled once for a run. */
import { hash } from "node:crypto";
import type { Change, DestinationRecord, Field, ObjectDescription, Value } from "../destination.ts";
import {
  type Cells,
  type Column,
  type CompiledMapping,
  InvalidMapping,
  InvalidValue,
  type MappingKind,
} from "../mapping.ts";
import type { PlannedChange } from "../warehouse.ts";
import { type Coercion, coercion } from "./coerce.ts";
import type { FieldSpec, SyncSpec, WhenNull } from "./ports.ts";
import { parseRecord } from "./kept-record.ts";

export type MappingKinds = ReadonlyMap<string, MappingKind>;

/** A row that cannot be sent, and which field is to blame. */
export interface InvalidRow {
  readonly seq: number;
  readonly code: string;
  readonly message: string;
  readonly field: string | undefined;
}

export type MappedChange =
  | ({ readonly kind: "change" } & SendableRecord)
  | { readonly kind: "invalid"; readonly row: InvalidRow };

/** A change as it is sent, and what is made of its record once for all who need it. */
export interface SendableRecord {
  readonly change: Change;
  readonly recordHash: string;
  /** The match values and the record as JSON. Changes with the same match values are of one record. */
  readonly matchJson: string;
  readonly recordJson: string;
}

export type RowMapper = (planned: PlannedChange) => MappedChange;

/** The model columns that a sync reads: those of its mappings, then those of its match. */
export function columnsRead(spec: SyncSpec, kinds: MappingKinds): readonly string[] {
  const names = spec.fields.flatMap((field) => kindOf(field, kinds).columns(field.options as never));
  return [...new Set([...names, ...Object.values(spec.match)])];
}

export function kindOf(field: FieldSpec, kinds: MappingKinds): MappingKind {
  const kind = kinds.get(field.kind);
  if (!kind) throw new InvalidMapping(`there is no kind of mapping "${field.kind}"`);
  return kind;
}

/** Compiles a sync's mapping for rows whose cells are `columns`, towards the fields of an object. */
export function compileMapper(
  spec: SyncSpec,
  columns: readonly Column[],
  object: ObjectDescription,
  kinds: MappingKinds,
): RowMapper {
  const fields = spec.fields.map((field) => compileField(field, columns, object, kinds));
  const matches = Object.entries(spec.match).map(([target, column]) => compileMatch(target, column, columns, object));
  const cleared = clearedRecord(spec);
  return (planned) => {
    try {
      return planned.cells === null
        ? removal(planned, matches, spec.removed === "clear" ? cleared : {})
        : delivery(planned, planned.cells, matches, fields);
    } catch (error) {
      if (error instanceof UnfitField) return { kind: "invalid", row: { seq: planned.seq, ...error.reason } };
      throw error;
    }
  };
}

/**
 * Maps the rows of a plan that undoes a run: each has the record as it was kept, and no columns of the model. A record
 * counts as renamed when the texts of its match values have changed.
 */
export function compileRestorer(): RowMapper {
  return (planned) => {
    const { match, record } = parseRecord(planned.cells?.[0] ?? "{}");
    const known = planned.known?.match ?? [];
    const renamed = Object.values(match).some((value, at) => known[at] != null && textOf(value) !== known[at]);
    const destinationId = planned.known?.destinationId ?? undefined;
    return sendable({ seq: planned.seq, match, record, destinationId, renamed });
  };
}

function textOf(value: Value): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

interface CompiledField {
  readonly target: string;
  readonly set: SetValue;
  readonly whenNull: WhenNull;
  readonly mapping: CompiledMapping;
  readonly coerce: Coercion;
}

interface CompiledMatch {
  readonly target: string;
  readonly index: number;
  readonly coerce: Coercion;
}

/** A field's value does not fit: carries the reason out of the pure functions below. */
class UnfitField extends Error {
  readonly reason: Omit<InvalidRow, "seq">;
  constructor(code: string, field: string, message: string) {
    super(message);
    this.reason = { code, field, message };
  }
}

function compileField(
  field: FieldSpec,
  columns: readonly Column[],
  object: ObjectDescription,
  kinds: MappingKinds,
): CompiledField {
  const mapping = kindOf(field, kinds).compile(field.options as never, {
    column: (name) => locate(name, columns),
  });
  const described = fieldOf(object, field.target);
  return {
    target: field.target,
    set: compileSet(described.name === field.target ? [field.target] : field.target.split(".")),
    whenNull: field.whenNull,
    mapping,
    coerce: coercion(mapping.type, described),
  };
}

function compileMatch(
  target: string,
  column: string,
  columns: readonly Column[],
  object: ObjectDescription,
): CompiledMatch {
  const { index, type } = locate(column, columns);
  const field = fieldOf(object, target);
  const coerce = coercion(type, field);
  if (field.matching !== "case_insensitive") return { target, index, coerce };
  return {
    target,
    index,
    coerce: (text) => {
      const value = coerce(text);
      return typeof value === "string" ? value.trim().toLowerCase() : value;
    },
  };
}

/** The field that a target names: itself, or the field that a dotted path begins in. */
export function fieldOf(object: ObjectDescription, target: string): Field {
  const head = target.split(".")[0];
  const field =
    object.fields.find(({ name }) => name === target) ??
    object.fields.find(({ name, type }) => name === head && type === "json");
  if (!field) throw new InvalidMapping(`${object.name} has no field "${target}"`);
  return field;
}

function locate(name: string, columns: readonly Column[]): { index: number; type: Column["type"] } {
  const index = columns.findIndex((column) => column.name === name);
  const column = columns[index];
  if (!column) throw new InvalidMapping(`the model has no column "${name}"`);
  return { index, type: column.type };
}

function delivery(
  planned: PlannedChange,
  cells: Cells,
  matches: readonly CompiledMatch[],
  fields: readonly CompiledField[],
): MappedChange {
  const match = matchValues(matches, (compiled) => cells[compiled.index] ?? null);
  const record: Record<string, Value> = {};
  for (const field of fields) setField(record, field, cells);
  return sendable({
    seq: planned.seq,
    match,
    record,
    destinationId: planned.known?.destinationId ?? undefined,
    renamed: planned.known !== null && isRenamed(match, planned.known.match, matches),
  });
}

function sendable(change: Change): MappedChange {
  const matchJson = JSON.stringify(change.match);
  const recordJson = JSON.stringify(change.record);
  return { kind: "change", change, recordHash: hashRecord(matchJson, recordJson), matchJson, recordJson };
}

/** Whether the match values are others than those a record was last sent with. */
function isRenamed(now: DestinationRecord, known: Cells, matches: readonly CompiledMatch[]): boolean {
  return matches.some(({ target, coerce }, at) => {
    const before = known[at] ?? null;
    if (before === null) return true;
    try {
      return now[target] !== coerce(before);
    } catch {
      // What fitted when it was sent does not fit today: certainly another value.
      return true;
    }
  });
}

function removal(planned: PlannedChange, matches: readonly CompiledMatch[], record: DestinationRecord): MappedChange {
  const destinationId = planned.known?.destinationId ?? undefined;
  const match = removedMatch(planned.known?.match ?? [], matches, destinationId);
  const change = { seq: planned.seq, match, record, destinationId, renamed: false };
  const matchJson = JSON.stringify(match);
  return { kind: "change", change, recordHash: "", matchJson, recordJson: JSON.stringify(record) };
}

function removedMatch(
  known: Cells,
  matches: readonly CompiledMatch[],
  destinationId: string | undefined,
): DestinationRecord {
  try {
    return matchValues(matches, (compiled) => known[matches.indexOf(compiled)] ?? null);
  } catch (error) {
    // Where the destination gave its own id, that finds the record alone.
    if (error instanceof UnfitField && destinationId !== undefined) return {};
    throw error;
  }
}

function matchValues(
  matches: readonly CompiledMatch[],
  cellOf: (compiled: CompiledMatch) => string | null,
): DestinationRecord {
  const match: Record<string, Value> = {};
  for (const compiled of matches) {
    const text = cellOf(compiled);
    if (text === null || text === "") {
      throw new UnfitField("match_empty", compiled.target, `the value that finds the record is empty`);
    }
    match[compiled.target] = coerced(compiled.target, text, compiled.coerce);
  }
  return match;
}

function setField(record: Record<string, Value>, field: CompiledField, cells: Cells): void {
  const text = evaluated(field, cells);
  if (text === null) {
    if (field.whenNull === "reject") throw new UnfitField("value_missing", field.target, "the value is null");
    if (field.whenNull === "clear") field.set(record, null);
    return;
  }
  field.set(record, coerced(field.target, text, field.coerce));
}

function evaluated(field: CompiledField, cells: Cells): string | null {
  try {
    return field.mapping.evaluate(cells);
  } catch (error) {
    if (error instanceof InvalidValue) throw new UnfitField(error.code, field.target, error.message);
    throw error;
  }
}

function coerced(target: string, text: string, coerce: Coercion): Value {
  try {
    return coerce(text);
  } catch (error) {
    if (error instanceof InvalidValue) throw new UnfitField(error.code, target, error.message);
    throw error;
  }
}

type SetValue = (record: Record<string, Value>, value: Value) => void;

function compileSet(path: readonly string[]): SetValue {
  const last = path.at(-1) ?? "";
  if (path.length === 1) return (record, value) => define(record, last, value);
  const steps = path.slice(0, -1);
  return (record, value) => {
    let place = record;
    for (const step of steps) {
      const next = Object.hasOwn(place, step) ? place[step] : undefined;
      const nested: Record<string, Value> = isPlainObject(next) ? next : Object.create(null);
      define(place, step, nested);
      place = nested;
    }
    define(place, last, value);
  };
}

/** Assigns without ever touching a prototype, whatever the field is called: only one name would reach it. */
function define(place: Record<string, Value>, name: string, value: Value): void {
  if (name !== "__proto__") place[name] = value;
  else Object.defineProperty(place, name, { value, enumerable: true, configurable: true, writable: true });
}

function isPlainObject(value: Value | undefined): value is Record<string, Value> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function clearedRecord(spec: SyncSpec): DestinationRecord {
  const targets = spec.fields.map(({ target }) => target).filter((target) => !(target in spec.match));
  return Object.fromEntries(targets.map((target) => [target, null]));
}

/** 128 bits of SHA-256 over match and record, whose property order is the mapping's and so the same for every row. */
function hashRecord(matchJson: string, recordJson: string): string {
  return hash("sha256", `[${matchJson},${recordJson}]`, "base64url").slice(0, 22);
}
