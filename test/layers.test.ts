/**
 * Who may import whom, as a table. A room that is not in the table may import nothing of the project, so a new room
 * has to be thought about here first.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

const contracts = ["src/destination.ts", "src/mapping.ts", "src/warehouse.ts"];
const words = ["src/errors.ts", "src/nearest.ts"];

/** Folder or file → what it may import. The longest match decides; a folder may always import itself. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  "destinations/": ["src/destination.ts", "src/json-api.ts"],
  "destinations/*/sandbox": ["src/sandbox.ts", "src/rate-window.ts", "src/token-endpoint.ts"],
  "mappings/": ["src/mapping.ts"],

  "src/errors.ts": [],
  "src/nearest.ts": [],
  "src/repeat.ts": [],
  "src/log.ts": [],
  "src/config.ts": [...words],
  "src/destination.ts": [],
  "src/json-api.ts": ["src/destination.ts"],
  "src/warehouse.ts": [],
  "src/mapping.ts": ["src/warehouse.ts"],
  "src/sandbox.ts": [],
  "src/serve-sandbox.ts": ["src/sandbox.ts"],
  "src/rate-window.ts": [],
  "src/token-endpoint.ts": [],
  "src/address-guard.ts": [],
  "src/fetch.ts": ["src/address-guard.ts", "src/destination.ts", ...words],
  "src/dial.ts": ["src/address-guard.ts", "src/destination.ts", "src/fetch.ts", ...words],
  "src/registry.ts": [...contracts, "src/sandbox.ts", ...words],

  "src/documents/": [...contracts, "src/registry.ts", "src/sync/ports.ts", ...words],
  "src/warehouses/": ["src/warehouse.ts", ...words],
  "src/sync/": [...contracts, ...words],
  "src/triggers/": [],
  "src/connection/": ["src/destination.ts", "src/fetch.ts", "src/sync/ports.ts", ...words],
  "src/security/": [...words],
  "src/store/": [
    "src/documents/",
    "src/security/",
    "src/sync/ports.ts",
    "src/sync/sent.ts",
    "src/triggers/",
    "src/warehouse.ts",
    ...words,
  ],
  "src/operations/": [
    ...contracts,
    "src/connection/",
    "src/dial.ts",
    "src/documents/",
    "src/fetch.ts",
    "src/registry.ts",
    "src/repeat.ts",
    "src/security/",
    "src/store/",
    "src/sync/",
    "src/triggers/",
    ...words,
  ],
  "src/queue/": [
    "src/operations/",
    "src/repeat.ts",
    "src/store/",
    "src/sync/ports.ts",
    "src/triggers/",
    "src/log.ts",
    ...words,
  ],
  "src/api/": [
    "src/operations/",
    "src/security/",
    "src/documents/",
    "src/destination.ts",
    "src/sync/ports.ts",
    "src/telemetry/",
    "src/log.ts",
    ...words,
  ],
  "src/telemetry/": ["src/operations/run-schemas.ts"],
  "src/cli/": [
    "src/operations/",
    "src/security/",
    "src/documents/",
    "src/destination.ts",
    "src/warehouse.ts",
    "src/sync/ports.ts",
    "src/config.ts",
    "src/serve-sandbox.ts",
    ...words,
  ],
  "src/cli/sluice.js": ["src/main.ts"],
};

/** What the engine must never know, by package name. */
const forbiddenPackages: Readonly<Record<string, readonly string[]>> = {
  "src/sync/": [
    "fastify",
    "bullmq",
    "ioredis",
    "pg",
    "kysely",
    "snowflake-sdk",
    "@duckdb/node-api",
    "undici",
    "@hubspot/api-client",
  ],
  "src/warehouses/": ["fastify", "bullmq", "ioredis", "kysely"],
  "src/api/": ["bullmq", "ioredis", "pg", "kysely"],
  "src/cli/": ["bullmq", "ioredis", "pg", "kysely"],
  "destinations/": [
    "bullmq",
    "ioredis",
    "pg",
    "kysely",
    "undici",
    // What would go round the guard of addresses.
    "node:net",
    "node:tls",
    "node:http",
    "node:https",
    "node:http2",
    "node:dgram",
    "node:child_process",
  ],
};

/** Who may know one all the same: the adapter whose protocol it speaks, over a stream that it is given. */
const exempted: readonly (readonly [folder: string, name: string])[] = [["destinations/postgres/", "pg"]];

