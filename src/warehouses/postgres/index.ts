/** Postgres as a warehouse. */
import { z } from "zod";
import type { WarehouseAdapter } from "../../warehouse.ts";
import { sqlWarehouse } from "../sql-warehouse.ts";
import { PostgresDatabase } from "./database.ts";

const connection = z
  .strictObject({
    url: z
      .url({ protocol: /^postgres(ql)?$/ })
      .optional()
      .meta({
        secret: true,
        description: "postgres://user:password@host:5432/database?sslmode=verify-full; instead of the other settings.",
      }),
    host: z.string().min(1).optional().meta({ description: "The server." }),
    port: z.int().min(1).max(65_535).default(5432).meta({ description: "Its port." }),
    database: z.string().min(1).optional().meta({ description: "The database." }),
    user: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "The role. It needs SELECT on the models, and a schema to write." }),
    password: z.string().optional().meta({ secret: true, description: "The role's password." }),
    statement_timeout_seconds: z
      .int()
      .min(1)
      .default(3600)
      .meta({ description: "How long one statement may run, a whole plan included." }),
  })
  .refine(({ url, host }) => (url === undefined) !== (host === undefined), {
    message: "Give either url, or host with database, user and password.",
  });

const postgres = {
  type: "postgres",
  title: "Postgres",
  connection,
  connect({ url, host, port, database, user, password, statement_timeout_seconds }, { planner }) {
    const server = url === undefined ? { host, port, database, user, password } : { connectionString: url };
    const statementTimeoutMs = statement_timeout_seconds * 1000;
    return sqlWarehouse(new PostgresDatabase({ server, statementTimeoutMs }), planner);
  },
} satisfies WarehouseAdapter<z.infer<typeof connection>>;

export default postgres;
