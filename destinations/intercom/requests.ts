/** What a change asks of a contact or a company, as Intercom takes it. Pure. */
import type { DestinationRecord, Value } from "../../src/destination.ts";
import { attributeOf, type KnownFields, type Misfit, misfitOf, toWire } from "./fields.ts";

/** A record in Intercom's parts, as Intercom takes them. Null clears. */
export interface Wanted {
  readonly standard: Readonly<Record<string, Value>>;
  /** By the attribute's own name. */
  readonly custom: Readonly<Record<string, Value>>;
}

/** The parts of a record, or why Intercom would not take it. */
export function wantedOf(
  record: DestinationRecord,
  fields: KnownFields,
): { readonly wanted: Wanted } | { readonly misfit: Misfit } {
  const standard: Record<string, Value> = {};
  const custom: Record<string, Value> = {};
  for (const [field, value] of Object.entries(record)) {
    const misfit = misfitOf(field, value, fields);
    if (misfit) return { misfit };
    const attribute = attributeOf(field);
    const sent = toWire(value, fields.get(field));
    if (attribute === undefined) standard[field] = sent;
    else custom[attribute] = sent;
  }
  return { wanted: { standard, custom } };
}

/** The body of a request that changes a record which is there. */
export function changeBody({ standard, custom }: Wanted): Readonly<Record<string, Value>> {
  return { ...standard, ...(Object.keys(custom).length > 0 ? { custom_attributes: custom } : {}) };
}

/** The same without what is null: there is nothing to clear yet in what is about to be made. */
export function withoutNulls({ standard, custom }: Wanted): Wanted {
  return { standard: given(standard), custom: given(custom) };
}

function given(values: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

/** Whether nothing is to be written. */
export function isEmpty({ standard, custom }: Wanted): boolean {
  return Object.keys(standard).length === 0 && Object.keys(custom).length === 0;
}

/** A match value as text, and why Intercom cannot be asked for it, if it cannot. */
export function matchText(
  match: DestinationRecord,
  field: string,
): { readonly text: string } | { readonly misfit: Misfit } {
  const value = match[field] ?? "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text.trim() === "")
    return { misfit: { code: "match_empty", field, message: `"${field}" finds a record, and is empty.` } };
  // Even encoded, these are steps in an address and not names.
  if (text === "." || text === "..")
    return {
      misfit: { code: "match_unusable", field, message: `Intercom cannot be asked for the ${field} "${text}".` },
    };
  // Blanks around an address are no part of it; of an id they may be.
  return { text: field === "email" ? text.trim() : text };
}

/** A contact that Intercom names in a conflict. */
export interface Conflict {
  readonly id: string;
  readonly archived: boolean;
}

/** `An archived contact matching those details already exists with id=6762f0dd1bb69f9f2193bb83` */
export function conflictOf(message: string): Conflict | undefined {
  const id = /\bid=([\w-]+)/.exec(message)?.[1];
  return id === undefined ? undefined : { id, archived: /\barchived\b/i.test(message) };
}
