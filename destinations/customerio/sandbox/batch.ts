/** `POST /api/v2/batch`: items are looked at one by one, and those that are wrong are told by their index. */
import { z } from "zod";
import type { SandboxRequest, SandboxResponse } from "../../../src/sandbox.ts";
import { taken, trackRefusal } from "./answers.ts";
import type { Values, Workspace } from "./workspace.ts";

const values = z.record(z.string(), z.unknown());

const personIdentifiers = z.union([
  z.strictObject({ id: z.string().min(1) }),
  z.strictObject({ email: z.string().min(1) }),
  z.strictObject({ phone: z.string().regex(/^\+[1-9]\d{1,14}$/) }),
  z.strictObject({ cio_id: z.string().min(1) }),
]);
const objectIdentifiers = z.strictObject({
  object_type_id: z.string().regex(/^[1-9]\d*$/),
  object_id: z.string().min(1),
});

const person = { type: z.literal("person"), identifiers: personIdentifiers };
const object = { type: z.literal("object"), identifiers: objectIdentifiers };
const relationship = z.object({ identifiers: personIdentifiers, relationship_attributes: values.default({}) });
const relationships = { cio_relationships: z.array(relationship).min(1) };

const itemSchema = z.union([
  z.object({
    ...person,
    action: z.literal("identify"),
    timestamp: z.int().optional(),
    attributes: values.default({}),
  }),
  z.object({ ...person, action: z.literal("delete") }),
  z.object({ ...object, action: z.literal("identify"), attributes: values.default({}) }),
  z.object({ ...object, action: z.literal("delete") }),
  z.object({ ...object, action: z.literal("add_relationships"), ...relationships }),
  z.object({ ...object, action: z.literal("delete_relationships"), ...relationships }),
]);

type Item = z.output<typeof itemSchema>;

interface ItemError {
  readonly reason: string;
  readonly field: string;
  readonly message: string;
}

const most = { requestBytes: 512_000, itemBytes: 32_768, nameBytes: 150, valueBytes: 1000, attributes: 300 } as const;

/** Takes a batch in. */
export function handleBatch({ body, headers }: SandboxRequest, workspace: Workspace): SandboxResponse {
  const parsed = z.object({ batch: z.array(z.unknown()).min(1) }).safeParse(body);
  if (!parsed.success) return trackRefusal(400, "required", "batch", "batch must be a list of items");
  if (Number(headers["content-length"] ?? 0) > most.requestBytes)
    return trackRefusal(400, "invalid", "batch", "request is larger than 500kb");
  const errors = parsed.data.batch.flatMap((item, index) => {
    const error = take(item, workspace);
    return error ? [{ batch_index: index, ...error }] : [];
  });
  return errors.length === 0 ? taken : { status: 207, body: { errors } };
}

function take(given: unknown, workspace: Workspace): ItemError | undefined {
  if (Buffer.byteLength(JSON.stringify(given)) > most.itemBytes)
    return wrong("invalid", "", "item is larger than 32kb");
  const parsed = itemSchema.safeParse(given);
  if (!parsed.success) return wrong("invalid", "identifiers", "identifiers or action are invalid");
  const item = parsed.data;
  const error = attributesOf(item).flatMap((attributes) => mistakes(attributes))[0] ?? identifierMistake(item);
  if (!error) apply(item, workspace);
  return error;
}

function wrong(reason: string, field: string, message: string): ItemError {
  return { reason, field, message };
}

function attributesOf(item: Item): readonly Values[] {
  if (item.action === "identify") return [item.attributes];
  if (item.action === "add_relationships")
    return item.cio_relationships.map(({ relationship_attributes: attributes }) => attributes);
  return [];
}

function mistakes(attributes: Values): readonly ItemError[] {
  if (Object.keys(attributes).length > most.attributes) return [wrong("invalid", "attributes", "too many attributes")];
  return Object.entries(attributes).flatMap(([name, value]) => {
    const bytes = Buffer.byteLength(typeof value === "string" ? value : JSON.stringify(value));
    if (Buffer.byteLength(name) > most.nameBytes) return [wrong("invalid", "attributes", "attribute name is too long")];
    if (bytes > most.valueBytes) return [wrong("invalid", `attributes.${name}`, "attribute value is too long")];
    if (name === "email" && typeof value === "string" && value !== "" && !/^\S+@\S+$/.test(value))
      return [wrong("invalid", "attributes.email", "email address is invalid")];
    return [];
  });
}

function identifierMistake({ identifiers }: Item): ItemError | undefined {
  const long = Object.entries(identifiers).some(
    ([name, value]) => name !== "email" && Buffer.byteLength(value) > most.nameBytes,
  );
  return long ? wrong("invalid", "identifiers", "identifier is too long") : undefined;
}

function apply(item: Item, workspace: Workspace): void {
  if (item.type === "person") {
    if (item.action === "delete") workspace.remove(item.identifiers);
    else workspace.identify(item.identifiers, item.attributes);
    return;
  }
  const key = [item.identifiers.object_type_id, item.identifiers.object_id] as const;
  switch (item.action) {
    case "identify":
      return workspace.identifyObject(...key, item.attributes);
    case "delete":
      return workspace.removeObject(...key);
    case "add_relationships":
      for (const one of item.cio_relationships) workspace.relate(key, one.identifiers, one.relationship_attributes);
      return;
    case "delete_relationships":
      for (const one of item.cio_relationships) workspace.unrelate(key, one.identifiers);
  }
}
