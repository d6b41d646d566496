/** Finds the record that a row means. Pipedrive has no unique fields, so what is found may be several, and none is guessed. */
import { z } from "zod";
import { type Answer, isSuccess, type PipedriveApi } from "./api.ts";
import { parseAnswer, type Reason, refusalOf } from "./errors.ts";
import type { Known } from "./fields.ts";
import { isSame, shownEntries } from "./lists.ts";
import { type ObjectName, objects } from "./objects.ts";

/** What is known of the record. */
export interface Lookup {
  readonly object: ObjectName;
  readonly field: Known;
  readonly value: string | number;
}

export type Found =
  | { readonly kind: "none" }
  | { readonly kind: "one"; readonly id: number }
  | { readonly kind: "refused"; readonly reason: Reason };

export interface Asking {
  readonly api: PipedriveApi;
  readonly signal: AbortSignal | undefined;
}

/** A record as Pipedrive shows it. */
const recordSchema = z.looseObject({
  id: z.int(),
  is_deleted: z.boolean().default(false).catch(false),
  custom_fields: z.record(z.string(), z.unknown()).nullish().catch(undefined),
});

export type Shown = z.output<typeof recordSchema>;

/** The record in the answer to a request about one. */
export function shownIn(body: unknown): Shown | undefined {
  return z.object({ data: recordSchema }).safeParse(body).data?.data;
}

/** What an answer says of a record that is not there, or was deleted within the last 30 days. */
export function isGone({ status, body }: Answer): boolean {
  return status === 404 || status === 410 || shownIn(body)?.is_deleted === true;
}

/** The one record with the value, as Pipedrive's search sees it; several are `refused` as ambiguous. */
export async function find(lookup: Lookup, asking: Asking): Promise<Found> {
  if (lookup.field.name === "id") return findById(lookup, asking);
  return lookup.field.custom === true ? findByCustomField(lookup, asking) : findByOwnField(lookup, asking);
}

async function findById({ object, value }: Lookup, asking: Asking): Promise<Found> {
  const record = await readRecord(object, Number(value), asking);
  return record ? { kind: "one", id: record.id } : { kind: "none" };
}

/** A record by Pipedrive's id; undefined where there is none. */
export async function readRecord(
  object: ObjectName,
  id: number,
  asking: Asking,
  more = "",
): Promise<Shown | undefined> {
  const answer = await asking.api.call("GET", `/v2/${object}/${id}${more}`, undefined, asking.signal);
  if (isGone(answer)) return undefined;
  if (!isSuccess(answer)) throw refusalOf(answer);
  const { data } = parseAnswer(z.object({ data: recordSchema.refine((record) => record.id === id) }), answer.body);
  return data;
}

const most = 500;

const searchSchema = z.object({
  data: z.object({
    items: z.array(
      z.object({
        item: z.looseObject({ id: z.int(), emails: z.array(z.string()).nullish().catch(undefined) }),
      }),
    ),
  }),
  additional_data: z.object({ next_cursor: z.string().nullish() }).nullish().catch(undefined),
});

type Item = z.output<typeof searchSchema>["data"]["items"][number]["item"];

/** Everything that the search shows for a term in some kind of field; undefined where it has more than it shows at once. */
async function search(
  { object, value }: Lookup,
  fields: string,
  { api, signal }: Asking,
): Promise<readonly Item[] | undefined> {
  const term = String(value).trim();
  const query = new URLSearchParams({ term, fields, exact_match: "true", limit: String(most) });
  const answer = parseAnswer(searchSchema, await api.read(`/v2/${object}/search?${query.toString()}`, signal));
  return answer.additional_data?.next_cursor ? undefined : answer.data.items.map(({ item }) => item);
}

/** The search shows e-mail addresses and names, but takes no account of capitals. */
async function findByOwnField(lookup: Lookup, asking: Asking): Promise<Found> {
  const { field, value } = lookup;
  const sought = String(value);
  const items = await search(lookup, field.name, asking);
  if (!items) return ambiguous(lookup);
  if (field.kind === "email") {
    const known = items.filter(({ emails }) => emails?.some((email) => isSame(email, sought)));
    return theOne(known, lookup);
  }
  return theOne(
    items.filter((item) => isNamed(item, lookup)),
    lookup,
  );
}

