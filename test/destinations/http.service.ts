/** Services for the tests of HTTP: one that is declared in a line, with all that was sent to it, and the sandbox's. */
import http from "../../destinations/http/index.ts";
import createSandbox from "../../destinations/http/sandbox.ts";
import { connection as settings, type HttpConfig } from "../../destinations/http/settings.ts";
import type { Batch, Change, Connection, DestinationRecord } from "../../src/destination.ts";
import fixture, { objects } from "./http.fixture.ts";
import { openPlace, type Place } from "./place.ts";
import { contextOf } from "./context.ts";

export type Settings = Readonly<Record<string, unknown>>;

export const signingSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

export function change(
  seq: number,
  match: DestinationRecord,
  record: DestinationRecord = {},
  more: Partial<Change> = {},
): Change {
  return { seq, match, record, destinationId: undefined, renamed: false, ...more };
}

export function batch(object: string, changes: readonly Change[], more: Partial<Batch> = {}): Batch {
  const fields = [...new Set(changes.flatMap(({ record }) => Object.keys(record)))];
  const match = Object.keys(changes[0]?.match ?? {});
  return { object, settings: {}, operation: "upsert", fields, match, changes, id: "run-1-2", ...more };
}

export interface Sent {
  readonly url: string;
  readonly method: string | undefined;
  readonly headers: Headers;
  readonly body: unknown;
}

/** What a connection was asked to send, and the answers that it gets in turn; the last one again and again. */
export function wired(given: Settings, ...answers: (Response | Error)[]): { connection: Connection; sent: Sent[] } {
  const sent: Sent[] = [];
  const connection = http.connect(
    config(given),
    contextOf(async (url, init) => {
      const { method, headers = {}, body } = init ?? {};
      sent.push({ url: String(url), method, headers: new Headers(headers), body });
      const answer = answers[Math.min(sent.length, answers.length) - 1];
      if (answer instanceof Error) throw answer;
      return answer?.clone() ?? Response.json({ ok: true });
    }),
  );
  return { connection, sent };
}

export function config(given: Settings): HttpConfig {
  return settings.parse({ base_url: "https://svc.test/api/", auth: "none", ...given });
}

export const accepting = [{ status: "2xx", means: "accepted" }];

/** An object `things`, found by `key`, with one operation. */
export function things(operation: Settings, more: Settings = {}, name = "upsert"): Settings {
  const request = { method: "POST", path: "/things", answers: accepting, ...operation };
  return { objects: { things: { match: "key", operations: { [name]: request }, ...more } } };
}

export const bodyOf = (sent: readonly Sent[], at = 0): unknown => JSON.parse(String(sent[at]?.body));
export const one = batch("things", [change(1, { key: "a" }, { data: { n: 5 } })]);
export const two = batch("things", [change(1, { key: "a" }), change(2, { key: "b" })]);

/** The fixture's service with other settings. */
export async function withObject(given: Settings, seed: unknown = {}): Promise<Place> {
  const [object] = fixture.objects;
  if (!object) throw new Error("the fixture has no object");
  const connection = { auth: "none", objects, ...given };
  return openPlace({ adapter: http, createSandbox, fixture: { ...fixture, connection, seed }, object });
}
