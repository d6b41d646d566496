/** A database in this process, which one connection at a time has to itself while it is in a transaction. */
import { PGlite } from "@electric-sql/pglite";

/** To open one takes a second or two: one that was given back is used again, emptied. */
const spare: PGlite[] = [];

const hidden = "('pg_catalog', 'information_schema', 'pg_toast')";

export class SandboxDatabase {
  readonly #lite: PGlite;
  readonly #schema: string;
  #turn: Promise<void> = Promise.resolve();
  #contents: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {};

  private constructor(lite: PGlite, schema: string) {
    this.#lite = lite;
    this.#schema = schema;
  }

  /** `schema`: the SQL that makes what it has from the start. */
  static async open(schema: string): Promise<SandboxDatabase> {
    const database = new SandboxDatabase(spare.pop() ?? (await PGlite.create()), schema);
    await database.reset();
    return database;
  }

  /** As of the last transaction that ended: table → primary key → row. */
  get contents(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
    return this.#contents;
  }

  async reset(): Promise<void> {
    const done = await this.take();
    try {
      const { rows } = await this.#lite.query<{ name: string }>(
        `select nspname as name from pg_catalog.pg_namespace where nspname not in ${hidden} and nspname not like 'pg\\_%'`,
      );
      await this.#lite.exec("rollback");
      for (const { name } of rows) await this.#lite.exec(`drop schema "${name.replaceAll('"', '""')}" cascade`);
      await this.#lite.exec(`create schema public; ${this.#schema}`);
      await this.look();
    } finally {
      done();
    }
  }

  /** Waits until no other connection is in a transaction. Resolves with what ends the turn. */
  async take(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#turn;
    this.#turn = promise;
    await before;
    return resolve;
  }

  /** The server's answer to a message, in its own form. */
  answer(message: Uint8Array): Promise<Uint8Array> {
    return this.#lite.execProtocolRaw(message);
  }

  /** Reads all tables, for whoever asks what they hold. */
  async look(): Promise<void> {
    const { rows: tables } = await this.#lite.query<{ schema: string; name: string; id: string | null }>(
      `select n.nspname as schema, c.relname as name, (select a.attname from pg_catalog.pg_index i
         join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
         where i.indrelid = c.oid and i.indisprimary and i.indnkeyatts = 1) as id
       from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       where c.relkind = 'r' and n.nspname not in ${hidden} and n.nspname not like 'pg\\_%'`,
    );
    const contents: Record<string, Record<string, unknown>> = {};
    for (const { schema, name, id } of tables) {
      const { rows } = await this.#lite.query<{ row: Record<string, unknown> }>(
        `select to_jsonb(t) as row from "${schema}"."${name}" t order by ctid`,
      );
      const byId = rows.map(({ row }, at) => [id === null ? String(at) : String(row[id]), row] as const);
      contents[`${schema}.${name}`] = Object.fromEntries(byId);
    }
    this.#contents = contents;
  }

  /** Keeps the database for the next sandbox of this process. */
  giveBack(): void {
    spare.push(this.#lite);
  }
}
