/** DuckDB as a warehouse: one file, no server. */
import { resolve } from "node:path";
import { z } from "zod";
import type { WarehouseAdapter } from "../../warehouse.ts";
import { sqlWarehouse } from "../sql-warehouse.ts";
import { DuckdbDatabase } from "./database.ts";

const connection = z.strictObject({
  path: z.string().min(1).meta({ description: "The database file; relative to the workspace." }),
  memory_limit: z
    .string()
    .regex(/^\d+(\.\d+)? ?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$/i)
    .default("192MB")
    .meta({ description: "How much memory DuckDB may use; beyond it, it uses files beside the database." }),
  threads: z.int().min(1).optional().meta({ description: "How many threads DuckDB may use. Without it: one a core." }),
  lock_wait_seconds: z
    .number()
    .min(0)
    .default(10)
    .meta({ description: "How long to wait while another process, such as dbt, has the file open." }),
});

const duckdb = {
  type: "duckdb",
  title: "DuckDB",
  connection,
  connect({ path, memory_limit, threads, lock_wait_seconds }, { planner, workspace }) {
    const file = path === ":memory:" ? path : resolve(workspace, path);
    const database = new DuckdbDatabase({
      path: file,
      memoryLimit: memory_limit,
      threads,
      lockWaitMs: lock_wait_seconds * 1000,
      readOnly: planner.in === "local",
    });
    return sqlWarehouse(database, planner);
  },
} satisfies WarehouseAdapter<z.infer<typeof connection>>;

export default duckdb;
