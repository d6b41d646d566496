/** A workspace: channels, and the messages in them. */
import type { Sandbox } from "../../../src/sandbox.ts";

export interface SandboxChannel {
  readonly id: string;
  readonly name: string;
  readonly is_private: boolean;
  readonly is_archived: boolean;
  /** Whether the app is in it. */
  readonly is_member: boolean;
}

export interface PostedMessage {
  readonly channel: string;
  readonly ts: string;
  readonly text: string;
  readonly blocks?: unknown;
  readonly thread_ts?: string;
}

export class Workspace {
  readonly #messages = new Map<string, PostedMessage>();
  readonly #channels: readonly SandboxChannel[];
  readonly #now: () => number;

  constructor(channels: readonly SandboxChannel[], now: () => number) {
    this.#channels = channels;
    this.#now = now;
  }

  /** By ID, or by the name of a public channel. A private channel that the app is not in is not there for it. */
  find(given: string): SandboxChannel | undefined {
    return this.#channels.find(
      ({ id, name, is_private: hidden, is_member: member }) =>
        (id === given || name === given.replace(/^#/, "")) && (!hidden || member),
    );
  }

  /** The channels that the app can see, of these types. */
  list(types: readonly string[]): readonly SandboxChannel[] {
    return this.#channels.filter(
      ({ is_private: hidden, is_member: member, is_archived: archived }) =>
        !archived && (hidden ? member && types.includes("private_channel") : types.includes("public_channel")),
    );
  }

  has(channel: string, ts: string): boolean {
    return this.#messages.has(`${channel}:${ts}`);
  }

  post(channel: string, message: Omit<PostedMessage, "channel" | "ts">): PostedMessage {
    const seconds = Math.floor(this.#now() / 1000);
    // What follows the point counts, so that no two messages of a channel have the same.
    const ts = `${seconds}.${String(this.#messages.size + 1).padStart(6, "0")}`;
    const posted = { ...message, channel, ts };
    this.#messages.set(`${channel}:${ts}`, posted);
    return posted;
  }

  contents(): ReturnType<Sandbox["contents"]> {
    return { messages: Object.fromEntries(this.#messages) };
  }
}
