/** What a change asks of a registrant, as Livestorm takes it. Pure. */
import type { DestinationRecord, Value } from "../../src/destination.ts";
import { type KnownFields, type Misfit, misfitOf } from "./fields.ts";

/** A record in Livestorm's parts. Null clears. */
export interface Wanted {
  /** The fields of the registration form, by slug. */
  readonly form: Readonly<Record<string, Value>>;
  /** What stands beside them: where the registration came from. */
  readonly beside: Readonly<Record<string, Value>>;
}

/** The parts of a record, or why Livestorm would not take it. */
export function wantedOf(
  record: DestinationRecord,
  fields: KnownFields,
): { readonly wanted: Wanted } | { readonly misfit: Misfit } {
  const form: Record<string, Value> = {};
  const beside: Record<string, Value> = {};
  for (const [field, value] of Object.entries(record)) {
    const misfit = misfitOf(field, value, fields);
    if (misfit) return { misfit };
    const part = fields.get(field)?.place === "beside" ? beside : form;
    part[field] = value;
  }
  return { wanted: { form, beside } };
}

/** A request that registers or changes a person. Fields beside `fields`, such as `email`, would be passed over. */
export function personBody({ form, beside }: Wanted): unknown {
  const fields = Object.entries(form).map(([id, value]) => ({ id, value }));
  return { data: { type: "people", attributes: { ...(fields.length > 0 ? { fields } : {}), ...beside } } };
}

/** The same person with an e-mail address, and without what is null: there is nothing to clear yet. */
export function newPerson({ form, beside }: Wanted, email: string): Wanted {
  return { form: { email, ...given(form) }, beside: given(beside) };
}

function given(values: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

/** Whether nothing is to be written. */
export function isNothing({ form, beside }: Wanted): boolean {
  return Object.keys(form).length === 0 && Object.keys(beside).length === 0;
}
