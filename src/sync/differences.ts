/** What a record changes of the one before, field by field. */
import type { DestinationRecord, Value } from "../destination.ts";

export interface FieldChange {
  /** Dots nest. */
  readonly field: string;
  /** Undefined: the record before did not have the field. */
  readonly before: Value | undefined;
  readonly after: Value;
}

/** The fields that `after` writes differently. One that it leaves out stays as it is. */
export function fieldChanges(before: DestinationRecord, after: DestinationRecord): readonly FieldChange[] {
  const known = new Map(leaves(before));
  return leaves(after).flatMap(([field, value]) => {
    const old = known.get(field);
    return JSON.stringify(old) === JSON.stringify(value) ? [] : [{ field, before: old, after: value }];
  });
}

function leaves(record: DestinationRecord): readonly (readonly [string, Value])[] {
  return Object.entries(record).flatMap(([name, value]): (readonly [string, Value])[] =>
    isNested(value) ? leaves(value).map(([inner, leaf]) => [`${name}.${inner}`, leaf]) : [[name, value]],
  );
}

function isNested(value: Value): value is Exclude<Value, null | string | number | boolean | readonly Value[]> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
