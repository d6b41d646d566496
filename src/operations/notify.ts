/** Tells others what runs have come to, by webhooks that go out. */
import { z } from "zod";
import type { NotificationDocument } from "../documents/notification.ts";
import { resolveSecrets } from "../documents/secrets.ts";
import { DestinationError } from "../destination.ts";
import { messageOf, NotFoundError, SluiceError, UsageError } from "../errors.ts";
import { createFetch } from "../fetch.ts";
import { nearest } from "../nearest.ts";
import type { DueNotice } from "../store/notices.ts";
import { standardHeaders, standardKey } from "../triggers/sign.ts";
import { storedDocuments } from "./documents.ts";
import type { CheckView, NoticeView } from "./schemas.ts";
import { knownTo } from "./secrets.ts";
import type { Service } from "./service.ts";
import { runView } from "./views.ts";

const seconds = 1000;
const minutes = 60 * seconds;
const hours = 60 * minutes;

/** The waits between attempts: two and a half days in all. */
const waits = [5 * seconds, 5 * minutes, 30 * minutes, 2 * hours, 5 * hours, 10 * hours, 14 * hours, 20 * hours];

const atOnce = 20;
const timeoutMs = 15_000;
/** Past this, another process may try. */
const holdMs = 60_000;

/** Sends every notice that is due. `onGivenUp` hears of those that will not be tried again. */
export async function sendNotices(service: Service, onGivenUp: (error: SluiceError) => void): Promise<void> {
  for (;;) {
    const due = await service.store.notices.claim(atOnce, holdMs);
    await Promise.all(due.map((notice) => sendNotice(notice, service, onGivenUp)));
    if (due.length < atOnce) return;
  }
}

/** Sends a message that says it is a test, and fails with what was answered unless it is taken. */
export async function checkNotification(notification: NotificationDocument, service: Service): Promise<CheckView> {
  const { name } = notification;
  const at = service.clock.now();
  const answer = await post(notification, { id: `test_${at.getTime()}`, type: "test", at, data: {} }, service);
  if (answer.kind === "taken") return { name, kind: "notification", ok: true, account: `${answer.host} took a test` };
  throw new SluiceError("notification_not_taken", answer.failure);
}

/** What became of a notification's messages, newest first. */
export async function listNotices(name: string, limit: number, service: Service): Promise<readonly NoticeView[]> {
  const { notifications } = await storedDocuments(service);
  if (!notifications.has(name)) {
    throw new NotFoundError("not_found", `There is no notification "${name}"${nearest(name, notifications.keys())}`);
  }
  return (await service.store.notices.list(name, limit)).map((notice) => ({
    id: notice.id,
    run: notice.runId,
    event: notice.event,
    at: notice.at.toISOString(),
    attempts: notice.attempts,
    status: notice.deliveredAt ? "delivered" : notice.dueAt ? "waiting" : "given_up",
    delivered_at: notice.deliveredAt?.toISOString() ?? null,
    next_attempt_at: notice.dueAt?.toISOString() ?? null,
    failure: notice.failure,
  }));
}

async function sendNotice(notice: DueNotice, service: Service, onGivenUp: (error: SluiceError) => void): Promise<void> {
  const { notices } = service.store;
  const { id, notification: name } = notice;
  const answer = await tell(notice, service);
  if (answer.kind === "taken") {
    await notices.delivered(id);
    return;
  }
  const wait = waits[notice.attempts - 1];
  if (answer.kind === "never" || wait === undefined) {
    await notices.failed(id, answer.failure, null);
    onGivenUp(
      new SluiceError(
        "notice_given_up",
        `Notification "${name}", ${notice.event} of ${notice.runId}: ${answer.failure}`,
      ),
    );
    return;
  }
  // A tenth more at most, so that those who failed together do not come together again.
  const spread = wait * (1 + service.random() / 10);
  await notices.failed(id, answer.failure, Math.max(spread, answer.waitMs));
}

type Told =
  | { readonly kind: "taken"; readonly host: string }
  | { readonly kind: "later"; readonly failure: string; readonly waitMs: number }
  | { readonly kind: "never"; readonly failure: string };

async function tell({ id, notification: name, runId, event, at }: DueNotice, service: Service): Promise<Told> {
  const { notifications } = await storedDocuments(service);
  const notification = notifications.get(name);
  if (!notification) return { kind: "never", failure: "the notification was deleted" };
  const run = runView(await service.store.runs.get(runId), service.clock.now());
  return await post(notification, { id, type: `run.${event}`, at, data: run }, service);
}

interface Message {
  readonly id: string;
  readonly type: string;
  readonly at: Date;
  readonly data: object;
}

/** Sends a message once. Never rejects: what went wrong is in the answer. */
async function post(notification: NotificationDocument, message: Message, service: Service): Promise<Told> {
  try {
    return await send(notification, message, service);
  } catch (error) {
    const waitMs = error instanceof DestinationError ? error.retryAfterMs : undefined;
    return { kind: "later", failure: messageOf(error), waitMs: waitMs ?? 0 };
  }
}

async function send(
  notification: NotificationDocument,
  { id, type, at, data }: Message,
  service: Service,
): Promise<Told> {
  const { name } = notification;
  const { url, secret } = await settingsOf(notification, service);
  const now = service.clock.now();
  const outbound = createFetch({
    name,
    kind: "notification",
    adapter: { title: "The receiver" },
    // An address that came from a variable is a secret as well.
    secrets: url === notification.url ? [secret] : [secret, url, new URL(url).pathname],
    allowed: service.allowedAddresses,
    clock: service.clock,
    timeoutMs,
    maxBytes: 64 * 1024,
  });
  try {
    const body = JSON.stringify({ type, timestamp: at.toISOString(), data });
    const headers = { "content-type": "application/json", ...standardHeaders(id, now, body, secret) };
    const { status } = await outbound.fetch(url, { method: "POST", headers, body });
    const { host } = new URL(url);
    if (status >= 200 && status < 300) return { kind: "taken", host };
    const failure = `${host} answered ${status}`;
    return status === 410 ? { kind: "never", failure } : { kind: "later", failure, waitMs: 0 };
  } finally {
    await outbound.close();
  }
}

const settingsSchema = z.object({ url: z.string(), secret: z.string() });

async function settingsOf(
  { name, url, secret }: NotificationDocument,
  service: Service,
): Promise<z.output<typeof settingsSchema>> {
  const known = await knownTo([url, secret], service);
  const resolved = resolveSecrets({ kind: "notification", name, connection: { url, secret } }, known);
  const settings = settingsSchema.parse(resolved);
  if (!URL.canParse(settings.url)) throw invalid(name, "its url is no address");
  if (standardKey(settings.secret).length < 16) throw invalid(name, "its secret is not 16 bytes or more in base64");
  return settings;
}

function invalid(name: string, what: string): UsageError {
  return new UsageError("notification_invalid", `Notification "${name}" cannot be sent: ${what}.`);
}
