/** Snowflake as a warehouse, through its own driver. */
import { z } from "zod";
import type { WarehouseAdapter } from "../../warehouse.ts";
import { sqlWarehouse } from "../sql-warehouse.ts";
import { SnowflakeDatabase } from "./database.ts";
import { grantStatements } from "./grants.ts";
import { lastChange } from "./last-change.ts";
import type { LoginOptions } from "./protocol.ts";

/** An account is part of the address that is dialled, so nothing but an identifier is taken for one. */
const account = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$/,
    "An account identifier, such as acme-eu1 or xy12345.eu-central-1.",
  );

const connection = z
  .strictObject({
    account: account.meta({ description: "The account identifier: organization-account, or locator.region." }),
    username: z.string().min(1).meta({ description: "The user. A user of TYPE = SERVICE is best." }),
    private_key: z
      .string()
      .includes("PRIVATE KEY")
      .optional()
      .meta({ secret: true, description: "Key pair: the private key, in PEM. The best way for a service." }),
    private_key_passphrase: z
      .string()
      .optional()
      .meta({ secret: true, description: "The passphrase of an encrypted private key." }),
    oauth_token: z.string().min(1).optional().meta({ secret: true, description: "An OAuth access token." }),
    programmatic_token: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: "A programmatic access token." }),
    password: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: "A password. Snowflake takes it for people, not for services." }),
    role: z.string().min(1).optional().meta({ description: 'The role. "sluice grants" prints what it needs.' }),
    warehouse: z.string().min(1).optional().meta({ description: "The virtual warehouse that runs the statements." }),
    database: z.string().min(1).optional().meta({ description: "Where names without a database are looked for." }),
    schema: z.string().min(1).optional().meta({ description: "Where names without a schema are looked for." }),
    base_url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .meta({ description: "Another address than the account's own: private link, or a sandbox." }),
    statement_timeout_seconds: z
      .int()
      .min(1)
      .default(3600)
      .meta({ description: "How long one statement may run, a whole plan included." }),
    driver_memory_mb: z
      .int()
      .min(64)
      .default(512)
      .meta({ description: "The most memory, in MB, that the driver's process may use for rows." }),
    unload_rows: z
      .int()
      .min(0)
      .default(200_000)
      .meta({ description: "A plan with more rows is unloaded as Parquet, which is faster and takes less memory." }),
  })
  .refine(
    ({ private_key, oauth_token, programmatic_token, password }) =>
      [private_key, oauth_token, programmatic_token, password].filter((one) => one !== undefined).length === 1,
    { message: "Give one of private_key, oauth_token, programmatic_token and password." },
  );

type SnowflakeConnection = z.infer<typeof connection>;

const snowflake = {
  type: "snowflake",
  title: "Snowflake",
  connection,
  connect(given, { planner }) {
    const database = openDatabase(given);
    return {
      ...sqlWarehouse(database, planner),
      inputsToken: (model, signal) => lastChange(database, model, signal),
    };
  },
  grants: ({ username, role, warehouse, database, schema }, { models, schema: planner }) =>
    grantStatements({ username, role, warehouse, database, schema }, models, planner),
} satisfies WarehouseAdapter<SnowflakeConnection>;

export default snowflake;

/** The account, on first use. */
export function openDatabase(given: SnowflakeConnection): SnowflakeDatabase {
  return new SnowflakeDatabase({
    login: loginOptions(given),
    statementTimeoutSeconds: given.statement_timeout_seconds,
    driverMemoryMb: given.driver_memory_mb,
    unloadRows: given.unload_rows,
  });
}

function loginOptions(given: SnowflakeConnection): LoginOptions {
  const { account, username, role, warehouse, database, schema, base_url } = given;
  const place = { role, warehouse, database, schema, accessUrl: base_url };
  const set = Object.entries(place).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    account,
    username,
    ...Object.fromEntries(set),
    ...credential(given),
    application: "Sluice",
    // A credential that is refused is refused: the engine's own retry waits and tells.
    sfRetryMaxLoginRetries: 2,
  };
}

function credential(given: SnowflakeConnection): LoginOptions {
  const { private_key, private_key_passphrase, oauth_token, programmatic_token, password } = given;
  if (private_key !== undefined) {
    const passphrase = private_key_passphrase === undefined ? {} : { privateKeyPass: private_key_passphrase };
    return { authenticator: "SNOWFLAKE_JWT", privateKey: private_key, ...passphrase };
  }
  if (oauth_token !== undefined) return { authenticator: "OAUTH", token: oauth_token };
  if (programmatic_token !== undefined)
    return { authenticator: "PROGRAMMATIC_ACCESS_TOKEN", token: programmatic_token };
  return { authenticator: "SNOWFLAKE", password: password ?? "" };
}
