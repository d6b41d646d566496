/** The e-mail addresses and phone numbers of a person, which Pipedrive takes as whole lists. Pure. */
import { z } from "zod";
import type { Value } from "../../src/destination.ts";

/** What Pipedrive names the lists; `email` and `phone` are ours for the primary one of each. */
export type ListName = "emails" | "phones";
export const lists: Readonly<Record<"email" | "phone", ListName>> = { email: "emails", phone: "phones" };

const entrySchema = z.object({
  value: z.string(),
  primary: z.boolean().default(false),
  label: z.string().optional().catch(undefined),
});

export type Entry = {
  readonly value: string;
  readonly primary: boolean;
  readonly label?: string;
};

export function isEmail(text: string): boolean {
  return text.length <= 254 && /^[^\s@,;<>"]+@[^\s@,;<>"]+\.[^\s@.,;<>"]+$/.test(text);
}

/** Numbers, Skype names and extensions are all taken. */
export function isPhone(text: string): boolean {
  return text !== "" && text.length <= 255;
}

const givenSchema = z.array(
  z.union([
    z.string(),
    z.strictObject({ value: z.string(), label: z.string().optional(), primary: z.boolean().optional() }),
  ]),
);

/** A list as a column gives it: one text, texts, or entries. Undefined where one of them does not fit. */
export function asEntries(value: Value, fits: (text: string) => boolean): Entry[] | undefined {
  const given = givenSchema.safeParse(typeof value === "string" ? [value] : value).data;
  if (!given) return undefined;
  const all = given.map((one) =>
    typeof one === "string" ? { value: one.trim() } : { ...one, value: one.value.trim() },
  );
  const primaries = all.filter((one) => "primary" in one && one.primary === true);
  if (primaries.length > 1 || !all.every((one) => fits(one.value))) return undefined;
  const entries = all.map((one): Entry => ({
    value: one.value,
    primary: "primary" in one && one.primary === true,
    ...("label" in one && one.label !== undefined ? { label: one.label } : {}),
  }));
  const distinct = entries.filter(({ value: own }, at) => entries.findIndex((one) => isSame(one.value, own)) === at);
  return withFirst(distinct);
}

/** The list that Pipedrive shows of a person. Undefined: it shows none. */
export function shownEntries(list: unknown): readonly Entry[] | undefined {
  if (list === null) return [];
  return z
    .array(entrySchema)
    .safeParse(list)
    .data?.map(({ value, primary, label }) => ({
      value,
      primary,
      ...(label === undefined ? {} : { label }),
    }));
}

/**
 * The list with another primary value. One that is there already becomes it; else it takes the place of the former one, and what
 * colleagues have added stays. Null takes the primary one away.
 */
export function withPrimary(entries: readonly Entry[], value: string | null): readonly Entry[] {
  const former = entries.find(({ primary }) => primary) ?? entries[0];
  if (value === null) return withFirst(entries.filter((one) => one !== former));
  const same = entries.find((one) => isSame(one.value, value));
  const others = entries.map((one) => ({ ...one, primary: one === same }));
  if (same) return others;
  if (!former) return [{ value, primary: true }];
  return entries.map((one) => (one === former ? { ...one, value, primary: true } : { ...one, primary: false }));
}

/** The list with a value that it has to have, for a person is found by it. */
export function including(entries: readonly Entry[], value: string): readonly Entry[] {
  return entries.some((one) => isSame(one.value, value)) ? entries : withFirst([...entries, { value, primary: false }]);
}

/** One is always primary. */
function withFirst(entries: readonly Entry[]): Entry[] {
  const hasPrimary = entries.some(({ primary }) => primary);
  return entries.map((one, at) => (hasPrimary || at > 0 ? one : { ...one, primary: true }));
}

/** The same address or number, however it is written. */
export function isSame(one: string, other: string): boolean {
  return identity(one) === identity(other);
}

function identity(text: string): string {
  const trimmed = text.trim().toLowerCase();
  return /^[+\d][\d\s()./-]*$/.test(trimmed) ? trimmed.replaceAll(/[^+\d]/g, "") : trimmed;
}

/** Whether two lists say the same, in any order. */
export function isSameList(one: readonly Entry[], other: readonly Entry[]): boolean {
  const key = ({ value, primary, label = "" }: Entry): string => JSON.stringify([value, primary, label]);
  return one.length === other.length && one.map(key).toSorted().join() === other.map(key).toSorted().join();
}
