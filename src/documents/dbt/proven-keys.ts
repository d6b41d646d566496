/** Which keys of a model dbt proves, by its tests and by what its contract declares. */
import { z } from "zod";
import type { DbtNode, DbtTest } from "./manifest.ts";

/** Each key as its columns, the shortest first. A key is proven when its values are unique and none of them is null. */
export function provenKeys(node: DbtNode, tests: readonly DbtTest[]): readonly (readonly string[])[] {
  const columnsOf = (name: string): readonly string[] => tests.filter((test) => is(test, name)).flatMap(columnOf);
  const filled = new Set([...columnsOf("not_null"), ...columnsDeclared(node, "not_null")]);
  const unique = [
    ...columnsOf("unique").map((column) => [column]),
    ...tests.filter((test) => is(test, "unique_combination_of_columns", "dbt_utils")).map(combinationOf),
  ];
  const proven = [
    ...unique.filter((columns) => columns.length > 0 && columns.every((column) => filled.has(column))),
    ...declaredKeys(node),
  ];
  const byText = new Map(proven.map((columns) => [JSON.stringify(columns), columns]));
  return [...byText.values()].toSorted((one, other) => one.length - other.length);
}

/** Whether these columns, in whatever order, are one of the keys. */
export function isProven(key: readonly string[], keys: readonly (readonly string[])[]): boolean {
  const sorted = (columns: readonly string[]): string => JSON.stringify(columns.toSorted());
  return keys.some((columns) => sorted(columns) === sorted(key));
}

function is({ test_metadata: { name, namespace } }: DbtTest, wanted: string, of: string | null = null): boolean {
  return name === wanted && (namespace ?? null) === of;
}

const columnArgument = z.looseObject({ column_name: z.string() });
const combinationArgument = z.looseObject({ combination_of_columns: z.array(z.string()) });

function columnOf({ test_metadata: { kwargs } }: DbtTest): readonly string[] {
  const column = columnArgument.safeParse(kwargs).data?.column_name;
  return column === undefined ? [] : [unquoted(column)];
}

function combinationOf({ test_metadata: { kwargs } }: DbtTest): readonly string[] {
  return (combinationArgument.safeParse(kwargs).data?.combination_of_columns ?? []).map(unquoted);
}

/** Without an enforced contract dbt does not even hand constraints to the warehouse. */
function isEnforced({ contract, config }: DbtNode): boolean {
  return contract?.enforced === true || config?.contract?.enforced === true;
}

function columnsDeclared(node: DbtNode, type: string): readonly string[] {
  if (!isEnforced(node)) return [];
  return Object.values(node.columns ?? {}).flatMap(({ name, constraints }) =>
    constraints?.some((one) => one.type === type) === true ? [name] : [],
  );
}

/** The contract's primary key. A warehouse that does not enforce it has only the author's word for it. */
function declaredKeys(node: DbtNode): readonly (readonly string[])[] {
  if (!isEnforced(node)) return [];
  const ofModel = (node.constraints ?? []).flatMap(({ type, columns }) =>
    type === "primary_key" && columns && columns.length > 0 ? [columns] : [],
  );
  const ofColumns = columnsDeclared(node, "primary_key");
  return ofColumns.length === 0 ? ofModel : [...ofModel, ofColumns];
}

/** A test may name its column in quotes, as SQL would. */
function unquoted(column: string): string {
  return /^"(.*)"$/.exec(column)?.[1] ?? column;
}
