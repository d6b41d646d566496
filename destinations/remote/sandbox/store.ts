/** The records of one object of the sandbox, found by one match field. */
import { z } from "zod";

export const objectSchema = z.strictObject({
  title: z.string().optional(),
  match: z.string(),
  fields: z.record(z.string(), z.strictObject({ type: z.string(), options: z.array(z.string()).optional() })),
  /** Writes are jobs. */
  slow: z.boolean().default(false),
  ignores_case: z.boolean().default(false),
  /** What its description has besides, or has otherwise. */
  says: z.record(z.string(), z.unknown()).default({}),
});

const valuesSchema = z.record(z.string(), z.unknown());

export const askedSchema = z.strictObject({
  batch: z.string().optional(),
  object: z.string(),
  settings: valuesSchema,
  operation: z.string().default(""),
  fields: z.array(z.string()).default([]),
  match: z.array(z.string()).default([]),
  changes: z
    .array(
      z.strictObject({
        seq: z.int(),
        match: valuesSchema,
        record: valuesSchema.default({}),
        id: z.string().optional(),
        renamed: z.boolean().default(false),
      }),
    )
    .default([]),
});

export type Asked = z.output<typeof askedSchema>;
type AskedChange = Asked["changes"][number];
export type Kept = Readonly<Record<string, unknown>>;
export type Result = Readonly<Record<string, unknown>> & { readonly seq: number };

const operations = ["upsert", "update", "insert", "delete", "clear"];

export class Store {
  readonly title: string;
  readonly isSlow: boolean;
  readonly records = new Map<string, Kept>();
  readonly #name: string;
  readonly #object: z.output<typeof objectSchema>;
  #made = 0;

  constructor(name: string, object: z.output<typeof objectSchema>) {
    this.#name = name;
    this.#object = object;
    this.title = object.title ?? name;
    this.isSlow = object.slow;
  }

  description(): unknown {
    const { match, fields, ignores_case, says } = this.#object;
    const matching = ignores_case ? { matching: "case_insensitive" } : {};
    return {
      name: this.#name,
      title: this.title,
      modes: ["upsert", "update", "insert", "mirror"],
      removals: ["delete", "clear"],
      batch: { records: 50, records_of: { delete: 100 }, bytes: 1_000_000 },
      match_fields: 1,
      idempotent: ["upsert", "update", "insert", "mirror"],
      fields: [
        { name: match, type: "text", matches: true, ...matching },
        ...Object.entries(fields).map(([name, { type, options }]) => ({
          name,
          type,
          ...(options ? { options: options.map((value) => ({ value })) } : {}),
        })),
      ],
      reads: true,
      ...says,
    };
  }

  can(operation: string): boolean {
    return operations.includes(operation);
  }

  read(change: AskedChange, { fields }: Asked): unknown {
    const [, found] = this.#find(change) ?? [];
    const record = found && Object.fromEntries(fields.map((name) => [name, found[name] ?? null]));
    return { seq: change.seq, record: record ?? null };
  }

  write(change: AskedChange, { operation }: Asked): Result {
    const { seq, record } = change;
    const found = this.#find(change);
    const [id] = found ?? [];
    if (operation === "delete" || (operation === "clear" && !found)) {
      if (id !== undefined) this.records.delete(id);
      return { seq, outcome: "accepted" };
    }
    if (operation === "update" && !found) return this.#rejected(seq, "not_found", "There is no such record.");
    if (operation === "insert" && found) return this.#rejected(seq, "exists", "There is such a record already.");
    const fault = this.#fault(record);
    if (fault !== undefined) return { ...this.#rejected(seq, "not_an_option", "No such option."), field: fault };
    return { seq, outcome: "accepted", id: this.#keep(change, found) };
  }

  #keep({ match, record }: AskedChange, found: readonly [id: string, record: Kept] | undefined): string {
    const id = found?.[0] ?? `${this.#name}-${(this.#made += 1)}`;
    const merged = Object.entries({ ...found?.[1], ...match, ...record }).filter(([, value]) => value !== null);
    this.records.set(id, Object.fromEntries(merged));
    return id;
  }

  #find({ id, match }: AskedChange): readonly [id: string, record: Kept] | undefined {
    const known = id === undefined ? undefined : this.records.get(id);
    if (id !== undefined && known) return [id, known];
    const { match: field } = this.#object;
    return [...this.records].find(([, record]) => this.#identity(record[field]) === this.#identity(match[field]));
  }

  #identity(value: unknown): string {
    const text = String(value);
    return this.#object.ignores_case ? text.trim().toLowerCase() : text;
  }

  #fault(record: Kept): string | undefined {
    return Object.keys(record).find((name) => {
      const { options } = this.#object.fields[name] ?? {};
      return options !== undefined && record[name] !== null && !options.some((option) => option === record[name]);
    });
  }

  #rejected(seq: number, code: string, message: string): Result {
    return { seq, outcome: "rejected", code, message };
  }
}
