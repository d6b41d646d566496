/** COPY INTO, to a stage and from one. Files are Parquet. */
import { mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { mkdir } from "node:fs/promises";
import {
  compilationError,
  insufficientPrivileges,
  SnowflakeFailure,
  syntaxError,
  unknownToSandbox,
} from "./failure.ts";
import { type ResultSet, smallResult } from "./results.ts";
import { fullRowType } from "./rowtype.ts";
import type { Session } from "./session.ts";
import { database, literal, nameParts, otherSide, quoted, schemaInDuckdb } from "./sql/names.ts";
import { closingBracket, settings } from "./sql/text.ts";
import { textColumn } from "./stage-statements.ts";
import type { StagedFile, StagePlace, Stages } from "./stages.ts";

export interface CopyContext {
  readonly session: Session;
  readonly stages: Stages;
  readonly readOnly: boolean;
  readonly signal: AbortSignal;
  /** A query of Snowflake's as DuckDB's. */
  readonly translate: (sql: string) => string;
  /** Files that a table has already loaded, by table, path and what tells two versions of a file apart. */
  readonly loaded: Set<string>;
}

const counted = (name: string): ReturnType<typeof fullRowType> =>
  fullRowType({ name, type: "fixed", precision: 38, scale: 0 });

/** Runs a COPY INTO. */
export async function copyInto(sql: string, context: CopyContext): Promise<ResultSet> {
  const [, target = ""] = /^copy\s+into\s+((?:"(?:[^"]|"")*"|@?[^\s("]+)+)/i.exec(sql) ?? [];
  const from = /\bfrom\s*/i.exec(sql);
  if (target === "" || from === null) throw syntaxError("COPY INTO wants a target and FROM");
  const start = from.index + from[0].length;
  if (target.startsWith("@")) return await unload(sql, target, start, context);
  return await load(sql, target, start, context);
}

async function unload(sql: string, target: string, start: number, context: CopyContext): Promise<ResultSet> {
  const end =
    sql[start] === "(" ? closingBracket(sql, start) + 1 : start + (/^\S+/.exec(sql.slice(start))?.[0].length ?? 0);
  const written = sql.slice(start, end);
  const query = sql[start] === "(" ? written.slice(1, -1) : `select * from ${written}`;
  const options = settings(sql.slice(end));
  requireParquet(options.get("FILE_FORMAT"));
  const place = context.stages.place(target, { user: context.session.user, schema: context.session.place.schema });
  if (context.readOnly && !place.own) throw insufficientPrivileges(`stage '${target}'`);
  const overwrite = isTrue(options.get("OVERWRITE"));
  if (!overwrite && context.stages.files(place).length > 0) {
    const words = `Files already existing at the unload destination: ${target}. Use overwrite option to force unloading.`;
    throw new SnowflakeFailure("001030", "22000", words);
  }
  const { connection } = context.session;
  const translated = await unloadable(query, isTrue(options.get("HEADER")), context);
  const folder = await context.stages.folder(place.stage);
  const written_ = await mkdtemp(join(folder, "unload-"));
  try {
    const limit = Number(options.get("MAX_FILE_SIZE") ?? 16_777_216);
    // A page of Snowflake's is about a megabyte; of DuckDB's it is a whole row group, however large its rows are.
    await connection.run(`copy (${translated}) to ${literal(written_)} (format parquet, compression snappy,
      row_group_size 2048, file_size_bytes ${limit}, overwrite_or_ignore true)`);
    const files = await settle(written_, folder, place);
    return await unloaded(files, isTrue(options.get("DETAILED_OUTPUT")), folder, context);
  } finally {
    await rm(written_, { recursive: true, force: true });
  }
}

/** Snowflake does not unload moments with a zone, and names columns only if it is told to. */
async function unloadable(query: string, header: boolean, { session, translate }: CopyContext): Promise<string> {
  const translated = translate(query);
  const prepared = await session.connection.prepare(translated);
  const names = Array.from({ length: prepared.columnCount }, (_, index) => prepared.columnName(index));
  const zoned = names.some((_, index) => prepared.columnType(index).toString() === "TIMESTAMP WITH TIME ZONE");
  prepared.destroySync();
  if (zoned) {
    const words =
      "Error encountered when unloading to PARQUET: TIMESTAMP_TZ and LTZ types are not supported for unloading to Parquet.";
    throw new SnowflakeFailure("100096", "22000", words);
  }
  const columns = names.map((name, index) => quoted(header ? otherSide(name) : `_COL_${index}`));
  return `select * from (${translated}\n) as unloaded(${columns.join(", ")})`;
}

/** Gives the files the names that Snowflake would give them. */
async function settle(from: string, folder: string, { path }: StagePlace): Promise<readonly string[]> {
  const files = (await readdir(from)).toSorted((one, other) => one.localeCompare(other, "en", { numeric: true }));
  const prefix = path === "" || path.endsWith("/") ? `${path}data` : path;
  const names = files.map((_, index) => `${prefix}_0_${index}_0.snappy.parquet`);
  await mkdir(dirname(join(folder, `${prefix}_`)), { recursive: true });
  for (const [index, file] of files.entries()) await rename(join(from, file), join(folder, names[index] ?? file));
  return names;
}

