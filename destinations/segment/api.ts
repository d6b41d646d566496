/** Segment as the adapter calls it: Segment's own client makes each request, the service's fetch sends it. */
import type { Analytics, HTTPClient } from "@segment/analytics-node";
import { z } from "zod";
import { type Context, DestinationError } from "../../src/destination.ts";
import { type Answer, type Receipt, receiptOf } from "./answers.ts";
import type { Message } from "./messages.ts";

export interface SegmentConfig {
  readonly write_key: string;
  readonly region: "us" | "eu";
  readonly base_url?: string | undefined;
  readonly settings_url?: string | undefined;
  readonly verify_write_key: boolean;
  readonly events_per_second: number;
}

/** Where each region takes events in. */
export const regionHosts: Readonly<Record<SegmentConfig["region"], string>> = {
  us: "api.segment.io",
  eu: "events.eu1.segmentapis.com",
};

export interface SegmentApi {
  /** What Segment said of each message, by its id. One that is missing was in no request that was answered. */
  send(messages: readonly Message[], signal?: AbortSignal): Promise<ReadonlyMap<string, Receipt>>;
  /** What Segment tells its clients of the source that the write key belongs to. */
  source(signal?: AbortSignal): Promise<Answer>;
}

export function openApi(config: SegmentConfig, { fetch }: Context): SegmentApi {
  const base = config.base_url ?? `https://${regionHosts[config.region]}`;
  const settings = config.settings_url ?? config.base_url ?? "https://cdn-settings.segment.com";
  return {
    send: (messages, signal) => send(messages, { url: below(base, "v1/batch"), config, fetch, signal }),
    source: async (signal) => {
      const url = below(settings, `v1/projects/${encodeURIComponent(config.write_key)}/settings`);
      const response = await fetch(url, signal ? { signal } : {});
      return { status: response.status, text: await response.text() };
    },
  };
}

function below(base: string, path: string): URL {
  return new URL(path, base.endsWith("/") ? base : `${base}/`);
}

interface Sending {
  readonly url: URL;
  readonly config: SegmentConfig;
  readonly fetch: Context["fetch"];
  readonly signal: AbortSignal | undefined;
}

/**
 * A client for these messages alone: full with the last of them, it sends them at once and in one request, and keeps no
 * limit, retry or queue from one batch to the next. The client tells of no answer, so its transport notes each.
 */
async function send(
  messages: readonly Message[],
  { url, config, fetch, signal }: Sending,
): Promise<ReadonlyMap<string, Receipt>> {
  const { Analytics: Client } = await import("@segment/analytics-node");
  const receipts = new Map<string, Receipt>();
  const failures: unknown[] = [];
  const httpClient: HTTPClient = {
    makeRequest: async ({ url: address, method, headers, body }) => {
      try {
        const response = await fetch(address, { method, headers, body, ...(signal ? { signal } : {}) });
        const receipt = receiptOf({ status: response.status, text: await response.text() });
        for (const id of messageIds(body)) receipts.set(id, receipt);
        return { status: response.status, statusText: response.statusText };
      } catch (error) {
        failures.push(error);
        throw error;
      }
    },
  };
  const client = new Client({
    writeKey: config.write_key,
    host: url.origin,
    path: url.pathname,
    httpClient,
    maxRetries: 0,
    flushAt: messages.length,
    flushInterval: longerThanAnyRequestMs,
  });
  for (const message of messages) hand(message, client);
  await client.flush({ close: true });
  if (receipts.size === 0 && failures.length > 0) throw classified(failures[0], signal);
  return receipts;
}

/** The client sends when it is full; its timer is only there because it cannot be switched off. */
const longerThanAnyRequestMs = 86_400_000;

const requestSchema = z.object({ batch: z.array(z.object({ messageId: z.string() })) });

function messageIds(body: string): readonly string[] {
  return requestSchema.parse(JSON.parse(body)).batch.map(({ messageId }) => messageId);
}

function hand(message: Message, client: Analytics): void {
  const { messageId, timestamp, integrations } = message;
  const params = { ...someone(message), messageId, timestamp, integrations };
  switch (message.type) {
    case "identify":
      return client.identify({ ...params, traits: message.traits });
    case "group":
      return client.group({ ...params, groupId: message.groupId, traits: message.traits });
    case "track":
      return client.track({ ...params, event: message.event, properties: message.properties });
  }
}

type Someone =
  | { readonly userId: string; readonly anonymousId: string | undefined }
  | { readonly userId: undefined; readonly anonymousId: string };

function someone({ userId, anonymousId = "" }: Message): Someone {
  if (userId === undefined) return { userId, anonymousId };
  return { userId, anonymousId: anonymousId === "" ? undefined : anonymousId };
}

function classified(failure: unknown, signal: AbortSignal | undefined): unknown {
  signal?.throwIfAborted();
  if (failure instanceof DestinationError) return failure;
  const words = "Segment's client failed before it had an answer.";
  return new DestinationError("unavailable", words, { code: "client_failed", applied: "unknown", cause: failure });
}
