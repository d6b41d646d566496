/** What a change asks of a record, as Pipedrive takes it. Pure. */
import type { DestinationRecord, Value } from "../../src/destination.ts";
import type { Reason } from "./errors.ts";
import type { Known, KnownFields } from "./known.ts";
import { type Entry, including, isSameList, lists, shownEntries, withPrimary } from "./lists.ts";
import type { Shown } from "./lookup.ts";
import { isKept, wireOf } from "./values.ts";

/** A record in Pipedrive's parts. Null clears. */
export interface Wanted {
  readonly own: Readonly<Record<string, Value>>;
  /** By the field's key. */
  readonly custom: Readonly<Record<string, Value>>;
  /** The primary e-mail address and phone, whose lists have to be known before they are written. */
  readonly primary: Readonly<Partial<Record<"email" | "phone", string | null>>>;
}

/** The parts of a record, or why Pipedrive would not take it. */
export function wantedOf(
  record: DestinationRecord,
  fields: KnownFields,
): { readonly wanted: Wanted } | { readonly misfit: Reason } {
  const own: Record<string, Value> = {};
  const custom: Record<string, Value> = {};
  const primary: Partial<Record<"email" | "phone", string | null>> = {};
  for (const [field, value] of Object.entries(record)) {
    const fitted = wireOf(field, value, fields);
    if ("misfit" in fitted) return fitted;
    const { wire } = fitted;
    if (field === "email" || field === "phone") primary[field] = typeof wire === "string" ? wire : null;
    else if (fields.get(field)?.custom === true) custom[field] = wire;
    else own[field] = wire;
  }
  const twice = (["email", "phone"] as const).find((one) => one in primary && lists[one] in own);
  if (twice === undefined) return { wanted: { own, custom, primary } };
  const message = `"${twice}" writes the first of "${lists[twice]}". Map one of them.`;
  return { misfit: { code: "field_twice", field: twice, message } };
}

/** The same with the value that the record is to be found by from then on. */
export function named(wanted: Wanted, { name, custom, kind }: Known, value: string | number): Wanted {
  if (custom === true) return { ...wanted, custom: { ...wanted.custom, [name]: value } };
  if (kind !== "email") return { ...wanted, own: { ...wanted.own, [name]: value } };
  const { emails } = wanted.own;
  if (emails === undefined) return { ...wanted, primary: { ...wanted.primary, email: String(value) } };
  return { ...wanted, own: { ...wanted.own, emails: [...including(emails as readonly Entry[], String(value))] } };
}

export function isEmpty({ own, custom, primary }: Wanted): boolean {
  return [own, custom, primary].every((part) => Object.keys(part).length === 0);
}

/** Whether the record's lists have to be known before it is changed. */
export function changesLists({ primary }: Wanted): boolean {
  return Object.keys(primary).length > 0;
}

type Body = Readonly<Record<string, Value>>;

/** What makes a record: there is nothing to clear yet in what is about to be made. */
export function creation(wanted: Wanted): Body {
  const given = (part: Body): Body =>
    Object.fromEntries(Object.entries(part).filter(([, value]) => value !== null && !isEmptyList(value)));
  const primary = Object.entries(wanted.primary).flatMap(([name, value]) =>
    value === null ? [] : [[lists[name as "email" | "phone"], [{ value, primary: true }]] as const],
  );
  return body({ ...given(wanted.own), ...Object.fromEntries(primary) }, given(wanted.custom));
}

/** What changes a record that is there, which shows its lists where those are to change. */
export function alteration(wanted: Wanted, present: Shown | undefined): Body {
  const changed = Object.entries(wanted.primary).flatMap(([name, value]) => {
    const list = lists[name as "email" | "phone"];
    const before = shownEntries(present?.[list]) ?? [];
    const after = withPrimary(before, value);
    return isSameList(before, after) ? [] : [[list, [...after]] as const];
  });
  return body({ ...wanted.own, ...Object.fromEntries(changed) }, wanted.custom);
}

function body(own: Body, custom: Body): Body {
  return { ...own, ...(Object.keys(custom).length > 0 ? { custom_fields: custom } : {}) };
}

function isEmptyList(value: Value): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** The field that Pipedrive shows with another value than was sent, though it said yes. */
export function unkeptField(sent: Body, shown: Shown, fields: KnownFields): Known | undefined {
  const { custom_fields: custom = {}, ...own } = sent;
  const all = [
    ...Object.entries(own).map(([name, value]) => ({ name, value, seen: shown[name] })),
    ...Object.entries(custom as Body).map(([name, value]) => ({ name, value, seen: shown.custom_fields?.[name] })),
  ];
  const unkept = all.find(({ name, value, seen }) => {
    const known = fields.get(name);
    return known !== undefined && !isKept(value, seen, known.kind);
  });
  return unkept === undefined ? undefined : fields.get(unkept.name);
}
