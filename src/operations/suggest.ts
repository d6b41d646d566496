/** Which columns a sync could map, by their names. */
import { resolveSync } from "../documents/resolve.ts";
import type { Field } from "../destination.ts";
import { prepareModel } from "../sync/prepare.ts";
import type { World } from "../sync/world.ts";
import { openDestination, openWarehouse, plannerName } from "./connect.ts";
import { storedDocuments } from "./documents.ts";
import type { SuggestionView } from "./schemas.ts";
import type { Service } from "./service.ts";

/** Pairs every field that is not mapped yet with the column of the same name, however either is spelled. */
export async function suggestMapping(sync: string, service: Service): Promise<SuggestionView> {
  const kinds = await service.registry.mappingKinds();
  const { spec, source, destination } = resolveSync(await storedDocuments(service), sync, kinds);
  const signal = new AbortController().signal;
  await using opened = new AsyncDisposableStack();
  const warehouse = opened.adopt(await openWarehouse(source, service), (one) => one.close());
  const { connection, place } = opened.use(await openDestination(destination, service));
  const stateOf: World["stateOf"] = (one) => plannerName(one, place);
  const { modelColumns, columns: used } = await prepareModel(spec, { warehouse, connection, kinds, stateOf }, signal);
  const object = await connection.describe(spec.object, spec.settings, signal);
  const mapped = new Set([...spec.fields.map(({ target }) => target), ...Object.keys(spec.match)]);
  const free = object.fields.filter(({ name, writable }) => writable && !mapped.has(name));
  const left = new Map(
    modelColumns
      .filter((column) => !used.includes(column) && column.lookup === undefined)
      .map(({ name }) => [wordsOf(name), name] as const),
  );
  const fields: Record<string, string> = {};
  for (const field of free) {
    const words = [field.name, field.title].map(wordsOf).find((spelled) => left.has(spelled));
    if (words === undefined) continue;
    fields[field.name] = left.get(words) ?? "";
    left.delete(words);
  }
  const needed = ({ name, required = false }: Field): boolean => required && !Object.hasOwn(fields, name);
  return {
    sync,
    fields,
    columns_left: [...left.values()],
    required_left: free.filter(needed).map(({ name }) => name),
  };
}

/** `firstName`, `FIRST_NAME` and `First name` are one; a custom field's mark is no part of its name. */
function wordsOf(name: string): string {
  return name
    .replace(/__c$/, "")
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, "");
}
