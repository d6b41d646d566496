/** Sessions with the people who are registered to them. */
import { z } from "zod";
import type { SandboxResponse } from "../../../src/sandbox.ts";
import { notFound, refusal } from "./answers.ts";

export const attributeSchema = z.object({
  slug: z.string(),
  name: z.string().optional(),
  type: z.enum(["text", "email", "avatar", "url", "consent", "unique_select", "multiple_select"]).default("text"),
  options: z.array(z.string()).optional(),
  builtin: z.boolean().default(false),
});

export type Attribute = z.output<typeof attributeSchema>;

export const sessionSchema = z.object({
  id: z.string(),
  name: z.string().default("Sandbox session"),
  status: z.enum(["upcoming", "live", "past"]).default("upcoming"),
  /** The attributes on the registration form of its event. None given: all. */
  form: z.array(z.string()).optional(),
});

export type Session = z.output<typeof sessionSchema>;

/** A person at a session, as the sandbox keeps them. */
export interface Registrant {
  readonly id: string;
  readonly session: string;
  readonly role: "participant" | "team_member";
  email: string;
  readonly fields: Record<string, unknown>;
  readonly origin: Record<string, unknown>;
}

/** What is built in, besides what the workspace adds. */
export const builtin: readonly Attribute[] = [
  { slug: "email", name: "Email", type: "email", builtin: true },
  { slug: "first_name", name: "First name", type: "text", builtin: true },
  { slug: "last_name", name: "Last name", type: "text", builtin: true },
  { slug: "avatar", name: "Avatar", type: "avatar", builtin: true },
];

const origins = ["referrer", "utm_source", "utm_medium", "utm_term", "utm_content", "utm_campaign"];

const bodySchema = z.object({
  data: z.object({
    type: z.literal("people"),
    attributes: z
      .looseObject({ fields: z.array(z.object({ id: z.string(), value: z.unknown().optional() })).default([]) })
      .default({ fields: [] }),
  }),
});

type Given = z.output<typeof bodySchema>["data"]["attributes"];

/** Whom a workspace's sessions have. */
export class Registrants {
  readonly #attributes: readonly Attribute[];
  readonly #keepsAddress: boolean;
  readonly #byId = new Map<string, Registrant>();
  #last = 0;

  /** `keepsAddress`: an e-mail address once registered stays, whatever is sent. */
  constructor(attributes: readonly Attribute[], keepsAddress: boolean, teamMembers: readonly Registrant[]) {
    this.#attributes = attributes;
    this.#keepsAddress = keepsAddress;
    for (const one of structuredClone([...teamMembers])) this.#byId.set(one.id, one);
  }

  all(): readonly Registrant[] {
    return [...this.#byId.values()];
  }

  list(session: Session, query: Readonly<Record<string, string>>): SandboxResponse {
    const found = this.all().filter(
      (one) =>
        one.session === session.id &&
        (query["filter[email]"] ?? one.email).toLowerCase() === one.email &&
        (query["filter[role]"] ?? one.role) === one.role,
    );
    return { status: 200, body: { data: found.map((one) => this.#shown(one, session)), meta: { next_page: null } } };
  }

  register(session: Session, body: unknown): SandboxResponse {
    if (session.status === "past")
      return refusal(422, "unprocessable_entity", "Unprocessable entity", "The session is already over.");
    const checked = this.#check(body);
    if ("refused" in checked) return checked.refused;
    const email = z.email().safeParse(checked.given.fields.find(({ id }) => id === "email")?.value);
    if (!email.success) return refusal(422, "unprocessable_entity", "Unprocessable entity", "email is invalid");
    const address = email.data.toLowerCase();
    if (this.all().some((one) => one.session === session.id && one.email === address))
      return refusal(409, "conflict", "Conflict", "This person is already registered to the session.");
    const id = `00000000-0000-4000-8000-${(this.#last += 1).toString(16).padStart(12, "0")}`;
    const made: Registrant = { id, session: session.id, role: "participant", email: address, fields: {}, origin: {} };
    this.#byId.set(id, made);
    this.#write(made, checked.given, session);
    return { status: 201, body: { data: this.#shown(made, session) } };
  }

  update(session: Session, id: string, body: unknown): SandboxResponse {
    const one = this.#byId.get(id);
    if (one?.session !== session.id) return notFound;
    const checked = this.#check(body);
    if ("refused" in checked) return checked.refused;
    const email = checked.given.fields.find((field) => field.id === "email")?.value;
    if (typeof email === "string" && !this.#keepsAddress) one.email = email.toLowerCase();
    this.#write(one, checked.given, session);
    return { status: 200, body: { data: this.#shown(one, session) } };
  }

  remove(session: Session, id: string): SandboxResponse {
    if (this.#byId.get(id)?.session !== session.id) return notFound;
    this.#byId.delete(id);
    return { status: 204 };
  }

  #check(body: unknown): { readonly given: Given } | { readonly refused: SandboxResponse } {
    const parsed = bodySchema.safeParse(body);
    if (!parsed.success) return { refused: refusal(400, "bad_request", "Bad request", "The payload is invalid.") };
    const given = parsed.data.data.attributes;
    for (const { id, value } of given.fields) {
      const attribute = this.#attributes.find(({ slug }) => slug === id);
      if (attribute && value != null && !takes(attribute, value))
        return { refused: refusal(422, "unprocessable_entity", "Unprocessable entity", `${id} is invalid`) };
    }
    return { given };
  }

  /** What the form has not is passed over without a word. */
  #write(one: Registrant, given: Given, session: Session): void {
    for (const { id, value } of given.fields)
      if (id !== "email" && this.#isOnForm(id, session)) put(one.fields, id, value);
    for (const name of origins) if (given[name] !== undefined) put(one.origin, name, given[name]);
  }

  #isOnForm(slug: string, { form }: Session): boolean {
    return this.#attributes.some((attribute) => attribute.slug === slug) && (form?.includes(slug) ?? true);
  }

  #shown({ id, role, email, fields, origin }: Registrant, session: Session): Readonly<Record<string, unknown>> {
    const form = this.#attributes.filter(({ slug }) => slug === "email" || this.#isOnForm(slug, session));
    return {
      id,
      type: "people",
      attributes: {
        role,
        created_at: 0,
        updated_at: 0,
        first_name: fields["first_name"] ?? null,
        last_name: fields["last_name"] ?? null,
        email,
        registrant_detail: {
          session_id: session.id,
          fields: form.map(({ slug, type }) => ({
            id: slug,
            type,
            value: slug === "email" ? email : (fields[slug] ?? null),
            required: slug === "email",
          })),
          ...Object.fromEntries(origins.map((name) => [name, origin[name] ?? null])),
        },
      },
    };
  }
}

function takes({ type, options }: Attribute, value: unknown): boolean {
  switch (type) {
    case "multiple_select":
      return z.array(options ? z.enum(options) : z.string()).safeParse(value).success;
    case "unique_select":
      return (options ? z.enum(options) : z.string()).safeParse(value).success;
    case "avatar":
    case "url":
      return z.url().safeParse(value).success;
    default:
      return typeof value === "string";
  }
}

/** Null and empty text take a value away. */
function put(values: Record<string, unknown>, name: string, value: unknown): void {
  if (value === null || value === "") delete values[name];
  else values[name] = value;
}
