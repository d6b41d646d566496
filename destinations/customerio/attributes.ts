/** A record's fields as Customer.io's attributes, within its limits: what it would refuse is rejected here. */
import type { DestinationRecord, Value } from "../../src/destination.ts";
import type { Reason } from "./answers.ts";

export type Attributes = Readonly<Record<string, Value>>;

/** Carries the reason why a row cannot be sent out of the pure functions. */
export class Unsendable extends Error {
  readonly reason: Reason;
  constructor(code: string, message: string, field?: string) {
    super(message);
    this.reason = { code, message, field };
  }
}

/** "Track API: customer limits" and "object and relationship limits". KB may mean 1,000 or 1,024; the smaller holds. */
const most = { nameBytes: 150, valueBytes: 1000, attributes: 300, idBytes: 150 } as const;

/** Any attribute may be named beneath this field: `attributes.plan`. */
const free = "attributes";

/** Points in time of their own accord, whatever the settings say. */
const alwaysDatetimes = ["created_at"];

export interface AttributeRules {
  /** Attributes that are sent as Unix seconds. */
  readonly datetimes: readonly string[];
  /** Names that mean something else than an attribute, so that none may be written by that name. */
  readonly reserved: readonly string[];
}

/** The attributes of a record, cleared ones as empty text. Throws Unsendable. */
export function toAttributes(record: DestinationRecord, { datetimes, reserved }: AttributeRules): Attributes {
  const points = new Set([...alwaysDatetimes, ...datetimes]);
  const attributes: Record<string, Value> = {};
  for (const [name, value, field] of named(record)) {
    if (Object.hasOwn(attributes, name))
      throw new Unsendable("attribute_twice", `Two fields are mapped to the attribute "${name}".`, field);
    if (field !== name && reserved.includes(name))
      throw new Unsendable("reserved_name", `"${name}" is no attribute. Map the field "${name}" instead.`, field);
    attributes[name] = checked(name, points.has(name) ? toSeconds(value, field) : value, field);
  }
  if (Object.keys(attributes).length > most.attributes)
    throw new Unsendable("too_many_attributes", `Customer.io takes ${most.attributes} attributes at once.`, free);
  return attributes;
}

type Named = readonly [name: string, value: Value, field: string];

/** Each attribute with the field that it comes from. */
function named(record: DestinationRecord): readonly Named[] {
  return Object.entries(record).flatMap(([field, value]): readonly Named[] => {
    if (field.startsWith(`${free}.`)) return [[field.slice(free.length + 1), value, field]];
    if (field !== free) return [[field, value, field]];
    // Nothing tells which attributes a whole column of them had before.
    if (value === null)
      throw new Unsendable("cannot_clear", "There are no attributes to write; use when_null: skip.", field);
    if (typeof value !== "object" || isList(value))
      throw new Unsendable("not_an_object", "attributes must be a JSON object of names and values.", field);
    return Object.entries(value).map(([name, inner]): Named => [name, inner, `${free}.${name}`]);
  });
}

function checked(name: string, value: Value, field: string): Value {
  if (name === "") throw new Unsendable("name_empty", "An attribute needs a name.", field);
  if (Buffer.byteLength(name) > most.nameBytes)
    throw new Unsendable("name_too_long", `Names of attributes have at most ${most.nameBytes} bytes.`, field);
  // Null clears an object's attribute; of people that is not documented, and empty text clears both.
  if (value === null) return "";
  const bytes = Buffer.byteLength(typeof value === "string" ? value : JSON.stringify(value));
  if (bytes > most.valueBytes)
    throw new Unsendable("too_long", `has ${bytes} bytes; Customer.io takes ${most.valueBytes}`, field);
  return value;
}

/** Customer.io's conditions on dates compare whole Unix seconds. */
function toSeconds(value: Value, field: string): Value {
  if (value === null || typeof value === "number") return value;
  const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(at)) throw new Unsendable("not_a_date", "is no point in time", field);
  return Math.floor(at / 1000);
}

/** The text of an identifier. Throws Unsendable for one that is empty or too long. */
export function toIdentifier(value: Value | undefined, field: string): string {
  if (value === undefined || value === null || typeof value === "object")
    throw new Unsendable("identifier_missing", `The row has no ${field}.`, field);
  const text = String(value);
  if (text.trim() === "") throw new Unsendable("identifier_missing", `The row's ${field} is blank.`, field);
  if (field !== "email" && Buffer.byteLength(text) > most.idBytes)
    throw new Unsendable("too_long", `Customer.io takes ${most.idBytes} bytes of an ID.`, field);
  if (field === "phone" && !/^\+[1-9]\d{1,14}$/.test(text))
    throw new Unsendable("not_e164", "must be a phone number such as +14155552671", field);
  return text;
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}
