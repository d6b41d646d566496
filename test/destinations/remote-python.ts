/** The remote adapter in Python that `destinations/remote/example` has, started for real. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import type { SandboxRequest, SandboxResponse, ServableSandbox } from "../../src/sandbox.ts";
import createSandbox from "../../destinations/remote/sandbox.ts";

const script = join(import.meta.dirname, "../../destinations/remote/example/adapter.py");

/** True when there is a Python. Without one its tests are skipped, and say so; under CI that is a failure. */
export function hasPython(): boolean {
  if (spawnSync("python3", ["--version"]).status === 0) return true;
  const remedy = "install python3";
  if (process.env["CI"] === "true") throw new Error(`no python3 was found: ${remedy}`);
  process.stderr.write(
    `\n*** SKIPPED: tests of the remote adapter in Python. No python3 was found: ${remedy}. ***\n\n`,
  );
  return false;
}

export interface PythonAdapter {
  readonly url: string;
  /** What its SQLite file holds: table → id → row, without what is NULL. */
  contents(): Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  empty(): void;
  stop(): Promise<void>;
}

export async function startPython(token: string): Promise<PythonAdapter> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-remote-"));
  const file = join(folder, "people.sqlite");
  const adapter = spawn("python3", [script, file, "--port", "0"], {
    env: { ...process.env, ADAPTER_TOKEN: token },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [url] = (await once(createInterface(adapter.stdout), "line")) as [string];
  const database = new DatabaseSync(file);
  return {
    url,
    contents: () => {
      const rows = database.prepare("select * from people").all();
      const people = rows.map(({ id, ...row }) => [
        String(id),
        Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)),
      ]);
      return { people: Object.fromEntries(people) as Readonly<Record<string, unknown>> };
    },
    empty: () => database.exec("delete from people"),
    stop: async () => {
      database.close();
      await ended(adapter);
      rmSync(folder, { recursive: true });
    },
  };
}

async function ended(adapter: ChildProcess): Promise<void> {
  if (adapter.exitCode !== null) return;
  const exit = once(adapter, "exit");
  adapter.kill();
  await exit;
}

/** The adapter behind a server that can break its answers as a sandbox's are broken. Each is made over an emptied file. */
export function behindFaults(adapter: PythonAdapter): ServableSandbox {
  const sandbox = createSandbox();
  adapter.empty();
  return {
    distort: (kind, response) => sandbox.distort(kind, response),
    failures: sandbox.failures,
    contents: () => adapter.contents(),
    reset: () => adapter.empty(),
    handle: (request) => forward(request, adapter.url),
  };
}

async function forward({ method, path, headers, body }: SandboxRequest, url: string): Promise<SandboxResponse> {
  const sent = ["authorization", "sluice-protocol", "content-type"].flatMap((name) =>
    headers[name] === undefined ? [] : [[name, headers[name]] as const],
  );
  const init = {
    method,
    headers: Object.fromEntries(sent),
    ...(method === "GET" ? {} : { body: JSON.stringify(body) }),
  };
  const response = await fetch(`${url}${path}`, init);
  const spoken = response.headers.get("sluice-protocol");
  return {
    status: response.status,
    ...(spoken === null ? {} : { headers: { "sluice-protocol": spoken } }),
    body: await response.json(),
  };
}
