/** Slack: a message for each row, or a digest of many, by a bot or by an incoming webhook. */
import { z } from "zod";
import {
  type Batch,
  type Connection,
  type DestinationAdapter,
  DestinationError,
  type FieldOption,
  type ObjectDescription,
  type ObjectSettings,
  type ObjectSummary,
  type Outcome,
  type RateLimit,
} from "../../src/destination.ts";
import { placeAtFault, slackFailure } from "./answers.ts";
import { type Channel, openApi, type SlackApi, type SlackConfig } from "./api.ts";
import { type Digest, type Message, toDigest, toMessage } from "./messages.ts";
import { checkObject, describeMessage, message } from "./objects.ts";
import { parseSettings, type SlackSettings } from "./settings.ts";

const connection = z
  .strictObject({
    bot_token: z
      .string()
      .regex(/^xoxb-[!-~]+$/, "a bot token, which begins with xoxb-")
      .optional()
      .meta({ secret: true, description: "The Bot User OAuth Token of a Slack app. Or give webhook_url." }),
    webhook_url: z
      .url()
      .regex(
        /^https?:\/\/[^/]+\/services\/\S+$/,
        "an incoming webhook, such as https://hooks.slack.com/services/T…/B…/…",
      )
      .optional()
      .meta({
        secret: true,
        description: "The address of an incoming webhook, which posts to one channel. Or give bot_token.",
      }),
    base_url: z.url().optional().meta({
      description: "Another address than https://slack.com or the webhook's host, such as a proxy's or a sandbox's.",
    }),
    messages_per_second: z.int().min(1).max(20).default(1).meta({
      description: "Slack takes one message a second for a channel. More only where rows name many channels.",
    }),
  })
  .refine(
    ({ bot_token: bot, webhook_url: webhook }) => (bot === undefined) !== (webhook === undefined),
    "bot_token or webhook_url, and not both",
  );

const slack: DestinationAdapter<SlackConfig> = {
  type: "slack",
  title: "Slack",
  connection,
  limits: ({ messages_per_second: requests }): readonly RateLimit[] => [
    { name: "messages a second", requests, perMs: 1000 },
  ],
  failure: slackFailure,
  connect: (config, context) => new SlackConnection(openApi(config, context)),
};

export default slack;

class SlackConnection implements Connection {
  readonly #api: SlackApi;

  constructor(api: SlackApi) {
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    return { account: await this.#api.account(signal) };
  }

  async objects(): Promise<readonly ObjectSummary[]> {
    return [message];
  }

  async describe(object: string, given: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    checkObject(object);
    const settings = this.#settings(given);
    const found = await this.#api.channels(signal);
    if (found?.all === true) checkChannel(settings, found.list);
    const channels = found?.list.map(({ id, name }): FieldOption => ({ value: id, title: `#${name}` }));
    return describeMessage(settings, this.#api.sender, channels);
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    checkObject(batch.object);
    if (batch.operation !== "append") throw unsupported(batch);
    const settings = this.#settings(batch.settings);
    const { message: sent, seqs, rejected } = toPost(batch, settings, this.#api.sender);
    if (!sent) return rejected;
    try {
      return [...rejected, ...(await this.#post(sent, seqs, signal))];
    } catch (error) {
      throw ofEveryRow(error, sent, settings);
    }
  }

  async #post(sent: Message, seqs: readonly number[], signal?: AbortSignal): Promise<readonly Outcome[]> {
    const receipt = await this.#api.post(sent, signal);
    return seqs.map((seq): Outcome => {
      if (!receipt.posted) return { seq, kind: "in_doubt", message: "Slack answered without saying that it posted." };
      return { seq, kind: "accepted", ...(receipt.id === undefined ? {} : { destinationId: receipt.id }) };
    });
  }

  #settings(given: ObjectSettings): SlackSettings {
    const settings = parseSettings(given, this.#api.sender);
    if (this.#api.sender === "webhook" || !settings.digest || settings.channel !== undefined) return settings;
    const words =
      "The settings of message are wrong. to.settings.channel: a digest is one message, so it needs one channel.";
    throw new DestinationError("refused", words, { code: "settings_invalid", applied: "no" });
  }
}

function unsupported({ operation }: Batch): DestinationError {
  const words = `Slack cannot ${operation} a message: a message once posted is not found again. It can append.`;
  return new DestinationError("refused", words, { code: "operation_unsupported", applied: "no" });
}

function toPost({ changes }: Batch, settings: SlackSettings, sender: "bot" | "webhook"): Digest {
  if (settings.digest) return toDigest(changes, settings, sender);
  const [only, ...others] = changes;
  if (!only) return { message: undefined, seqs: [], rejected: [] };
  // Had the second of two failed, no one answer could tell what became of both.
  if (others.length > 0) {
    const words = `A request posts one message, not ${changes.length}.`;
    throw new DestinationError("refused", words, { code: "batch_too_large", applied: "no" });
  }
  const made = toMessage(only, settings, sender);
  if ("kind" in made) return { message: undefined, seqs: [], rejected: [made] };
  return { message: made, seqs: [only.seq], rejected: [] };
}

/** A channel or thread that is every row's: to reject one row after the other would help nobody. */
function ofEveryRow(error: unknown, sent: Message, settings: SlackSettings): unknown {
  if (!(error instanceof DestinationError) || error.kind !== "refused") return error;
  const place = placeAtFault(error.code);
  if (place === undefined) return error;
  const shared = sent[place] !== undefined && sent[place] === settings[place];
  const words = shared ? `${error.message} It is the ${place} of the sync's settings.` : error.message;
  const { code, applied, status } = error;
  return new DestinationError(shared ? "unauthorized" : "refused", words, { code, applied, status, field: place });
}

/** Throws `refused` for a channel by a name that none has, where all can be seen. An ID may be a person's. */
function checkChannel({ channel = "" }: SlackSettings, list: readonly Channel[]): void {
  const name = channel.replace(/^#/, "");
  if (name === "" || /^[A-Z0-9]+$/.test(name) || list.some((one) => one.name === name)) return;
  const some = list.slice(0, 20).map((one) => `#${one.name}`);
  const words = `The bot can see no channel "${channel}". It sees ${some.join(", ") || "none"}${list.length > 20 ? ", …" : ""}.`;
  throw new DestinationError("refused", words, { code: "channel_unknown", applied: "no" });
}
