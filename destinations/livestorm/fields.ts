/** A registrant's fields, and which values Livestorm takes in them. Pure. */
import { z } from "zod";
import type { Field, FieldType, Value } from "../../src/destination.ts";

const attributeSchema = z.object({
  slug: z.string().min(1),
  name: z.string().nullish(),
  type: z.string().default("text").catch("text"),
  options: z
    .array(z.union([z.string(), z.object({ value: z.string() }).transform(({ value }) => value)]))
    .nullish()
    .catch(undefined),
});

/** A page of the people attributes that a workspace has. */
export const attributesSchema = z.object({
  data: z.array(z.object({ attributes: attributeSchema })),
  meta: z.object({ next_page: z.int().nullish() }).nullish().catch(undefined),
});

/** A people attribute as far as the adapter reads it. */
export type PeopleAttribute = z.infer<typeof attributeSchema>;

type Kind = "text" | "email" | "address" | "choice" | "choices" | "consent";

/** A field as the adapter knows it. */
export interface Known {
  readonly name: string;
  readonly title: string;
  readonly kind: Kind;
  /** Where it stands in a request: among the fields of the registration form, or beside them. */
  readonly place: "form" | "beside";
  readonly options?: readonly string[];
}

/** The fields of a registrant, by name. */
export type KnownFields = ReadonlyMap<string, Known>;

/** What Livestorm keeps of where a registration came from. */
const origins: readonly (readonly [name: string, title: string])[] = [
  ["referrer", "Referrer"],
  ["utm_source", "UTM source"],
  ["utm_medium", "UTM medium"],
  ["utm_campaign", "UTM campaign"],
  ["utm_term", "UTM term"],
  ["utm_content", "UTM content"],
];

const kinds: Readonly<Record<string, Kind>> = {
  email: "email",
  url: "address",
  avatar: "address",
  file: "address",
  consent: "consent",
  unique_select: "choice",
  multiple_select: "choices",
};

/** All fields of a registrant: the workspace's people attributes, and the origin of the registration. */
export function knownFields(attributes: readonly PeopleAttribute[]): KnownFields {
  const email: Known = { name: "email", title: "E-mail", kind: "email", place: "form" };
  const beside = origins.map(([name, title]): Known => ({ name, title, kind: "text", place: "beside" }));
  const form = attributes
    .filter(({ slug }) => slug !== email.name)
    .map(({ slug, name, type, options }): Known => ({
      name: slug,
      title: name ?? slug,
      kind: (Object.hasOwn(kinds, type) ? kinds[type] : undefined) ?? "text",
      place: "form",
      ...(options && options.length > 0 ? { options } : {}),
    }));
  return new Map([email, ...beside, ...form].map((known) => [known.name, known]));
}

const types: Readonly<Record<Kind, FieldType>> = {
  text: "text",
  email: "text",
  address: "text",
  choice: "enum",
  choices: "multi_enum",
  consent: "boolean",
};

/** The fields as the service knows them. Consent is given by the person, not by a sync. */
export function toFields(fields: KnownFields): readonly Field[] {
  return [...fields.values()].map(({ name, title, kind, options }): Field => ({
    name,
    title,
    type: types[kind],
    writable: kind !== "consent",
    matches: kind === "email" && name === "email",
    ...(options && (kind === "choice" || kind === "choices")
      ? { options: options.map((value) => ({ value, title: value })) }
      : {}),
    ...(name === "email" ? { matching: "case_insensitive" as const } : {}),
  }));
}

/** Why a value would be refused, or kept as another. */
export interface Misfit {
  readonly code: string;
  readonly field: string;
  readonly message: string;
}

/** Why Livestorm would not take a value, where that is known beforehand. */
export function misfitOf(field: string, value: Value, fields: KnownFields): Misfit | undefined {
  const known = fields.get(field);
  const misfit = (code: string, message: string): Misfit => ({ code, field, message });
  if (known === undefined) return misfit("unknown_field", `The workspace has no people attribute "${field}".`);
  if (known.kind === "consent") return misfit("not_writable", `"${field}" is a consent, which only the person gives.`);
  if (value === null)
    return field === "email" ? misfit("not_clearable", "A registrant always has an e-mail address.") : undefined;
  if (known.kind === "choices") return choicesMisfit(value, known, misfit);
  if (typeof value !== "string") return misfit("not_text", `"${field}" takes text.`);
  if (known.kind === "email" && !isAddress(value)) return misfit("not_an_email", `"${field}" takes an e-mail address.`);
  if (known.kind === "address" && !isUrl(value)) return misfit("not_a_url", `"${field}" takes an address (https://…).`);
  return known.kind === "choice" ? optionMisfit([value], known, misfit) : undefined;
}

type MakeMisfit = (code: string, message: string) => Misfit;

function choicesMisfit(value: Value, known: Known, misfit: MakeMisfit): Misfit | undefined {
  const texts = z.array(z.string()).safeParse(value).data;
  return texts ? optionMisfit(texts, known, misfit) : misfit("not_a_list", `"${known.name}" takes a list of texts.`);
}

function optionMisfit(values: readonly string[], { name, options }: Known, misfit: MakeMisfit): Misfit | undefined {
  if (!options || values.every((value) => options.includes(value))) return undefined;
  return misfit("not_an_option", `"${name}" takes: ${options.join(", ")}.`);
}

/** Whether a text can be an e-mail address. */
export function isAddress(value: string): boolean {
  return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value.trim());
}

function isUrl(value: string): boolean {
  return /^https?:\/\//i.test(value) && URL.canParse(value);
}
