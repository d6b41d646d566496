/** What ChartMogul's answers hold. */
import { z } from "zod";
import { DestinationError, type Value } from "../../src/destination.ts";
import type { AttributeType } from "./settings.ts";

/** A custom attribute as ChartMogul takes it. */
export interface AttributeValue {
  readonly type: AttributeType;
  readonly key: string;
  readonly value: Value;
}

const customSchema = z.record(z.string(), z.unknown());

const customerSchema = z.object({
  uuid: z.string().min(1),
  external_id: z.string().nullish(),
  /** Of all the data sources whose customers were merged into this one. */
  external_ids: z.array(z.string()).nullish(),
  data_source_uuid: z.string().nullish(),
  data_source_uuids: z.array(z.string()).nullish(),
  email: z.string().nullish(),
  attributes: z
    .object({ custom: customSchema.nullish(), tags: z.array(z.string()).nullish() })
    .nullish()
    .catch(undefined),
});

export type Customer = z.output<typeof customerSchema>;

const pageSchema = z.object({
  entries: z.array(customerSchema),
  cursor: z.string().nullish(),
  has_more: z.boolean().nullish(),
});

export type CustomerPage = z.output<typeof pageSchema>;

const dataSourceSchema = z.object({
  uuid: z.string(),
  name: z.string().default(""),
  /** The billing system behind it; the oldest answers have none. */
  system: z.string().default("Import API"),
});

export type DataSource = z.output<typeof dataSourceSchema>;

const accountSchema = z.object({ id: z.string().optional(), name: z.string().optional() });

export const parsePage = (body: unknown): CustomerPage => parse(pageSchema, body);
export const parseCustomer = (body: unknown): Customer => parse(customerSchema, body);
export const parseDataSource = (body: unknown): DataSource => parse(dataSourceSchema, body);
export const parseAccount = (body: unknown): z.output<typeof accountSchema> => parse(accountSchema, body);

/** What an answer holds. Throws `unavailable` when it has another form. */
function parse<Form>(schema: z.ZodType<Form>, body: unknown): Form {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new DestinationError("unavailable", "ChartMogul answered in a form that is not known.", {
    code: "unknown_answer",
    applied: "unknown",
  });
}

/** Whether a customer has an external id in a data source. Merged customers have several. */
export function isKnownAs(customer: Customer, externalId: string, dataSource: string): boolean {
  const ids = [customer.external_id, ...(customer.external_ids ?? [])];
  const sources = [customer.data_source_uuid, ...(customer.data_source_uuids ?? [])];
  return ids.includes(externalId) && sources.includes(dataSource);
}

/** Whether an answer about a customer is about this one. */
export function tellsOf(body: unknown, uuid: string): boolean {
  return customerSchema.safeParse(body).data?.uuid === uuid;
}

/** Whether an answer about a new customer is about this one, with its attributes and tags as far as it shows any. */
export function tellsOfNew(
  body: unknown,
  wanted: {
    readonly externalId: string;
    readonly dataSource: string;
    readonly attributes: readonly AttributeValue[];
    readonly tags: readonly string[];
  },
): boolean {
  const customer = customerSchema.safeParse(body).data;
  if (!customer || !isKnownAs(customer, wanted.externalId, wanted.dataSource)) return false;
  const { custom, tags } = customer.attributes ?? {};
  const hasTags = tags == null || wanted.tags.every((tag) => tags.includes(tag));
  return hasTags && (custom == null || wanted.attributes.every((one) => isShown(one, custom)));
}

/** The first of these fields in which a customer has another value than it was sent, among those that are kept as sent. */
export function unkeptField(body: unknown, sent: Readonly<Record<string, Value>>): string | undefined {
  const shown = z.record(z.string(), z.unknown()).safeParse(body).data ?? {};
  const text = (value: unknown): string => (typeof value === "string" ? value.trim().toLowerCase() : "");
  return keptAsSent.find((field) => field in sent && field in shown && text(shown[field]) !== text(sent[field]));
}

/** Countries, states, addresses of websites and times may be spelt otherwise than they were sent. */
const keptAsSent = ["name", "email", "company", "city", "zip"];

/** Whether an answer shows all these attributes with these values. */
export function showsAttributes(body: unknown, sent: readonly AttributeValue[]): boolean {
  const custom = z.object({ custom: customSchema }).safeParse(body).data?.custom;
  return custom !== undefined && sent.every((one) => isShown(one, custom));
}

function isShown({ type, key, value }: AttributeValue, custom: Readonly<Record<string, unknown>>): boolean {
  const shown = custom[key];
  if (shown == null) return false;
  switch (type) {
    case "String":
      return typeof shown === "string" && typeof value === "string" && shown.trim() === value.trim();
    case "Integer":
      return Number(shown) === value;
    case "Boolean":
      return shown === value || shown === (value === true ? "t" : "f");
    // These may be rounded.
    case "Decimal":
    case "Timestamp":
      return true;
  }
}

/** Whether an answer to a removal shows none of these attributes. It is `{}` when none at all are left. */
export function lacksAttributes(body: unknown, keys: readonly string[]): boolean {
  const answer = z.object({ custom: customSchema.default({}) }).safeParse(body).data;
  return answer !== undefined && keys.every((key) => answer.custom[key] == null);
}

/** Whether an answer shows all these tags. */
export function showsTags(body: unknown, tags: readonly string[]): boolean {
  const shown = z.object({ tags: z.array(z.string()) }).safeParse(body).data?.tags;
  return shown !== undefined && tags.every((tag) => shown.includes(tag));
}

/** Whether an answer to a removal shows none of these tags. */
export function lacksTags(body: unknown, tags: readonly string[]): boolean {
  const answer = z.object({ tags: z.array(z.string()).default([]) }).safeParse(body).data;
  return answer !== undefined && !tags.some((tag) => answer.tags.includes(tag));
}
