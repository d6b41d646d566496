/** Objects of the org: their fields, their records, and what a record must be. */
import { z } from "zod";

const fieldSchema = z.object({
  name: z.string(),
  type: z.string().default("string"),
  length: z.number().default(0),
  createable: z.boolean().default(true),
  updateable: z.boolean().default(true),
  nillable: z.boolean().default(true),
  externalId: z.boolean().default(false),
  idLookup: z.boolean().default(false),
  unique: z.boolean().default(false),
  restrictedPicklist: z.boolean().default(false),
  picklistValues: z.array(z.object({ value: z.string(), label: z.string(), active: z.boolean() })).default([]),
});
export const objectSchema = z.object({ name: z.string(), label: z.string(), fields: z.array(fieldSchema) });

type Field = z.output<typeof fieldSchema>;
export type Values = Readonly<Record<string, unknown>>;

export interface RowError {
  readonly statusCode: string;
  readonly message: string;
  readonly fields: readonly string[];
}

const text = (name: string, more: Partial<Field> = {}): z.input<typeof fieldSchema> => ({ name, length: 255, ...more });
const externalId = text("External_Id__c", { externalId: true, idLookup: true, unique: true });

/** What every sandbox org has. */
export const standardObjects: readonly z.output<typeof objectSchema>[] = z.array(objectSchema).parse([
  {
    name: "Contact",
    label: "Contact",
    fields: [
      text("LastName", { nillable: false, length: 80 }),
      text("FirstName", { length: 40 }),
      text("Email", { type: "email", idLookup: true, length: 80 }),
      { name: "AccountId", type: "reference", length: 18 },
      text("MailingAddress", { type: "address", createable: false, updateable: false }),
      text("MailingCity", { length: 40 }),
      { name: "Birthdate", type: "date" },
      externalId,
    ],
  },
  { name: "Case", label: "Case", fields: [text("Subject"), text("SuppliedName", { length: 80 }), externalId] },
]);

export class ObjectStore {
  readonly name: string;
  readonly records = new Map<string, Values>();
  readonly fields: ReadonlyMap<string, Field>;
  readonly #label: string;
  readonly #prefix: string;
  #last = 0;

  constructor({ name, label, fields }: z.output<typeof objectSchema>, at: number) {
    this.name = name;
    this.#label = label;
    this.#prefix = `a${String(at).padStart(2, "0")}`;
    const id = fieldSchema.parse({
      name: "Id",
      type: "id",
      length: 18,
      createable: false,
      updateable: false,
      nillable: false,
    });
    this.fields = new Map([id, ...fields].map((field) => [field.name, field]));
  }

  summary(): Values {
    const abilities = { createable: true, updateable: true, deletable: true, queryable: true };
    return { name: this.name, label: this.#label, labelPlural: `${this.#label}s`, ...abilities };
  }

  describe(): Values {
    return { ...this.summary(), fields: [...this.fields.values()].map((one) => ({ label: one.name, ...one })) };
  }

  find(field: string, value: unknown): readonly string[] {
    // An id is the same with 15 characters and with 18.
    const spell = (one: unknown): string => {
      const text = typeof one === "string" || typeof one === "number" ? String(one) : "";
      return field === "Id" ? text.slice(0, 15) : text.toLowerCase();
    };
    const sought = spell(value);
    return [...this.records].filter(([, one]) => spell(one[field]) === sought).map(([id]) => id);
  }

  write(id: string | undefined, values: Values): string {
    this.#last += id === undefined ? 1 : 0;
    const key = id ?? `${this.#prefix}${String(this.#last).padStart(12, "0")}AAA`;
    const merged = Object.entries({ ...this.records.get(key), ...values, Id: key });
    this.records.set(key, Object.fromEntries(merged.filter(([, value]) => value !== null && value !== "")));
    return key;
  }

  /** Why a record may not be written, if it may not. */
  refusal(id: string | undefined, values: Values): RowError | undefined {
    for (const [name, value] of Object.entries(values)) {
      const field = this.fields.get(name);
      if (!field) return rowError("INVALID_FIELD", `No such column '${name}' on sobject of type ${this.name}`, name);
      const writable = id === undefined ? field.createable : field.updateable;
      if (!writable)
        return rowError("INVALID_FIELD_FOR_INSERT_UPDATE", `Unable to create/update fields: ${name}.`, name);
      const wrong = value === null ? undefined : invalidity(field, value);
      if (wrong) return wrong;
      const other = field.unique && value !== null ? this.find(name, value).find((one) => one !== id) : undefined;
      if (other) return rowError("DUPLICATE_VALUE", `duplicate value found: ${name} on record with id: ${other}`, name);
    }
    const after: Values = { ...(id === undefined ? {} : this.records.get(id)), ...values };
    const missing = [...this.fields.values()].find(
      ({ name, nillable }) => name !== "Id" && !nillable && (after[name] ?? "") === "",
    );
    return (
      missing && rowError("REQUIRED_FIELD_MISSING", `Required fields are missing: [${missing.name}]`, missing.name)
    );
  }
}

export function rowError(statusCode: string, message: string, ...fields: readonly string[]): RowError {
  return { statusCode, message, fields };
}

function invalidity(
  { name, type, length, restrictedPicklist, picklistValues }: Field,
  value: unknown,
): RowError | undefined {
  if (type === "double" && typeof value !== "number")
    return rowError("JSON_PARSER_ERROR", `not a number: ${name}`, name);
  if (type === "date" && !/^\d{4}-\d\d-\d\d$/.test(String(value)))
    return rowError("JSON_PARSER_ERROR", `Cannot deserialize instance of date from ${name}`, name);
  if (length > 0 && typeof value === "string" && value.length > length)
    return rowError("STRING_TOO_LONG", `${name}: data value too large (max length=${length})`, name);
  const options = picklistValues.filter(({ active }) => active).map((one) => one.value);
  if (
    !restrictedPicklist ||
    String(value)
      .split(";")
      .every((one) => options.includes(one))
  )
    return undefined;
  return rowError(
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    `${name}: bad value for restricted picklist field: ${String(value)}`,
    name,
  );
}
