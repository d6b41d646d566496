/** Writes one batch to a table, in one transaction: all of it, or nothing of it when the server refuses a row. */
import {
  type Batch,
  type Change,
  DestinationError,
  type DestinationRecord,
  type Outcome,
} from "../../src/destination.ts";
import type { Column, Table } from "./catalog.ts";
import { isRequired } from "./fields.ts";
import type { Query } from "./sessions.ts";
import { appendSql, deleteSql, type Given, insertSql, lookSql, readSql, renameSql, updateSql } from "./sql.ts";
import { writtenOf } from "./values.ts";

/** A change whose values fit: each column with what is written to it. */
interface Fitting {
  readonly change: Change;
  readonly values: ReadonlyMap<Column, string | null>;
}

/** What has been learned by now, by seq. */
type Told = Map<number, Outcome>;

interface Writing {
  readonly table: Table;
  readonly match: readonly Column[];
  readonly query: Query;
  readonly told: Told;
}

export async function writeRows(batch: Batch, table: Table, query: Query): Promise<readonly Outcome[]> {
  const match = batch.operation === "append" ? columnsOf(batch.match, table) : keyOf(batch.match, table);
  const told: Told = new Map();
  const fitting = batch.changes.flatMap((change) => fittingOf(change, batch, { table, match, told }));
  const write = operations[batch.operation];
  if (!write) throw refused("operation_unsupported", `A table knows no ${batch.operation}.`);
  // Each statement writes the same columns of all its rows; what a record leaves out stays as it is.
  for (const group of grouped(fitting)) await write(group, { table, match, query, told });
  return batch.changes.map(({ seq }) => told.get(seq) ?? { seq, kind: "in_doubt", message: unsaid });
}

const unsaid =
  "The table did not give the row back by its key: a trigger or a rule left it out, or gave it another key.";

type Write = (group: readonly Fitting[], writing: Writing) => Promise<void>;

const operations: Partial<Readonly<Record<Batch["operation"], Write>>> = {
  async upsert(group, writing) {
    const left = await changed(group, writing);
    if (left.length === 0) return;
    const [missing] = writing.table.columns.filter((column) => isRequired(column) && !left[0]?.values.has(column));
    if (missing) {
      const words = `The row is not there yet, and cannot be made without "${missing.name}".`;
      for (const { change } of left) reject(writing.told, change, "required_field_missing", words, missing.name);
    } else accept(await run(insertSql(givenOf(left, writing), "update"), left, writing), writing);
  },
  async update(group, writing) {
    const words = "The table has no row with this key, and update adds none.";
    for (const { change } of await changed(group, writing)) reject(writing.told, change, "not_found", words);
  },
  async insert(group, writing) {
    accept(await run(insertSql(givenOf(group, writing), "nothing"), group, writing), writing);
    const left = group.filter(({ change }) => !writing.told.has(change.seq));
    if (left.length === 0) return;
    // One that shows just what is to be written came from an earlier attempt, whose answer was lost.
    const there = await run(lookSql(givenOf(left, writing)), left, writing);
    accept(
      there.filter(([, , same]) => same === "true"),
      writing,
    );
    const words = "The table has a row with this key already, and insert changes none.";
    const seqs = new Set(there.map(([seq]) => Number(seq)));
    for (const { change } of left)
      if (seqs.has(change.seq) && !writing.told.has(change.seq)) reject(writing.told, change, "already_there", words);
  },
  async append(group, writing) {
    const made = await run(appendSql(givenOf(group, writing)), group, writing);
    // Which one a trigger has left out cannot be told of several: alone, it can.
    if (made.length !== group.length && group.length > 1)
      throw refused("row_left_out", `The table took ${made.length} of ${group.length} rows.`);
    if (made.length === group.length)
      for (const { change } of group) writing.told.set(change.seq, { seq: change.seq, kind: "accepted" });
  },
  async delete(group, writing) {
    await run(deleteSql(givenOf(group, writing)), group, writing);
    // What is not there is removed, whoever did it; a trigger may have kept it.
    const kept = await run(lookSql(givenOf(group, writing)), group, writing);
    const seqs = new Set(kept.map(([seq]) => Number(seq)));
    const words = "The row is still there after it was deleted: a trigger or a rule keeps it.";
    for (const { change } of group) {
      if (seqs.has(change.seq)) reject(writing.told, change, "row_kept", words);
      else writing.told.set(change.seq, { seq: change.seq, kind: "accepted" });
    }
  },
  async clear(group, writing) {
    // A row that is not there has nothing to clear.
    for (const { change } of await changed(group, { ...writing, table: { ...writing.table, id: null } }))
      writing.told.set(change.seq, { seq: change.seq, kind: "accepted" });
  },
};

/** Changes the rows that are there, by their own id where their key has changed. Gives those that are not. */
async function changed(group: readonly Fitting[], writing: Writing): Promise<readonly Fitting[]> {
  const id = writing.table.columns.find(({ name }) => name === writing.table.id);
  const renamed = group.filter(({ change }) => id && change.renamed && change.destinationId !== undefined);
  if (id && renamed.length > 0) {
    const ids = renamed.map(({ change }) => change.destinationId ?? null);
    accept(await run(renameSql(givenOf(renamed, writing), id), renamed, writing, [ids]), writing);
  }
  const others = group.filter(({ change }) => !writing.told.has(change.seq));
  if (others.length > 0) accept(await run(updateSql(givenOf(others, writing)), others, writing), writing);
  return others.filter(({ change }) => !writing.told.has(change.seq));
}

