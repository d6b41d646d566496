/** Puts records on a static list, and takes them off. */
import { z } from "zod";
import { type Batch, type Change, DestinationError, type ObjectSettings, type Outcome } from "../../src/destination.ts";
import { afterApplied, idSchema, parseAnswer } from "./answers.ts";
import type { HubSpotApi } from "./api.ts";
import { refusalOf } from "./errors.ts";
import { lookUp, matchText } from "./records.ts";

/** `to.settings` of a sync to `list_memberships`. */
export const membershipSettings = z.strictObject({
  list: z.coerce.string().min(1).meta({ description: "The list's name or id." }),
  of: z.string().default("contacts").meta({ description: "The object whose records are on the list." }),
  create: z.boolean().default(true).meta({ description: "Make the list if there is none of that name." }),
});

export type MembershipSettings = z.infer<typeof membershipSettings>;

/** Throws `refused` for settings that are wrong, saying which. */
export function parseSettings(settings: ObjectSettings): MembershipSettings {
  const parsed = membershipSettings.safeParse(settings);
  if (parsed.success) return parsed.data;
  const words = parsed.error.issues
    .map(({ path, message }) => `to.settings${path.map((step) => `.${String(step)}`).join("")}: ${message}`)
    .join("; ");
  throw new DestinationError(
    "refused",
    `list_memberships needs settings such as { list: "Churn risk", of: contacts }. ${words}`,
    {
      code: "settings_invalid",
      applied: "no",
    },
  );
}

const listSchema = z.object({
  list: z.object({ listId: idSchema, name: z.string(), processingType: z.string() }),
});

/** The list's id, or undefined when there is none. A list that HubSpot fills by itself is refused. */
export async function findList(
  { list }: MembershipSettings,
  objectTypeId: string,
  api: HubSpotApi,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const paths = [`/crm/lists/${api.version}/object-type-id/${objectTypeId}/name/${encodeURIComponent(list)}`];
  if (/^\d+$/.test(list)) paths.unshift(`/crm/lists/${api.version}/${list}`);
  for (const path of paths) {
    const answer = await api.call("GET", path, undefined, signal);
    if (answer.status === 404) continue;
    if (answer.status !== 200) throw refusalOf(answer);
    const { listId, name, processingType } = parseAnswer(listSchema, answer.body).list;
    if (processingType !== "DYNAMIC") return listId;
    throw new DestinationError(
      "refused",
      `HubSpot fills the list "${name}" by itself (DYNAMIC), so no record can be put on it. Name a static list.`,
      {
        code: "list_is_dynamic",
        applied: "no",
      },
    );
  }
  return undefined;
}

/** The list's id; the list is made if it is missing and may be. */
export async function ensureList(
  settings: MembershipSettings,
  objectTypeId: string,
  api: HubSpotApi,
  signal: AbortSignal | undefined,
): Promise<string> {
  const found = await findList(settings, objectTypeId, api, signal);
  if (found !== undefined) return found;
  if (!settings.create) throw listMissing(settings);
  const body = { name: settings.list, objectTypeId, processingType: "MANUAL" };
  try {
    return parseAnswer(listSchema, await api.read("POST", `/crm/lists/${api.version}`, body, signal)).list.listId;
  } catch (error) {
    // Somebody else may have made it in the meantime.
    const taken = error instanceof DestinationError && error.code === "ILS.DUPLICATE_LIST_NAMES";
    const made = taken ? await findList(settings, objectTypeId, api, signal) : undefined;
    if (made === undefined) throw error;
    return made;
  }
}

export function listMissing({ list, of }: MembershipSettings): DestinationError {
  const message = `HubSpot has no list "${list}" of ${of}, and the settings say create: false.`;
  return new DestinationError("refused", message, { code: "list_not_found", applied: "no" });
}

export interface MembershipContext {
  readonly api: HubSpotApi;
  readonly listId: string;
  readonly objectTypeId: string;
  /** The object whose records are on the list. */
  readonly of: string;
  readonly signal: AbortSignal | undefined;
}

/** Adds or removes the records of a batch. A record that is not there cannot be on a list: rejected, or gone already. */
export async function writeMemberships(batch: Batch, context: MembershipContext): Promise<readonly Outcome[]> {
  const removing = batch.operation === "archive";
  const ids = await recordIds(batch, context);
  const present = batch.changes.filter(({ seq }) => ids.has(seq));
  const absent = batch.changes
    .filter(({ seq }) => !ids.has(seq))
    .map((change): Outcome => (removing ? { seq: change.seq, kind: "accepted" } : notFound(change, context.of)));
  const wanted = [...new Set(ids.values())];
  if (wanted.length === 0) return absent;
  const moved = removing ? [] : replacedIds(present, ids);
  const states = await change(removing ? [] : wanted, removing ? wanted : moved, context);
  const outcomes = present.map((one) => toOutcome(one, ids.get(one.seq) ?? "", states, removing, context.of));
  return [...absent, ...outcomes];
}

