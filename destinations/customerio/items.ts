/** Changes as the items of a batch: what is to be done with one person or one object. */
import {
  type Batch,
  type Change,
  DestinationError,
  type DestinationRecord,
  type Value,
} from "../../src/destination.ts";
import type { Reason } from "./answers.ts";
import { type Attributes, toAttributes, toIdentifier, Unsendable } from "./attributes.ts";

type Identifiers = Readonly<Record<string, string>>;

/** One entry of `batch`. */
export interface Item {
  readonly type: "person" | "object";
  readonly identifiers: Identifiers;
  readonly action: "identify" | "delete" | "add_relationships" | "delete_relationships";
  /** Unix seconds: which of two updates of a person came later. */
  readonly timestamp?: number;
  readonly attributes?: Attributes;
  readonly cio_relationships?: readonly Relationship[];
}

interface Relationship {
  readonly identifiers: Identifiers;
  readonly relationship_attributes?: Attributes;
}

/** What a change becomes: mostly one item. */
export interface Sendable {
  readonly items: readonly Item[];
  /** What the record is found by later, beside its match values. */
  readonly destinationId?: string;
}

/** A change as it will be sent, or why it cannot be. */
export type Draft =
  | { readonly seq: number; readonly sendable: Sendable }
  | { readonly seq: number; readonly reason: Reason };

/** How the changes to an object become items. Throws Unsendable. */
export type ToItems = (change: Change, batch: Batch) => Sendable;

/** An item of a batch has at most so many bytes, and a request all of them. KB may mean 1,000 or 1,024. */
const most = { itemBytes: 32_000, requestBytes: 500_000 } as const;

/** One draft for each change of a batch, in the batch's order. */
export function toDrafts(batch: Batch, toItems: ToItems): readonly Draft[] {
  return batch.changes.map((change) => {
    try {
      const sendable = toItems(change, batch);
      for (const item of sendable.items) checkItemSize(item);
      return { seq: change.seq, sendable };
    } catch (error) {
      if (error instanceof Unsendable) return { seq: change.seq, reason: error.reason };
      throw error;
    }
  });
}

function checkItemSize(item: Item): void {
  const bytes = sizeOf(item);
  if (bytes <= most.itemBytes) return;
  throw new Unsendable("too_large", `The row makes ${bytes} bytes; Customer.io takes ${most.itemBytes}.`);
}

/** Throws `refused` for more than one request takes: the service halves the batch. */
export function checkRequestSize(items: readonly Item[]): void {
  const bytes = sizeOf({ batch: items });
  if (bytes <= most.requestBytes) return;
  const message = `The batch makes ${bytes} bytes; Customer.io takes ${most.requestBytes}.`;
  throw new DestinationError("refused", message, { code: "request_too_large", applied: "no" });
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** The identifiers of a person, any one of which finds it. */
export const personIdentifiers = ["id", "email", "phone"] as const;

/** Beneath `attributes`, these would be taken for identifiers and switches. */
const reservedOfPeople = [...personIdentifiers, "cio_id", "_update", "cio_subscription_preferences"];

/** People. `now` is the time of the request, in milliseconds. */
export function personItems(datetimes: readonly string[], now: number): ToItems {
  return (change, { operation, match: [field = ""] }) => {
    const identifiers = { [field]: toIdentifier(change.match[field], field) };
    if (operation === "delete") return { items: [{ type: "person", identifiers, action: "delete" }] };
    const values = operation === "clear" ? withoutIdentifiers(change.record) : change.record;
    const { [field]: own, ...others } = values;
    checkOwn(own, change.match[field], field);
    checkIdentifiers(others);
    const attributes = toAttributes(others, { datetimes, reserved: reservedOfPeople });
    // Who is gone has nothing to clear, and must not come back as an empty person.
    const switches = operation === "clear" ? { _update: true } : {};
    const identify = { type: "person", identifiers, action: "identify", timestamp: Math.floor(now / 1000) } as const;
    return { items: [{ ...identify, attributes: { ...attributes, ...switches } }] };
  };
}

/** Customer.io keeps a person's identifiers, whatever it is sent to clear them, and answers 200. */
function withoutIdentifiers(record: DestinationRecord): DestinationRecord {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !isPersonIdentifier(name)));
}

function checkIdentifiers(record: DestinationRecord): void {
  for (const [name, value] of Object.entries(record).filter(([field]) => isPersonIdentifier(field))) {
    if (value !== null) toIdentifier(value, name);
    else throw new Unsendable("cannot_clear", `Customer.io keeps a person's ${name}; use when_null: skip.`, name);
  }
}

function isPersonIdentifier(name: string): boolean {
  return (personIdentifiers as readonly string[]).includes(name);
}

/** What finds a record may be mapped too, but to nothing else. As a match, an e-mail address comes in lower case. */
function checkOwn(mapped: Value | undefined, matched: Value | undefined, field: string): void {
  if (mapped === undefined) return;
  const [one, other] = [toIdentifier(mapped, field), toIdentifier(matched, field)];
  if (one === other || (field === "email" && one.trim().toLowerCase() === other.toLowerCase())) return;
  const message = `The row's ${field} finds its record, so it cannot be changed by it.`;
  throw new Unsendable("identifier_differs", message, field);
}

/** Objects of one type. */
export function objectItems(typeId: string, datetimes: readonly string[]): ToItems {
  return ({ match, record }, { operation }) => {
    const identifiers = objectIdentifiers(typeId, match["object_id"]);
    if (operation === "delete") return { items: [{ type: "object", identifiers, action: "delete" }] };
    const { object_id: own, ...others } = record;
    checkOwn(own, match["object_id"], "object_id");
    const attributes = toAttributes(others, { datetimes, reserved: ["object_id", "object_type_id", "cio_object_id"] });
    return { items: [{ type: "object", identifiers, action: "identify", attributes }] };
  };
}

/** What finds an object of a type. Throws Unsendable. */
export function objectIdentifiers(typeId: string, id: Value | undefined): Identifiers {
  return { object_type_id: typeId, object_id: toIdentifier(id, "object_id") };
}
