/** What Segment takes: users by identify, groups by group, events by track. It tells no schema, so this is the spec's. */
import { DestinationError, type Field, type FieldType, type ObjectDescription } from "../../src/destination.ts";

export type ObjectName = "identify" | "group" | "track";

/**
 * Segment takes 2,500 events and 500 KB a request. The service counts records only, without what the protocol puts
 * around each, so less is asked of it: 500 records of 600 bytes and their envelopes fit.
 */
export const batchLimit = { records: 500, bytes: 300_000 } as const;

/** Sending the same values twice leaves the same profile. An event is one more, but for those Segment de-duplicates. */
const idempotent = { upsert: true, update: true, mirror: true, insert: false, append: false } as const;

const profileModes = { modes: ["upsert", "mirror"], removals: ["clear"] } as const;

const objects: Readonly<Record<ObjectName, ObjectDescription>> = {
  identify: {
    name: "identify",
    title: "Users (identify)",
    ...profileModes,
    batch: batchLimit,
    matchFields: 1,
    idempotent,
    fields: [
      { ...text("userId", "User ID"), matches: true },
      { ...text("anonymousId", "Anonymous ID"), matches: true },
      timestamp(),
      free("traits", "Traits"),
      ...reserved("traits", {
        address: "json",
        age: "number",
        avatar: "text",
        birthday: "date",
        company: "json",
        createdAt: "datetime",
        description: "text",
        email: "text",
        firstName: "text",
        gender: "text",
        id: "text",
        lastName: "text",
        name: "text",
        phone: "text",
        title: "text",
        username: "text",
        website: "text",
      }),
    ],
  },
  group: {
    name: "group",
    title: "Groups (group)",
    ...profileModes,
    batch: batchLimit,
    matchFields: 1,
    idempotent,
    fields: [
      { ...text("groupId", "Group ID"), matches: true, maxLength: 500 },
      text("userId", "User ID of a member"),
      text("anonymousId", "Anonymous ID of a member"),
      timestamp(),
      free("traits", "Traits"),
      ...reserved("traits", {
        address: "json",
        avatar: "text",
        createdAt: "datetime",
        description: "text",
        email: "text",
        // The spec's table says text, its examples are numbers.
        employees: "json",
        id: "text",
        industry: "text",
        name: "text",
        phone: "text",
        plan: "text",
        website: "text",
      }),
    ],
  },
  track: {
    name: "track",
    title: "Events (track)",
    modes: ["append"],
    removals: [],
    batch: batchLimit,
    matchFields: 1,
    idempotent,
    fields: [
      // Only as the match: the planner then sees to it that no two rows have the same.
      { ...text("eventId", "The row's own ID of the event"), matches: true, writable: false },
      text("event", "Name of the event"),
      text("userId", "User ID"),
      text("anonymousId", "Anonymous ID"),
      timestamp(),
      free("properties", "Properties"),
      ...reserved("properties", { currency: "text", revenue: "number", value: "number" }),
    ],
  },
};

/** The objects, in the order in which they are listed. */
export const objectList: readonly ObjectDescription[] = Object.values(objects);

/** One object. Throws `refused` with code `unknown_object` for any other. */
export function describeObject(name: string): ObjectDescription & { readonly name: ObjectName } {
  if (isObjectName(name)) return { ...objects[name], name };
  const message = `Segment has no object "${name}". There are: ${Object.keys(objects).join(", ")}.`;
  throw new DestinationError("refused", message, { code: "unknown_object", applied: "no" });
}

function isObjectName(name: string): name is ObjectName {
  return Object.hasOwn(objects, name);
}

function text(name: string, title: string): Field {
  return { name, title, type: "text", writable: true, matches: false };
}

function timestamp(): Field {
  return { name: "timestamp", title: "When it was so", type: "datetime", writable: true, matches: false };
}

/** Any name may follow: `traits.plan` is written into the object `traits`. */
function free(name: string, title: string): Field {
  return { name, title, type: "json", writable: true, matches: false };
}

/** Names that have a meaning for Segment, so their values must be of its type. */
function reserved(parent: string, types: Readonly<Record<string, FieldType>>): readonly Field[] {
  return Object.entries(types).map(([name, type]) => ({
    name: `${parent}.${name}`,
    title: name,
    type,
    writable: true,
    matches: false,
  }));
}
