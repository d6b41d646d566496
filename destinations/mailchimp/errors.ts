/** Mailchimp's errors: of one record, of a whole request, and those that ask to wait. */
import { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint } from "../../src/destination.ts";
import { answersOf, parseJson } from "../../src/json-api.ts";

/** `{ type, title: "Invalid Resource", status, detail, instance, errors: [{ field, message }] }` */
const problemSchema = z.object({
  title: z.string().min(1),
  detail: z.string().default("").catch(""),
  errors: z
    .array(z.object({ field: z.string().default(""), message: z.string().default("") }))
    .default([])
    .catch([]),
});

/** What a refusal says. */
export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly field?: string | undefined;
}

/** The reason in a refusal, with the field at fault where Mailchimp names one. */
export function reasonOf({ status, body }: { readonly status: number; readonly body: unknown }): Reason {
  const problem = problemSchema.safeParse(body).data;
  if (!problem) return { code: `http_${status}`, message: `Mailchimp refused the request (${status}).` };
  const [fault] = problem.errors;
  const message = [problem.title, fault?.message || problem.detail].filter(Boolean).join(": ");
  return { code: codeOf(problem.title), message, field: fault?.field ? fieldOf(fault.field) : undefined };
}

/** Mailchimp's titles are its codes: `Member In Compliance State`. */
function codeOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z\d]+/g, "_")
    .replaceAll(/^_|_$/g, "");
}

/** A merge field is named by its tag alone. */
export function fieldOf(name: string): string {
  return /^[A-Z][A-Z\d_]*$/.test(name) ? `merge_fields.${name}` : name;
}

/** A request that Mailchimp refused whole. */
export function refusalOf(answer: { readonly status: number; readonly body: unknown }): DestinationError {
  const { code, message, field } = reasonOf(answer);
  return new DestinationError("refused", message, { code, applied: "no", status: answer.status, field });
}

const overloadWaitMs = 60_000;

/** What Mailchimp says in a failure beyond its status. Overloaded, it may answer 403 without JSON; it names no wait. */
export function mailchimpFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const parsed = parseJson(body);
  if (status === 403 && parsed === null)
    return {
      kind: "busy",
      code: "overloaded",
      retryAfterMs: overloadWaitMs,
      message: "The account has too many requests.",
    };
  const said = problemSchema.safeParse(parsed).success ? reasonOf({ status, body: parsed }) : undefined;
  const wait = status === 429 && !headers.has("retry-after") ? { retryAfterMs: 10_000 } : {};
  return { ...wait, ...(said ? { code: said.code, message: said.message } : {}) };
}

export const parseAnswer = answersOf("Mailchimp");
