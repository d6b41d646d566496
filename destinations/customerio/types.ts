/** The workspace's object types, which only the App API lists. */
import { z } from "zod";
import { DestinationError } from "../../src/destination.ts";
import { parseAnswer } from "./answers.ts";
import type { CustomerioApi } from "./api.ts";
import type { ObjectType } from "./objects.ts";

const typesSchema = z.object({
  types: z.array(
    z.object({
      id: z.coerce.string(),
      name: z.string().default(""),
      slug: z.string().optional().catch(undefined),
      enabled: z.boolean().default(true),
    }),
  ),
});

/** The object types that are switched on; none where there is no key for the App API. */
export async function objectTypes({ app }: CustomerioApi, signal?: AbortSignal): Promise<readonly ObjectType[]> {
  if (!app) return [];
  const { types } = parseAnswer(typesSchema, await app("GET", "v1/object_types", undefined, signal));
  return types
    .filter(({ enabled }) => enabled)
    .map(({ id, name, slug }) => ({
      object: slug ?? byNumber(id),
      title: name === "" ? `Objects of type ${id}` : name,
      typeId: id,
    }));
}

/** The type that a sync means by its slug, name or number. A number is believed where nothing can be looked up. */
export function findType(wanted: string, types: readonly ObjectType[]): ObjectType | undefined {
  const typeId = /^(?:object_type_)?([1-9]\d*)$/.exec(wanted)?.[1];
  const found = types.find(
    (type) => type.object === wanted || type.title.toLowerCase() === wanted.toLowerCase() || type.typeId === typeId,
  );
  if (found) return { ...found, object: wanted };
  if (typeId === undefined || types.length > 0) return undefined;
  return { object: wanted, title: `Objects of type ${typeId}`, typeId };
}

function byNumber(id: string): string {
  return `object_type_${id}`;
}

/** Says which object or type there is not, and which there are. */
export function unknownObject(
  object: string,
  fixed: readonly string[],
  types: readonly ObjectType[],
): DestinationError {
  const names = [...fixed, ...types.map((type) => type.object)].join(", ");
  const more =
    types.length > 0 ? "" : " Object types are named by number, such as object_type_1, or with app_api_key by name.";
  return new DestinationError("refused", `Customer.io has no object "${object}". There are: ${names}.${more}`, {
    code: "unknown_object",
    applied: "no",
  });
}
