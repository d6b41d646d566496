/** The kinds of mapping of `mappings/`, for tests of the engine. */
import { type MappingKinds, openRegistry } from "../src/registry.ts";

export async function loadMappingKinds(): Promise<MappingKinds> {
  return await (await openRegistry()).mappingKinds();
}
