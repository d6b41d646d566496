/** Looks people up, which only the App API can. */
import { z } from "zod";
import { DestinationError } from "../../src/destination.ts";
import { parseAnswer } from "./answers.ts";
import type { AppApi, IdType } from "./api.ts";

/** What finds a person. */
export interface Identifier {
  readonly field: IdType;
  readonly value: string;
}

export interface Person {
  readonly id: string | undefined;
  readonly cio_id: string | undefined;
}

/** The people with an identifier that was asked for. */
export type People = (identifier: Identifier) => readonly Person[];

const personSchema = z.object({
  id: z.string().nullish(),
  email: z.string().nullish(),
  cio_id: z.string().nullish(),
});
const foundSchema = z.object({ identifiers: z.array(personSchema) });

/** Everybody who has one of the identifiers, in one request. */
export async function lookUp(wanted: readonly Identifier[], app: AppApi, signal?: AbortSignal): Promise<People> {
  if (wanted.length === 0) return () => [];
  const filter = { or: wanted.map((identifier) => ({ attribute: { ...identifier, operator: "eq" } })) };
  const { identifiers } = await reading(
    app("POST", "v1/customers?limit=1000", { filter }, signal).then((answer) => parseAnswer(foundSchema, answer)),
  );
  const found = new Map<string, Person[]>();
  for (const given of identifiers) {
    const person = { id: present(given.id), cio_id: present(given.cio_id) };
    for (const field of ["id", "email", "cio_id"] as const) {
      const value = present(given[field]);
      if (value === undefined) continue;
      const key = keyOf({ field, value });
      found.set(key, [...(found.get(key) ?? []), person]);
    }
  }
  return (identifier) => found.get(keyOf(identifier)) ?? [];
}

/** A search is a POST and changes nothing: when it fails, nothing was applied. */
async function reading<Result>(search: Promise<Result>): Promise<Result> {
  try {
    return await search;
  } catch (error) {
    if (!(error instanceof DestinationError)) throw error;
    const { kind, message, code, status, retryAfterMs, field, cause } = error;
    throw new DestinationError(kind, message, { code, applied: "no", status, retryAfterMs, field, cause });
  }
}

/** IDs have a case, e-mail addresses have none. */
function keyOf({ field, value }: Identifier): string {
  return `${field} ${field === "email" ? value.trim().toLowerCase() : value}`;
}

/** Whoever has no ID is listed with an empty one. */
function present(value: string | null | undefined): string | undefined {
  return value === null || value === "" ? undefined : value;
}
