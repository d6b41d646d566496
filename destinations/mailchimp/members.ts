/**
 * Writes the members of an audience. New ones go together, with the status that they are to begin with; whoever is there
 * already is changed alone and without a status, for with one a sync would subscribe people who left.
 */
import { hash } from "node:crypto";
import { z } from "zod";
import { type Batch, type Change, DestinationError, type Outcome } from "../../src/destination.ts";
import { isSuccess, type JsonApi, notingWhatApplied } from "../../src/json-api.ts";
import { fieldOf, parseAnswer, type Reason, reasonOf, refusalOf } from "./errors.ts";
import { addressOf, emailField, identity, type KnownFields, memberOf, type MemberValues } from "./fields.ts";
import type { MemberSettings } from "./settings.ts";

export interface MembersContext {
  readonly api: JsonApi;
  readonly settings: MemberSettings;
  readonly fields: KnownFields;
  readonly signal: AbortSignal | undefined;
}

/** A change that Mailchimp can be asked for. */
interface Sought {
  readonly change: Change;
  readonly email: string;
  readonly member: MemberValues;
}

export async function writeMembers(batch: Batch, given: MembersContext): Promise<readonly Outcome[]> {
  const context = { ...given, api: notingWhatApplied(given.api, { refusedAs: "unavailable" }) };
  if (batch.match.length !== 1 || batch.match[0] !== emailField || batch.operation === "append")
    throw new DestinationError(
      "refused",
      `Mailchimp's members know no ${batch.operation} by ${batch.match.join(" and ")}.`,
      {
        code: "operation_unsupported",
        applied: "no",
      },
    );
  const outcomes: Outcome[] = [];
  const fitting: Sought[] = [];
  for (const change of batch.changes) {
    const asked = soughtOf(change, context);
    if ("misfit" in asked) outcomes.push(rejected(change, asked.misfit));
    else fitting.push(asked.sought);
  }
  const [twins, sought] = splitTwins(fitting);
  return [...outcomes, ...twins, ...(await byOperation(batch, sought, context))];
}

function soughtOf(
  change: Change,
  { fields }: MembersContext,
): { readonly sought: Sought } | { readonly misfit: Reason } {
  const address = addressOf(change.match[emailField]);
  if ("misfit" in address) return address;
  const asked = memberOf(change.record, fields);
  if ("misfit" in asked) return asked;
  return { sought: { change, email: address.email, member: asked.member } };
}

/** Addresses that differ in case alone are one member, of whom the last change would be kept without a word. */
function splitTwins(all: readonly Sought[]): readonly [twins: readonly Outcome[], single: readonly Sought[]] {
  const groups = [...Map.groupBy(all, ({ email }) => identity(email)).values()];
  const twins = groups.filter(({ length }) => length > 1).flat();
  const message = "Another row has the same e-mail address but for its case. None of them was sent.";
  const refused = twins.map(({ change }) => rejected(change, { code: "duplicate_match", message, field: emailField }));
  return [refused, groups.filter(({ length }) => length === 1).flat()];
}

async function byOperation(
  { operation }: Batch,
  all: readonly Sought[],
  context: MembersContext,
): Promise<readonly Outcome[]> {
  switch (operation) {
    case "insert":
      return (await add(all, context)).map(({ outcome }) => outcome);
    case "upsert":
      return upsert(all, context);
    case "update":
      return inTurn(all, (sought) => change(sought, context));
    default:
      return inTurn(all, (sought) => remove(sought, operation, context));
  }
}

/** One after the other; those of an earlier one are not lost to a later failure, for then the batch may have been applied. */
async function inTurn(all: readonly Sought[], act: (sought: Sought) => Promise<Outcome>): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const sought of all) outcomes.push(await act(sought));
  return outcomes;
}

async function upsert(all: readonly Sought[], context: MembersContext): Promise<readonly Outcome[]> {
  const known = all.filter(({ change: { destinationId } }) => destinationId !== undefined);
  const changed = await inTurn(known, (sought) => change(sought, context));
  const gone = new Set(changed.flatMap((outcome) => (isGone(outcome) ? [outcome.seq] : [])));
  const others = all.filter(({ change: { destinationId, seq } }) => destinationId === undefined || gone.has(seq));
  const added = await add(others, context);
  const there = added.filter(({ exists }) => exists).map(({ sought }) => sought);
  return [
    ...changed.filter(({ seq }) => !gone.has(seq)),
    ...added.filter(({ exists }) => !exists).map(({ outcome }) => outcome),
    ...(await inTurn(there, (sought) =>
      change({ ...sought, change: { ...sought.change, destinationId: undefined } }, context),
    )),
  ];
}

const memberSchema = z.object({
  contact_id: z.string().min(1),
  email_address: z.string(),
  status: z.string().optional().catch(undefined),
});
const addedSchema = z.object({
  new_members: z.array(memberSchema),
  updated_members: z.array(memberSchema).default([]),
  errors: z.array(
    z.object({
      email_address: z.string().default(""),
      error: z.string().default("Mailchimp refused the member."),
      error_code: z.string().optional().catch(undefined),
      field: z.string().optional().catch(undefined),
      field_message: z.string().optional().catch(undefined),
    }),
  ),
});