async function unloaded(files: readonly string[], detailed: boolean, folder: string, { session }: CopyContext) {
  const rows: (readonly [string, number, string])[] = [];
  for (const file of files) {
    const path = join(folder, file);
    const counts = await session.connection.runAndReadAll(
      `select num_rows from parquet_file_metadata(${literal(path)})`,
    );
    rows.push([file, (await stat(path)).size, String(counts.getRows()[0]?.[0] ?? 0)]);
  }
  if (detailed) {
    const columns = [textColumn("FILE_NAME"), counted("FILE_SIZE"), counted("ROW_COUNT")];
    return smallResult(
      columns,
      rows.map(([name, size, count]) => [name, String(size), count]),
    );
  }
  const bytes = String(rows.reduce((sum, [, size]) => sum + size, 0));
  const count = String(rows.reduce((sum, [, , one]) => sum + Number(one), 0));
  return smallResult(
    [counted("rows_unloaded"), counted("input_bytes"), counted("output_bytes")],
    [[count, bytes, bytes]],
  );
}

async function load(sql: string, target: string, start: number, context: CopyContext): Promise<ResultSet> {
  const { session, stages } = context;
  const transforms = sql[start] === "(";
  const end = transforms ? closingBracket(sql, start) + 1 : start + (/^\S+/.exec(sql.slice(start))?.[0].length ?? 0);
  const source = sql.slice(start, end);
  const options = settings(sql.slice(end));
  requireParquet(options.get("FILE_FORMAT"));
  const [stage = ""] = /@(?:"(?:[^"]|"")*"|[^\s()"])+/.exec(source) ?? [];
  const place = stages.place(stage, { user: session.user, schema: session.place.schema });
  const parts = nameParts(target);
  const name = parts.at(-1) ?? target;
  if (context.readOnly && !session.temporary.has(name)) throw insufficientPrivileges(`table '${name}'`);
  const version = (file: StagedFile): string =>
    `${parts.join(".")}|${place.stage}|${file.path}|${file.size}|${file.modified.getTime()}`;
  const force = isTrue(options.get("FORCE"));
  const files = stages.files(place);
  const fresh = files.filter((file) => force || !context.loaded.has(version(file)));
  const rows = await session.write(name, context.signal, async () => {
    const loaded: (readonly (string | null)[])[] = [];
    for (const file of fresh) {
      const path = `${stage.slice(0, stage.length - place.path.length)}${file.path}`;
      const insert = transforms
        ? `insert into ${duckdbTable(parts, session)} ${columnList(sql, start)} ${context.translate(source.slice(1, -1).replace(stage, `"${path.replaceAll('"', '""')}"`))}`
        : await byName(parts, stages.fullPath(place, file), options, session);
      const result = await session.connection.run(insert);
      const count = String(result.rowsChanged);
      loaded.push([file.path, "LOADED", count, count, "1", "0", null]);
    }
    return loaded;
  });
  for (const file of fresh) context.loaded.add(version(file));
  if (rows.length === 0) {
    return smallResult([textColumn("status")], [["Copy executed with 0 files processed."]]);
  }
  const columns = [textColumn("file"), textColumn("status"), counted("rows_parsed"), counted("rows_loaded")];
  return smallResult([...columns, counted("error_limit"), counted("errors_seen"), textColumn("first_error")], rows);
}

/** Columns that table and file both have, whatever the case of their names. */
async function byName(
  parts: readonly string[],
  file: string,
  options: ReadonlyMap<string, string>,
  session: Session,
): Promise<string> {
  if ((options.get("MATCH_BY_COLUMN_NAME") ?? "NONE").toUpperCase() !== "CASE_INSENSITIVE") {
    throw unknownToSandbox("COPY INTO a table but by a SELECT or MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE");
  }
  const table = duckdbTable(parts, session);
  const columns = async (sql: string): Promise<readonly string[]> => {
    const prepared = await session.connection.prepare(sql);
    const names = Array.from({ length: prepared.columnCount }, (_, index) => prepared.columnName(index));
    prepared.destroySync();
    return names;
  };
  const inTable = new Set((await columns(`select * from ${table}`)).map((name) => name.toLowerCase()));
  const inFile = await columns(`select * from read_parquet(${literal(file)})`);
  const shared = inFile.filter((name) => inTable.has(name.toLowerCase())).map(quoted);
  if (shared.length === 0) throw compilationError("000904", "42000", "no column of the file is a column of the table");
  return `insert into ${table} (${shared.join(", ")}) select ${shared.join(", ")} from read_parquet(${literal(file)})`;
}

function columnList(sql: string, start: number): string {
  const head = sql.slice(0, start);
  const [, names] = /\(([^()]*)\)\s*from\s*$/i.exec(head) ?? [];
  return names === undefined
    ? ""
    : `(${nameParts(names.replaceAll(",", " "))
        .map((name) => quoted(otherSide(name)))
        .join(", ")})`;
}

function duckdbTable(parts: readonly string[], session: Session): string {
  const name = parts.at(-1) ?? "";
  if (session.temporary.has(name)) return quoted(otherSide(name));
  const schema = parts.at(-2) ?? session.place.schema;
  return [database, schemaInDuckdb(schema), otherSide(name)].map(quoted).join(".");
}

function requireParquet(format: string | undefined): void {
  const type = /type\s*=\s*'?(\w+)/i.exec(format ?? "")?.[1]?.toUpperCase();
  if (type !== "PARQUET")
    throw unknownToSandbox(`files of the format ${type ?? "of a stage"}; say FILE_FORMAT = (TYPE = PARQUET)`);
}

function isTrue(text: string | undefined): boolean {
  return text?.toLowerCase() === "true";
}
