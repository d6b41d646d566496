/** A warehouse that speaks SQL, made of its database. */
import { WarehouseError } from "../errors.ts";
import type { Cell, Column, ModelQuery, Planner, PlannerPlace, Warehouse } from "../warehouse.ts";
import type { Database } from "./dialect.ts";
import { BucketStore } from "./local/bucket-store.ts";
import { FolderStore } from "./local/folder-store.ts";
import { LocalPlanner } from "./local/planner.ts";
import { parseName, plannerTables, quote } from "./names.ts";
import { wireCell } from "./plan-rows.ts";
import { SqlPlanner, type SqlPlannerOptions } from "./planner.ts";
import { makePlannerTables } from "./planner-schema.ts";
import { columnValue, makeLookedUp, modelSource, modelStatement, noLookups } from "./model-sql.ts";

/** Answers questions about models, and makes planners that keep plan and state in `place`. */
export function sqlWarehouse(database: Database, place: PlannerPlace): Warehouse {
  const { dialect } = database;
  const planners = place.in === "warehouse" ? inWarehouse(database, place.schema) : elsewhere(database, place);

  async function columns(model: ModelQuery, signal?: AbortSignal): Promise<readonly Column[]> {
    return await database.session(
      async (session) => {
        const described = await session.describe(modelStatement(model, dialect));
        requireDistinct(described, (name) => dialect.columnIdentity(name));
        requireKey(model, described);
        // What the filter says is checked with it, before a run relies on it.
        if (model.filter !== undefined) await session.describe(`select 1 ${modelSource(model, dialect)}`);
        return described;
      },
      { signal, readOnly: true },
    );
  }

  async function sample(
    model: ModelQuery,
    wanted: readonly Column[],
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly (readonly Cell[])[]> {
    await planners.prepare(wanted);
    const cells = wanted.map((column) => dialect.cell(column, planners.value(column)));
    const sql = `select ${["1", ...cells].join(", ")} ${modelSource(model, dialect)} limit ${Math.max(0, Math.trunc(limit))}`;
    const rows = await database.session((session) => session.query(sql), { signal, readOnly: true });
    return rows.map((row) => wanted.map((column, index) => wireCell(column, row[index + 1] ?? null)));
  }

  async function count(model: ModelQuery, signal?: AbortSignal): Promise<number> {
    const sql = `select count(*) ${modelSource(model, dialect)}`;
    const rows = await database.session((session) => session.query(sql), { signal, readOnly: true });
    return Number(rows[0]?.[0] ?? 0);
  }

  async function check(signal?: AbortSignal): Promise<void> {
    await database.session((session) => session.query("select 1"), { signal, readOnly: true });
    await planners.check(signal);
  }

  return {
    check,
    columns,
    sample,
    count,
    planner: (sync: string): Planner => planners.of(sync, columns),
    close: () => database.close(),
  };
}

/** Where plans and state are kept. */
interface Planners {
  /** Whatever these columns are looked up in is there afterwards. */
  prepare(columns: readonly Column[]): Promise<void>;
  /** A column's value in the rows of a model, as SQL. */
  value(column: Column): string;
  check(signal: AbortSignal | undefined): Promise<void>;
  of(sync: string, describe: SqlPlannerOptions["describe"]): Planner;
}

function inWarehouse(database: Database, schemaName: string): Planners {
  const schema = parseName(schemaName, (name) => database.dialect.fold(name));
  return {
    async check(signal) {
      const { runs } = plannerTables(schema, "");
      await makePlannerTables(database, schema, { runs });
      await requireWritable(database, schema, signal);
    },
    prepare: (columns) => makeLookedUp(columns, schema, database),
    value: (column) => columnValue(column, schema, database.dialect),
    of: (sync, describe) => new SqlPlanner({ database, schema, sync, describe }),
  };
}

function elsewhere(source: Database, place: PlannerPlace & { in: "local" }): Planners {
  const store = "folder" in place.store ? new FolderStore(place.store.folder) : new BucketStore(place.store);
  const scratch = { folder: place.scratch, memoryLimit: place.memoryLimit };
  return {
    check: () => store.check(),
    prepare: async () => undefined,
    value: ({ name, lookup }) => {
      if (lookup !== undefined) throw noLookups();
      return source.dialect.column(name);
    },
    of: (sync, describe) => new LocalPlanner({ source, store, scratch, sync, describe }),
  };
}

/** Makes and drops a table, as every plan does. */
async function requireWritable(database: Database, schema: readonly string[], signal?: AbortSignal): Promise<void> {
  const name = schema.map(quote).join(".");
  const trial = `${name}.${quote("check")}`;
  try {
    await database.transaction(
      async (session) => {
        await session.execute(`drop table if exists ${trial}`);
        await session.execute(`create table ${trial} as select 1 as one`);
        await session.execute(`drop table ${trial}`);
      },
      { signal },
    );
  } catch (cause) {
    signal?.throwIfAborted();
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new WarehouseError("planner_not_writable", `No table can be made in the planner schema ${name}. ${words}`, {
      hint: `Let the owner run: ${database.dialect.grants(name)}`,
      cause,
    });
  }
}

function requireDistinct(columns: readonly Column[], identity: (name: string) => string): void {
  const seen = new Set<string>();
  for (const { name } of columns) {
    if (seen.has(identity(name))) {
      throw new WarehouseError("duplicate_column", `The model has two columns named ${JSON.stringify(name)}.`, {
        hint: "Give one of them another name: select a.id, b.id as b_id …",
      });
    }
    seen.add(identity(name));
  }
}

function requireKey({ key }: ModelQuery, columns: readonly Column[]): void {
  const missing = key.find((name) => !columns.some((column) => column.name === name));
  if (missing === undefined && key.length > 0) return;
  const known = columns.map(({ name }) => JSON.stringify(name)).join(", ");
  const fault =
    missing === undefined
      ? "The model has no key."
      : `The model has no column ${JSON.stringify(missing)}, which its key names.`;
  throw new WarehouseError("key_column_missing", fault, { hint: `Its columns are ${known}.` });
}
