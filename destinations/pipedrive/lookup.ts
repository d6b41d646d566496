/** Finds the record that a row means. Pipedrive has no unique fields, so what is found may be several, and none is guessed. */
import { z } from "zod";
import { type Answer, isSuccess, type JsonApi } from "../../src/json-api.ts";
import { parseAnswer, type Reason, refusalOf } from "./errors.ts";
import type { Known } from "./known.ts";
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
  readonly api: JsonApi;
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
  if (lookup.field.name !== "id") return findBySearch(lookup, asking);
  const record = await readRecord(lookup.object, Number(lookup.value), asking);
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

/** What the search shows at once. */
const most = 500;

/** What the search must show of a record, so that it can be told from others: one that is missed would be made again. */
function searchSchema({ field }: Lookup): z.ZodType<Searched> {
  const shown =
    field.custom === true
      ? {}
      : field.kind === "email"
        ? { emails: z.array(z.string()) }
        : { [field.name]: z.string() };
  return z.object({
    data: z.object({ items: z.array(z.object({ item: z.looseObject({ id: z.int(), ...shown }) })) }),
    additional_data: z.object({ next_cursor: z.string().nullish() }).nullish().catch(undefined),
  });
}

type Named = Readonly<Record<string, unknown>> & { readonly id: number };

interface Searched {
  readonly data: { readonly items: readonly { readonly item: Named }[] };
  readonly additional_data?: { readonly next_cursor?: string | null | undefined } | null | undefined;
}

/** The search takes no account of capitals, and tells of custom fields only that the term is in one of them. */
async function findBySearch(lookup: Lookup, asking: Asking): Promise<Found> {
  const { object, field, value } = lookup;
  const fields = field.custom === true ? "custom_fields" : field.name;
  const query = new URLSearchParams({
    term: String(value).trim(),
    fields,
    exact_match: "true",
    limit: String(most),
  });
  const body = await asking.api.ask("GET", `/v2/${object}/search?${query.toString()}`, undefined, asking.signal);
  const answer = parseAnswer(searchSchema(lookup), body);
  if (answer.additional_data?.next_cursor) return ambiguous(lookup, []);
  const items = answer.data.items.map(({ item }) => item);
  const ids = [...new Set(items.map(({ id }) => id))];
  return theOne(field.custom === true ? await readAll(lookup, ids, asking) : items, lookup);
}

const recordsSchema = z.object({ data: z.array(recordSchema) });

/** Pipedrive takes a hundred ids at once. One alone is cheaper by itself. */
async function readAll({ object, field }: Lookup, ids: readonly number[], asking: Asking): Promise<readonly Shown[]> {
  const [only, ...others] = ids;
  if (only === undefined) return [];
  const records: Shown[] = [];
  if (others.length === 0) {
    const record = await readRecord(object, only, asking, `?custom_fields=${field.name}`);
    if (record) records.push(record);
  }
  for (let at = 0; at < ids.length && others.length > 0; at += 100) {
    const query = `ids=${ids.slice(at, at + 100).join(",")}&custom_fields=${field.name}&limit=100`;
    const answer = await asking.api.ask("GET", `/v2/${object}?${query}`, undefined, asking.signal);
    records.push(...parseAnswer(recordsSchema, answer).data);
  }
  // The search found them by a custom field, so they have some.
  return parseAnswer(z.array(recordSchema.extend({ custom_fields: z.record(z.string(), z.unknown()) })), records);
}

/** The one that is meant among those that may be. Of names that differ in capitals alone, a person has to say which. */
function theOne(records: readonly Named[], lookup: Lookup): Found {
  const meant = records.filter((record) => isMeant(record, lookup));
  const ids = [...new Set(meant.map(({ id }) => id))];
  const [id, ...others] = ids;
  if (id === undefined) return { kind: "none" };
  if (others.length > 0) return ambiguous(lookup, ids);
  const { object, field, value } = lookup;
  const isExact = field.custom === true || field.kind === "email" || textIn(meant[0], field.name) === textOf(value);
  if (isExact) return { kind: "one", id };
  const message = `Pipedrive's ${objects[object].one} ${id} has this ${field.name} but for its capitals. Write it the same way, or match by another field.`;
  return { kind: "refused", reason: { code: "ambiguous_match", message, field: field.name } };
}

/** Whether a record has the value, as the search or a list shows it. */
function isMeant(record: Named, { field, value }: Lookup): boolean {
  if (record["is_deleted"] === true) return false;
  if (field.custom === true) {
    const shown = (record["custom_fields"] as Shown["custom_fields"])?.[field.name];
    return typeof shown === "number" ? shown === Number(value) : textIn({ shown }, "shown") === textOf(value);
  }
  if (field.kind === "email") return emailsOf(record["emails"]).some((email) => isSame(email, textOf(value)));
  return textIn(record, field.name)?.toLowerCase() === textOf(value).toLowerCase();
}

/** The search shows texts, a list of records shows entries. */
function emailsOf(list: unknown): readonly string[] {
  const texts = z.array(z.string()).safeParse(list).data;
  return texts ?? (shownEntries(list) ?? []).map(({ value }) => value);
}

function textIn(record: Readonly<Record<string, unknown>> | undefined, field: string): string | undefined {
  const text = record?.[field];
  return typeof text === "string" ? text.trim() : undefined;
}

function textOf(value: string | number): string {
  return String(value).trim();
}

function ambiguous({ object, field }: Lookup, ids: readonly number[]): Found {
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
  const answer = await api.ask(
    "GET",
    `/v2/${object}?sort_by=add_time&sort_direction=desc&limit=100${only}`,
    undefined,
    signal,
  );
  return theOne(parseAnswer(recordsSchema, answer).data, lookup);
}
