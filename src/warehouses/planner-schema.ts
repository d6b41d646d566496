/** The planner's own tables: made when they are missing and the role may. */
import { WarehouseError } from "../errors.ts";
import type { Database, Dialect, Session } from "./dialect.ts";
import { type PlannerTables, quote } from "./names.ts";

/** Makes the schema and the tables of a sync that are missing. Fails with `planner_not_writable`, naming the grants. */
export async function makePlannerTables(
  database: Database,
  schema: readonly string[],
  tables: Partial<PlannerTables>,
): Promise<void> {
  const { dialect } = database;
  const missing = await database.session((session) => findMissing(session, schema, tables, dialect));
  for (const statement of missing) {
    try {
      await database.session((session) => session.execute(statement));
    } catch (error) {
      // Another worker may have made it in between: `if not exists` is not atomic in every warehouse.
      const left = await database.session((session) => findMissing(session, schema, tables, dialect));
      if (left.includes(statement)) throw notWritable(schema, dialect, error);
    }
  }
}

/** Tables all of whose rows come and go with every run. */
const rewritten: ReadonlySet<string> = new Set<keyof PlannerTables>(["plan", "preview", "outcomes", "staged"]);

async function findMissing(
  session: Session,
  schema: readonly string[],
  tables: Partial<PlannerTables>,
  dialect: Dialect,
): Promise<readonly string[]> {
  const definitions = Object.entries(tableColumns(dialect)).flatMap(([name, columns]) => {
    const table = tables[name as keyof PlannerTables];
    if (table === undefined || !dialect.madeOnce.includes(name as keyof PlannerTables)) return [];
    return [{ table, columns, rewritten: rewritten.has(name) }];
  });
  const creations = definitions.map(({ table, columns, rewritten }) =>
    dialect.createTable(table, columns, { rewritten }),
  );
  if ((await session.query(dialect.findSchema(schema))).length === 0) {
    return [`create schema if not exists ${schema.map(quote).join(".")}`, ...creations];
  }
  const known = new Set((await session.query(dialect.findTables(schema))).map(([table = ""]) => table));
  const isMissing = (table: string): boolean => ![...known].some((name) => table.endsWith(`.${quote(name ?? "")}`));
  return creations.filter((_, index) => isMissing(definitions[index]?.table ?? ""));
}

/** The columns of each of the planner's tables. */
export function tableColumns(dialect: Dialect): Record<keyof PlannerTables, string> {
  const { text, fingerprintType: fingerprint } = dialect;
  const plan = `seq bigint not null, waiting bigint not null, kind ${text} not null, row_key ${text} not null, fingerprint ${fingerprint}, match_cells ${text}, known bigint not null, known_hash ${text}, known_id ${text}, known_match ${text}, reclaimed bigint not null, model_rows bigint, state_rows bigint, cells ${text}`;
  return {
    plan,
    preview: plan,
    runs: `sync ${text} not null, run_id ${text} not null, fence bigint not null, status ${text} not null, planned_at bigint not null`,
    state: `row_key ${text} not null, fingerprint ${fingerprint}, record_hash ${text}, destination_id ${text}, match_cells ${text} not null, run_id ${text} not null`,
    failed: `row_key ${text} not null, fingerprint ${fingerprint}, kind ${text} not null, attempts bigint not null, next_at bigint not null, code ${text}, message ${text}, run_id ${text} not null`,
    outcomes: `run_id ${text} not null, fence bigint not null, part bigint not null, seq bigint not null, kind ${text} not null, record_hash ${text}, destination_id ${text}, code ${text}, message ${text}`,
    kept: `row_key ${text} not null, record_hash ${text} not null, record ${text} not null`,
    past: `run_id ${text} not null, noted_at bigint not null, kind ${text} not null, row_key ${text} not null, new_hash ${text}, fingerprint ${fingerprint}, match_cells ${text}, record_hash ${text}, destination_id ${text}, record ${text}`,
    staged: `run_id ${text} not null, seq bigint not null, record_hash ${text} not null, record ${text} not null`,
  };
}

function notWritable(schema: readonly string[], dialect: Dialect, cause: unknown): WarehouseError {
  const name = schema.map(quote).join(".");
  const words = cause instanceof Error ? cause.message : String(cause);
  return new WarehouseError("planner_not_writable", `The planner schema ${name} cannot be written: ${words}`, {
    hint: `Let the owner run: ${dialect.grants(name)}`,
    cause,
  });
}
