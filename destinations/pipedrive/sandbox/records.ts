/** The persons, organizations or deals of a company: kept for 30 days when they are deleted, searched late and without regard to capitals. */
import { z } from "zod";
import type { SandboxRequest, SandboxResponse } from "../../../src/sandbox.ts";
import { invalid, notFound, success } from "./answers.ts";
import { customFault, keptValue, type PipedriveField } from "./fields.ts";

type ObjectName = "persons" | "organizations" | "deals";
type Values = Readonly<Record<string, unknown>>;

export interface Kept extends Values {
  readonly id: number;
  readonly add_time: string;
  readonly is_deleted: boolean;
  readonly custom_fields: Values;
}

export interface Rules {
  readonly now: () => number;
  readonly nameless: boolean;
  readonly searchDelayMs: number;
  readonly shouts: boolean;
  /** Whether an object has a record that is not deleted. */
  readonly isThere: (object: ObjectName, id: number) => boolean;
}

const id = z.int().positive();
const entries = z
  .array(z.strictObject({ value: z.string().min(1), label: z.string().optional(), primary: z.boolean().optional() }))
  .refine((all) => all.filter(({ primary }) => primary === true).length <= 1);
const common = {
  owner_id: id.max(1000).nullable(),
  visible_to: z.literal([1, 3, 5, 7]),
  label_ids: z.array(z.int()).nullable(),
  custom_fields: z.record(z.string(), z.unknown()),
};
const name = z.string().min(1).max(255);

/** What a request may say of each object, and nothing else. */
const bodies: Readonly<Record<ObjectName, z.ZodType<Values>>> = {
  persons: z.strictObject({ ...common, name, org_id: id.nullable(), emails: entries, phones: entries }).partial(),
  organizations: z
    .strictObject({ ...common, name, address: z.looseObject({ value: z.string().min(1) }).nullable() })
    .partial(),
  deals: z
    .strictObject({
      ...common,
      title: name,
      value: z.number().nullable(),
      currency: z.string().length(3),
      org_id: id.nullable(),
      person_id: id.nullable(),
      pipeline_id: id,
      stage_id: id,
      status: z.enum(["open", "won", "lost"]),
      probability: z.int().min(0).max(100).nullable(),
      expected_close_date: z.iso.date().nullable(),
      lost_reason: z.string().nullable(),
    })
    .partial(),
};

/** What refers to records of other objects. */
const references: Readonly<Record<string, ObjectName>> = { org_id: "organizations", person_id: "persons" };

const searchable = new Set(["varchar", "varchar_auto", "text", "double", "phone"]);

export class Records {
  readonly #object: ObjectName;
  readonly #fields: readonly PipedriveField[];
  readonly #rules: Rules;
  readonly #all = new Map<number, Kept>();
  #last = 0;

  constructor(object: ObjectName, fields: readonly PipedriveField[], rules: Rules) {
    this.#object = object;
    this.#fields = fields;
    this.#rules = rules;
  }

  seed(values: Partial<Kept>): void {
    const long = "2020-01-01T00:00:00Z";
    this.#keep({ id: (this.#last += 1), add_time: long, is_deleted: false, custom_fields: {} }, values);
  }