/** What wires the rooms together. Nothing else may import it. */
const wiring: readonly string[] = ["src/main.ts", "src/serve.ts", "src/open-service.ts"];

interface Import {
  readonly from: string;
  readonly to: string;
}

const sources = ["src", "destinations", "mappings"]
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  )
  .filter((path) => /\.(ts|js)$/.test(path));

const imports: readonly Import[] = sources.flatMap((from) => {
  const text = readFileSync(join(root, from), "utf8");
  const targets = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] ?? "");
  return targets.map((target) => ({
    from,
    to: target.startsWith(".") ? relative(root, normalize(join(root, dirname(from), target))) : target,
  }));
});

function matches(path: string, pattern: string): boolean {
  const expression = pattern.replaceAll(/[.]/g, "\\.").replaceAll("*", "[^/]+");
  return new RegExp(`^${expression}`).test(path);
}

function rule(path: string): string | undefined {
  return Object.keys(allowed)
    .filter((pattern) => matches(path, pattern))
    .toSorted((a, b) => b.length - a.length)[0];
}

function sameRoom(from: string, to: string): boolean {
  const room = (path: string): string => {
    const [first = "", second = "", third = ""] = path.split("/");
    return first === "src"
      ? `${first}/${third === "" ? path : second}`
      : first === "mappings"
        ? path
        : `${first}/${second}`;
  };
  return room(from) === room(to);
}

/** The vendor's side: a server of its own. */
function isSandbox(path: string): boolean {
  return /^(src\/warehouses|destinations)\/[^/]+\/sandbox/.test(path);
}

function isAllowed({ from, to }: Import): boolean {
  if (!/^(src|destinations|mappings)\//.test(to)) return true;
  if (sameRoom(from, to)) return true;
  if (wiring.includes(from)) return to !== "src/cli/sluice.js" && to !== "src/main.ts";
  const pattern = rule(from);
  return pattern !== undefined && (allowed[pattern] ?? []).some((target) => matches(to, target));
}

const importedBy = Map.groupBy(imports, ({ from }) => from);

/** The shortest way from a file through its imports back to itself. */
function circleFrom(start: string): readonly string[] | undefined {
  const ways = [[start]];
  const reached = new Set<string>();
  for (const way of ways) {
    for (const { to } of importedBy.get(way.at(-1) ?? "") ?? []) {
      if (to === start) return [...way, start];
      if (!reached.has(to)) ways.push([...way, to]);
      reached.add(to);
    }
  }
  return undefined;
}

/** Circles, each told from the first of its files by name. */
function circles(): readonly string[] {
  return sources.flatMap((start) => {
    const circle = circleFrom(start) ?? [];
    return circle.toSorted()[0] === start ? [circle.join(" → ")] : [];
  });
}

describe("the house keeps its rules", () => {
  test("every import is one that the table allows", () => {
    const broken = imports.filter((one) => !isAllowed(one)).map(({ from, to }) => `${from} imports ${to}`);
    expect(broken).toEqual([]);
  });

  test("only the command's entry imports what wires the house", () => {
    const importers = imports.filter(({ from, to }) => wiring.includes(to) && !wiring.includes(from));
    expect(importers).toEqual([{ from: "src/cli/sluice.js", to: "src/main.ts" }]);
  });

  test("no file comes back to itself through what it imports", () => {
    expect(circles()).toEqual([]);
  });

  test.each(Object.entries(forbiddenPackages))("%s knows nothing of %j", (folder, packages) => {
    const broken = imports.filter(
      ({ from, to }) =>
        from.startsWith(folder) &&
        !isSandbox(from) &&
        !exempted.some(([room, name]) => from.startsWith(room) && name === to) &&
        packages.some((name) => to === name || to.startsWith(`${name}/`)),
    );
    expect(broken).toEqual([]);
  });

  test("a sandbox and what it imitates know nothing of each other", () => {
    const broken = imports.filter(
      ({ from, to }) => /^(src\/warehouses|destinations)\//.test(to) && isSandbox(from) !== isSandbox(to),
    );
    expect(broken).toEqual([]);
  });

  test("the engine reads no wall clock and rolls no dice of its own", () => {
    const broken = sources
      .filter((path) => path.startsWith("src/sync/"))
      .filter((path) =>
        /Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval|performance\.now/.test(
          readFileSync(join(root, path), "utf8"),
        ),
      );
    expect(broken).toEqual([]);
  });
});
