import { fileURLToPath } from "node:url";
import { openRegistry } from "../../../src/registry.ts";
import type { Registry } from "../../../src/registry.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The adapters beside this file and the real kinds of mapping. */
export async function testRegistry(): Promise<Registry> {
  return await openRegistry({
    destinations: here("./destinations"),
    warehouses: here("./warehouses"),
    mappings: here("../../../mappings"),
  });
}
