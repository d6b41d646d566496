/** What a change asks of a customer, as the requests that ChartMogul takes for it. Pure. */
import type { DestinationRecord, Value } from "../../src/destination.ts";
import { type Method } from "../../src/json-api.ts";
import {
  type AttributeValue,
  type Customer,
  lacksAttributes,
  lacksTags,
  showsAttributes,
  showsTags,
  tellsOf,
  tellsOfNew,
  unkeptField,
} from "./answers.ts";
import { keyOf, type Misfit, misfitOf } from "./fields.ts";
import type { AttributeType } from "./settings.ts";

/** A record in ChartMogul's parts, which are written by different calls. */
export interface Wanted {
  /** Null clears. */
  readonly standard: Readonly<Record<string, Value>>;
  readonly attributes: readonly AttributeValue[];
  readonly clearedKeys: readonly string[];
  /** All the tags that the customer is to have; undefined when they are not mapped. */
  readonly tags: readonly string[] | undefined;
}

/** One request, and whether its answer shows that it was done. */
export interface Step {
  readonly method: Method;
  readonly path: string;
  readonly body: unknown;
  /** What it writes, for people. */
  readonly writes: string;
  readonly isDone: (body: unknown) => boolean;
  /** The field that its answer shows with another value than was sent. */
  readonly unkept?: (body: unknown) => string | undefined;
}

/** The parts of a record, or why ChartMogul would not take it. */
export function wantedOf(
  record: DestinationRecord,
  types: ReadonlyMap<string, AttributeType>,
): { readonly wanted: Wanted } | { readonly misfit: Misfit } {
  const standard: Record<string, Value> = {};
  const attributes: AttributeValue[] = [];
  const clearedKeys: string[] = [];
  let tags: readonly string[] | undefined;
  for (const [field, value] of Object.entries(record)) {
    const misfit = misfitOf(field, value, types);
    if (misfit) return { misfit };
    const key = keyOf(field);
    if (field === "tags") tags = tagsOf(value);
    else if (key === undefined) standard[field] = field.endsWith("_at") ? toMilliseconds(value) : value;
    else if (value === null) clearedKeys.push(key);
    else attributes.push(attributeOf(key, value, types.get(key) ?? "String"));
  }
  return { wanted: { standard, attributes, clearedKeys, tags } };
}

function tagsOf(value: Value): readonly string[] {
  const tags = Array.isArray(value) ? value.map((tag) => String(tag).trim()) : [];
  return [...new Set(tags)];
}

function attributeOf(key: string, value: Value, type: AttributeType): AttributeValue {
  return { type, key, value: type === "Timestamp" ? toMilliseconds(value) : value };
}

/** `2026-11-23T09:30:00.123456Z` without what is finer than ChartMogul keeps. */
function toMilliseconds(value: Value): Value {
  return typeof value === "string" ? value.replace(/^(\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3})\d+Z$/, "$1Z") : value;
}

/** Makes a customer with all its parts in one request. What is null is not there yet, so it is left out. */
export function creation(
  { standard, attributes, tags = [] }: Wanted,
  { externalId, dataSource }: { readonly externalId: string; readonly dataSource: string },
): Step {
  const given = Object.fromEntries(Object.entries(standard).filter(([, value]) => value !== null));
  const parts = {
    ...(tags.length > 0 ? { tags } : {}),
    ...(attributes.length > 0 ? { custom: attributes } : {}),
  };
  return {
    method: "POST",
    path: "/customers",
    body: {
      data_source_uuid: dataSource,
      external_id: externalId,
      ...given,
      ...(Object.keys(parts).length > 0 ? { attributes: parts } : {}),
    },
    writes: "the customer",
    isDone: (body) => tellsOfNew(body, { externalId, dataSource, attributes, tags }),
  };
}

/** Whether what is to be done can be told only from what the customer has. */
export function dependsOnPresent({ clearedKeys, tags }: Wanted): boolean {
  return clearedKeys.length > 0 || tags !== undefined;
}

/**
 * What it takes to bring a customer to what is wanted. Attributes come first: their types are what ChartMogul refuses
 * most, and then nothing of the row is written. Only what the customer has is taken away.
 */
export function changesTo({ uuid, attributes: has }: Customer, wanted: Wanted): readonly Step[] {
  const path = `/customers/${encodeURIComponent(uuid)}`;
  const presentTags = has?.tags ?? [];
  const gone = wanted.clearedKeys.filter((key) => (has?.custom ?? {})[key] != null);
  const { tags } = wanted;
  const added = tags?.filter((tag) => !presentTags.includes(tag)) ?? [];
  const removed = tags === undefined ? [] : presentTags.filter((tag) => !tags.includes(tag));
  const custom = { path: `${path}/attributes/custom`, writes: "attributes" };
  const tagging = { path: `${path}/attributes/tags`, writes: "tags" };
  const steps: Step[] = [];
  if (wanted.attributes.length > 0)
    steps.push({
      ...custom,
      method: "POST",
      body: { custom: wanted.attributes },
      isDone: (body) => showsAttributes(body, wanted.attributes),
    });
  if (gone.length > 0)
    steps.push({ ...custom, method: "DELETE", body: { custom: gone }, isDone: (body) => lacksAttributes(body, gone) });
  if (added.length > 0)
    steps.push({ ...tagging, method: "POST", body: { tags: added }, isDone: (body) => showsTags(body, added) });
  if (removed.length > 0)
    steps.push({ ...tagging, method: "DELETE", body: { tags: removed }, isDone: (body) => lacksTags(body, removed) });
  if (Object.keys(wanted.standard).length > 0)
    steps.push({
      method: "PATCH",
      path,
      body: wanted.standard,
      writes: "standard fields",
      isDone: (body) => tellsOf(body, uuid),
      unkept: (body) => unkeptField(body, wanted.standard),
    });
  return steps;
}
