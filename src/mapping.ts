/**
 * CONTRACT: what a file of `mappings/` is, one kind of field mapping.
 *
 * A mapping is compiled once for a run; the compiled function is called for each row and must be pure.
 */
import type { ZodObject } from "zod";
import type { Cell, Column, ColumnType } from "./warehouse.ts";

export type { Cell, Column, ColumnType };

/** The cells of one row, in the order of the columns that the mapping was compiled with. */
export type Cells = readonly Cell[];

export interface CompiledMapping {
  /** The logical type of the text that `evaluate` returns; the service coerces it to the destination field's type. */
  readonly type: ColumnType;
  /** The value for one row as canonical text (see `Cell`), or null. Throws InvalidValue for a row that has none. */
  evaluate(cells: Cells): Cell;
}

export interface MappingContext {
  /** The index of a model column among the cells, and its type. */
  column(name: string): { readonly index: number; readonly type: ColumnType };
}

/** A kind of field mapping: `{ column: … }`, `{ template: … }`, `{ value: … }`. */
export interface MappingKind<Options = never> {
  /** The name of its file. */
  readonly name: string;
  /** One sentence for the docs. */
  readonly title: string;
  /** The form in a document. Its keys tell the kinds apart, so no two kinds may share a required key. */
  readonly options: ZodObject;
  /** What becomes of null when the document does not say. Default: clear. */
  readonly whenNull?: "skip" | "clear" | "reject";
  /** The model columns that it reads; those that are looked up are named by `lookupColumn`. Throws InvalidMapping for options that can never work, such as a template that does not parse. */
  columns(options: Options): readonly string[];
  compile(options: Options, context: MappingContext): CompiledMapping;
}

/** The options of a mapping are wrong: found when it is saved or compiled, before any row. */
export class InvalidMapping extends Error {
  override readonly name = "InvalidMapping";
}

/** One row has no usable value for this field. The row is rejected as invalid; the run goes on. */
export class InvalidValue extends Error {
  override readonly name = "InvalidValue";
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a looked-up column is called: the id of the record that a sync has for the key in a column of this model. */
export function lookupColumn(sync: string, by: string): string {
  return JSON.stringify({ lookup: sync, by });
}
