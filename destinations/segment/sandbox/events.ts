/** What Segment drops after it has answered 200, with its own names for the reasons where it has one. */
import { z } from "zod";

const identifier = z.string().optional().catch(undefined);

const eventSchema = z.looseObject({
  type: z.enum(["identify", "group", "track"]),
  messageId: identifier,
  userId: identifier,
  anonymousId: identifier,
  groupId: identifier,
  event: z.unknown().optional(),
  traits: z.unknown().optional(),
  properties: z.unknown().optional(),
  timestamp: identifier,
});

export type SegmentEvent = z.output<typeof eventSchema>;
export type Taken = { readonly event: SegmentEvent } | { readonly dropped: string; readonly messageId?: string };

const mostEventBytes = 32_000;
const mostEvents = 2500;
const mostValues = 300;

/** An event that is taken, or why it is dropped. `at` is its place in the batch. */
export function takeEvent(given: unknown, at: number): Taken {
  const event = eventSchema.safeParse(given).data;
  if (!event) return { dropped: "bad_request" };
  const reason = at >= mostEvents ? "too_many_events" : reasonToDrop(event);
  if (reason === undefined) return { event };
  return { dropped: reason, ...(event.messageId === undefined ? {} : { messageId: event.messageId }) };
}

function reasonToDrop(event: SegmentEvent): string | undefined {
  const { type, userId = "", anonymousId = "", messageId = "", groupId = "" } = event;
  if (Buffer.byteLength(JSON.stringify(event)) > mostEventBytes) return "event_too_large";
  if (userId === "" && anonymousId === "") return "no_user_anon_id";
  if (messageId.length > 100) return "message_id_too_long";
  if (type === "group" && (groupId === "" || groupId.length > 500)) return "group_id_invalid";
  if (type === "track" && (event.event === undefined || event.event === "")) return "event_not_defined";
  if (type === "track" && typeof event.event !== "string") return "event_not_string";
  const values = valuesOf(event);
  if (!values) return type === "track" ? "properties_not_object" : "traits_not_object";
  const count = Object.keys(values).length;
  return count > mostValues || (type === "identify" && count === mostValues) ? "too_many_values" : undefined;
}

/** An event's traits or properties; undefined when they are not an object. */
export function valuesOf({ type, traits, properties }: SegmentEvent): Readonly<Record<string, unknown>> | undefined {
  return z.record(z.string(), z.unknown()).safeParse((type === "track" ? properties : traits) ?? {}).data;
}
