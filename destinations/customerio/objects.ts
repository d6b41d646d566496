/** What Customer.io holds, with the fields that have a meaning for it. It tells no list of attributes: any name may be one. */
import type { Field, FieldType, ObjectDescription } from "../../src/destination.ts";

/**
 * A request takes 500 KB. The service counts the records only, without what the protocol puts around each, so less is
 * asked of it: 500 records of 800 bytes and their envelopes fit.
 */
const batchLimit = { records: 500, bytes: 400_000, atOnce: 16 } as const;

/** The most people that one lookup asks for, before they are put on a segment. */
const segmentBatchLimit = { records: 100 } as const;

/** Sending the same values twice leaves the same record; nothing is ever only inserted. */
const idempotent = { upsert: true, update: true, mirror: true, insert: false, append: false } as const;

/** People, as `identify` takes them. */
export function describePeople(datetimes: readonly string[]): ObjectDescription {
  return {
    name: "people",
    title: "People",
    modes: ["upsert", "mirror"],
    removals: ["delete", "clear"],
    batch: batchLimit,
    matchFields: 1,
    idempotent,
    fields: [
      { ...field("id", "ID", "text"), matches: true, maxLength: 150 },
      { ...field("email", "Email", "text"), matches: true, matching: "case_insensitive" },
      { ...field("phone", "Phone, such as +14155552671", "text"), matches: true },
      field("created_at", "When the person signed up", "datetime"),
      field("unsubscribed", "Unsubscribed from everything", "boolean"),
      field("timezone", "Time zone, such as Europe/Berlin", "text"),
      field("cio_subscription_preferences", "Subscription preferences", "json"),
      ...attributeFields(datetimes),
    ],
  };
}

/** Objects of one type, such as companies. */
export function describeObjects(type: ObjectType, datetimes: readonly string[]): ObjectDescription {
  return {
    name: type.object,
    title: type.title,
    modes: ["upsert", "mirror"],
    // An object has no way to clear without making it again where it is gone.
    removals: ["delete"],
    batch: batchLimit,
    matchFields: 1,
    idempotent,
    fields: [
      { ...field("object_id", "Object ID", "text"), matches: true, maxLength: 150 },
      field("name", "Name", "text"),
      field("created_at", "When it was made", "datetime"),
      ...attributeFields(datetimes),
    ],
  };
}

/** Relationships of people to objects of one type. */
export function describeRelationships(type: ObjectType, datetimes: readonly string[]): ObjectDescription {
  return {
    name: "relationships",
    title: `Relationships of people to ${type.title}`,
    modes: ["upsert", "mirror"],
    removals: ["delete"],
    batch: batchLimit,
    matchFields: 2,
    idempotent,
    fields: [
      { ...matchOnly("object_id", "Object ID"), required: true, maxLength: 150 },
      { ...matchOnly("person_id", "The person's ID"), maxLength: 150 },
      { ...matchOnly("person_email", "The person's email"), matching: "case_insensitive" },
      matchOnly("person_cio_id", "Customer.io's own ID of the person"),
      ...attributeFields(datetimes),
    ],
  };
}

/** The members of a manual segment. */
export function describeSegment(segment: string): ObjectDescription {
  return {
    name: "segment_members",
    title: `Members of the segment "${segment}"`,
    modes: ["upsert", "mirror"],
    removals: ["archive"],
    batch: segmentBatchLimit,
    matchFields: 1,
    idempotent: { ...idempotent, insert: true, append: true },
    fields: [
      matchOnly("id", "ID"),
      { ...matchOnly("email", "Email"), matching: "case_insensitive" },
      matchOnly("cio_id", "Customer.io's own ID"),
    ],
  };
}

/** An object type as a sync names it. */
export interface ObjectType {
  /** The `object` of a sync. */
  readonly object: string;
  readonly title: string;
  /** Customer.io's number, as text. */
  readonly typeId: string;
}

/** Whether values of a match field that differ only in case find one record: e-mail addresses do. */
export function ignoresCase(object: string, name: string): boolean {
  return name === (object === "relationships" ? "person_email" : "email");
}

function attributeFields(datetimes: readonly string[]): readonly Field[] {
  return [
    field("attributes", "Attributes of any name", "json"),
    ...datetimes.map((name) => field(`attributes.${name}`, name, "datetime")),
  ];
}

function field(name: string, title: string, type: FieldType): Field {
  return { name, title, type, writable: true, matches: false };
}

function matchOnly(name: string, title: string): Field {
  return { name, title, type: "text", writable: false, matches: true };
}
