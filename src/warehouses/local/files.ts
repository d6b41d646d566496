/** The Parquet files of one sync: written in scratch, then taken into the store under a name that no other file has. */
import { join } from "node:path";
import { duckdbDialect } from "../duckdb/dialect.ts";
import { tableColumns } from "../planner-schema.ts";
import { localDialect } from "./compare.ts";
import type { Ledger } from "./ledger.ts";
import { parquet, type Scratch } from "./scratch.ts";
import type { StateStore } from "./store.ts";

type FileKind = "plan" | "state" | "failed" | "outcomes";

export class FilesOfSync {
  readonly #store: StateStore;
  readonly #sync: string;

  constructor(store: StateStore, sync: string) {
    this.#store = store;
    this.#sync = sync;
  }

  /** A stored file as a table in SQL; it is brought to `folder` if need be. */
  async table(file: string, folder: string): Promise<string> {
    return parquet(await this.#store.fetch(this.#sync, file, folder));
  }

  /** State and refused rows as tables in scratch, empty where there is no file yet. */
  async tables(
    { state, failed }: Pick<Ledger, "state" | "failed">,
    scratch: Scratch,
  ): Promise<{ readonly state: string; readonly failed: string }> {
    return { state: await this.#known("state", state, scratch), failed: await this.#known("failed", failed, scratch) };
  }

  /** What a query in scratch says, as a file of the store. */
  async save(kind: FileKind, query: string, scratch: Scratch): Promise<string> {
    const path = join(scratch.folder, `${kind}.parquet`);
    await this.write(query, path, scratch);
    return await this.put(kind, path);
  }

  async write(query: string, path: string, { session }: Scratch, { rowGroupRows = 122_880 } = {}): Promise<void> {
    await session.execute(
      `copy (${query}) to ${duckdbDialect.literal(path)} (format parquet, compression zstd, row_group_size ${rowGroupRows})`,
    );
  }

  async put(kind: FileKind, path: string): Promise<string> {
    const file = `${kind}-${crypto.randomUUID()}.parquet`;
    await this.#store.put(this.#sync, file, path);
    return file;
  }

  /** Removes files that are not named and at least so old. */
  async removeAllBut(named: ReadonlySet<string>, leastAgeMs: number): Promise<void> {
    for (const { file, ageMs } of await this.#store.list(this.#sync)) {
      if (!named.has(file) && ageMs >= leastAgeMs) await this.#store.remove(this.#sync, file);
    }
  }

  async #known(kind: "state" | "failed", file: string | null, { session, folder }: Scratch): Promise<string> {
    if (file !== null) return await this.table(file, folder);
    await session.execute(`create table no_${kind} (${tableColumns(localDialect)[kind]})`);
    return `no_${kind}`;
  }
}
