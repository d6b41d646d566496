/** What a workspace made of the events that it took: profiles of users and groups, events, and what it dropped. */
import type { Sandbox } from "../../../src/sandbox.ts";
import { type SegmentEvent, takeEvent, valuesOf } from "./events.ts";

/** A message id is remembered so long; Segment promises a day. */
const rememberedMs = 86_400_000;

type Traits = Record<string, unknown>;

export class Workspace {
  readonly #users = new Map<string, Traits>();
  readonly #groups = new Map<string, Traits>();
  readonly #members = new Map<string, Set<string>>();
  readonly #events = new Map<string, unknown>();
  readonly #dropped: unknown[] = [];
  readonly #seen = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes a batch in. `reason`: why all of it is dropped. */
  take(events: readonly unknown[], reason: string | undefined): void {
    for (const [at, given] of events.entries()) {
      const taken = takeEvent(given, at);
      if ("dropped" in taken) this.#dropped.push(taken);
      else if (reason !== undefined) this.#dropped.push({ dropped: reason, messageId: taken.event.messageId });
      else if (!this.#isRepeat(taken.event)) this.#apply(taken.event);
    }
  }

  contents(): ReturnType<Sandbox["contents"]> {
    return {
      users: Object.fromEntries(this.#users),
      groups: Object.fromEntries(this.#groups),
      memberships: Object.fromEntries([...this.#members].map(([group, members]) => [group, [...members]])),
      events: Object.fromEntries(this.#events),
      dropped: Object.fromEntries(this.#dropped.entries()),
    };
  }

  #isRepeat({ messageId }: SegmentEvent): boolean {
    if (messageId === undefined) return false;
    const now = this.#now();
    const seen = this.#seen.get(messageId);
    if (seen !== undefined && now - seen < rememberedMs) return true;
    this.#seen.set(messageId, now);
    return false;
  }

  #apply(event: SegmentEvent): void {
    const { type, userId, anonymousId, groupId = "", messageId = "" } = event;
    const person = userId ?? anonymousId ?? "";
    const values = valuesOf(event) ?? {};
    switch (type) {
      case "identify":
        return merge(this.#users, person, values);
      case "group":
        this.#members.set(groupId, (this.#members.get(groupId) ?? new Set()).add(person));
        return merge(this.#groups, groupId, values);
      case "track":
        this.#events.set(messageId, { event: event.event, person, properties: values, timestamp: event.timestamp });
    }
  }
}

/** Null and empty text take a trait from a profile; what is not mentioned stays. */
function merge(profiles: Map<string, Traits>, id: string, values: Readonly<Traits>): void {
  const merged = { ...profiles.get(id), ...values };
  profiles.set(id, Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null && value !== "")));
}
