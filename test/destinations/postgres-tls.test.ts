/** The Postgres destination over TLS and with a password, on a server that asks for both. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import postgres from "../../destinations/postgres/index.ts";
import { openRequest } from "../../src/connection/request.ts";
import { createDial } from "../../src/dial.ts";
import { type PostgresServer, startPostgresServer } from "../postgres.ts";
import { contextOf } from "./context.ts";
import { failureOf } from "./checks.ts";
import { swiftClock } from "./place.ts";
import { unlimited } from "../memory-ledger.ts";

const trusted = getCACertificates("default");
let server: PostgresServer;
let owner: pg.Client;
let address: string;

beforeAll(async () => {
  server = await startPostgresServer();
  const url = new URL(await server.database());
  address = `${url.port}${url.pathname}`;
  owner = new pg.Client({ connectionString: url.href });
  await owner.connect();
  const { rows } = await owner.query<{ data_directory: string }>("show data_directory");
  const folder = rows[0]?.data_directory ?? "";
  const made = ["-keyout", "server.key", "-out", "server.crt", "-subj", "/CN=db.test", "-days", "2"];
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", ...made, "-addext", "subjectAltName=DNS:db.test"];
  execFileSync("openssl", request, { cwd: folder, stdio: "pipe" });
  const { uid, gid } = statSync(folder);
  for (const file of ["server.key", "server.crt"]) {
    chownSync(join(folder, file), uid, gid);
    chmodSync(join(folder, file), 0o600);
  }
  const rules = "host all sluice 127.0.0.1/32 trust\nhostssl all guarded 127.0.0.1/32 scram-sha-256\n";
  writeFileSync(join(folder, "pg_hba.conf"), rules);
  await owner.query("create role guarded login password 'scram-pass-81'");
  await owner.query("alter system set ssl = on");
  await owner.query("select pg_reload_conf()");
  while ((await owner.query<{ ssl: string }>("show ssl")).rows[0]?.ssl !== "on") await sleep(20);
  setDefaultCACertificates([...trusted, readFileSync(join(folder, "server.crt"), "utf8")]);
});
afterAll(async () => {
  setDefaultCACertificates(trusted);
  await owner?.end();
  await server?.stop();
});

function connect(
  settings: Readonly<Record<string, unknown>>,
  { host = "db.test", query = "", allowed = ["127.0.0.0/8"] } = {},
): ReturnType<typeof postgres.connect> {
  const base_url = `postgres://${host}:${address}${query}`;
  const config = postgres.connection.parse({ base_url, user: "guarded", password: "scram-pass-81", ...settings });
  const resolve = async (): Promise<readonly string[]> => ["127.0.0.1"];
  const dial = createDial({ adapter: postgres, name: "crm", secrets: [], allowed, resolve });
  const turns = unlimited;
  const request = openRequest({ turns, clock: swiftClock(), secrets: [], onExchange: () => undefined });
  return postgres.connect(config as Parameters<typeof postgres.connect>[0], { ...contextOf(fetch), dial, request });
}

test("is reached under TLS, at the name that its certificate has, and logs in", async () => {
  const connection = connect({});
  expect((await connection.check()).account).toContain("as guarded");
  const { rows } = await owner.query(
    "select ssl, version from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'sluice'",
  );
  expect(rows).toEqual([{ ssl: true, version: expect.stringMatching(/^TLSv1\.[23]$/) }]);
  await connection.close?.();
});

test("is not asked at another name, nor without TLS unless the host is allowed by name", async () => {
  const other = await failureOf(connect({}, { host: "other.test" }).check());
  expect(other).toMatchObject({ kind: "unavailable", code: "unreachable", applied: "no" });
  expect(other.message).toMatch(/altname|certificate/i);
  const query = "?sslmode=disable";
  expect(await failureOf(connect({}, { query }).check())).toMatchObject({ code: "address_refused" });
  // Let through, the server itself refuses it.
  const plain = await failureOf(connect({}, { query, allowed: ["db.test"] }).check());
  expect(plain).toMatchObject({ kind: "unauthorized", code: "28000" });
});

test("whose password is wrong or missing stops the run", async () => {
  const wrong = { kind: "unauthorized", applied: "no" };
  expect(await failureOf(connect({ password: "scram-pass-82" }).check())).toMatchObject({ ...wrong, code: "28P01" });
  const url = `postgres://guarded@db.test:${address}`;
  const none = connect({ base_url: undefined, user: undefined, password: undefined, url });
  expect(await failureOf(none.check())).toMatchObject({ ...wrong, code: "login_failed" });
});
