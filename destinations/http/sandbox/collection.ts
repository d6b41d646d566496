/** Records that a service keeps: found by id or by key, with rules for what a field takes. */
import { z } from "zod";

export const collectionSchema = z.strictObject({
  /** The field, or the fields that together find a record. */
  key: z.union([z.string(), z.array(z.string()).min(1)]),
  /** False: any number of records may have the same key, as events do. */
  unique: z.boolean().default(true),
  /** What some fields take; any other field takes anything. */
  fields: z
    .record(
      z.string(),
      z.strictObject({
        type: z.enum(["string", "number", "boolean"]).optional(),
        one_of: z.array(z.string()).optional(),
        max_length: z.int().optional(),
      }),
    )
    .default({}),
});

export type CollectionRules = z.output<typeof collectionSchema>;
export type Values = Readonly<Record<string, unknown>>;
export type Mode = "upsert" | "update" | "insert";

export interface Refusal {
  readonly code: "invalid" | "not_found" | "conflict";
  readonly message: string;
  readonly field?: string;
}

export type Written = { readonly id: string; readonly values: Values } | { readonly refusal: Refusal };

export class Collection {
  readonly #rules: CollectionRules;
  readonly #newId: () => string;
  readonly #records = new Map<string, Values>();

  constructor(rules: CollectionRules, newId: () => string) {
    this.#rules = rules;
    this.#newId = newId;
  }

  get key(): readonly string[] {
    return [this.#rules.key].flat();
  }

  contents(): Readonly<Record<string, Values>> {
    return Object.fromEntries(this.#records);
  }

  /** Writes the given values and leaves the others; null empties one. */
  write(mode: Mode, values: Values, id?: string): Written {
    const refusal = this.#misfit(values);
    if (refusal) return { refusal };
    const found = this.#find(values, id);
    if (found === undefined && mode === "update")
      return { refusal: { code: "not_found", message: "There is no such record." } };
    if (found !== undefined && mode === "insert")
      return { refusal: { code: "conflict", message: "There is such a record already." } };
    const written = found ?? this.#newId();
    const all = { ...this.#records.get(written), ...values };
    this.#records.set(written, Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)));
    return { id: written, values: this.#records.get(written) ?? {} };
  }

  /** Whether there was such a record. */
  remove(values: Values, id?: string): boolean {
    const found = this.#find(values, id);
    return found !== undefined && this.#records.delete(found);
  }

  #find(values: Values, id: string | undefined): string | undefined {
    if (id !== undefined && this.#records.has(id)) return id;
    if (!this.#rules.unique) return undefined;
    return [...this.#records].find(([, held]) => this.key.every((name) => held[name] === values[name]))?.[0];
  }

  #misfit(values: Values): Refusal | undefined {
    for (const name of this.key) {
      if (typeof values[name] === "string" || typeof values[name] === "number") continue;
      return { code: "invalid", message: `${name} is missing.`, field: name };
    }
    for (const [field, { type, one_of: options, max_length: longest = Infinity }] of Object.entries(
      this.#rules.fields,
    )) {
      const value = values[field];
      if (value === undefined || value === null) continue;
      if (type !== undefined && typeof value !== type)
        return { code: "invalid", message: `${field} must be a ${type}.`, field };
      if (options && !options.some((option) => option === value))
        return { code: "invalid", message: `${field} must be one of ${options.join(", ")}.`, field };
      if (typeof value === "string" && value.length > longest)
        return { code: "invalid", message: `${field} is longer than ${longest} characters.`, field };
    }
    return undefined;
  }
}
