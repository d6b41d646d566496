/** An account's customers. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { SandboxResponse } from "../../../src/sandbox.ts";
import { refusal, refusedFields } from "./answers.ts";
import { type AttributeKind, keptAttributes, standardError, standardKept } from "./values.ts";

/** The standard fields that can be written. */
export const standardFields = [
  "name",
  "email",
  "company",
  "country",
  "state",
  "city",
  "zip",
  "website_url",
  "owner",
  "lead_created_at",
  "free_trial_started_at",
] as const;

export interface SandboxCustomer {
  readonly id: number;
  readonly uuid: string;
  /** Where it comes from: several of each when customers were merged. */
  readonly known: readonly { readonly dataSource: string; readonly externalId: string }[];
  readonly standard: Record<string, string>;
  readonly custom: Record<string, unknown>;
  tags: string[];
}

export interface DataSource {
  readonly uuid: string;
  readonly name: string;
  readonly system: string;
}

const creationSchema = z.looseObject({
  data_source_uuid: z.unknown().optional(),
  external_id: z.unknown().optional(),
  attributes: z.object({ tags: z.unknown().optional(), custom: z.unknown().optional() }).default({}),
});

const tagsSchema = z.array(z.string().min(1));

export class Customers {
  readonly #sources: ReadonlyMap<string, DataSource>;
  readonly #types: Map<string, AttributeKind>;
  readonly #byUuid = new Map<string, SandboxCustomer>();

  readonly #fixed: readonly string[];

  /** `fixed` are the fields in which changes are passed over. */
  constructor(
    sources: readonly DataSource[],
    types: ReadonlyMap<string, AttributeKind>,
    fixed: readonly string[] = [],
  ) {
    this.#fixed = fixed;
    this.#sources = new Map(sources.map((source) => [source.uuid, source]));
    this.#types = new Map(types);
  }