/** Names that differ in capitals alone are hardly two things; which is meant, a person knows. */
function isNamed(item: Readonly<Record<string, unknown>>, { field, value }: Lookup): boolean {
  return textIn(item, field.name)?.toLowerCase() === String(value).trim().toLowerCase();
}

function textIn(record: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const text = record[field];
  return typeof text === "string" ? text.trim() : undefined;
}

/** The search tells that a term is in some custom field, and not in which: those that it names are looked at. */
async function findByCustomField(lookup: Lookup, asking: Asking): Promise<Found> {
  const items = await search(lookup, "custom_fields", asking);
  if (!items) return ambiguous(lookup);
  const ids = [...new Set(items.map(({ id }) => id))];
  const records = await readAll(lookup, ids, asking);
  return theOne(
    records.filter((record) => hasValue(record, lookup)),
    lookup,
  );
}

const recordsSchema = z.object({ data: z.array(recordSchema) });

/** Pipedrive takes a hundred ids at once. One alone is cheaper by itself. */
async function readAll({ object, field }: Lookup, ids: readonly number[], asking: Asking): Promise<readonly Shown[]> {
  const [only, ...others] = ids;
  if (only === undefined) return [];
  if (others.length === 0) {
    const record = await readRecord(object, only, asking, `?custom_fields=${field.name}`);
    return record ? [record] : [];
  }
  const records: Shown[] = [];
  for (let at = 0; at < ids.length; at += 100) {
    const query = `ids=${ids.slice(at, at + 100).join(",")}&custom_fields=${field.name}&limit=100`;
    const answer = await asking.api.read(`/v2/${object}?${query}`, asking.signal);
    records.push(...parseAnswer(recordsSchema, answer).data);
  }
  return records;
}

function hasValue(record: Shown, { field, value }: Lookup): boolean {
  const shown = record.custom_fields?.[field.name];
  if (record.is_deleted || shown == null) return false;
  if (typeof shown === "number") return shown === Number(value);
  return typeof shown === "string" && shown.trim() === String(value).trim();
}

function theOne(records: readonly Readonly<Record<string, unknown> & { id: number }>[], lookup: Lookup): Found {
  const distinct = [...new Map(records.map((record) => [record.id, record])).values()];
  const [one, ...others] = distinct;
  if (!one) return { kind: "none" };
  if (others.length > 0)
    return ambiguous(
      lookup,
      distinct.map(({ id }) => id),
    );
  const { field, value } = lookup;
  if (field.kind === "email" || field.custom === true || one[field.name] === undefined)
    return { kind: "one", id: one.id };
  if (textIn(one, field.name) === String(value).trim()) return { kind: "one", id: one.id };
  const words = `Pipedrive's ${objects[lookup.object].one} ${one.id} has this ${field.name} but for its capitals. Write it the same way, or match by another field.`;
  return { kind: "refused", reason: { code: "ambiguous_match", message: words, field: field.name } };
}

function ambiguous({ object, field }: Lookup, ids: readonly number[] = []): Found {
  const which = ids.length === 0 ? "" : `: ${ids.slice(0, 5).join(", ")}${ids.length > 5 ? ", …" : ""}`;
  const message = `Several ${object} have this ${JSON.stringify(field.title)}${which}. Merge them in Pipedrive, or match by a field that is theirs alone.`;
  return { kind: "refused", reason: { code: "ambiguous_match", message, field: field.name } };
}

/**
 * The same among the newest records. The search sees a new record some time late, the list sees it at once; so it is asked where
 * the answer to a request that makes one was lost.
 */
export async function findAmongNewest(lookup: Lookup, { api, signal }: Asking): Promise<Found> {
  const { object, field } = lookup;
  const only = field.custom === true ? `&custom_fields=${field.name}` : "";
  const answer = await api.read(`/v2/${object}?sort_by=add_time&sort_direction=desc&limit=100${only}`, signal);
  const { data } = parseAnswer(recordsSchema, answer);
  return theOne(
    data.filter((record) => !record.is_deleted && isMeant(record, lookup)),
    lookup,
  );
}

function isMeant(record: Shown, lookup: Lookup): boolean {
  if (lookup.field.custom === true) return hasValue(record, lookup);
  if (lookup.field.kind !== "email") return isNamed(record, lookup);
  return (shownEntries(record["emails"]) ?? []).some(({ value }) => isSame(value, String(lookup.value)));
}
