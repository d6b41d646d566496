/** Writes users by external id through `/users/track`, and deletes them. */
import { z } from "zod";
import {
  type Batch,
  type Change,
  DestinationError,
  type DestinationRecord,
  type Outcome,
} from "../../src/destination.ts";
import type { JsonApi } from "../../src/json-api.ts";
import { parseAnswer } from "./errors.ts";
import { attributesOf, externalIdOf, idField, type Misfit } from "./fields.ts";

export interface UsersContext {
  readonly api: JsonApi;
  readonly signal: AbortSignal | undefined;
}

interface Sought {
  readonly change: Change;
  readonly id: string;
  readonly attributes: DestinationRecord;
}

export async function writeUsers(batch: Batch, context: UsersContext): Promise<readonly Outcome[]> {
  const { operation, match } = batch;
  if (match.length !== 1 || match[0] !== idField || !["upsert", "update", "clear", "delete"].includes(operation))
    throw new DestinationError("refused", `Braze's users know no ${operation} by ${match.join(" and ")}.`, {
      code: "operation_unsupported",
      applied: "no",
    });
  const outcomes: Outcome[] = [];
  const sought: Sought[] = [];
  for (const change of batch.changes) {
    const asked = soughtOf(change, operation === "delete");
    if ("misfit" in asked) outcomes.push(rejected(change, asked.misfit));
    else sought.push(asked.sought);
  }
  if (sought.length === 0) return outcomes;
  return [...outcomes, ...(await byOperation(operation, sought, context))];
}

function soughtOf(change: Change, isRemoved: boolean): { readonly sought: Sought } | { readonly misfit: Misfit } {
  const found = externalIdOf(change.match);
  if ("misfit" in found) return found;
  const asked = attributesOf(isRemoved ? {} : change.record);
  return "misfit" in asked ? asked : { sought: { change, id: found.id, attributes: asked.attributes } };
}

function byOperation(
  operation: Batch["operation"],
  all: readonly Sought[],
  context: UsersContext,
): Promise<readonly Outcome[]> {
  if (operation === "upsert") return track(all, {}, context);
  if (operation === "delete") return destroy(all, context);
  return operation === "update" ? update(all, context) : track(all, existingOnly, context);
}

/** Without it, Braze makes a user where there is none. */
const existingOnly = { _update_existing_only: true } as const;

const trackedSchema = z.object({
  message: z.string(),
  attributes_processed: z.int().min(0).optional(),
  errors: z
    .array(
      z.object({
        type: z.string().default("Braze refused the user."),
        input_array: z.string().optional(),
        index: z.int().optional(),
      }),
    )
    .default([]),
});

type Tracked = z.output<typeof trackedSchema>;

async function track(
  all: readonly Sought[],
  more: DestinationRecord,
  { api, signal }: UsersContext,
): Promise<readonly Outcome[]> {
  const attributes = all.map(({ id, attributes: given }) => ({ ...given, external_id: id, ...more }));
  const answer = await api.ask("POST", "/users/track", { attributes }, signal);
  return outcomesOf(all, parseAnswer(trackedSchema, answer));
}

/**
 * Braze repeats nothing of a user: an error names its place among the attributes, which is all the identity that there is. It is believed
 * where it is explicit; the others were processed only if Braze's own count says so to the last one.
 */
export function outcomesOf(
  all: readonly Sought[],
  { message, attributes_processed, errors }: Tracked,
): readonly Outcome[] {
  const explicit = errors.filter(({ input_array, index = -1 }) => input_array === "attributes" && index in all);
  const byPlace = new Map(explicit.map((error) => [error.index, error]));
  const isAccountedFor =
    message === "success" && explicit.length === errors.length && attributes_processed === all.length - byPlace.size;
  return all.map(({ change }, place): Outcome => {
    const error = byPlace.get(place);
    if (error) return rejected(change, { code: "record_refused", message: error.type });
    if (isAccountedFor) return { seq: change.seq, kind: "accepted" };
    const words = `Braze answered "${message}" and counts ${attributes_processed ?? "none"} of ${all.length} users as processed.`;
    return { seq: change.seq, kind: "in_doubt", message: words };
  });
}

const exportedSchema = z.object({
  users: z.array(z.object({ external_id: z.string().optional() })),
  invalid_user_ids: z.array(z.string()).default([]),
});

/** Braze ignores an update of a user who is not there without a word, so it is asked first who is. */
async function update(all: readonly Sought[], context: UsersContext): Promise<readonly Outcome[]> {
  const { api, signal } = context;
  const asked = { external_ids: all.map(({ id }) => id), fields_to_export: [idField] };
  const answer = await api.ask("POST", "/users/export/ids", asked, signal);
  const { users, invalid_user_ids } = parseAnswer(exportedSchema, answer);
  const present = new Set(users.map(({ external_id }) => external_id));
  const missing = new Set(invalid_user_ids);
  const known = all.filter(({ id }) => present.has(id));
  const others = all
    .filter(({ id }) => !present.has(id))
    .map(({ change, id }): Outcome => {
      const words = `Braze has no user ${JSON.stringify(id)}.`;
      if (missing.has(id)) return rejected(change, { code: "not_found", message: words, field: idField });
      return {
        seq: change.seq,
        kind: "in_doubt",
        message: `Braze does not say whether it has the user ${JSON.stringify(id)}.`,
      };
    });
  return [...others, ...(known.length > 0 ? await track(known, existingOnly, context) : [])];
}

const deletedSchema = z.object({ message: z.string(), deleted: z.int().min(0) });

/** Success is of all that were named: a user who was not there is not counted, and is as gone. */
async function destroy(all: readonly Sought[], { api, signal }: UsersContext): Promise<readonly Outcome[]> {
  const answer = await api.ask("POST", "/users/delete", { external_ids: all.map(({ id }) => id) }, signal);
  const { message } = parseAnswer(deletedSchema, answer);
  return all.map(({ change: { seq } }): Outcome => {
    if (message === "success") return { seq, kind: "accepted" };
    return { seq, kind: "in_doubt", message: `Braze answered "${message}".` };
  });
}

function rejected(
  { seq }: Change,
  { code, message, field }: Omit<Misfit, "field"> & { readonly field?: string },
): Outcome {
  return { seq, kind: "rejected", code, message, ...(field === undefined ? {} : { field }) };
}
