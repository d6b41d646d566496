/** The model of the simulated business: people with an address, a name and a version that only grows. */
import type { Column } from "../../src/warehouse.ts";
import type { Chance } from "./chance.ts";

export interface Person {
  readonly key: string | null;
  readonly email: string | null;
  readonly name: string;
  /** Grows with every change of any row, so that an older record is known as one. */
  readonly version: number;
}

export const columns: readonly Column[] = ["key", "email", "name", "version"].map((name) => ({
  name,
  type: name === "version" ? "integer" : "text",
  native: "simulated",
}));

/** A row that the destination refuses, alone. */
export const poison = "poison";
/** A row for which the destination refuses the whole request. */
export const choke = "choke";

const names = ["Ada", "Ben", "Cleo", "Dora"];

export class Model {
  people: readonly Person[] = [];
  #version = 0;
  #made = 0;
  readonly #chance: Chance;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.people = Array.from({ length: chance.between(3, 30) }, () => this.#newPerson(() => false));
  }

  /**
   * Something happens in the business: rows come, change, go, move to another address, or break. Two things do not
   * happen, because no sync could know what they mean for the record that is there: a row gets another address while it
   * is in doubt whether it ever had a record, and an address goes from a row that stays to another one.
   */
  happen(isKnown: (key: string) => boolean): void {
    const chance = this.#chance;
    const share = chance.oneOf([0, 0.1, 0.5]);
    const kept = this.people.filter(() => !chance.happens(share / 2));
    const changed = kept.map((person) => (chance.happens(share) ? this.#changed(person, isKnown) : person));
    this.people = changed;
    for (let joining = chance.between(0, 5); joining > 0; joining -= 1)
      this.people = [...this.people, this.#newPerson(isKnown)];
  }

  /** Every row is good again. */
  heal(): void {
    const seen = new Set<string>();
    this.people = this.people.flatMap((person) => {
      if (person.key === null || person.email === null || seen.has(person.key) || seen.has(person.email)) return [];
      seen.add(person.key).add(person.email);
      return names.includes(person.name) ? [person] : [{ ...person, name: "Healed", version: this.#next() }];
    });
  }

  /** By address, as the destination must hold it in the end. */
  expected(): ReadonlyMap<string, string> {
    return new Map(this.people.map(({ email, name, version }) => [email ?? "", `${name}|${version}`]));
  }

  #newPerson(isKnown: (key: string) => boolean): Person {
    const chance = this.#chance;
    const number = (this.#made += 1);
    const person = { key: `K${number}`, email: `p${number}@x.example`, name: this.#name(), version: this.#next() };
    if (chance.happens(0.02)) return { ...person, key: null };
    if (this.people.length === 0 || chance.happens(0.9)) return person;
    const other = chance.oneOf(this.people);
    if (chance.happens(0.5)) return { ...person, email: other.email };
    return other.key !== null && isKnown(other.key) && !this.#shares(other) ? { ...person, key: other.key } : person;
  }

  #changed(person: Person, isKnown: (key: string) => boolean): Person {
    const version = this.#next();
    const moves = person.key !== null && isKnown(person.key) && !this.#shares(person) && this.#chance.happens(0.1);
    return moves
      ? { ...person, email: `moved${version}@x.example`, version }
      : { ...person, name: this.#name(), version };
  }

  /** Whether another row has the same address or the same key. */
  #shares(person: Person): boolean {
    return this.people.some((other) => other !== person && (other.email === person.email || other.key === person.key));
  }

  #next(): number {
    return (this.#version += 1);
  }

  #name(): string {
    return this.#chance.happens(0.06) ? this.#chance.oneOf([poison, choke]) : this.#chance.oneOf(names);
  }
}
