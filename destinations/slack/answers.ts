/** What Slack's answers say. The Web API refuses with 200 and `ok: false`; a webhook answers in words. */
import { z } from "zod";
import {
  DestinationError,
  type DestinationErrorKind,
  type FailedResponse,
  type FailureHint,
} from "../../src/destination.ts";
import { parseJson } from "../../src/json-api.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const refusalSchema = z.object({
  ok: z.literal(false),
  error: z.string().default("unknown_error"),
  needed: z.string().optional().catch(undefined),
  response_metadata: z
    .object({ messages: z.array(z.string()).default([]) })
    .optional()
    .catch(undefined),
});

/** Nothing sent with this token to this workspace would be taken: a person is needed. */
const ofTheAccount = new Set([
  "access_denied",
  "account_inactive",
  "ekm_access_denied",
  "enterprise_is_restricted",
  "invalid_auth",
  "missing_scope",
  "no_permission",
  "not_allowed_token_type",
  "not_authed",
  "org_login_required",
  "team_access_not_granted",
  "token_expired",
  "token_revoked",
  "two_factor_setup_required",
]);

/** Slack's own trouble. Of fatal_error it says that a part may have been done. */
const ofSlack = new Set([
  "fatal_error",
  "internal_error",
  "request_timeout",
  "service_unavailable",
  "team_added_to_org",
  "unknown_error",
]);

const limits = new Set(["message_limit_exceeded", "rate_limited", "ratelimited"]);

/** Errors about where a message goes, not about what it says. */
const places: Readonly<Record<string, "channel" | "thread_ts">> = {
  cannot_reply_to_message: "thread_ts",
  channel_is_archived: "channel",
  channel_not_found: "channel",
  is_archived: "channel",
  not_in_channel: "channel",
  restricted_action: "channel",
  restricted_action_read_only_channel: "channel",
  restricted_action_thread_only_channel: "channel",
  thread_not_found: "thread_ts",
};

/** What of a message's place an error is about, if it is about that at all. */
export function placeAtFault(code: string): "channel" | "thread_ts" | undefined {
  return Object.hasOwn(places, code) ? places[code] : undefined;
}

/** The body of an answer of the Web API that is not a refusal. Throws a DestinationError for one that is. */
export function bodyOf({ status, headers, text }: Answer): unknown {
  const body = parseJson(text);
  const refusal = refusalSchema.safeParse(body).data;
  if (refusal) throw refused(refusal, status, headers);
  if (status >= 200 && status < 300) return body;
  if (status === 404) throw notThere(status);
  throw new DestinationError("refused", `Slack refused the request (${status}).`, {
    code: `http_${status}`,
    applied: "no",
    status,
  });
}

function refused(refusal: z.output<typeof refusalSchema>, status: number, headers: Headers): DestinationError {
  const { error: code, needed, response_metadata: more } = refusal;
  const kind = kindOf(code);
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  const scope = needed === undefined ? "" : ` The token needs the scope ${needed}.`;
  const words = [`Slack refused it: ${code}.${scope}${advice[code] ?? ""}`, ...(more?.messages ?? [])].join(" ");
  return new DestinationError(kind, words.slice(0, 500), {
    code,
    applied: kind === "unavailable" ? "unknown" : "no",
    status,
    retryAfterMs: kind === "busy" && seconds >= 0 ? seconds * 1000 : undefined,
  });
}

const advice: Readonly<Record<string, string>> = {
  channel_not_found: " The channel is not there, or it is private and the app is not in it.",
  not_in_channel: " Invite the app to the channel (/invite @app), or give it the scope chat:write.public.",
  is_archived: " The channel is archived.",
  invalid_auth: " The token is wrong.",
  token_revoked: " Install the app again and give the new token.",
};

function kindOf(code: string): DestinationErrorKind {
  if (ofTheAccount.has(code)) return "unauthorized";
  if (limits.has(code)) return "busy";
  return ofSlack.has(code) ? "unavailable" : "refused";
}

const postedSchema = z.object({ ok: z.literal(true), channel: z.string(), ts: z.string() });

/** Where a message is: its channel and time stamp, by which Slack names it. Undefined: the answer does not say. */
export function idOfPosted(body: unknown): string | undefined {
  const posted = postedSchema.safeParse(body).data;
  return posted && `${posted.channel}:${posted.ts}`;
}

/** Whether a webhook says that it posted. False: it does not say so. Throws for a refusal. */
export function webhookPosted({ status, text }: Answer): boolean {
  // The loopback sandbox answers in JSON, Slack in plain words.
  const words = wordsOf(text);
  if (status >= 200 && status < 300) return words === "ok";
  const code = /^[a-z_]+$/.test(words) ? words : `http_${status}`;
  // Gone, or its channel is: no message would be taken.
  const kind = status === 404 || status === 410 ? "unauthorized" : "refused";
  throw new DestinationError(kind, `Slack's webhook refused it: ${code}.`, { code, applied: "no", status });
}

/** Whether a webhook that was given nothing to post says so; then it is there, and has posted nothing. */
export function isWebhookThere(answer: Answer): boolean {
  return (
    answer.status === 400 &&
    ["invalid_payload", "missing_text_or_fallback_or_attachments", "no_text"].includes(wordsOf(answer.text))
  );
}

/** What Slack says in a failure beyond its status. */
export function slackFailure({ body }: FailedResponse): FailureHint | undefined {
  const said = refusalSchema.safeParse(parseJson(body)).data?.error ?? wordsOf(body);
  return /^[a-z_]{3,60}$/.test(said) ? { code: said, message: `${said}.${advice[said] ?? ""}` } : undefined;
}

function notThere(status: number): DestinationError {
  const words = "There is no Slack Web API at this address. Look at base_url, which is without /api.";
  return new DestinationError("unauthorized", words, { code: "api_not_found", applied: "no", status });
}

function wordsOf(text: string): string {
  const parsed = parseJson(text);
  return (typeof parsed === "string" ? parsed : text).trim();
}
