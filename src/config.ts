/** Every environment variable: name, default, meaning. Read once, all mistakes told at once. */
import { z } from "zod";
import { UsageError } from "./errors.ts";

const schema = z.object({
  /** Postgres for the control store. Unset: embedded, in the data folder. */
  SLUICE_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: "a postgres:// address" }).optional(),
  /** Redis for the queue. Unset: the queue lives on the control store. */
  SLUICE_REDIS_URL: z.url({ protocol: /^rediss?$/, error: "a redis:// or rediss:// address" }).optional(),
  /** Where the embedded control store and local state live. Default: `.sluice` in the workspace. */
  SLUICE_DATA_DIR: z.string().min(1).optional(),
  /** 32 random bytes in base64, under which secrets are stored; while it is changed, the new one and the old one by a comma. */
  SLUICE_SECRET_KEY: z.string().min(1).optional(),
  /** An API key, for the command that asks a running service. */
  SLUICE_API_KEY: z.string().min(1).optional(),
  SLUICE_HOST: z.string().min(1).default("127.0.0.1"),
  SLUICE_PORT: z.coerce.number({ error: "a port number" }).int().min(0).max(65535).default(8080),
  SLUICE_LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  /** Hosts and CIDR ranges that destinations may reach although they are private, separated by commas. `*` allows all. */
  SLUICE_ALLOW_ADDRESSES: z.string().default("127.0.0.0/8,::1/128"),
});

export interface Config {
  readonly databaseUrl: string | undefined;
  readonly redisUrl: string | undefined;
  readonly dataDir: string | undefined;
  readonly secretKey: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  readonly allowedAddresses: readonly string[];
}

/** The settings, from the environment. An empty variable counts as unset. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([name, value]) => name.startsWith("SLUICE_") && value !== ""),
  );
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const lines = parsed.error.issues.map(({ path, message }) => `${path.join(".")} must be ${message}`);
    throw new UsageError("wrong_setting", lines.join("\n"), {
      hint: "Settings come from the environment; see the README.",
    });
  }
  const settings = parsed.data;
  return {
    databaseUrl: settings.SLUICE_DATABASE_URL,
    redisUrl: settings.SLUICE_REDIS_URL,
    dataDir: settings.SLUICE_DATA_DIR,
    secretKey: settings.SLUICE_SECRET_KEY,
    host: settings.SLUICE_HOST,
    port: settings.SLUICE_PORT,
    logLevel: settings.SLUICE_LOG_LEVEL,
    allowedAddresses: settings.SLUICE_ALLOW_ADDRESSES.split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  };
}
