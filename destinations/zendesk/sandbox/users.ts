/** An account's users. */
import { z } from "zod";
import type { Result } from "./jobs.ts";
import { type Fault, isSame, keptCustom, keptStandard, listIn, type SandboxField, type Values } from "./values.ts";

export const userSeed = z.object({
  id: z.int(),
  external_id: z.string().optional(),
  /** The first one is the primary one. */
  emails: z.array(z.string()).default([]),
  role: z.enum(["end-user", "agent", "admin"]).default("end-user"),
  values: z.record(z.string(), z.unknown()).default({}),
  user_fields: z.record(z.string(), z.unknown()).default({}),
});

export interface SandboxIdentity {
  readonly id: number;
  readonly value: string;
}

export interface SandboxUser {
  readonly id: number;
  readonly external_id: string | undefined;
  /** The first one is the primary one. */
  readonly emails: readonly SandboxIdentity[];
  readonly role: string;
  readonly active: boolean;
  /** When a search begins to see it. */
  readonly seenAt: number;
  /** The standard fields that have a value. */
  readonly values: Values;
  readonly user_fields: Values;
}

export interface UserRules {
  readonly fields: readonly SandboxField[];
  readonly newId: () => number;
  readonly now: () => number;
  readonly searchDelayMs: number;
  /** Users without a name and an e-mail address are taken. */
  readonly nameless: boolean;
  readonly hasOrganization: (id: number) => boolean;
}

const names = [
  "name",
  "alias",
  "phone",
  "organization_id",
  "locale",
  "time_zone",
  "verified",
  "suspended",
  "notes",
  "details",
  "tags",
];

const invalid = (details: string): Fault => ({ error: "RecordInvalid", details });
const unknown: Fault = { error: "RecordNotFound", details: "Could not find user" };

export class Users {
  readonly #rules: UserRules;
  readonly #users = new Map<number, SandboxUser>();

  constructor(rules: UserRules, seed: readonly z.output<typeof userSeed>[]) {
    this.#rules = rules;
    for (const { emails, external_id, ...user } of seed) {
      const identities = emails.map((value) => ({ id: rules.newId(), value }));
      this.#users.set(user.id, { ...user, external_id, emails: identities, active: true, seenAt: 0 });
    }
  }

