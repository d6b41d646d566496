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
  /** The folder below which destinations may write files. Default: `files` in the data folder. */
  SLUICE_FILES_DIR: z.string().min(1).optional(),
  /** 32 random bytes in base64, under which secrets are stored; while it is changed, the new one and the old one by a comma. */
  SLUICE_SECRET_KEY: z.string().min(1).optional(),
  /** An API key, for the command that asks a running service. */
  SLUICE_API_KEY: z.string().min(1).optional(),
  SLUICE_HOST: z.string().min(1).default("127.0.0.1"),
  SLUICE_PORT: z.coerce.number({ error: "a port number" }).int().min(0).max(65535).default(8080),
  SLUICE_LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  /** How many days runs are kept after they have ended. */
  SLUICE_KEEP_RUNS_DAYS: z.coerce.number({ error: "a number of days" }).int().min(1).max(3650).default(90),
  /** Changes of a large plan that a worker takes at a time; a plan of twice as many is sent by all workers together. */
  SLUICE_PART_ROWS: z.coerce.number({ error: "a number of rows" }).int().min(1).max(10_000_000).default(100_000),
  /** Hosts and CIDR ranges that destinations may reach although they are private, separated by commas. `*` allows all. */
  SLUICE_ALLOW_ADDRESSES: z.string().default("127.0.0.0/8,::1/128"),
});

export interface Config {
  readonly databaseUrl: string | undefined;
  readonly redisUrl: string | undefined;
  readonly dataDir: string | undefined;
  readonly filesDir: string | undefined;
  readonly secretKey: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  readonly keepRunsDays: number;
  readonly partRows: number;
  readonly allowedAddresses: readonly string[];
}

/** The settings, from the environment. An empty variable counts as unset. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([name, value]) => name.startsWith("SLUICE_") && value !== ""),
  );
  const parsed = schema.safeParse(given);
  if (environment["NODE_TLS_REJECT_UNAUTHORIZED"] === "0") throw tlsUnproven();
  if (!parsed.success) {
    const lines = parsed.error.issues.map(({ path, message }) => `${path.join(".")} must be ${message}`);
    throw new UsageError("wrong_setting", lines.join("\n"), {
      hint: "Settings come from the environment; see the README.",
    });
  }
  const settings = parsed.data;
  requirePassword(settings.SLUICE_DATABASE_URL, environment["PGPASSWORD"]);
  requirePassword(settings.SLUICE_REDIS_URL, undefined);
  return {
    databaseUrl: settings.SLUICE_DATABASE_URL,
    redisUrl: settings.SLUICE_REDIS_URL,
    dataDir: settings.SLUICE_DATA_DIR,
    filesDir: settings.SLUICE_FILES_DIR,
    secretKey: settings.SLUICE_SECRET_KEY,
    host: settings.SLUICE_HOST,
    port: settings.SLUICE_PORT,
    logLevel: settings.SLUICE_LOG_LEVEL,
    keepRunsDays: settings.SLUICE_KEEP_RUNS_DAYS,
    partRows: settings.SLUICE_PART_ROWS,
    allowedAddresses: settings.SLUICE_ALLOW_ADDRESSES.split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  };
}

/** Beyond this machine a store or a queue that asks for no password is open to all who reach it. */
function requirePassword(address: string | undefined, otherwise: string | undefined): void {
  if (address === undefined) return;
  const { protocol, hostname, password, searchParams } = new URL(address);
  // A socket, this machine, or a client's certificate.
  const isClosed = hostname === "" || isLoopback(hostname) || searchParams.has("host") || searchParams.has("sslcert");
  if (isClosed || password !== "" || otherwise !== undefined) return;
  const [what, setting] = protocol.startsWith("redis")
    ? ["Redis", "SLUICE_REDIS_URL"]
    : ["Postgres", "SLUICE_DATABASE_URL"];
  throw new UsageError(
    "open_to_all",
    `${what} at ${hostname} is asked without a password: whoever reaches it could use it.`,
    {
      hint: `Give it a password, and name it in ${setting}. On this machine it does without.`,
    },
  );
}

/** Whether only programs of this machine reach a host of this name. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Drivers, too, would send passwords to whoever answers. */
function tlsUnproven(): UsageError {
  return new UsageError("tls_unproven", "NODE_TLS_REJECT_UNAUTHORIZED=0 would let any server have the credentials.", {
    hint: "Unset it. NODE_EXTRA_CA_CERTS=file.pem adds a certificate authority of your own.",
  });
}