  /** Puts a customer there as it is. */
  add(customer: Omit<SandboxCustomer, "id">): SandboxCustomer {
    const added = { ...customer, id: 1000 + this.#byUuid.size };
    this.#byUuid.set(added.uuid, added);
    return added;
  }

  get(uuid: string): SandboxCustomer | undefined {
    return this.#byUuid.get(uuid);
  }

  all(): readonly SandboxCustomer[] {
    return [...this.#byUuid.values()];
  }

  types(): ReadonlyMap<string, AttributeKind> {
    return this.#types;
  }

  remove(customer: SandboxCustomer): void {
    this.#byUuid.delete(customer.uuid);
  }

  /** Nothing is made unless all of it is taken. */
  create(body: unknown): SandboxResponse {
    const parsed = creationSchema.safeParse(body);
    if (!parsed.success) return refusal(400, "The request body is not valid.");
    const { data_source_uuid: dataSource, external_id: externalId, attributes, ...fields } = parsed.data;
    const errors = this.#creationErrors(dataSource, externalId, fields);
    if (Object.keys(errors).length > 0) return refusedFields(errors);
    const tags = tagsSchema.safeParse(attributes.tags ?? []);
    if (!tags.success)
      return refusal(400, 'Parameter "attributes[tags]" does not have a valid value', "attributes[tags]");
    const attributesKept = keptAttributes(attributes.custom ?? [], this.#types);
    if ("refused" in attributesKept) return attributesKept.refused;
    const customer = this.add({
      uuid: `cus_${randomUUID()}`,
      known: [{ dataSource: String(dataSource), externalId: String(externalId) }],
      standard: {},
      custom: {},
      tags: [...new Set(tags.data)],
    });
    this.#setStandard(customer, fields);
    this.#setCustom(customer, attributesKept.kept);
    return { status: 201, body: this.shown(customer) };
  }

  #creationErrors(
    dataSource: unknown,
    externalId: unknown,
    fields: Readonly<Record<string, unknown>>,
  ): Record<string, string> {
    const errors: Record<string, string> = {};
    const source = this.#sources.get(String(dataSource));
    if (!source) errors["data_source_uuid"] = "A valid data source UUID is required for each customer.";
    else if (source.system !== "Import API")
      errors["data_source_uuid"] = "Customers cannot be added to a data source that is managed by an integration.";
    if (typeof externalId !== "string" || externalId === "")
      errors["external_id"] = "A unique external ID is required for each customer.";
    else if (this.find(String(dataSource), externalId).length > 0)
      errors["external_id"] = "The external ID for this customer already exists in our system.";
    for (const field of standardFields) {
      const error = fields[field] === undefined ? undefined : standardError(field, fields[field]);
      if (error !== undefined) errors[field] = error;
    }
    return errors;
  }

  /** By the external id that it has in a data source; also without naming one. */
  find(dataSource: string | undefined, externalId: string | undefined): readonly SandboxCustomer[] {
    return this.all().filter(({ known }) =>
      known.some(
        (one) =>
          (dataSource === undefined || one.dataSource === dataSource) &&
          (externalId === undefined || one.externalId === externalId),
      ),
    );
  }

  patch(customer: SandboxCustomer, body: unknown): SandboxResponse {
    const fields = z.record(z.string(), z.unknown()).safeParse(body).data ?? {};
    for (const field of standardFields) {
      const error = fields[field] === undefined ? undefined : standardError(field, fields[field]);
      if (error !== undefined) return refusal(422, error, field);
    }
    // What cannot be changed, such as the external id, is passed over without a word.
    const fixed = new Set(this.#fixed);
    this.#setStandard(customer, Object.fromEntries(Object.entries(fields).filter(([field]) => !fixed.has(field))));
    return { status: 200, body: this.shown(customer) };
  }

  addAttributes(customer: SandboxCustomer, body: unknown): SandboxResponse {
    const given = z.object({ custom: z.unknown() }).safeParse(body).data;
    const result = keptAttributes(given?.custom, this.#types);
    if ("refused" in result) return result.refused;
    this.#setCustom(customer, result.kept);
    return { status: 200, body: { custom: customer.custom } };
  }

  /** Answers `{}` when none are left. */
  removeAttributes(customer: SandboxCustomer, body: unknown): SandboxResponse {
    const given = z.object({ custom: z.array(z.string()) }).safeParse(body);
    if (!given.success) return refusal(400, 'Parameter "custom" does not have a valid value', "custom");
    for (const key of given.data.custom) delete customer.custom[key];
    return { status: 200, body: Object.keys(customer.custom).length === 0 ? {} : { custom: customer.custom } };
  }

  changeTags(customer: SandboxCustomer, body: unknown, adds: boolean): SandboxResponse {
    const given = z.object({ tags: tagsSchema }).safeParse(body);
    if (!given.success) return refusal(400, 'Parameter "tags" does not have a valid value', "tags");
    const { tags } = given.data;
    customer.tags = adds
      ? [...new Set([...customer.tags, ...tags])]
      : customer.tags.filter((tag) => !tags.includes(tag));
    return { status: 200, body: { tags: customer.tags } };
  }

  /** As ChartMogul shows a customer. */
  shown({ id, uuid, known, standard, custom, tags }: SandboxCustomer): Readonly<Record<string, unknown>> {
    const [first] = known;
    const fields = Object.fromEntries(standardFields.map((field) => [field, standard[field] ?? null]));
    return {
      id,
      uuid,
      external_id: first?.externalId ?? null,
      ...fields,
      status: "New Lead",
      "customer-since": null,
      attributes: { custom, tags },
      data_source_uuid: first?.dataSource ?? null,
      data_source_uuids: [...new Set(known.map(({ dataSource }) => dataSource))],
      external_ids: known.map(({ externalId }) => externalId),
      mrr: 0,
      arr: 0,
      "billing-system-type": this.#sources.get(first?.dataSource ?? "")?.system ?? null,
      currency: "EUR",
      "currency-sign": "€",
    };
  }

  #setStandard(customer: SandboxCustomer, fields: Readonly<Record<string, unknown>>): void {
    for (const field of standardFields) {
      if (fields[field] === undefined) continue;
      const kept = standardKept(field, fields[field]);
      if (kept === null) delete customer.standard[field];
      else customer.standard[field] = kept;
    }
  }

  #setCustom(customer: SandboxCustomer, kept: readonly { key: string; type: AttributeKind; value: unknown }[]): void {
    for (const { key, type, value } of kept) {
      this.#types.set(key, type);
      customer.custom[key] = value;
    }
  }
}
