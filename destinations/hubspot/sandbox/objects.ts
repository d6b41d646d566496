/** One object's records in the sandbox, with their unique values. */
import { lifecycleStages, type InvalidValue, invalidity, type Property } from "./properties.ts";

export interface SandboxRecord {
  readonly id: string;
  readonly createdAt: string;
  updatedAt: string;
  readonly properties: Record<string, string>;
}

export class ObjectStore {
  readonly name: string;
  readonly objectTypeId: string;
  readonly properties: Map<string, Property>;
  readonly records = new Map<string, SandboxRecord>();
  readonly #byUnique = new Map<string, Map<string, string>>();

  constructor(name: string, objectTypeId: string, properties: Iterable<Property>) {
    this.name = name;
    this.objectTypeId = objectTypeId;
    this.properties = new Map([...properties].map((property) => [property.name, property]));
  }

  /** Whether a property finds one record. */
  isUnique(property: string): boolean {
    return (this.name === "contacts" && property === "email") || this.properties.get(property)?.hasUniqueValue === true;
  }

  /** The record that has a value in a unique property, or the id itself where no property is named. */
  find(value: string, property: string | undefined): SandboxRecord | undefined {
    if (property === undefined || property === "hs_object_id") return this.records.get(value);
    const id = this.#byUnique.get(property)?.get(normal(value));
    return id === undefined ? undefined : this.records.get(id);
  }

  /** What HubSpot would refuse of these values for that record (undefined: a new one). */
  invalidities(values: Readonly<Record<string, string>>, record: SandboxRecord | undefined): readonly InvalidValue[] {
    const found = Object.entries(values).map(([name, value]) => invalidity(this.properties.get(name), name, value));
    return [...found, backwards(values["lifecyclestage"], record)].filter((one) => one !== null);
  }

  /** Another record that has one of these values where only one may. */
  conflict(
    values: Readonly<Record<string, string>>,
    record: SandboxRecord | undefined,
  ): { property: string; other: SandboxRecord } | null {
    for (const [property, value] of Object.entries(values)) {
      if (value === "" || !this.isUnique(property)) continue;
      const other = this.find(value, property);
      if (other && other !== record) return { property, other };
    }
    return null;
  }

  create(id: string, values: Readonly<Record<string, string>>, at: string): SandboxRecord {
    const record: SandboxRecord = {
      id,
      createdAt: at,
      updatedAt: at,
      properties: { hs_object_id: id, createdate: at },
    };
    this.records.set(id, record);
    this.update(record, values, at);
    return record;
  }

  update(record: SandboxRecord, values: Readonly<Record<string, string>>, at: string): void {
    for (const [name, value] of Object.entries(values)) this.#set(record, name, this.#stored(record, name, value));
    record.updatedAt = at;
    record.properties["lastmodifieddate"] = at;
  }

  remove(record: SandboxRecord): void {
    for (const name of Object.keys(record.properties)) this.#set(record, name, "");
    this.records.delete(record.id);
  }

  #set(record: SandboxRecord, name: string, value: string): void {
    const before = record.properties[name];
    if (before === value) return;
    if (value === "") delete record.properties[name];
    else record.properties[name] = value;
    if (name === "hs_additional_emails") this.#index("email", record, (before ?? "").split(";"), value.split(";"));
    else if (this.isUnique(name)) this.#index(name, record, [before ?? ""], [value]);
  }

  #index(property: string, record: SandboxRecord, before: readonly string[], after: readonly string[]): void {
    const index = this.#byUnique.get(property) ?? new Map<string, string>();
    this.#byUnique.set(property, index);
    for (const value of before) if (value !== "" && index.get(normal(value)) === record.id) index.delete(normal(value));
    for (const value of after) if (value !== "") index.set(normal(value), record.id);
  }

  /** As HubSpot keeps a value: e-mail addresses in lower case, a leading semicolon adds to the choices. */
  #stored(record: SandboxRecord, name: string, value: string): string {
    if (name === "email" && this.name === "contacts") return normal(value);
    if (!value.startsWith(";") || this.properties.get(name)?.fieldType !== "checkbox") return value;
    const present = (record.properties[name] ?? "").split(";");
    return [...new Set([...present, ...value.split(";")])].filter((one) => one !== "").join(";");
  }
}

/** HubSpot compares without regard to case and to spaces around. */
export function normal(value: string): string {
  return value.trim().toLowerCase();
}

/** A lifecycle stage only ever goes forward, unless it is cleared first. */
function backwards(value: string | undefined, record: SandboxRecord | undefined): InvalidValue | null {
  const present = record?.properties["lifecyclestage"];
  if (!value || !present || lifecycleStages.indexOf(value) >= lifecycleStages.indexOf(present)) return null;
  return {
    isValid: false,
    message: `lifecyclestage cannot go back from ${present} to ${value}`,
    error: "INVALID_LIFECYCLE_STAGE",
    name: "lifecyclestage",
  };
}
