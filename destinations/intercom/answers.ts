/** What Intercom's answers hold, and whether they show what was sent. Pure. */
import { z } from "zod";
import type { Value } from "../../src/destination.ts";
import { answersOf } from "../../src/json-api.ts";
import type { Wanted } from "./requests.ts";

const contactSchema = z.looseObject({
  type: z.literal("contact"),
  id: z.string().min(1),
  external_id: z.string().nullish(),
  email: z.string().nullish(),
  role: z.string().nullish(),
  archived: z.boolean().optional().catch(undefined),
});

/** A contact as far as the adapter reads it. */
export type Contact = z.output<typeof contactSchema>;

const companySchema = z.looseObject({
  type: z.literal("company"),
  id: z.string().min(1),
  company_id: z.string(),
});

/** A company as far as the adapter reads it. */
export type Company = z.output<typeof companySchema>;

const searchSchema = z.object({
  type: z.literal("list"),
  data: z.array(contactSchema),
  pages: z.object({ next: z.unknown().optional() }).nullish(),
});

/** A search by company id gives the company itself; Intercom's description says a list. */
const companiesSchema = z.union([
  companySchema.transform((one) => [one]),
  z.object({ type: z.literal("list"), data: z.array(companySchema) }).transform(({ data }) => data),
]);

const meSchema = z.object({
  app: z.object({ id_code: z.string().optional(), name: z.string().optional(), region: z.string().optional() }),
});

/** Whom a token belongs to, and in which workspace. */
export type Me = z.output<typeof meSchema>;

/** Undefined: the answer is not about a contact. */
export const contactIn = (body: unknown): Contact | undefined => contactSchema.safeParse(body).data;

/** Undefined: the answer is not about a company. */
export const companyIn = (body: unknown): Company | undefined => companySchema.safeParse(body).data;

/** Undefined: the answer does not say which companies there are. */
export const companiesIn = (body: unknown): readonly Company[] | undefined => companiesSchema.safeParse(body).data;

/** The contacts that a search found, and whether there are more. Undefined: the answer does not say. */
export function foundIn(body: unknown): { readonly contacts: readonly Contact[]; readonly more: boolean } | undefined {
  const found = searchSchema.safeParse(body).data;
  return found && { contacts: found.data, more: found.pages?.next != null };
}

/** Whether an answer to a removal says that this record is gone. */
export function tellsGone(body: unknown, id: string): boolean {
  const gone = z.object({ id: z.string(), archived: z.boolean().optional(), deleted: z.boolean().optional() });
  const said = gone.safeParse(body).data;
  return said?.id === id && (said.archived === true || said.deleted === true);
}

export const parseAnswer = answersOf("Intercom");

/** Who the token belongs to. */
export const parseMe = (body: unknown): Me => parseAnswer(meSchema, body);

/** Whether a contact has this value in a match field. */
export function isKnownBy(contact: Contact, field: string, value: string): boolean {
  return field === "email" ? isSameAddress(contact.email, value) : contact.external_id === value;
}

function isSameAddress(one: string | null | undefined, other: string): boolean {
  return one?.trim().toLowerCase() === other.trim().toLowerCase();
}

/** What an answer shows of what was sent: all of it, not one field of it, or not enough to tell. */
export type Kept = "kept" | "untold" | { readonly unkept: string };

/** Compares a record as it is shown after a write with what was sent. */
export function keptOf(shown: Readonly<Record<string, unknown>>, { standard, custom }: Wanted): Kept {
  for (const [field, value] of Object.entries(standard))
    if (field in shown && !isKept(value, field, shown[field])) return { unkept: field };
  if (Object.keys(custom).length === 0) return "kept";
  const attributes = z.record(z.string(), z.unknown()).safeParse(shown["custom_attributes"]).data;
  if (attributes === undefined) return "untold";
  for (const [name, value] of Object.entries(custom))
    if (!isKept(value, "", attributes[name])) return { unkept: `custom_attributes.${name}` };
  return "kept";
}

/** Shown in another form than it is sent. */
const reshaped = new Set(["avatar", "phone"]);

function isKept(sent: Value, field: string, given: unknown): boolean {
  if (reshaped.has(field)) return true;
  const shown = field === "plan" ? z.object({ name: z.unknown() }).safeParse(given).data?.name : given;
  if (sent === null || sent === "") return shown == null || shown === "";
  if (shown == null) return false;
  if (typeof sent === "number") return isNear(Number(shown), sent);
  if (typeof sent === "string") return typeof shown === "object" || tidy(shown) === tidy(sent);
  return shown === sent;
}

/** Whole numbers and times are exact; a fraction may be rounded. */
function isNear(shown: number, sent: number): boolean {
  return Number.isInteger(sent) ? shown === sent : Math.abs(shown - sent) <= Math.abs(sent) * 1e-6;
}

/** Case and blanks may be tidied; what is cut off, or as it was before, was not kept. */
function tidy(text: unknown): string {
  return String(text).normalize("NFKC").replaceAll(/\s+/g, " ").trim().toLowerCase();
}
