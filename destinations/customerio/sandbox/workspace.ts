/** The people, objects and relationships of a workspace. */
import { z } from "zod";

export const objectTypeSeed = z.object({
  id: z.int(),
  name: z.string(),
  slug: z.string(),
  enabled: z.boolean().default(true),
});

export type ObjectTypeSeed = z.output<typeof objectTypeSeed>;

export type Values = Readonly<Record<string, unknown>>;

export interface Person {
  readonly cio_id: string;
  /** Identifiers among them, as people have them. */
  readonly attributes: Record<string, unknown>;
}

const identifierNames = ["id", "email", "phone"] as const;

export class Workspace {
  readonly types: readonly ObjectTypeSeed[];
  readonly people: Person[] = [];
  readonly #now: () => number;
  readonly #objects = new Map<string, Record<string, unknown>>();
  readonly #relationships = new Map<string, Record<string, unknown>>();
  readonly #activities: Values[] = [];
  #lastPerson = 0;

  constructor(types: readonly ObjectTypeSeed[], now: () => number) {
    this.types = types;
    this.#now = now;
  }

  /** The one person with an identifier. E-mail addresses have no case. */
  find(identifiers: Values): Person | undefined {
    return this.people.find((person) =>
      Object.entries(identifiers).some(([name, value]) => same(name, identifierOf(person, name), value)),
    );
  }

  /** Adds or updates a person; `_update` only updates. */
  identify(identifiers: Values, { _update, ...attributes }: Values): void {
    const named = Object.fromEntries(identifierNames.flatMap((name) => pick(attributes, name)));
    const found = this.find(identifiers) ?? this.find(named);
    if (!found && (_update === true || "cio_id" in identifiers)) return;
    const person = found ?? this.#newPerson();
    const free = "cio_id" in identifiers;
    for (const [name, value] of Object.entries({ ...attributes, ...identifiers })) {
      if (name === "cio_id") continue;
      if (isIdentifier(name) && !this.#mayTake(person, name, value, free)) {
        this.#activities.push({
          type: "failed_attribute_change",
          cio_id: person.cio_id,
          attribute: name,
          at: this.#at(),
        });
      } else put(person.attributes, name, value);
    }
  }

  /** Identifiers belong to one person, and once set they change by `cio_id` only. */
  #mayTake(person: Person, name: string, value: unknown, free: boolean): boolean {
    const own = person.attributes[name];
    if (own !== undefined && same(name, own, value)) return true;
    if (own !== undefined && !free) return false;
    return this.people.every((other) => other === person || !same(name, identifierOf(other, name), value));
  }

  remove(identifiers: Values): void {
    const found = this.find(identifiers);
    if (!found) return;
    this.people.splice(this.people.indexOf(found), 1);
    for (const key of this.#relationships.keys()) if (key.endsWith(` ${found.cio_id}`)) this.#relationships.delete(key);
  }

  identifyObject(typeId: string, objectId: string, attributes: Values): void {
    const key = `${typeId} ${objectId}`;
    const object = this.#objects.get(key) ?? {};
    for (const [name, value] of Object.entries(attributes)) put(object, name, value);
    this.#objects.set(key, object);
  }

  removeObject(typeId: string, objectId: string): void {
    this.#objects.delete(`${typeId} ${objectId}`);
    for (const key of this.#relationships.keys())
      if (key.startsWith(`${typeId} ${objectId} `)) this.#relationships.delete(key);
  }

  /** Relates an object to a person; makes the object, and whom it does not know, as identifying them does. */
  relate(object: readonly [typeId: string, objectId: string], identifiers: Values, attributes: Values): void {
    this.identifyObject(...object, {});
    if (!this.find(identifiers)) this.identify(identifiers, {});
    const person = this.find(identifiers);
    if (!person) return;
    const key = `${object.join(" ")} ${person.cio_id}`;
    const relationship = this.#relationships.get(key) ?? {};
    for (const [name, value] of Object.entries(attributes)) put(relationship, name, value);
    this.#relationships.set(key, relationship);
  }

  unrelate(object: readonly [typeId: string, objectId: string], identifiers: Values): void {
    const person = this.find(identifiers);
    if (person) this.#relationships.delete(`${object.join(" ")} ${person.cio_id}`);
  }

  contents(): Readonly<Record<string, Values>> {
    return {
      people: Object.fromEntries(this.people.map(({ cio_id, attributes }) => [cio_id, { ...attributes }])),
      objects: Object.fromEntries(
        [...this.#objects].map(([key, attributes]) => {
          const at = key.indexOf(" ");
          return [key, { object_type_id: key.slice(0, at), object_id: key.slice(at + 1), ...attributes }];
        }),
      ),
      relationships: Object.fromEntries([...this.#relationships].map(([key, attributes]) => [key, { ...attributes }])),
      activities: Object.fromEntries(this.#activities.entries()),
    };
  }

  #newPerson(): Person {
    this.#lastPerson += 1;
    const person = { cio_id: (0xa3000000 + this.#lastPerson).toString(16), attributes: {} };
    this.people.push(person);
    return person;
  }

  #at(): number {
    return Math.floor(this.#now() / 1000);
  }
}

function identifierOf(person: Person, name: string): unknown {
  return name === "cio_id" ? person.cio_id : isIdentifier(name) ? person.attributes[name] : undefined;
}

function isIdentifier(name: string): boolean {
  return (identifierNames as readonly string[]).includes(name);
}

function same(name: string, own: unknown, other: unknown): boolean {
  if (typeof own !== "string" || typeof other !== "string") return false;
  return name === "email" ? own.toLowerCase() === other.toLowerCase() : own === other;
}

function pick(values: Values, name: string): readonly (readonly [string, unknown])[] {
  return typeof values[name] === "string" && values[name] !== "" ? [[name, values[name]]] : [];
}

/** Null and empty text remove. */
function put(attributes: Record<string, unknown>, name: string, value: unknown): void {
  if (value === null || value === "") delete attributes[name];
  else attributes[name] = value;
}