interface Added {
  readonly sought: Sought;
  readonly outcome: Outcome;
  /** Refused for no other reason than that there is such a member. */
  readonly exists: boolean;
}

/** Makes members who are not there yet, each told by the address. */
async function add(all: readonly Sought[], { api, settings, signal }: MembersContext): Promise<readonly Added[]> {
  if (all.length === 0) return [];
  const members = all.map(({ email, member }) => ({
    ...withoutEmpty(member),
    email_address: email,
    status: settings.status_if_new,
  }));
  const body = { members, update_existing: false };
  const answer = parseAnswer(addedSchema, await api.ask("POST", `/lists/${settings.audience}`, body, signal));
  const made = Map.groupBy(answer.new_members, ({ email_address }) => identity(email_address));
  const refused = Map.groupBy(answer.errors, ({ email_address }) => identity(email_address));
  return all.map((sought): Added => {
    const [member] = made.get(identity(sought.email)) ?? [];
    const [error] = refused.get(identity(sought.email)) ?? [];
    if (member && !error)
      return {
        sought,
        exists: false,
        outcome: { seq: sought.change.seq, kind: "accepted", destinationId: member.contact_id },
      };
    if (!error || member) return { sought, exists: false, outcome: inDoubt(sought) };
    const reason = {
      code: (error.error_code ?? "ERROR_GENERIC").toLowerCase(),
      message: error.field_message || error.error,
      field: error.field ? fieldOf(error.field) : undefined,
    };
    return { sought, exists: error.error_code === "ERROR_CONTACT_EXISTS", outcome: rejected(sought.change, reason) };
  });
}

/** There is nothing to clear yet in what is about to be made. */
function withoutEmpty(member: MemberValues): MemberValues {
  const merge = Object.entries(member["merge_fields"] ?? {}).filter(([, value]) => value !== "");
  return { ...member, ...(merge.length > 0 ? { merge_fields: Object.fromEntries(merge) } : { merge_fields: {} }) };
}

/** Changes a member who is there: by Mailchimp's id where it is known, and by the new address from then on. */
async function change(
  sought: Sought,
  { api, settings, signal }: MembersContext,
  operation?: Batch["operation"],
): Promise<Outcome> {
  const { change: asked, email, member } = sought;
  const renames = asked.renamed && asked.destinationId !== undefined;
  const body = { ...member, ...(renames ? { email_address: email } : {}) };
  const answer = await api.call("PATCH", pathOf(sought, settings), body, signal);
  if (!isSuccess(answer)) return refusedAs(sought, answer);
  const shown = memberSchema.safeParse(answer.body).data;
  if (!shown || identity(shown.email_address) !== identity(email)) return inDoubt(sought);
  if (shown.status === "archived" && operation !== "clear") return rejected(asked, archived);
  return { seq: asked.seq, kind: "accepted", destinationId: shown.contact_id };
}

/** Only a person can tell whether somebody who was put away wants to hear from them again. */
const archived: Reason = {
  code: "member_archived",
  message: "The member is archived in the audience. The values were written; a person has to unarchive the member.",
};

/** A member who is gone already has nothing to clear, archive or delete. */
async function remove(sought: Sought, operation: Batch["operation"], context: MembersContext): Promise<Outcome> {
  const { api, settings, signal } = context;
  const { seq } = sought.change;
  if (operation === "clear") {
    const outcome = await change({ ...sought, change: { ...sought.change, renamed: false } }, context, operation);
    return isGone(outcome) ? { seq, kind: "accepted" } : outcome;
  }
  const path = pathOf(sought, settings);
  const answer =
    operation === "archive"
      ? await api.call("DELETE", path, undefined, signal)
      : await api.call("POST", `${path}/actions/delete-permanent`, undefined, signal);
  // Who is archived already cannot be archived again (405).
  const isDone = answer.status === 204 || answer.status === 404 || (operation === "archive" && answer.status === 405);
  if (isDone) return { seq, kind: "accepted" };
  return isSuccess(answer) ? inDoubt(sought) : refusedAs(sought, answer);
}

/** Mailchimp takes the hash of an address, or its own id, which stays when the address changes. */
function pathOf({ change: { destinationId }, email }: Sought, { audience }: MemberSettings): string {
  const name = destinationId ?? hash("md5", identity(email), "hex");
  return `/lists/${audience}/members/${encodeURIComponent(name)}`;
}

function refusedAs(
  { change: asked, email }: Sought,
  answer: { readonly status: number; readonly body: unknown },
): Outcome {
  if (answer.status === 404)
    return rejected(asked, {
      code: "not_found",
      message: `The audience has no member ${JSON.stringify(email)}.`,
      field: emailField,
    });
  if (answer.status !== 400 && answer.status !== 422) throw refusalOf(answer);
  return rejected(asked, reasonOf(answer));
}

function isGone(outcome: Outcome): boolean {
  return outcome.kind === "rejected" && outcome.code === "not_found";
}

function rejected({ seq }: Change, { code, message, field }: Reason): Outcome {
  return { seq, kind: "rejected", code, message, ...(field === undefined ? {} : { field }) };
}

function inDoubt({ change: { seq }, email }: Sought): Outcome {
  return {
    seq,
    kind: "in_doubt",
    message: `Mailchimp's answer does not show what became of ${JSON.stringify(email)}.`,
  };
}
