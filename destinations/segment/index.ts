/** Segment: users (identify), groups (group) and events (track), through Segment's Tracking API. */
import { z } from "zod";
import {
  type Batch,
  type Connection,
  type DestinationAdapter,
  DestinationError,
  type ObjectDescription,
  type ObjectSettings,
  type ObjectSummary,
  type Operation,
  type Outcome,
  type RateLimit,
} from "../../src/destination.ts";
import { hostOfSource, type Receipt, segmentFailure } from "./answers.ts";
import { openApi, regionHosts, type SegmentApi, type SegmentConfig } from "./api.ts";
import { checkRequestSize, type Draft, type Message, toDrafts } from "./messages.ts";
import { batchLimit, describeObject, objectList } from "./objects.ts";
import { parseSettings } from "./settings.ts";

const connection = z.strictObject({
  write_key: z
    .string()
    .regex(/^[!-~]+$/, "a write key, which has no blanks")
    .meta({ secret: true, description: "The write key of a source, such as one of the HTTP API or Node.js." }),
  region: z.enum(["us", "eu"]).default("us").meta({
    description: "Where the workspace is. Segment answers 200 in the wrong region too, and loses what it gets.",
  }),
  base_url: z.url().optional().meta({
    description: "Another address than the region's, such as a proxy's or a sandbox's. /v1/batch is put after it.",
  }),
  settings_url: z.url().optional().meta({
    description: "Another address to check the write key at. base_url if that is given, else cdn-settings.segment.com.",
  }),
  verify_write_key: z.boolean().default(true).meta({
    description:
      "Ask for the settings that Segment publishes of the source before anything is sent: it takes a wrong key with 200.",
  }),
  events_per_second: z
    .int()
    .min(100)
    .default(1000)
    .meta({ description: "How many events a second the workspace takes; more is slowed down or refused." }),
});

const windowMs = 5000;

const segment: DestinationAdapter<SegmentConfig> = {
  type: "segment",
  title: "Segment",
  connection,
  limits({ events_per_second: perSecond }): readonly RateLimit[] {
    // Segment counts events; every request may have as many as a batch takes.
    const requests = Math.max(1, Math.floor((perSecond * windowMs) / 1000 / batchLimit.records));
    return [{ name: "events a second", requests, perMs: windowMs }];
  },
  failure: segmentFailure,
  connect: (config, context) => new SegmentConnection(config, openApi(config, context)),
};

export default segment;

class SegmentConnection implements Connection {
  readonly #config: SegmentConfig;
  readonly #api: SegmentApi;
  #verified: Promise<void> | undefined;

  constructor(config: SegmentConfig, api: SegmentApi) {
    this.#config = config;
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const { region } = this.#config;
    const host = hostOfSource(await this.#api.source(signal));
    const home = Object.entries(regionHosts).find(([, regional]) => regional === host)?.[0];
    if (home === undefined || home === region) return { account: `Segment source, region ${region}` };
    const message = `The source is in the region ${home}, and the connection says ${region}. Segment would answer 200 to everything, and lose it.`;
    throw new DestinationError("unauthorized", message, { code: "wrong_region", applied: "no" });
  }

  /** Once a connection: no row may be taken for sent with a key that Segment does not know. A failure is not kept. */
  #verify(signal?: AbortSignal): Promise<void> {
    if (!this.#config.verify_write_key) return Promise.resolve();
    this.#verified ??= this.check(signal).then(
      () => undefined,
      (error: unknown) => {
        this.#verified = undefined;
        throw error;
      },
    );
    return this.#verified;
  }

  async objects(): Promise<readonly ObjectSummary[]> {
    return objectList.map(({ name, title }) => ({ name, title }));
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    const described = describeObject(object);
    const { event } = parseSettings(described.name, settings);
    await this.#verify(signal);
    if (described.name !== "track" || event !== undefined) return described;
    // Without a name for all, every row needs its own.
    return { ...described, fields: described.fields.map((field) => ({ ...field, required: field.name === "event" })) };
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const { name, modes, removals } = describeObject(batch.object);
    const able: readonly Operation[] = [...modes.filter((mode) => mode !== "mirror"), ...removals];
    if (!able.includes(batch.operation)) throw unsupported(batch, able);
    const drafts = toDrafts(name, batch, parseSettings(name, batch.settings));
    const messages = drafts.flatMap((draft) => ("message" in draft ? [draft.message] : []));
    const receipts = await this.#send(messages, signal);
    return drafts.map((draft) => toOutcome(draft, receipts));
  }

  async #send(messages: readonly Message[], signal?: AbortSignal): Promise<ReadonlyMap<string, Receipt>> {
    if (messages.length === 0) return new Map();
    checkRequestSize(messages);
    await this.#verify(signal);
    return this.#api.send(messages, signal);
  }
}

function unsupported({ object, operation }: Batch, able: readonly Operation[]): DestinationError {
  const message = `Segment cannot ${operation} what is sent by ${object}; it can ${able.join(", ")}.`;
  return new DestinationError("refused", message, { code: "operation_unsupported", applied: "no" });
}

function toOutcome(draft: Draft, receipts: ReadonlyMap<string, Receipt>): Outcome {
  const { seq } = draft;
  if ("reason" in draft) return { seq, kind: "rejected", ...draft.reason };
  switch (receipts.get(draft.message.messageId)) {
    case "accepted":
      return { seq, kind: "accepted" };
    case "unclear":
      return { seq, kind: "in_doubt", message: "Segment answered without saying that it took the events." };
    case undefined:
      return { seq, kind: "in_doubt", message: "No answer of Segment is about this event." };
  }
}