/** The values of some fields as the table has them now, as text; null for a row that is not there. */
export async function readRows(
  batch: Batch,
  fields: readonly string[],
  table: Table,
  query: Query,
): Promise<ReadonlyMap<number, DestinationRecord | null>> {
  const match = keyOf(batch.match, table);
  const read = columnsOf(fields, table);
  const told: Told = new Map();
  const bare = batch.changes.map((change) => ({ ...change, record: {} }));
  const fitting = bare.flatMap((change) => fittingOf(change, batch, { table, match, told }));
  const writing = { table, match, query, told };
  const present = new Map<number, DestinationRecord | null>(fitting.map(({ change }) => [change.seq, null]));
  const note = (rows: Awaited<ReturnType<Query>>): void => {
    for (const [seq, ...values] of rows)
      present.set(Number(seq), Object.fromEntries(read.map(({ name }, at) => [name, values[at] ?? null])));
  };
  if (fitting.length > 0) note(await run(readSql(givenOf(fitting, writing), read), fitting, writing));
  const id = table.columns.find(({ name }) => name === table.id);
  const renamed = fitting.filter(({ change }) => change.renamed && change.destinationId !== undefined);
  if (id && renamed.length > 0) {
    const ids = renamed.map(({ change }) => change.destinationId ?? null);
    note(await run(readSql(givenOf(renamed, writing), read, id), renamed, writing, [ids]));
  }
  return present;
}

/** Runs a statement over a group. `more`: lists of values for the columns that it asks for besides. */
async function run(
  sql: string,
  group: readonly Fitting[],
  { match, query }: Writing,
  more: readonly (readonly (string | null)[])[] = [],
): ReturnType<Query> {
  const columns = orderOf(group, match);
  const lists = columns.map((column) => group.map(({ values }) => values.get(column) ?? null));
  return await query(sql, [group.map(({ change }) => change.seq), ...lists, ...more]);
}

function givenOf(group: readonly Fitting[], { table, match }: Writing): Given {
  return { table, match, written: orderOf(group, match).slice(match.length) };
}

/** The columns that find a row, and then the others, as all of the group have them. */
function orderOf([first]: readonly Fitting[], match: readonly Column[]): readonly Column[] {
  return [...match, ...[...(first?.values.keys() ?? [])].filter((column) => !match.includes(column))];
}

function grouped(fitting: readonly Fitting[]): readonly (readonly Fitting[])[] {
  const groups = Map.groupBy(fitting, ({ values }) => JSON.stringify([...values.keys()].map(({ name }) => name)));
  return [...groups.values()];
}

/** The change with its values as Postgres reads them; nothing when one does not fit, which is told. */
function fittingOf(
  change: Change,
  { operation }: Batch,
  { table, match, told }: Pick<Writing, "table" | "match" | "told">,
): readonly Fitting[] {
  const values = new Map<Column, string | null>();
  const given = operation === "delete" ? change.match : { ...change.record, ...change.match };
  for (const column of table.columns) {
    const value = given[column.name];
    if (value === undefined) continue;
    const written =
      match.includes(column) && value === null && operation !== "append" ? empty : writtenOf(value, column);
    if (typeof written === "object" && written !== null) {
      reject(told, change, written.code, written.message, column.name);
      return [];
    }
    values.set(column, written);
  }
  const unknown = Object.keys(given).find((name) => !table.columns.some((column) => column.name === name));
  if (unknown === undefined) return [{ change, values }];
  reject(told, change, "unknown_field", `The table has no column "${unknown}".`, unknown);
  return [];
}

const empty = { code: "match_empty", message: "NULL finds no row." };

function columnsOf(names: readonly string[], { columns }: Table): readonly Column[] {
  return names.flatMap((name) => columns.find((column) => column.name === name) ?? []);
}

/** The columns that find a row, which are just those of a unique index. All rows would be refused alike without one. */
function keyOf(match: readonly string[], table: Table): readonly Column[] {
  const wanted = match.toSorted().join("\0");
  const columns = columnsOf(match, table);
  const blurred = columns.find((column) => column.blurred);
  if (table.keys.some((key) => key.toSorted().join("\0") === wanted) && !blurred) return columns;
  const keys = table.keys.map((key) => key.join(" and ")).join("; or by ");
  const words = `Rows of ${table.name} are found by ${keys || "no column: it has no unique index"}, not by ${match.join(" and ")}.`;
  throw new DestinationError("unauthorized", words, { code: "match_incomplete", applied: "no" });
}

function accept(rows: Awaited<ReturnType<Query>>, { table, told }: Writing): void {
  for (const [seq, id] of rows) {
    const destinationId = table.id === null ? undefined : (id ?? undefined);
    told.set(Number(seq), { seq: Number(seq), kind: "accepted", destinationId });
  }
}

function reject(told: Told, { seq }: Change, code: string, message: string, field?: string): void {
  told.set(seq, { seq, kind: "rejected", code, message, field });
}

function refused(code: string, message: string): DestinationError {
  return new DestinationError("refused", message, { code, applied: "no" });
}
