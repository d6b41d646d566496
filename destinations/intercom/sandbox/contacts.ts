/** A workspace's contacts: users and leads, archived and merged ones among them. */
import { z } from "zod";
import type { SandboxResponse } from "../../../src/sandbox.ts";
import { companyNotFound, contactNotFound, refusal } from "./answers.ts";
import { type Attribute, keptCustom } from "./attributes.ts";

export const contactSeed = z.object({
  id: z.string(),
  role: z.enum(["user", "lead"]).default("user"),
  external_id: z.string().nullable().default(null),
  email: z.string().nullable().default(null),
  standard: z.record(z.string(), z.unknown()).default({}),
  custom: z.record(z.string(), z.unknown()).default({}),
  archived: z.boolean().default(false),
  merged_into: z.string().optional(),
  /** Intercom's ids of the companies that it is attached to. */
  companies: z.array(z.string()).default([]),
});

/** A contact as the sandbox keeps it. */
export interface SandboxContact extends z.output<typeof contactSeed> {
  /** From when on a search sees it. */
  readonly searchableAt: number;
}

/** What the workspace has and how it behaves, as far as contacts know it. */
export interface ContactRules {
  readonly attributes: readonly Attribute[];
  readonly admins: readonly string[];
  /** Users with different external ids may have one e-mail address. */
  readonly sharedEmails: boolean;
  /** How long a search does not see a new contact. */
  readonly searchDelayMs: number;
  readonly fixedFields: readonly string[];
  readonly now: () => number;
  readonly newId: () => string;
}

const standardFields = [
  "name",
  "phone",
  "avatar",
  "signed_up_at",
  "last_seen_at",
  "owner_id",
  "unsubscribed_from_emails",
];

const time = z.int().nullable();
const text = z.string().nullable();

const givenSchema = z.strictObject({
  role: z.enum(["user", "lead"]).optional(),
  external_id: z.string().min(1).optional(),
  email: z
    .string()
    .regex(/^[^\s@]+@[^\s@]+$/, "email is invalid")
    .optional(),
  name: text.optional(),
  phone: text.optional(),
  avatar: text.optional(),
  signed_up_at: time.optional(),
  last_seen_at: time.optional(),
  owner_id: text.optional(),
  unsubscribed_from_emails: z.boolean().nullable().optional(),
  custom_attributes: z.unknown().optional(),
});

type Given = z.output<typeof givenSchema>;

const searchSchema = z.object({
  query: z.object({ field: z.enum(["email", "external_id"]), operator: z.literal("="), value: z.string() }),
  pagination: z.object({ per_page: z.int().min(1).max(150).default(50) }).default({ per_page: 50 }),
});

/** The contacts, and what clashes among them. */
export class Contacts {
  readonly #rules: ContactRules;
  readonly #byId = new Map<string, SandboxContact>();

  constructor(rules: ContactRules, seeds: readonly z.output<typeof contactSeed>[]) {
    this.#rules = rules;
    for (const seed of structuredClone([...seeds])) this.#byId.set(seed.id, { ...seed, searchableAt: 0 });
  }

  all(): readonly SandboxContact[] {
    return [...this.#byId.values()];
  }

  create(body: unknown): SandboxResponse {
    const checked = this.#check(body);
    if ("refused" in checked) return checked.refused;
    const { given, custom } = checked;
    if (given.role === undefined && given.email === undefined && given.external_id === undefined)
      return refusal(400, "parameter_not_found", "one of role, email, external_id is required");
    const clash = this.#clash(given, undefined);
    if (clash) return clash;
    const contact: SandboxContact = {
      id: this.#rules.newId(),
      role: given.role ?? "user",
      external_id: given.external_id ?? null,
      email: null,
      standard: {},
      custom: {},
      archived: false,
      companies: [],
      searchableAt: this.#rules.now() + this.#rules.searchDelayMs,
    };
    this.#byId.set(contact.id, contact);
    return this.#write(contact, given, custom);
  }

  update(id: string, body: unknown): SandboxResponse {
    const found = this.#present(id);
    if ("refused" in found) return found.refused;
    const checked = this.#check(body);
    if ("refused" in checked) return checked.refused;
    return this.#clash(checked.given, found.contact) ?? this.#write(found.contact, checked.given, checked.custom);
  }

  get(id: string): SandboxResponse {
    const found = this.#present(id);
    return "refused" in found ? found.refused : { status: 200, body: shown(found.contact) };
  }

  /** Users only. */
  findByExternalId(externalId: string): SandboxResponse {
    const known = this.all().filter((one) => one.external_id === externalId && one.role === "user");
    const contact = known.find(({ archived }) => !archived) ?? known[0];
    return contact ? this.get(contact.id) : contactNotFound;
  }

  search(body: unknown): SandboxResponse {
    const parsed = searchSchema.safeParse(body);
    if (!parsed.success) return refusal(400, "parameter_invalid", z.prettifyError(parsed.error));
    const { query, pagination } = parsed.data;
    const wanted = query.value.toLowerCase();
    const found = this.all().filter(
      (one) =>
        !one.archived &&
        one.merged_into === undefined &&
        one.searchableAt <= this.#rules.now() &&
        one[query.field]?.toLowerCase() === wanted,
    );
    const { per_page: perPage } = pagination;
    const next = found.length > perPage ? { next: { page: 2, starting_after: "next" } } : {};
    const pages = {
      type: "pages",
      page: 1,
      per_page: perPage,
      total_pages: Math.ceil(found.length / perPage),
      ...next,
    };
    return {
      status: 200,
      body: { type: "list", data: found.slice(0, perPage).map(shown), total_count: found.length, pages },
    };
  }

  /** Archives, brings back, or deletes for good. */
  move(id: string, to: "archive" | "unarchive" | "delete"): SandboxResponse {
    const contact = this.#byId.get(id);
    if (!contact || (contact.archived && to === "archive")) return contactNotFound;
    if (contact.merged_into !== undefined)
      return refusal(400, "bad_request", "User has been merged and is not restorable.");
    const reference = { type: "contact", id, external_id: contact.external_id };
    if (to === "delete") {
      this.#byId.delete(id);
      return { status: 200, body: { ...reference, deleted: true } };
    }
    contact.archived = to === "archive";
    return { status: 200, body: { ...reference, archived: contact.archived } };
  }

  /** Undefined: done. */
  attach(id: string, company: string): SandboxResponse | undefined {
    const found = this.#present(id);
    if ("refused" in found) return found.refused;
    const { contact } = found;
    if (contact.companies.length >= 1000)
      return refusal(
        400,
        "contact_company_limit_exceeded",
        "Contact has reached the maximum of 1000 company associations",
      );
    contact.companies = [...new Set([...contact.companies, company])];
    return undefined;
  }

  /** Undefined: done. */
  detach(id: string, company: string): SandboxResponse | undefined {
    const found = this.#present(id);
    if ("refused" in found) return found.refused;
    if (!found.contact.companies.includes(company)) return companyNotFound;
    found.contact.companies = found.contact.companies.filter((one) => one !== company);
    return undefined;
  }

  #present(id: string): { readonly contact: SandboxContact } | { readonly refused: SandboxResponse } {
    const contact = this.#byId.get(id);
    if (contact?.merged_into !== undefined) return { refused: merged(contact.merged_into) };
    return contact && !contact.archived ? { contact } : { refused: contactNotFound };
  }