  contents(): Readonly<Record<string, Kept>> {
    return Object.fromEntries([...this.#all].map(([key, kept]) => [String(key), kept]));
  }

  isThere(key: number): boolean {
    return this.#all.get(key)?.is_deleted === false;
  }

  handle({ method, body, query }: SandboxRequest, part: string | undefined): SandboxResponse {
    if (part === "search") return method === "GET" ? this.#search(query) : notFound;
    if (part === undefined)
      return method === "POST" ? this.#make(body) : method === "GET" ? this.#list(query) : notFound;
    const kept = this.#all.get(Number(part));
    if (!kept) return notFound;
    switch (method) {
      case "GET":
        return success(shown(kept, query["custom_fields"]));
      case "PATCH":
        return this.#change(kept, body);
      case "DELETE":
        if (kept.is_deleted) return notFound;
        this.#all.set(kept.id, { ...kept, is_deleted: true });
        return success({ id: kept.id });
      default:
        return notFound;
    }
  }

  get #naming(): "name" | "title" {
    return this.#object === "deals" ? "title" : "name";
  }

  #make(body: unknown): SandboxResponse {
    const fault = this.#fault(body);
    if (fault !== undefined) return invalid(fault);
    const given = body as Values;
    if (given[this.#naming] === undefined && !this.#rules.nameless) return invalid(`${this.#naming}: is required`);
    const add_time = new Date(this.#rules.now()).toISOString();
    const blank = { id: (this.#last += 1), add_time, is_deleted: false, custom_fields: {} };
    return success(this.#keep(blank, given), {}, 201);
  }

  /** A deleted record is changed as well, which nobody sees. */
  #change(kept: Kept, body: unknown): SandboxResponse {
    const fault = this.#fault(body);
    return fault === undefined ? success(this.#keep(kept, body as Values)) : invalid(fault);
  }

  #fault(body: unknown): string | undefined {
    const { data, error } = bodies[this.#object].safeParse(body);
    if (!data) return error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
    for (const [field, object] of Object.entries(references)) {
      const other = data[field];
      if (typeof other === "number" && !this.#rules.isThere(object, other)) return `${field}: not found`;
    }
    return customFault(data["custom_fields"] ?? {}, this.#fields);
  }

  /** Lists are replaced by those that come, and one of their entries is always primary. */
  #keep(kept: Kept, { custom_fields: given = {}, ...own }: Values): Kept {
    const custom = Object.entries(given as Values).map(([code, value]) => {
      const field = this.#fields.find(({ field_code }) => field_code === code);
      const taken = field ? keptValue(value, field) : value;
      return [code, this.#rules.shouts && typeof taken === "string" ? taken.toUpperCase() : taken];
    });
    const lists = Object.entries(own).map(([field, value]) => [
      field,
      field === "emails" || field === "phones" ? withDefaults(value as readonly Values[]) : value,
    ]);
    const after = {
      ...kept,
      ...Object.fromEntries(lists),
      custom_fields: { ...kept.custom_fields, ...Object.fromEntries(custom) },
    };
    this.#all.set(kept.id, after);
    return after;
  }

  #list({
    ids,
    limit = "100",
    sort_direction = "asc",
    custom_fields,
  }: Readonly<Record<string, string>>): SandboxResponse {
    const asked = ids?.split(",").map(Number);
    if (asked && asked.length > 100) return invalid("ids: at most 100");
    const present = [...this.#all.values()].filter((one) => !one.is_deleted && (asked?.includes(one.id) ?? true));
    const sorted = present.toSorted((one, other) => one.add_time.localeCompare(other.add_time) || one.id - other.id);
    const page = (sort_direction === "desc" ? sorted.toReversed() : sorted).slice(0, Math.min(Number(limit), 500));
    return success(
      page.map((one) => shown(one, custom_fields)),
      { additional_data: { next_cursor: null } },
    );
  }

  /** In which of the fields the term is, the search does not tell. */
  #search({ term = "", fields = "", exact_match, limit = "100" }: Readonly<Record<string, string>>): SandboxResponse {
    if (term.trim() === "" || exact_match !== "true") return invalid("term: is too short");
    const sought = term.trim().toLowerCase();
    const before = this.#rules.now() - this.#rules.searchDelayMs;
    const found = [...this.#all.values()].filter(
      (one) =>
        !one.is_deleted &&
        Date.parse(one.add_time) <= before &&
        fields.split(",").some((field) => this.#valuesIn(one, field).some((value) => value.toLowerCase() === sought)),
    );
    const items = found.slice(0, Number(limit)).map((one) => ({
      result_score: 1,
      item: {
        id: one.id,
        type: this.#object.slice(0, -1),
        [this.#naming]: one[this.#naming],
        ...(this.#object === "persons" ? { emails: this.#valuesIn(one, "email") } : {}),
        custom_fields: this.#valuesIn(one, "custom_fields"),
        notes: [],
      },
    }));
    const next_cursor = found.length > Number(limit) ? "more" : null;
    return success({ items }, { additional_data: { next_cursor } });
  }

  #valuesIn(kept: Kept, field: string): readonly string[] {
    if (field === "email") return ((kept["emails"] ?? []) as readonly { value: string }[]).map(({ value }) => value);
    if (field !== "custom_fields") return textsOf([kept[field]]);
    const codes = this.#fields.filter(({ field_type: type }) => searchable.has(type)).map((one) => one.field_code);
    return textsOf(codes.map((code) => kept.custom_fields[code]));
  }
}

function textsOf(values: readonly unknown[]): readonly string[] {
  return values.flatMap((one) => (typeof one === "string" || typeof one === "number" ? [String(one)] : []));
}

/** Those custom fields that were asked for, or all. */
function shown(kept: Kept, custom: string | undefined): Kept {
  if (custom === undefined) return kept;
  const asked = custom.split(",");
  const values = Object.entries(kept.custom_fields).filter(([code]) => asked.includes(code));
  return { ...kept, custom_fields: Object.fromEntries(values) };
}

function withDefaults(list: readonly Values[]): readonly Values[] {
  const hasPrimary = list.some(({ primary }) => primary === true);
  return list.map((one, at) => ({ label: "work", ...one, primary: hasPrimary ? one["primary"] === true : at === 0 }));
}
