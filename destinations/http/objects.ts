/** Declared objects as the service sees them: modes, removals, batch limits, fields. */
import type { Field, Mode, ObjectDescription } from "../../src/destination.ts";
import type { DeclaredField, DeclaredObject, DeclaredOperation, OperationName } from "./declaration.ts";

/** What an object has when it declares no field: one that takes any name below it. */
const freeField = "data";

/** The fields that together find a record. */
export function matchNames({ match }: Pick<DeclaredObject, "match">): readonly string[] {
  return [match].flat();
}

/** The fields that can be mapped, without match fields that are not declared themselves. */
export function fieldNames({ fields }: Pick<DeclaredObject, "fields">): readonly string[] {
  return fields === undefined ? [freeField] : Object.keys(fields);
}

/** The operations that an object declares. */
export function operationsOf({ operations }: DeclaredObject): readonly (readonly [OperationName, DeclaredOperation])[] {
  const names: readonly OperationName[] = ["upsert", "update", "insert", "append", "delete"];
  return names.flatMap((name) => {
    const operation = operations[name];
    return operation ? [[name, operation] as const] : [];
  });
}

/** Where a request per batch is declared without limits: a hundred records, 256 KB. */
const usualBatch = { records: 100, bytes: 262_144 } as const;

/** The most that one request carries: a single record, unless an operation is per batch. */
export function batchLimit(object: DeclaredObject): { readonly records: number; readonly bytes?: number } {
  const batched = operationsOf(object).some(([, { per }]) => per === "batch");
  return batched ? (object.batch ?? usualBatch) : { records: 1 };
}

/** Whether sending the same change twice leaves the same record, as declared. */
export function isIdempotent(name: OperationName, operation: DeclaredOperation | undefined): boolean {
  return operation?.idempotent ?? (name !== "insert" && name !== "append");
}

/** What the service is told of an object. */
export function describeObject(name: string, object: DeclaredObject): ObjectDescription {
  const { operations, title = name } = object;
  const declared = operationsOf(object).map(([operation]) => operation);
  const modes: Mode[] = declared.filter((operation) => operation !== "delete");
  if (operations.upsert && operations.delete) modes.push("mirror");
  const upsert = isIdempotent("upsert", operations.upsert);
  return {
    name,
    title,
    modes,
    removals: operations.delete ? ["delete"] : [],
    batch: batchLimit(object),
    matchFields: matchNames(object).length,
    idempotent: {
      upsert,
      mirror: upsert,
      update: isIdempotent("update", operations.update),
      insert: isIdempotent("insert", operations.insert),
      append: isIdempotent("append", operations.append),
    },
    fields: fieldsOf(object),
  };
}

function fieldsOf(object: DeclaredObject): readonly Field[] {
  const match = matchNames(object);
  const declared = Object.entries(object.fields ?? { [freeField]: "json" as const });
  const fields = declared.map(([name, field]) => toField(name, typeof field === "string" ? { type: field } : field));
  const undeclared = match.filter((name) => !fieldNames(object).includes(name));
  return [
    ...undeclared.map((name): Field => ({ name, title: name, type: "text", writable: false, matches: true })),
    ...fields.map((field) => ({ ...field, matches: match.includes(field.name) })),
  ];
}

function toField(name: string, field: Pick<DeclaredField, "type"> & Partial<DeclaredField>): Field {
  const { title = name, type, required, writable = true, options, max_length: maxLength, exact, matching } = field;
  return {
    name,
    title,
    type,
    writable,
    matches: false,
    ...(required ? { required } : {}),
    ...(options ? { options: options.map((value) => ({ value, title: value })) } : {}),
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(exact ? { exact } : {}),
    ...(matching === "case_insensitive" ? { matching } : {}),
  };
}

/** Whether values of a field that differ only in case are one. */
export function ignoresCase({ fields = {} }: DeclaredObject, name: string): boolean {
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return typeof field === "object" && field.matching === "case_insensitive";
}
