/** RESULT_SCAN: an answer that was given before, as a table again. */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { otherSide, quoted } from "./sql/names.ts";
import type { Cells, ResultSet } from "./results.ts";
import type { RowType } from "./rowtype.ts";
import type { Session } from "./session.ts";

const inflate = promisify(gunzip);

/** The name of the temporary table that holds a query's answer. */
export function resultTableName(queryId: string): string {
  return `result_${queryId.replaceAll(/\W/g, "")}`;
}

/** Makes the table of an answer, in the session that wants to read it. */
export async function makeResultTable(
  table: string,
  { rowtype, rowset, chunks }: ResultSet,
  session: Session,
): Promise<void> {
  const { connection } = session;
  const texts = rowtype.map((_, index) => `c${index} varchar`);
  await connection.run(`create or replace temporary table ${table}_texts (${texts.join(", ")})`);
  const appender = await connection.createAppender(`${table}_texts`, "main", "temp");
  const append = (rows: readonly Cells[]): void => {
    for (const row of rows) {
      for (const value of row) {
        if (value === null) appender.appendNull();
        else appender.appendVarchar(value);
      }
      appender.endRow();
    }
  };
  append(rowset);
  for (const { gzipped } of chunks) append(JSON.parse(`[${(await inflate(gzipped)).toString()}]`) as Cells[]);
  appender.closeSync();
  const values = rowtype.map((column, index) => `${decoded(`c${index}`, column)} as ${quoted(otherSide(column.name))}`);
  await connection.run(`create or replace temporary table ${table} as select ${values.join(", ")} from ${table}_texts`);
  await connection.run(`drop table ${table}_texts`);
}

/** The value that a cell of an answer stands for. */
function decoded(cell: string, { type, precision, scale }: RowType): string {
  switch (type) {
    case "fixed":
      return `cast(${cell} as decimal(${precision ?? 38},${scale ?? 0}))`;
    case "real":
      return `cast(${cell} as double)`;
    case "boolean":
      return `cast(${cell} as boolean)`;
    case "date":
      return `date '1970-01-01' + cast(${cell} as integer)`;
    case "time":
      return `cast(make_timestamp(cast(cast(${cell} as decimal(18,6)) * 1000000 as bigint)) as time)`;
    case "timestamp_ntz":
      return `make_timestamp_ns(cast(cast(${cell} as decimal(29,9)) * 1000000000 as bigint))`;
    case "timestamp_tz":
      return `make_timestamp(cast(cast(split_part(${cell}, ' ', 1) as decimal(18,6)) * 1000000 as bigint)) at time zone 'UTC'`;
    case "binary":
      return `unhex(${cell})`;
    case "variant":
      return `cast(${cell} as json)`;
    default:
      return cell;
  }
}
