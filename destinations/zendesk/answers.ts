/** What Zendesk's answers say of the changes that were asked for. Pure. */
import { z } from "zod";
import type { Outcome } from "../../src/destination.ts";
import { answersOf } from "../../src/json-api.ts";
import { identity } from "./fields.ts";
import type { Reason } from "./errors.ts";
import type { Sought } from "./requests.ts";

const id = z.union([z.int(), z.string()]).transform(String);
const text = z.string().nullish().catch(undefined);

/** Words, in whatever form they come: a form that is not known must not look like none. */
const told = z
  .unknown()
  .optional()
  .transform((given) => (typeof given === "string" || given == null ? given : JSON.stringify(given)));

const recordSchema = z.object({
  id,
  external_id: text,
  email: text,
  name: text,
  role: text,
  /** False: the user was deleted. */
  active: z.boolean().nullish().catch(undefined),
});

/** A user or an organization, as far as the adapter looks at it. */
export type ZendeskRecord = z.output<typeof recordSchema>;

/** Whether a record is a user who works with the account, and no customer. */
export function isOfTheTeam({ role }: ZendeskRecord): boolean {
  return role === "agent" || role === "admin";
}

const listSchema = z.union([
  z.object({ users: z.array(recordSchema) }).transform(({ users }) => users),
  z.object({ organizations: z.array(recordSchema) }).transform(({ organizations }) => organizations),
]);

/** The users or organizations in an answer, without those that were deleted. */
export function parseRecords(body: unknown): readonly ZendeskRecord[] {
  return parseAnswer(listSchema, body).filter(({ active }) => active !== false);
}

const identitiesSchema = z.object({
  identities: z.array(z.object({ id, type: z.string(), value: text, primary: z.boolean().default(false) })),
});

/** The e-mail addresses that a user has, of which one is the primary one. */
export type Identity = z.output<typeof identitiesSchema>["identities"][number];

export function parseEmails(body: unknown): readonly Identity[] {
  return parseAnswer(identitiesSchema, body).identities.filter(({ type }) => type === "email");
}

const rowSchema = z.object({
  id: id.optional().catch(undefined),
  index: z.int().optional().catch(undefined),
  email: text,
  external_id: text,
  status: text,
  success: z.boolean().optional().catch(undefined),
  error: told,
  details: told,
});

/** What a job tells of one record. */
export type Row = z.output<typeof rowSchema>;

const jobSchema = z.object({
  job_status: z.object({
    id: z.string(),
    status: z.string(),
    message: text,
    // Null until the job is done; an object where a job tells of no single record.
    results: z.array(rowSchema).nullish().catch(undefined),
  }),
});

/** A background job as Zendesk shows it. */
export interface Job {
  readonly id: string;
  readonly done: boolean;
  readonly rows: readonly Row[];
  readonly message: string | undefined;
}

export function parseJob(body: unknown): Job {
  const { id: name, status, message, results } = parseAnswer(jobSchema, body).job_status;
  const done = status !== "queued" && status !== "working";
  return { id: name, done, rows: results ?? [], message: message ?? undefined };
}

const meSchema = z.object({
  user: z.object({ id: z.int().nullable(), name: text, email: text, role: text }),
});

/** Who the credential belongs to. Without a credential Zendesk answers with a user that has no id. */
export function parseMe(body: unknown): z.output<typeof meSchema>["user"] {
  return parseAnswer(meSchema, body).user;
}

export const parseAnswer = answersOf("Zendesk");

/** Done, on the record of this id. */
export function accepted({ change }: Sought, destinationId?: string): Outcome {
  return { seq: change.seq, kind: "accepted", ...(destinationId === undefined ? {} : { destinationId }) };
}

/** Refused for this reason, by Zendesk or beforehand. */
export function rejected({ seq }: { readonly seq: number }, { code, message, field }: Reason): Outcome {
  return { seq, kind: "rejected", code, message, ...(field === undefined ? {} : { field }) };
}

/** The job is over or out of sight, and does not show what became of the record. */
export function inDoubt({ change }: Sought, job: Job): Outcome {
  const words = job.done ? (job.message ?? "") : "It was still at work when we stopped waiting.";
  const message = `Zendesk's job ${job.id} does not show what became of the record. ${words}`.trim();
  return { seq: change.seq, kind: "in_doubt", message };
}

/** Whether a row of a job says that its record was refused. */
export function isFailure({ error, success, status }: Row): boolean {
  return error != null || success === false || status?.toLowerCase() === "failed";
}

/** Whether it says that what was asked for was done. A status that is not known is neither. */
export function isSuccess(row: Row): boolean {
  return !isFailure(row) && (row.status == null || /^(created|updated|deleted)$/i.test(row.status));
}

/**
 * What a job's rows say of the changes that it carried; `owners` tells by Zendesk's id whose record a row is about.
 *
 * Rows of refused records may name no record: some have only a place in the request, and some have that place for an
 * id. Such rows are believed when there are exactly as many as changes without a row of success: then each of those was
 * refused, and the place only chooses the words.
 */
export function settle(changes: readonly Sought[], job: Job, owners: ReadonlyMap<string, Sought>): readonly Outcome[] {
  const settled = new Map<Sought, Outcome>();
  const ownerOf = (row: Row): Sought | undefined => (row.id === undefined ? undefined : owners.get(row.id));
  for (const row of job.rows) {
    const owner = ownerOf(row);
    if (owner && isSuccess(row)) settled.set(owner, accepted(owner, row.id));
  }
  const strays: Row[] = [];
  for (const row of job.rows.filter(isFailure)) {
    const owner = ownerOf(row);
    // A record that succeeded has not failed: then the id is the place of another.
    if (owner && !settled.has(owner)) settled.set(owner, rejected(owner.change, reasonIn(row)));
    else strays.push(row);
  }
  const open = changes.filter((sought) => !settled.has(sought));
  const allFailed = strays.length === open.length && job.rows.length === changes.length;
  for (const sought of open) {
    const row =
      strays.find((one) => isNamed(one, sought)) ?? (allFailed ? wordsFor(sought, changes, strays) : undefined);
    settled.set(sought, row ? rejected(sought.change, reasonIn(row)) : inDoubt(sought, job));
  }
  return changes.map((sought) => settled.get(sought) ?? inDoubt(sought, job));
}

function isNamed({ email, external_id }: Row, { change, value }: Sought): boolean {
  const [field] = Object.keys(change.match);
  const named = field === "email" ? email : field === "external_id" ? external_id : undefined;
  return named != null && identity(named) === identity(value);
}

function wordsFor(sought: Sought, changes: readonly Sought[], strays: readonly Row[]): Row | undefined {
  const place = changes.indexOf(sought);
  const [only, ...others] = strays;
  if (others.length === 0) return only;
  const placed = strays.find(({ index, id: given }) => (index ?? Number(given)) === place);
  const details = [...new Set(strays.map((row) => row.details ?? row.error))].join("; ");
  return placed ?? { error: "refused_with_others", details: `Refused together with others: ${details}` };
}

function reasonIn({ error, details }: Row): Reason {
  const code = error ?? "Failed";
  return { code: /^\w+$/.test(code) ? code : "Failed", message: details ?? error ?? "Zendesk refused the record." };
}
