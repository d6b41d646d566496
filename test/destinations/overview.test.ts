import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openRegistry } from "../../src/registry.ts";
import { overview, page } from "./overview.ts";

test("the overview of all destinations is what they declare; `npm run docs` writes it anew", async () => {
  expect(readFileSync(page, "utf8")).toBe(await overview());
});

const registry = await openRegistry();

test.each(registry.destinationTypes())(
  "the README of %s has how to connect, every setting, and the limits",
  async (type) => {
    const readme = readFileSync(join(import.meta.dirname, "../../destinations", type, "README.md"), "utf8");
    expect(readme).toContain(`type: ${type}`);
    expect(readme).toMatch(/limit/i);
    const { connection } = await registry.loadDestination(type);
    expect(Object.keys(connection.shape).filter((setting) => !readme.includes(setting))).toEqual([]);
  },
);
