/** A workspace's companies. */
import { z } from "zod";
import type { SandboxResponse } from "../../../src/sandbox.ts";
import { companyNotFound, refusal } from "./answers.ts";
import { type Attribute, keptCustom } from "./attributes.ts";
import { formError, put } from "./contacts.ts";

export const companySeed = z.object({
  id: z.string(),
  company_id: z.string(),
  standard: z.record(z.string(), z.unknown()).default({}),
  custom: z.record(z.string(), z.unknown()).default({}),
});

export type SandboxCompany = z.output<typeof companySeed>;

const text = z.string().nullable();

const givenSchema = z.strictObject({
  company_id: z.string().min(1).optional(),
  name: text.optional(),
  plan: text.optional(),
  size: z.int().nullable().optional(),
  website: text.optional(),
  industry: text.optional(),
  remote_created_at: z.int().nullable().optional(),
  monthly_spend: z
    .number()
    // A fraction is cut off and the bound kept, both without a word.
    .transform((spend) => Math.min(Math.trunc(spend), 2_147_483_647))
    .nullable()
    .optional(),
  custom_attributes: z.unknown().optional(),
});

/** The companies, by the id that is their own and the one that a person gave them. */
export class Companies {
  readonly #attributes: readonly Attribute[];
  readonly #newId: () => string;
  readonly #byId = new Map<string, SandboxCompany>();

  constructor(attributes: readonly Attribute[], newId: () => string, seeds: readonly SandboxCompany[]) {
    this.#attributes = attributes;
    this.#newId = newId;
    for (const seed of structuredClone([...seeds])) this.#byId.set(seed.id, seed);
  }

  all(): readonly SandboxCompany[] {
    return [...this.#byId.values()];
  }

  /** Makes the company, or changes the one that has the id. */
  upsert(body: unknown): SandboxResponse {
    const companyId = z.object({ company_id: z.string().min(1) }).safeParse(body).data?.company_id;
    if (companyId === undefined) return refusal(400, "parameter_not_found", "company_id is required", "company_id");
    const present = this.#known(companyId);
    return this.#write(present ?? { id: this.#newId(), company_id: companyId, standard: {}, custom: {} }, body);
  }

  update(id: string, body: unknown): SandboxResponse {
    const company = this.#byId.get(id);
    return company ? this.#write(company, body) : companyNotFound;
  }

  find(companyId: string): SandboxResponse {
    const company = this.#known(companyId);
    return company ? { status: 200, body: shown(company) } : companyNotFound;
  }

  get(id: string): SandboxResponse {
    const company = this.#byId.get(id);
    return company ? { status: 200, body: shown(company) } : companyNotFound;
  }

  remove(id: string): SandboxResponse {
    return this.#byId.delete(id) ? { status: 200, body: { id, object: "company", deleted: true } } : companyNotFound;
  }

  #known(companyId: string): SandboxCompany | undefined {
    return this.all().find((one) => one.company_id === companyId);
  }

  #write(company: SandboxCompany, body: unknown): SandboxResponse {
    const parsed = givenSchema.safeParse(body);
    if (!parsed.success) return formError(parsed.error);
    const { company_id: _fixed, custom_attributes: given, ...standard } = parsed.data;
    const checked = keptCustom(given, "company", this.#attributes);
    if ("refused" in checked) return checked.refused;
    this.#byId.set(company.id, company);
    for (const [name, value] of Object.entries(standard)) put(company.standard, name, value);
    for (const [name, value] of Object.entries(checked.kept)) put(company.custom, name, value);
    return { status: 200, body: shown(company) };
  }
}

function shown({ id, company_id, standard, custom }: SandboxCompany): Readonly<Record<string, unknown>> {
  const { plan, ...fields } = standard;
  return {
    type: "company",
    id,
    company_id,
    app_id: "sandbox",
    ...fields,
    plan: plan === undefined ? {} : { type: "plan", id: "1", name: plan },
    monthly_spend: standard["monthly_spend"] ?? 0,
    session_count: 0,
    user_count: 0,
    tags: { type: "tag.list", tags: [] },
    segments: { type: "segment.list", segments: [] },
    custom_attributes: custom,
  };
}
