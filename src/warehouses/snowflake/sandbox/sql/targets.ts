/** What a statement writes. */
import { syntaxError } from "../failure.ts";
import { firstOf, lastName } from "./identifiers.ts";
import { type Fields, listField } from "./nodes.ts";

/** A table or schema that is written, as Snowflake names it. */
export interface Target {
  readonly name: string;
  readonly temporary: boolean;
}

/** The table or schema that a statement writes; null for what only reads. */
export function targetOf(kind: string, fields: Fields, isTemporary: (table: string) => boolean): Target | null {
  const places = { create_table: "name", create_view: "name", alter_table: "name", merge: "this" };
  const place = kind in places ? places[kind as keyof typeof places] : "table";
  const named = kind.startsWith("drop_") ? firstOf(fields["names"] ?? fields["name"]) : fields[place];
  const name = lastName(kind.endsWith("_schema") ? (listField(fields, "name").at(-1) ?? fields["name"]) : named);
  if (name === null || ["select", "union", "except", "intersect", "values"].includes(kind)) return null;
  return { name, temporary: fields["temporary"] === true || isTemporary(name) };
}

/** Snowflake has no such branch of MERGE, DuckDB does. */
export function refuseSourceSide(fields: Fields): void {
  if (/"source":\{"boolean":\{"value":true/.test(JSON.stringify(fields["whens"]))) {
    throw syntaxError("unexpected 'BY'. MERGE has no WHEN NOT MATCHED BY SOURCE");
  }
}
