/** Relationships of people to objects, as items of a batch. */
import { z } from "zod";
import { type Batch, type Change, DestinationError } from "../../src/destination.ts";
import { toAttributes, toIdentifier } from "./attributes.ts";
import { type Item, objectIdentifiers, type ToItems } from "./items.ts";

/** The fields that name a relationship's person, by the identifier that each holds. */
const personFields = { person_id: "id", person_email: "email", person_cio_id: "cio_id" } as const;

/** Both ends of a relationship, which are all the identity that it has. */
const pairSchema = z.strictObject({
  object_id: z.string(),
  person: z.strictObject({ field: z.enum(["person_id", "person_email", "person_cio_id"]), value: z.string() }),
});

type Pair = z.infer<typeof pairSchema>;

/** Relationships to objects of one type. A row that names another pair now gives up the one that it had. */
export function relationshipItems(typeId: string, datetimes: readonly string[], batch: Batch): ToItems {
  const personField = personFieldOf(batch);
  const wanted = new Set(batch.changes.map(({ match }) => textOf(match["object_id"], match[personField])));
  return (change) => {
    const pair = pairOf(change, personField);
    if (batch.operation === "delete") return { items: [untied(typeId, pair)] };
    const { object_id: _object, [personField]: _person, ...others } = change.record;
    const attributes = toAttributes(others, { datetimes, reserved: [] });
    const tied: Item = {
      ...endOf(typeId, pair),
      action: "add_relationships",
      cio_relationships: [{ identifiers: identifiersOf(pair), relationship_attributes: attributes }],
    };
    const former = change.renamed ? parsePair(change.destinationId) : undefined;
    // What another row of the batch ties stays tied.
    const givenUp =
      former && !wanted.has(textOf(former.object_id, former.person.value)) ? [untied(typeId, former)] : [];
    return { items: [...givenUp, tied], destinationId: JSON.stringify(pair) };
  };
}

function personFieldOf({ match }: Batch): keyof typeof personFields {
  const fields = (["person_id", "person_email", "person_cio_id"] as const).filter((field) => match.includes(field));
  const [field] = fields;
  if (field !== undefined && fields.length === 1 && match.includes("object_id")) return field;
  const message = `A relationship is matched by object_id and one of ${Object.keys(personFields).join(", ")}.`;
  throw new DestinationError("refused", message, { code: "match_incomplete", applied: "no" });
}

function pairOf({ match }: Change, field: keyof typeof personFields): Pair {
  const object_id = toIdentifier(match["object_id"], "object_id");
  return { object_id, person: { field, value: toIdentifier(match[field], field) } };
}

function parsePair(destinationId: string | undefined): Pair | undefined {
  try {
    return pairSchema.safeParse(JSON.parse(destinationId ?? "null")).data;
  } catch {
    return undefined;
  }
}

function textOf(objectId: unknown, person: unknown): string {
  return JSON.stringify([objectId, person]);
}

function endOf(typeId: string, { object_id }: Pair): Pick<Item, "type" | "identifiers"> {
  return { type: "object", identifiers: objectIdentifiers(typeId, object_id) };
}

function identifiersOf({ person: { field, value } }: Pair): Readonly<Record<string, string>> {
  return { [personFields[field]]: value };
}

function untied(typeId: string, pair: Pair): Item {
  const cio_relationships = [{ identifiers: identifiersOf(pair) }];
  return { ...endOf(typeId, pair), action: "delete_relationships", cio_relationships };
}