  all(): readonly SandboxUser[] {
    return [...this.#users.values()];
  }

  byIds(ids: string | undefined): readonly SandboxUser[] {
    return listIn(ids).flatMap((id) => this.#users.get(Number(id)) ?? []);
  }

  byExternalIds(values: string | undefined): readonly SandboxUser[] {
    return listIn(values).flatMap((value) => this.byExternalId(value) ?? []);
  }

  byExternalId(value: unknown): SandboxUser | undefined {
    return this.#present().find(({ external_id }) => isSame(external_id, value));
  }

  /** Also who has the address as a further one. A new user is not seen for a while. */
  search(email: string): readonly SandboxUser[] {
    return this.#present().filter((user) => user.seenAt <= this.#rules.now() && hasEmail(user, email));
  }

  create(item: Values, place: number): Result {
    const user = this.#changed(
      { ...blank, id: this.#rules.newId(), seenAt: this.#rules.now() + this.#rules.searchDelayMs },
      item,
    );
    if ("error" in user) return { did: "create", fault: user };
    this.#users.set(user.id, user);
    return { id: user.id, did: "create", told: { index: place } };
  }

  update(item: Values): Result {
    const present = this.#present().find(({ id }) => id === item["id"]) ?? this.byExternalId(item["external_id"]);
    const id = typeof item["id"] === "number" ? { id: item["id"] } : {};
    if (!present) return { ...id, did: "update", fault: unknown };
    const user = this.#changed(present, item);
    if ("error" in user) return { ...id, did: "update", fault: user };
    this.#users.set(user.id, user);
    return { id: user.id, did: "update", told: { action: "update", status: "Updated", success: true } };
  }

  /** By external id, or else by e-mail address: whoever has either. */
  createOrUpdate(item: Values, place: number): Result {
    const present =
      this.byExternalId(item["external_id"]) ?? this.#present().find((user) => hasEmail(user, item["email"]));
    const result = present ? this.update({ ...item, id: present.id }) : this.create(item, place);
    // Of a refused record, this call tells no id of a user.
    if ("fault" in result) return { did: result.did, fault: { ...result.fault, error: "UserUpdateError" } };
    const status = present ? "Updated" : "Created";
    const { external_id } = item;
    const told = { action: result.did, status, success: true, email: item["email"] ?? "", external_id };
    return { ...result, told };
  }

  destroy(id: string): Result {
    const user = this.#present().find((one) => String(one.id) === id);
    if (!user) return { id: Number(id), did: "delete", fault: unknown };
    if (user.role === "admin") return { id: user.id, did: "delete", fault: invalid("User: cannot be deleted") };
    this.#users.set(user.id, { ...user, active: false, external_id: undefined, emails: [] });
    return { id: user.id, did: "delete", told: { action: "delete", status: "Deleted", success: true } };
  }

  /** Undefined: there is no such user or identity. */
  makePrimary(user: string, identity: string): SandboxUser | undefined {
    const present = this.#present().find(({ id }) => String(id) === user);
    const wanted = present?.emails.find(({ id }) => String(id) === identity);
    if (!present || !wanted) return undefined;
    const changed = { ...present, emails: [wanted, ...present.emails.filter(({ id }) => id !== wanted.id)] };
    this.#users.set(present.id, changed);
    return changed;
  }

  #present(): readonly SandboxUser[] {
    return this.all().filter(({ active }) => active);
  }

  #changed(user: SandboxUser, item: Values): SandboxUser | Fault {
    const others = this.#present().filter(({ id }) => id !== user.id);
    const email = typeof item["email"] === "string" ? item["email"] : undefined;
    if (email !== undefined && !/^[^\s@]+@[^\s@]+\.\w+$/.test(email))
      return invalid(`Email: ${email} is not properly formatted`);
    if (email !== undefined && others.some((one) => hasEmail(one, email)))
      return invalid(`Email: ${email} is already being used by another user`);
    const externalId = "external_id" in item ? String(item["external_id"]) : user.external_id;
    if (others.some(({ external_id }) => isSame(external_id, externalId)))
      return invalid(`External: ${externalId} has already been taken`);
    const organization = item["organization_id"];
    if (typeof organization === "number" && !this.#rules.hasOrganization(organization))
      return invalid("Organization: is not valid");
    const emails =
      email === undefined || hasEmail(user, email)
        ? user.emails
        : [...user.emails, { id: this.#rules.newId(), value: email }];
    const user_fields = keptCustom(user.user_fields, item["user_fields"], this.#rules.fields);
    if (isFault(user_fields)) return user_fields;
    const values = keptStandard(user.values, item, names);
    const nameless = (values["name"] ?? emails[0]?.value) === undefined;
    if (("name" in item && values["name"] === undefined) || (nameless && !this.#rules.nameless))
      return invalid("Name: is too short (minimum is 1 characters)");
    return { ...user, external_id: externalId, emails, values, user_fields };
  }
}

const blank = {
  external_id: undefined,
  emails: [],
  role: "end-user",
  active: true,
  values: {},
  user_fields: {},
} as const;

function isFault(given: Values | Fault): given is Fault {
  return "error" in given && "details" in given;
}

function hasEmail({ emails }: SandboxUser, email: unknown): boolean {
  return emails.some(({ value }) => isSame(value, email));
}

/** A user as Zendesk shows it. */
export function shownUser({ id, external_id, emails, role, active, values, user_fields }: SandboxUser): Values {
  const email = emails[0]?.value;
  return {
    id,
    url: `https://sandbox.zendesk.com/api/v2/users/${id}.json`,
    name: email?.split("@")[0] ?? "",
    external_id: external_id ?? null,
    ...(email === undefined ? {} : { email }),
    role,
    active,
    suspended: false,
    tags: [],
    user_fields,
    ...values,
  };
}

/** A user's e-mail addresses as Zendesk shows them. */
export function shownIdentities({ id: user_id, emails }: SandboxUser): readonly Values[] {
  return emails.map(({ id, value }, at) => ({ id, user_id, type: "email", value, primary: at === 0, verified: true }));
}
