/** An account's organizations. */
import { z } from "zod";
import type { Result } from "./jobs.ts";
import {
  type Fault,
  isSame,
  keptCustom,
  keptStandard,
  listIn,
  type SandboxField,
  textOf,
  type Values,
} from "./values.ts";

export const organizationSeed = z.object({
  id: z.int(),
  name: z.string(),
  external_id: z.string().optional(),
  values: z.record(z.string(), z.unknown()).default({}),
  organization_fields: z.record(z.string(), z.unknown()).default({}),
});

export interface SandboxOrganization {
  readonly id: number;
  readonly name: string;
  readonly external_id: string | undefined;
  /** The standard fields that have a value. */
  readonly values: Values;
  readonly organization_fields: Values;
}

export interface OrganizationRules {
  readonly fields: readonly SandboxField[];
  readonly groups: readonly number[];
  readonly newId: () => number;
}

const names = ["domain_names", "group_id", "shared_tickets", "shared_comments", "notes", "details", "tags"];

const invalid = (details: string): Fault => ({ error: "RecordInvalid", details });
const unknown: Fault = { error: "RecordNotFound", details: "Could not find organization" };

export class Organizations {
  readonly #rules: OrganizationRules;
  readonly #organizations = new Map<number, SandboxOrganization>();

  constructor(rules: OrganizationRules, seed: readonly z.output<typeof organizationSeed>[]) {
    this.#rules = rules;
    for (const one of seed) this.#organizations.set(one.id, { ...one, external_id: one.external_id });
  }

  all(): readonly SandboxOrganization[] {
    return [...this.#organizations.values()];
  }

  has(id: number): boolean {
    return this.#organizations.has(id);
  }

  byIds(ids: string | undefined): readonly SandboxOrganization[] {
    return listIn(ids).flatMap((id) => this.#organizations.get(Number(id)) ?? []);
  }

  byExternalIds(values: string | undefined): readonly SandboxOrganization[] {
    return listIn(values).flatMap((value) => this.byExternalId(value) ?? []);
  }

  byExternalId(value: unknown): SandboxOrganization | undefined {
    return this.all().find(({ external_id }) => isSame(external_id, value));
  }

  byName(value: unknown): SandboxOrganization | undefined {
    return this.all().find(({ name }) => isSame(name, value));
  }

  create(item: Values, place: number): Result {
    const made = this.#changed({ ...blank, id: this.#rules.newId() }, item);
    if ("error" in made) return { did: "create", fault: made };
    this.#organizations.set(made.id, made);
    return { id: made.id, did: "create", told: { index: place } };
  }

  update(item: Values): Result {
    const id = Number(item["id"]);
    const present = this.#organizations.get(id);
    if (!present) return { id, did: "update", fault: unknown };
    const changed = this.#changed(present, item);
    if ("error" in changed) return { id, did: "update", fault: changed };
    this.#organizations.set(id, changed);
    return { id, did: "update", told: { action: "update", status: "Updated", success: true } };
  }

  destroy(id: string): Result {
    const there = this.#organizations.delete(Number(id));
    if (!there) return { id: Number(id), did: "delete", fault: unknown };
    return { id: Number(id), did: "delete", told: { action: "delete", status: "Deleted", success: true } };
  }

  #changed(present: SandboxOrganization, item: Values): SandboxOrganization | Fault {
    const others = this.all().filter(({ id }) => id !== present.id);
    const name = "name" in item ? textOf(item["name"]).trim() : present.name;
    if (name === "") return invalid("Name: cannot be blank");
    if (others.some((one) => isSame(one.name, name))) return invalid(`Name: ${name} has already been taken`);
    const externalId = "external_id" in item ? String(item["external_id"]) : present.external_id;
    if (others.some(({ external_id }) => isSame(external_id, externalId)))
      return invalid(`External: ${externalId} has already been taken`);
    const group = item["group_id"];
    if (typeof group === "number" && !this.#rules.groups.includes(group)) return invalid("Group: is not valid");
    const custom = keptCustom(present.organization_fields, item["organization_fields"], this.#rules.fields);
    if ("error" in custom && "details" in custom) return invalid(String(custom["details"]));
    const values = keptStandard(present.values, item, names);
    return { ...present, name, external_id: externalId, values, organization_fields: custom };
  }
}

const blank = { name: "", external_id: undefined, values: {}, organization_fields: {} } as const;

/** An organization as Zendesk shows it. */
export function shownOrganization({ external_id, values, ...own }: SandboxOrganization): Values {
  const url = `https://sandbox.zendesk.com/api/v2/organizations/${own.id}.json`;
  return { ...own, url, external_id: external_id ?? null, domain_names: [], tags: [], group_id: null, ...values };
}
