/**
 * Changes as Segment's messages. Segment answers 200 to a message that it will drop, so whatever it is known to drop is
 * rejected here, before it is sent.
 */
import { hash } from "node:crypto";
import {
  type Batch,
  type Change,
  DestinationError,
  type DestinationRecord,
  type Value,
} from "../../src/destination.ts";
import type { ObjectName } from "./objects.ts";
import type { SegmentSettings } from "./settings.ts";

export type Values = Readonly<Record<string, Value>>;

interface Envelope {
  readonly messageId: string;
  readonly userId: string | undefined;
  readonly anonymousId: string | undefined;
  readonly timestamp: string | undefined;
  readonly integrations: Readonly<Record<string, boolean>> | undefined;
}

export type Message = Envelope &
  (
    | { readonly type: "identify"; readonly traits: Values }
    | { readonly type: "group"; readonly groupId: string; readonly traits: Values }
    | { readonly type: "track"; readonly event: string; readonly properties: Values }
  );

/** A change as it will be sent, or why it cannot be. */
export type Draft =
  | { readonly seq: number; readonly message: Message }
  | { readonly seq: number; readonly reason: Reason };

export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly field: string | undefined;
}

/** Carries the reason out of the pure functions below. */
class Unsendable extends Error {
  readonly reason: Reason;
  constructor(code: string, message: string, field?: string) {
    super(message);
    this.reason = { code, message, field };
  }
}

/** One draft for each change of a batch to an object, in the batch's order. */
export function toDrafts(object: ObjectName, batch: Batch, settings: SegmentSettings): readonly Draft[] {
  return batch.changes.map((change) => {
    try {
      const message = toMessage(object, batch, change, settings);
      checkSize(message);
      return { seq: change.seq, message };
    } catch (error) {
      if (error instanceof Unsendable) return { seq: change.seq, reason: error.reason };
      throw error;
    }
  });
}

function toMessage(object: ObjectName, batch: Batch, change: Change, settings: SegmentSettings): Message {
  const values: DestinationRecord = { ...change.record, ...change.match };
  const envelope = {
    messageId: messageId([batch.id, batch.operation, change.seq, change.match, change.record]),
    userId: identifier(values, "userId"),
    anonymousId: identifier(values, "anonymousId"),
    timestamp: timestamp(values["timestamp"] ?? null),
    integrations: settings.integrations,
  };
  switch (object) {
    case "identify":
      return { ...identified(envelope), type: "identify", traits: traits(values, 299) };
    case "group": {
      const groupId = identifier(values, "groupId");
      if (groupId === undefined) throw new Unsendable("group_missing", "The row has no group ID.", "groupId");
      const { userId, anonymousId } = envelope;
      const someone = userId === undefined && anonymousId === undefined ? { anonymousId: settings.anonymous_id } : {};
      return { ...identified({ ...envelope, ...someone }), type: "group", groupId, traits: traits(values, 300) };
    }
    case "track": {
      const event = identifier(values, "event") ?? settings.event;
      if (event === undefined) throw new Unsendable("event_missing", "The row has no name of the event.", "event");
      const own = identifier(values, "eventId");
      // By the row's own id a repeat is the same message in whatever run; its name tells events of one order apart.
      const known = own === undefined ? {} : { messageId: messageId([event, own]) };
      return { ...identified(envelope), ...known, type: "track", event, properties: properties(values) };
    }
  }
}

/** Segment drops a message that is about nobody. */
function identified(envelope: Envelope): Envelope {
  if (envelope.userId !== undefined || envelope.anonymousId !== undefined) return envelope;
  throw new Unsendable("user_missing", "The row has neither a user ID nor an anonymous ID.", "userId");
}

/** Of fixed length: Segment drops messages whose id has more than 100 characters. */
function messageId(identity: unknown): string {
  return `sluice-${hash("sha256", JSON.stringify(identity), "base64url")}`;
}

/** The text of an identifying field; undefined for none. */
function identifier(values: DestinationRecord, name: string): string | undefined {
  const value = values[name] ?? null;
  if (value === null) return undefined;
  if (typeof value === "object") throw new Unsendable("not_text", `${name} must be text.`, name);
  const text = String(value);
  return text.trim() === "" ? undefined : text;
}

/** Segment keeps milliseconds, and does not take everything in that is older than 1970. */
function timestamp(value: Value): string | undefined {
  if (value === null) return undefined;
  const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(at)) throw new Unsendable("not_a_date", "The timestamp is no date.", "timestamp");
  if (at < 0) throw new Unsendable("timestamp_too_old", "Segment may drop what is older than 1970.", "timestamp");
  return new Date(at).toISOString();
}

/** A null clears one trait. Which traits there are Segment does not tell, so all at once cannot be cleared. */
function traits(values: DestinationRecord, most: number): Values {
  if (values["traits"] === null) {
    const advice = "Map the traits one by one (traits.plan), or skip the field when it is null.";
    throw new Unsendable("cannot_clear", `Segment cannot clear all traits of a record. ${advice}`, "traits");
  }
  return limited(bodyOf(values, "traits"), "traits", most);
}

function properties(values: DestinationRecord): Values {
  return limited(bodyOf(values, "properties"), "properties", 300);
}

function limited(body: Values, name: string, most: number): Values {
  const count = Object.keys(body).length;
  if (count <= most) return body;
  throw new Unsendable("too_many_values", `The row has ${count} ${name}; Segment drops more than ${most}.`, name);
}

/** What is written into an object: the object itself, and the fields whose names begin with its. */
function bodyOf(values: DestinationRecord, parent: "traits" | "properties"): Values {
  const whole = values[parent] ?? {};
  if (!isObject(whole)) throw new Unsendable("not_an_object", `${parent} must be a JSON object.`, parent);
  const parts = Object.entries(values).filter(([name]) => name.startsWith(`${parent}.`));
  return parts.reduce((body, [name, value]) => withPath(body, name.split(".").slice(1), value), whole);
}

function withPath(body: Values, [step = "", ...rest]: readonly string[], value: Value): Values {
  const present = Object.hasOwn(body, step) ? body[step] : undefined;
  const inner = isObject(present) ? present : {};
  return { ...body, [step]: rest.length === 0 ? value : withPath(inner, rest, value) };
}

function isObject(value: Value | undefined): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Segment says 32 KB; whether it counts 1,000 or 1,024 it does not say, and what is larger it drops without a word. */
const mostBytes = 32_000;

/** As above, of 500 KB for a request. */
const mostRequestBytes = 500_000;

/** What Segment's client puts around a message: the time, its name and version, and the runtime's. */
const envelopeBytes = 280;

/** At least the bytes that a message has on its way. */
export function sizeOf(message: Message): number {
  return Buffer.byteLength(JSON.stringify(message)) + envelopeBytes;
}

function checkSize(message: Message): void {
  const bytes = sizeOf(message);
  if (bytes <= mostBytes) return;
  throw new Unsendable("too_large", `The row is ${bytes} bytes as an event; Segment drops those over ${mostBytes}.`);
}

/** Throws `refused` for messages that one request cannot carry, so that the service halves them. */
export function checkRequestSize(messages: readonly Message[]): void {
  const bytes = messages.reduce((sum, message) => sum + sizeOf(message), envelopeBytes);
  if (bytes <= mostRequestBytes) return;
  const words = `${messages.length} events are ${bytes} bytes; Segment takes ${mostRequestBytes} in a request.`;
  throw new DestinationError("refused", words, { code: "request_too_large", applied: "no" });
}
