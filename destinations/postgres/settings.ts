/** What connects to a database, as the address of its server and whose it is there. */
import { z } from "zod";
import type { Server } from "../../src/destination.ts";
import { askForTls } from "./tls.ts";

const schemes = ["postgres", "postgresql"];
const address = z.url({ protocol: /^postgres(ql)?$/, error: "an address such as postgres://host:5432/database" });

export const connection = z
  .strictObject({
    base_url: address.optional().meta({
      schemes,
      description: "The server and its database, without a user: postgres://db.example.com:5432/crm",
    }),
    user: z.string().min(1).optional().meta({ description: "The role." }),
    password: z.string().min(1).optional().meta({ secret: true, description: "The role's password." }),
    url: address.optional().meta({
      secret: true,
      schemes,
      description: "postgres://user:password@host:5432/database; instead of the other three.",
    }),
    statement_timeout_seconds: z
      .int()
      .min(1)
      .max(25)
      .default(20)
      .meta({ description: "How long one statement may run. A batch, of several, has 30 seconds." }),
  })
  // Never without a secret: who may not name one could else reach any database that trusts this machine.
  .refine(
    ({ url, ...parts }) => {
      const given = [parts.base_url, parts.user, parts.password].filter((part) => part !== undefined).length;
      return given === (url === undefined ? 3 : 0);
    },
    { message: "Give base_url, user and password, or url alone." },
  )
  .refine(({ base_url, url }) => namesDatabase(base_url ?? url ?? ""), {
    message: "The address names a host and a database: postgres://host:5432/database",
  });

export type PostgresConfig = z.output<typeof connection>;

const usualPort = 5432;

function namesDatabase(text: string): boolean {
  if (!URL.canParse(text)) return true;
  const { hostname, pathname } = new URL(text);
  return hostname !== "" && pathname.length > 1;
}

/** Who logs in where. */
export interface Login {
  readonly server: Server;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

export function loginOf(config: PostgresConfig): Login {
  const { hostname, port, pathname, username, password, searchParams } = new URL(config.url ?? config.base_url ?? "");
  const plain = searchParams.get("sslmode") === "disable";
  return {
    server: {
      host: decodeURIComponent(hostname.replace(/^\[|\]$/g, "")),
      port: port === "" ? usualPort : Number(port),
      usualPort,
      tls: plain ? undefined : { before: askForTls },
    },
    database: decodeURIComponent(pathname.slice(1)),
    user: config.user ?? decodeURIComponent(username),
    password: config.password ?? decodeURIComponent(password),
  };
}

/** The database, without who logs in. */
export function placeOf(config: PostgresConfig): string {
  const { server, database } = loginOf(config);
  return `postgres://${server.host.toLowerCase()}:${server.port}/${database}`;
}