/** The record of each change, by seq: the known one, unless the row matches another now. */
async function recordIds(batch: Batch, { api, of, signal }: MembershipContext): Promise<ReadonlyMap<number, string>> {
  const [property = ""] = batch.match;
  const known = batch.changes.filter(({ destinationId, renamed }) => destinationId !== undefined && !renamed);
  const direct = property === "hs_object_id" ? batch.changes : known;
  const rest = batch.changes.filter((one) => !direct.includes(one));
  const ids = new Map(direct.map((one) => [one.seq, one.destinationId ?? matchText(one, property)]));
  for (const [seq, id] of await lookUp({ object: of, match: batch.match }, rest, { api, signal })) ids.set(seq, id);
  return ids;
}

/** Records that leave the list because their row matches another one now. */
function replacedIds(changes: readonly Change[], ids: ReadonlyMap<number, string>): readonly string[] {
  const kept = new Set(ids.values());
  const old = changes.filter(({ renamed }) => renamed).map(({ destinationId }) => destinationId);
  return old.filter((id) => id !== undefined).filter((id) => !kept.has(id));
}

function notFound({ seq, match }: Change, of: string): Outcome {
  const [property, value] = Object.entries(match)[0] ?? [];
  return {
    seq,
    kind: "rejected",
    code: "RECORD_NOT_FOUND",
    message: `There are no ${of} with ${property} ${JSON.stringify(value)}.`,
    field: property,
  };
}

type Membership = "member" | "not_member" | "missing";

const changedSchema = z.object({
  recordsIdsAdded: z.array(idSchema),
  recordIdsRemoved: z.array(idSchema),
  recordIdsMissing: z.array(idSchema),
});

/** What became of each record. Those that the answer leaves out, as HubSpot may for members already, are looked at. */
async function change(
  add: readonly string[],
  remove: readonly string[],
  context: MembershipContext,
): Promise<ReadonlyMap<string, Membership>> {
  const { api, listId, signal } = context;
  const body = { recordIdsToAdd: add, recordIdsToRemove: remove };
  const changed = parseAnswer(
    changedSchema,
    await api.read("PUT", `/crm/lists/${api.version}/${listId}/memberships/add-and-remove`, body, signal),
  );
  const states = new Map<string, Membership>();
  for (const id of changed.recordsIdsAdded) states.set(id, "member");
  for (const id of changed.recordIdsRemoved) states.set(id, "not_member");
  for (const id of changed.recordIdsMissing) states.set(id, "missing");
  const silent = [...add, ...remove].filter((id) => !states.has(id));
  for (const [id, state] of await afterApplied(lookAt(silent, context))) states.set(id, state);
  return states;
}

const membershipsSchema = z.object({
  results: z.array(z.object({ recordId: idSchema, recordListMemberships: z.array(z.object({ listId: idSchema })) })),
});

async function lookAt(
  ids: readonly string[],
  { api, listId, objectTypeId, signal }: MembershipContext,
): Promise<ReadonlyMap<string, Membership>> {
  if (ids.length === 0) return new Map();
  const body = { inputs: ids.map((recordId) => ({ objectTypeId, recordId })) };
  const { results } = parseAnswer(
    membershipsSchema,
    await api.read("POST", `/crm/lists/${api.version}/records/memberships/batch/read`, body, signal),
  );
  return new Map(
    results.map(({ recordId, recordListMemberships }) => [
      recordId,
      recordListMemberships.some((membership) => membership.listId === listId) ? "member" : "not_member",
    ]),
  );
}

function toOutcome(
  one: Change,
  id: string,
  states: ReadonlyMap<string, Membership>,
  removing: boolean,
  of: string,
): Outcome {
  const { seq } = one;
  const state = states.get(id);
  if (state === undefined) return { seq, kind: "in_doubt", message: "HubSpot's answer does not mention this record." };
  if (state === "missing") return removing ? { seq, kind: "accepted" } : notFound(one, of);
  if ((state === "member") !== removing) return { seq, kind: "accepted", destinationId: id };
  return {
    seq,
    kind: "in_doubt",
    message: `HubSpot accepted the request, but the record is ${removing ? "still" : "not"} on the list.`,
  };
}
