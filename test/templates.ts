/** Mappings as the tests compile and evaluate them. */
import template from "../mappings/template.ts";
import { InvalidMapping, InvalidValue } from "../src/mapping.ts";
import type { Cell, ColumnType, CompiledMapping, MappingContext, MappingKind } from "../src/mapping.ts";

/** A row: each column's type and value. */
export type Row = Readonly<Record<string, readonly [ColumnType, Cell]>>;

function contextOf(row: Row): MappingContext {
  const names = Object.keys(row);
  return {
    column(name) {
      const index = names.indexOf(name);
      const type = row[name]?.[0];
      if (index === -1 || type === undefined) throw new InvalidMapping(`there is no column "${name}"`);
      return { index, type };
    },
  };
}

/** Compiles a mapping as the service does: its options are parsed by the kind's own schema first. */
export function compile<Options>(kind: MappingKind<Options>, options: unknown, row: Row): CompiledMapping {
  return kind.compile(kind.options.parse(options) as Options, contextOf(row));
}

/** A row's values, as the engine hands them over. */
export const cellsOf = (row: Row): Cell[] => Object.values(row).map(([, cell]) => cell);

/** What a template makes of a row. */
export function liquid(text: string, row: Row = {}): Cell {
  return compile(template, { template: text }, row).evaluate(cellsOf(row));
}

/** How it fails, and after how long. */
export function failure(run: () => unknown): { code: string; ms: number } {
  const started = performance.now();
  try {
    run();
  } catch (error) {
    const ms = performance.now() - started;
    if (error instanceof InvalidValue) return { code: error.code, ms };
    if (error instanceof InvalidMapping) return { code: "invalid_mapping", ms };
    throw error;
  }
  return { code: "none", ms: performance.now() - started };
}
