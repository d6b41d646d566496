/** Postgres: the tables of a database, such as those of a team's own service. */
import type {
  Batch,
  BatchLimit,
  Connection,
  Context,
  DestinationAdapter,
  DestinationRecord,
  ObjectDescription,
  ObjectSettings,
  ObjectSummary,
  Outcome,
} from "../../src/destination.ts";
import { DestinationError } from "../../src/destination.ts";
import { describeTable, listTables, type Table } from "./catalog.ts";
import { toFields } from "./fields.ts";
import { readRows, writeRows } from "./records.ts";
import { Sessions } from "./sessions.ts";
import { connection, loginOf, placeOf, type PostgresConfig } from "./settings.ts";

/** Longer statements win little, and hold their locks longer. */
const batchLimit: BatchLimit = { records: 1000, bytes: 4_000_000 };

const postgres: DestinationAdapter<PostgresConfig> = {
  type: "postgres",
  title: "Postgres",
  connection,
  // None is published. The pace is felt for: a server without room for another connection asks to wait.
  limits: () => [],
  place: placeOf,
  connect: (config, context) => new PostgresConnection(config, context),
};

export default postgres;

class PostgresConnection implements Connection {
  readonly #sessions: Sessions;
  readonly #tables = new Map<string, Promise<Table>>();

  constructor(config: PostgresConfig, context: Context) {
    this.#sessions = new Sessions(loginOf(config), context, config.statement_timeout_seconds * 1000);
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const sql = "select pg_catalog.current_database(), current_user, pg_catalog.current_setting('server_version')";
    const rows = await this.#sessions.read({ method: "select", path: "account" }, (query) => query(sql), signal);
    const [database, user, version] = rows[0] ?? [];
    return { account: `database ${database} as ${user}, Postgres ${version}` };
  }

  async objects(signal?: AbortSignal): Promise<readonly ObjectSummary[]> {
    return await this.#sessions.read({ method: "select", path: "tables" }, listTables, signal);
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    requireNoSettings(settings);
    const table = await this.#lookAt(object, signal);
    this.#tables.set(object, Promise.resolve(table));
    const finds = table.keys.length > 0;
    return {
      name: object,
      title: table.comment ?? object,
      modes: finds ? ["upsert", "update", "insert", "mirror", "append"] : ["append"],
      removals: finds ? ["delete", "clear"] : [],
      batch: batchLimit,
      idempotent: { upsert: true, update: true, mirror: true, insert: true, append: false },
      fields: toFields(table),
      reads: finds,
    };
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    requireNoSettings(batch.settings);
    const table = await this.#table(batch.object, signal);
    const told = { method: batch.operation, path: batch.object };
    return await this.#sessions.write(told, (query) => writeRows(batch, table, query), signal);
  }

  async read(
    batch: Batch,
    fields: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, DestinationRecord | null>> {
    const table = await this.#table(batch.object, signal);
    const told = { method: "select", path: batch.object };
    return await this.#sessions.read(told, (query) => readRows(batch, fields, table, query), signal);
  }

  close(): Promise<void> {
    return this.#sessions.close();
  }

  #lookAt(object: string, signal?: AbortSignal): Promise<Table> {
    const told = { method: "select", path: `columns of ${object}` };
    return this.#sessions.read(told, (query) => describeTable(object, query), signal);
  }

  /** Looked at once a connection: a column that goes during a run is refused by the server from then on. */
  #table(object: string, signal?: AbortSignal): Promise<Table> {
    const known = this.#tables.get(object);
    if (known) return known;
    const looking = this.#lookAt(object, signal).catch((error: unknown) => {
      this.#tables.delete(object);
      throw error;
    });
    this.#tables.set(object, looking);
    return looking;
  }
}

function requireNoSettings(settings: ObjectSettings): void {
  const [unknown] = Object.keys(settings);
  if (unknown === undefined) return;
  const message = `to.settings.${unknown}: a table takes no settings.`;
  throw new DestinationError("refused", message, { code: "settings_invalid", applied: "no" });
}
