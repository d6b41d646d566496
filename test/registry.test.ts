import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openRegistry, requiredKeys } from "../src/registry.ts";
import type { Registry } from "../src/registry.ts";

const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

const zod = JSON.stringify(import.meta.resolve("zod"));
const adapter = (type: string, members: string): string =>
  `import { z } from ${zod}; export default { type: "${type}", title: "T", connection: z.object({}), ${members} };`;
const mapping = (name: string, options: string): string =>
  `import { z } from ${zod}; export default { name: "${name}", title: "T", options: z.object({ ${options} }), columns: () => [], compile() {} };`;

async function registryOf(files: Readonly<Record<string, string>>): Promise<Registry> {
  const root = await mkdtemp(join(tmpdir(), "sluice-registry-"));
  folders.push(root);
  for (const folder of ["destinations", "warehouses", "mappings"]) await mkdir(join(root, folder));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return await openRegistry({
    destinations: join(root, "destinations"),
    warehouses: join(root, "warehouses"),
    mappings: join(root, "mappings"),
  });
}

test("every adapter and kind of mapping of this installation is listed and loads", async () => {
  const registry = await openRegistry();
  for (const type of registry.destinationTypes()) expect((await registry.loadDestination(type)).type).toBe(type);
  for (const type of registry.warehouseTypes()) expect((await registry.loadWarehouse(type)).type).toBe(type);
  const kinds = await registry.mappingKinds();
  expect([...kinds.keys()]).toEqual(expect.arrayContaining(["column", "constant", "template"]));
});

test("a folder with an index.ts is an adapter; listing it imports nothing", async () => {
  const registry = await registryOf({
    "destinations/crm/index.ts": 'throw new Error("imported");',
    "destinations/notes/README.md": "no adapter",
    "warehouses/lake/index.ts": adapter("lake", "connect() {}"),
    "mappings/README.md": "# mappings",
    "mappings/presets/x.yaml": "a: 1",
  });
  expect(registry.destinationTypes()).toEqual(["crm"]);
  expect(registry.warehouseTypes()).toEqual(["lake"]);
  expect((await registry.loadWarehouse("lake")).title).toBe("T");
  expect((await registry.mappingKinds()).size).toBe(0);
  await expect(registry.loadDestination("crm")).rejects.toMatchObject({ code: "broken_adapter" });
});

test("an unknown type is refused with the nearest one and all there are", async () => {
  const registry = await registryOf({
    "destinations/hubspot/index.ts": adapter("hubspot", "limits: () => [], connect() {}"),
    "warehouses/duckdb/index.ts": adapter("duckdb", "connect() {}"),
  });
  const refused = { code: "unknown_type", hint: 'Did you mean "hubspot"? There are: hubspot.' };
  await expect(registry.loadDestination("hubspt")).rejects.toMatchObject(refused);
  await expect(registry.loadDestination("../../etc")).rejects.toMatchObject({ code: "unknown_type" });
  await expect(registry.loadWarehouse("hubspot")).rejects.toMatchObject({ code: "unknown_type" });
});

test("an adapter that breaks its contract is refused by name with what it lacks", async () => {
  const registry = await registryOf({
    "destinations/a/index.ts": adapter("a", ""),
    "destinations/b/index.ts": adapter("other", "limits: () => [], connect() {}"),
    "destinations/c/index.ts": "export const crm = 1;",
    "destinations/d/index.ts": 'export default { type: "d", title: "D", connection: {}, limits() {}, connect() {} };',
  });
  const message = async (type: string): Promise<string> =>
    await registry.loadDestination(type).then(
      () => "loaded",
      (error: Error) => error.message,
    );
  expect(await message("a")).toContain("destinations/a/index.ts lacks limits (a function), connect (a function)");
  expect(await message("b")).toContain('type "other"');
  expect(await message("c")).toContain("lacks type");
  expect(await message("d")).toContain("lacks connection (a zod object)");
});

test("two kinds of mapping that a document could not tell apart are refused", async () => {
  const fine = await registryOf({
    "mappings/a.ts": mapping("a", "a: z.string()"),
    "mappings/b.ts": mapping("b", "a: z.string(), b: z.string(), c: z.string().optional()"),
  });
  const kinds = await fine.mappingKinds();
  expect([...kinds.values()].map(requiredKeys)).toEqual([["a"], ["a", "b"]]);
  for (const options of ["a: z.number()", "x: z.string().optional()"]) {
    const registry = await registryOf({
      "mappings/a.ts": mapping("a", "a: z.string()"),
      "mappings/b.ts": mapping("b", options),
    });
    await expect(registry.mappingKinds()).rejects.toMatchObject({ code: "broken_mapping" });
  }
});
