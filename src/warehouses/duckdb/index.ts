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
  external_access: z.boolean().default(false).meta({
    description:
      "Whether SQL may also read files, addresses and other databases that the service can reach, as read_parquet and attach do.",
  }),
  statement_timeout_seconds: z
    .int()
    .min(1)
    .default(3600)
    .meta({ description: "How long one statement may run, a whole plan included." }),
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
  connect(given, { planner, workspace }) {
    const { path, memory_limit, threads, external_access, statement_timeout_seconds, lock_wait_seconds } = given;
    const file = path === ":memory:" ? path : resolve(workspace, path);
    // A local planner is given large plans as files.
    const onlyFolder = planner.in === "local" ? resolve(planner.scratch) : `${file}.tmp`;
    const database = new DuckdbDatabase({
      path: file,
      memoryLimit: memory_limit,
      threads,
      statementTimeoutMs: statement_timeout_seconds * 1000,
      lockWaitMs: lock_wait_seconds * 1000,
      readOnly: planner.in === "local",
      ...(external_access ? {} : { onlyFolder }),
    });
    return sqlWarehouse(database, planner);
  },
} satisfies WarehouseAdapter<z.infer<typeof connection>>;

export default duckdb;
