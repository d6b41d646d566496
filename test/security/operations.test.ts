/** Attacks 81–84: the queue, what is installed, and the container. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createPostgresBackend, withBackend } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { readConfig } from "../../src/config.ts";
import { performRun } from "../../src/operations/perform.ts";
import { openQueue } from "../../src/queue/queue.ts";
import { newRun, until } from "../queue/queues.ts";
import { hasRedis, startRedis } from "../redis.ts";
import { House } from "./house.ts";

const root = join(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");

describe("the queue", () => {
  let house: House;
  beforeAll(async () => {
    house = await House.open();
  });
  afterAll(() => house?.[Symbol.asyncDispose]());

  test("81: of a job only an id is read; one that was forged does nothing, and the next is done", async () => {
    const { service } = house;
    const errors: unknown[] = [];
    const queue = await openQueue({ store: service.store, onError: (error) => errors.push(error) });
    const bull = withBackend(createPostgresBackend);
    const forger = new bull.Queue("runs", { connection: service.store.pool });
    await forger.waitUntilReady();
    const asked: unknown[] = [];
    queue.work(
      async (id, signal) => {
        asked.push(id);
        await performRun(id, service, { signal });
      },
      { concurrency: 1 },
    );
    const before = await house.stored();
    const { run } = await house.operations.startRun("companies", { kind: "changes", trigger: "test" });
    const forged: readonly unknown[] = [
      {},
      { run: null },
      { run: 7 },
      { run: { $ne: null } },
      { run: ["run_a", "run_b"] },
      { run: "'; drop table app.runs; --" },
      { run: "run_unknown" },
      { run: "../../etc/passwd" },
      JSON.parse('{"__proto__":{"run":"run_x"},"constructor":{"prototype":{"polluted":1}}}'),
      { sql: "drop table app.runs", url: "http://169.254.169.254/", sync: "companies" },
      "text",
      null,
    ];
    for (const [index, data] of forged.entries())
      await forger.add("run", data, { jobId: `forged-${index}`, removeOnFail: true, removeOnComplete: true });
    // Only the doorbell is real: what else the job says is not read.
    await forger.add(
      "run",
      { run, sync: "other", sql: "select 1", destination: "https://evil.example" },
      { jobId: "real" },
    );
    await until(async () => (await service.store.runs.get(run)).endedAt !== null);
    expect(await service.store.runs.get(run)).toMatchObject({ sync: "companies", status: "succeeded" });
    expect(asked.filter((id) => typeof id !== "string")).toEqual([]);
    expect((await service.store.runs.list({ limit: 10 })).data).toHaveLength(1);
    expect(await house.stored()).toBe(before);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
    await queue.close(1000);
    await forger.close();
  });

  test.runIf(hasRedis())("82: whoever reads Redis finds the ids of runs and nothing else", async () => {
    const redis = await startRedis();
    const queue = await openQueue({ redisUrl: redis.url, store: house.service.store, onError: () => undefined });
    const reader = new Redis(redis.url);
    try {
      const run = await newRun(house.service.store);
      await queue.ring(run);
      const found: string[] = [];
      for (const key of await reader.keys("*")) {
        const type = await reader.type(key);
        if (type === "hash") found.push(...Object.values(await reader.hgetall(key)));
      }
      const data = found.filter((value) => value.includes("run"));
      expect(data).toContain(JSON.stringify({ run }));
      expect(data.filter((value) => !/^\{"run":"run_\w+"\}$|^run$/.test(value) && value.includes('{"run"'))).toEqual(
        [],
      );
      expect(found.join("\n")).not.toMatch(/accounts|hubspot|select|Account/i);
    } finally {
      reader.disconnect();
      await queue.close(0);
      await redis.stop();
    }
  });
});

test("82: a Redis or a Postgres beyond this machine is not used without a password", () => {
  const open = ["redis://redis:6379", "rediss://redis.internal", "postgres://sluice@db/sluice", "postgresql://db"];
  const closed = [
    "redis://127.0.0.1:6379",
    "redis://localhost",
    "redis://:secret@redis:6379",
    "postgres://sluice:secret@db/sluice",
    "postgres://postgres@localhost:5432/sluice",
    "postgres://sluice@db/sluice?sslcert=client.pem",
  ];
  const setting = (url: string): NodeJS.ProcessEnv => ({
    [url.startsWith("redis") ? "SLUICE_REDIS_URL" : "SLUICE_DATABASE_URL"]: url,
  });
  for (const url of open)
    expect(() => readConfig(setting(url))).toThrow(expect.objectContaining({ code: "open_to_all" }));
  for (const url of closed) expect(() => readConfig(setting(url))).not.toThrow();
  expect(() => readConfig({ ...setting("postgres://sluice@db/sluice"), PGPASSWORD: "secret" })).not.toThrow();
});

describe("what is installed", () => {
  const versions = z.record(z.string(), z.string());
  const packageFile = z
    .looseObject({
      dependencies: versions,
      devDependencies: versions,
      overrides: versions,
      allowScripts: z.record(z.string(), z.boolean()),
    })
    .parse(JSON.parse(read("package.json")));
  const lockFile = z
    .looseObject({
      lockfileVersion: z.literal(3),
      packages: z.record(
        z.string(),
        z.looseObject({
          version: z.string().optional(),
          resolved: z.string().optional(),
          integrity: z.string().optional(),
          link: z.boolean().optional(),
          inBundle: z.boolean().optional(),
          hasInstallScript: z.boolean().optional(),
        }),
      ),
    })
    .parse(JSON.parse(read("package-lock.json")));
  const { "": project, ...installed } = lockFile.packages;

  test("83: every version is exact, and what is locked is what is asked for", () => {
    const { dependencies, devDependencies, overrides } = packageFile;
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...overrides }))
      expect([name, version]).toEqual([name, expect.stringMatching(/^\d+\.\d+\.\d+(-[\w.]+)?$/)]);
    expect(project).toMatchObject({ dependencies, devDependencies });
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
      expect([name, installed[`node_modules/${name}`]?.version]).toEqual([name, version]);
  });

  test("83: everything comes from the registry, is known by its hash, and nothing from git or a tarball", () => {
    // Without a `resolved` it comes from the registry that npm is set to.
    const registry = "https://registry.npmjs.org/";
    for (const [path, { resolved = registry, integrity = "", link, inBundle }] of Object.entries(installed)) {
      expect([path, link]).toEqual([path, undefined]);
      expect([path, resolved.startsWith(registry)]).toEqual([path, true]);
      expect([path, inBundle === true || /^sha512-[A-Za-z0-9+/]{86}==/.test(integrity)]).toEqual([path, true]);
    }
  });

  test("83: no install script runs that was not looked at, and none in production", () => {
    const scripted = Object.entries(installed).filter(([, { hasInstallScript }]) => hasInstallScript === true);
    const names = scripted.map(([path]) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length));
    for (const name of names) expect(Object.keys(packageFile.allowScripts)).toContain(name);
    const allowed = Object.entries(packageFile.allowScripts).filter(([, isAllowed]) => isAllowed);
    for (const [name] of allowed) expect(Object.keys(packageFile.devDependencies)).toContain(name);
    expect(read("Dockerfile")).toMatch(/npm ci --omit=dev --ignore-scripts/);
    expect(read(".ci/run")).toMatch(/^npm ci/m);
  });

  test("83: what had a hole is newer than the hole", () => {
    const floors = { fastify: "5.12.1", undici: "7.30.2", liquidjs: "10.27.2", "snowflake-sdk": "1.6.21" };
    for (const [name, floor] of Object.entries(floors)) {
      const version = packageFile.dependencies[name] ?? "0";
      expect([name, version.localeCompare(floor, "en", { numeric: true }) >= 0]).toEqual([name, true]);
    }
    for (const name of ["vm2", "jsonata", "ip", "axios", "request"])
      expect(Object.keys(packageFile.dependencies)).not.toContain(name);
  });
});

describe("the container", () => {
  const service = z.looseObject({
    user: z.string().optional(),
    privileged: z.boolean().optional(),
    read_only: z.boolean().optional(),
    tmpfs: z.array(z.string()).optional(),
    cap_add: z.array(z.string()).optional(),
    cap_drop: z.array(z.string()).optional(),
    security_opt: z.array(z.string()).optional(),
    ports: z.array(z.string()).optional(),
    volumes: z.array(z.string()).optional(),
    network_mode: z.string().optional(),
    pid: z.string().optional(),
  });
  const { services } = z
    .looseObject({ services: z.record(z.string(), service) })
    .parse(parse(read("compose.yaml"), { merge: true }));

  test("84: runs as a user who is nobody, on a root that cannot be written, and gains nothing", () => {
    const stage =
      read("Dockerfile")
        .split(/^FROM /m)
        .at(-1) ?? "";
    expect([...stage.matchAll(/^USER (\S+)/gm)].at(-1)?.[1]).toBe("node");
    expect(stage).not.toMatch(/\bsudo\b|chmod \+s|--privileged|\bADD\b/);
    for (const name of ["api", "worker"]) {
      expect(services[name]).toMatchObject({
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: expect.arrayContaining(["no-new-privileges:true"]),
      });
      const { user, privileged, cap_add, network_mode, pid, volumes = [] } = services[name] ?? {};
      expect([user, privileged, cap_add, network_mode, pid]).toEqual(Array(5).fill(undefined));
      for (const volume of volumes) expect(volume).not.toMatch(/docker\.sock|^\/:|:\/(?:etc|proc|sys|root)/);
      expect(volumes.filter((volume) => volume.startsWith("./") && !volume.endsWith(":ro"))).toEqual([]);
    }
  });

  test("84: nothing but the API is reached from outside, and that from the machine itself only", () => {
    for (const [name, { ports = [] }] of Object.entries(services))
      for (const port of ports) expect([name, port]).toEqual(["api", expect.stringMatching(/^127\.0\.0\.1:/)]);
    const compose = read("compose.yaml");
    expect(compose).toMatch(/--requirepass/);
    expect(compose).toMatch(/noeviction/);
    // A password that is not set stops the start; none is written out.
    expect(compose).toMatch(/\$\{POSTGRES_PASSWORD:\?/);
    expect(compose).toMatch(/\$\{REDIS_PASSWORD:\?/);
    expect(read(".dockerignore")).toMatch(/\.env|\*\*|\.sluice/);
  });
});
