/** What Livestorm's answers hold, and whether they show what was sent. Pure. */
import { z } from "zod";
import type { Value } from "../../src/destination.ts";
import { answersOf } from "../../src/json-api.ts";
import type { Wanted } from "./requests.ts";

const fieldsSchema = z.array(z.object({ id: z.string(), value: z.unknown().optional() }));

const personSchema = z.object({
  id: z.string().min(1),
  type: z.literal("people"),
  attributes: z.looseObject({
    email: z.string().nullish(),
    registrant_detail: z
      .looseObject({ fields: fieldsSchema.nullish().catch(undefined) })
      .nullish()
      .catch(undefined),
  }),
});

/** A person as far as the adapter reads it. */
export type Person = z.output<typeof personSchema>;

const oneSchema = z.object({ data: personSchema });
const manySchema = z.object({ data: z.array(personSchema) });

const organizationSchema = z.object({
  data: z.object({ attributes: z.object({ name: z.string().nullish() }) }),
});

const sessionSchema = z.object({
  data: z.object({
    id: z.string(),
    attributes: z.object({
      name: z.string().nullish(),
      status: z.string().nullish(),
    }),
  }),
});

/** A session as far as the adapter reads it. */
export type Session = z.output<typeof sessionSchema>["data"]["attributes"];

/** Undefined: the answer is not about a person. */
export const personIn = (body: unknown): Person | undefined => oneSchema.safeParse(body).data?.data;

/** Undefined: the answer does not say who was found. */
export const peopleIn = (body: unknown): readonly Person[] | undefined => manySchema.safeParse(body).data?.data;

/** The workspace's name, if it has one. */
export const organizationNameIn = (body: unknown): string | undefined =>
  parseAnswer(organizationSchema, body).data.attributes.name ?? undefined;

/** What an answer says of a session. */
export const parseSession = (body: unknown): Session => parseAnswer(sessionSchema, body).data.attributes;

export const parseAnswer = answersOf("Livestorm");

/** Whether a person has this e-mail address. */
export function hasAddress({ attributes }: Person, address: string): boolean {
  return attributes.email?.trim().toLowerCase() === address.trim().toLowerCase();
}

/** What an answer shows of what was sent: all of it, not one field of it, or not enough to tell. */
export type Kept = "kept" | "untold" | { readonly unkept: string };

/** Compares the person that an answer shows with what was sent: Livestorm passes over fields that the form has not. */
export function keptOf({ attributes }: Person, { form, beside }: Wanted): Kept {
  const sent = [...Object.entries(form), ...Object.entries(beside)].filter(([name]) => name !== "email");
  if (sent.length === 0) return "kept";
  const detail = attributes.registrant_detail;
  if (!detail?.fields) return "untold";
  const fields = new Map(detail.fields.map(({ id, value }) => [id, value]));
  for (const [name, value] of sent) {
    const shown = name in form ? fields.get(name) : detail[name];
    if (!isKept(value, shown)) return { unkept: name };
  }
  return "kept";
}

function isKept(sent: Value, shown: unknown): boolean {
  if (isEmpty(sent)) return shown === undefined || isEmpty(shown);
  if (Array.isArray(sent)) {
    const choices = z.array(z.string()).safeParse(shown).data ?? [];
    return sent.length === choices.length && sent.every((choice) => choices.some((one) => one === choice));
  }
  // An avatar is fetched and then has an address of Livestorm's.
  if (typeof sent === "string" && /^https?:\/\//i.test(sent)) return !isEmpty(shown) && shown !== undefined;
  return typeof shown === "string" && typeof sent === "string" && tidy(shown) === tidy(sent);
}

function isEmpty(value: unknown): boolean {
  return value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

/** Case and blanks may be tidied. */
function tidy(text: string): string {
  return text.normalize("NFKC").replaceAll(/\s+/g, " ").trim().toLowerCase();
}