  #check(
    body: unknown,
  ):
    | { readonly given: Given; readonly custom: Readonly<Record<string, unknown>> }
    | { readonly refused: SandboxResponse } {
    const parsed = givenSchema.safeParse(body);
    if (!parsed.success) return { refused: formError(parsed.error) };
    const owner = parsed.data.owner_id;
    if (typeof owner === "string" && !this.#rules.admins.includes(owner))
      return { refused: refusal(400, "parameter_invalid", "owner_id is not an admin of this workspace", "owner_id") };
    const checked = keptCustom(parsed.data.custom_attributes, "contact", this.#rules.attributes);
    return "refused" in checked ? checked : { given: parsed.data, custom: checked.kept };
  }

  #clash(
    { role, email, external_id: externalId }: Given,
    own: SandboxContact | undefined,
  ): SandboxResponse | undefined {
    const isUser = (role ?? own?.role ?? "user") === "user";
    const clash = this.all().find((one) => {
      if (one === own || one.merged_into !== undefined) return false;
      if (externalId !== undefined && one.external_id === externalId) return true;
      const sameEmail = email !== undefined && one.email?.toLowerCase() === email.toLowerCase();
      const mayShare = this.#rules.sharedEmails && externalId !== undefined && one.external_id !== null;
      return sameEmail && isUser && one.role === "user" && !mayShare;
    });
    if (!clash) return undefined;
    const words = clash.archived ? "An archived contact" : "A contact";
    return refusal(409, "conflict", `${words} matching those details already exists with id=${clash.id}`);
  }

  #write(contact: SandboxContact, given: Given, custom: Readonly<Record<string, unknown>>): SandboxResponse {
    const { fixedFields } = this.#rules;
    if (given.role !== undefined) contact.role = given.role;
    if (given.external_id !== undefined && !fixedFields.includes("external_id"))
      contact.external_id = given.external_id;
    if (given.email !== undefined) contact.email = given.email;
    const standard = Object.entries(given).filter(([name]) => standardFields.includes(name));
    for (const [name, value] of standard) if (!fixedFields.includes(name)) put(contact.standard, name, value);
    for (const [name, value] of Object.entries(custom)) put(contact.custom, name, value);
    return { status: 200, body: shown(contact) };
  }
}

/** Null takes a value away. */
export function put(values: Record<string, unknown>, name: string, value: unknown): void {
  if (value === null) delete values[name];
  else values[name] = value;
}

/** What Intercom says of the first thing that is wrong with a request's form. */
export function formError(error: z.ZodError): SandboxResponse {
  const [issue] = error.issues;
  if (issue?.code === "unrecognized_keys") return refusal(400, "bad_request", `bad '${issue.keys[0]}' parameter`);
  const field = String(issue?.path[0] ?? "");
  return refusal(400, "parameter_invalid", `${field}: ${issue?.message ?? "is invalid"}`, field);
}

function merged(into: string): SandboxResponse {
  const words = "This contact has been merged. See the 'Link' header for the canonical contact.";
  return { ...refusal(410, "contact_merged", words), headers: { link: `</contacts/${into}>; rel="canonical"` } };
}

function shown({ id, role, external_id, email, standard, custom }: SandboxContact): Readonly<Record<string, unknown>> {
  const fields = Object.fromEntries(standardFields.map((name) => [name, standard[name] ?? null]));
  const avatar = standard["avatar"] === undefined ? null : { type: "avatar", image_url: standard["avatar"] };
  return {
    type: "contact",
    id,
    workspace_id: "sandbox",
    external_id,
    role,
    email,
    ...fields,
    avatar,
    custom_attributes: custom,
    tags: { type: "list", data: [], total_count: 0, has_more: false },
    companies: { type: "list", data: [], total_count: 0, has_more: false },
  };
}
