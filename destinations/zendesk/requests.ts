/** What a change asks of a user or an organization, as Zendesk takes it. Pure. */
import type { Change, DestinationRecord, Operation, Value } from "../../src/destination.ts";
import { identity, type KnownFields, type Misfit, misfitOf, type ObjectName, toWire, words } from "./fields.ts";

/** One record of a request's body. */
export type Item = Readonly<Record<string, Value>>;

/** A change that Zendesk can be asked for. */
export interface Sought {
  readonly change: Change;
  /** The match value, without outer blanks. */
  readonly value: string;
  /** The fields to write, custom ones in their own part, the match field not included unless it is mapped. */
  readonly item: Item;
}

export interface Wanting {
  readonly object: ObjectName;
  readonly operation: Operation;
  /** The field that finds records. */
  readonly field: string;
  readonly fields: KnownFields;
}

/** A change in Zendesk's form, or why Zendesk would not take it. */
export function soughtOf(change: Change, wanting: Wanting): { readonly sought: Sought } | { readonly misfit: Misfit } {
  const { field, fields } = wanting;
  const given = change.match[field] ?? "";
  const value = typeof given === "string" ? given.trim() : JSON.stringify(given);
  if (value === "")
    return { misfit: { code: "match_empty", field, message: `"${field}" finds a record, and is empty.` } };
  const unfit = misfitOf(field, value, fields);
  if (unfit) return { misfit: unfit };
  const asked = itemOf(recordOf(change, wanting), wanting);
  return "misfit" in asked ? asked : { sought: { change, value, item: asked.item } };
}

/** What is written: not what found the record, and of a removed row, not what identifies or names the record. */
function recordOf({ record, match }: Change, { operation, fields }: Wanting): DestinationRecord {
  if (operation === "archive" || operation === "delete") return {};
  const kept = (name: string): boolean =>
    !(name in match) && (operation !== "clear" || fields.get(name)?.lasting !== true);
  return Object.fromEntries(Object.entries(record).filter(([name]) => kept(name)));
}

function itemOf(
  record: DestinationRecord,
  { object, fields }: Wanting,
): { readonly item: Item } | { readonly misfit: Misfit } {
  const part = words[object].custom;
  const own: Record<string, Value> = {};
  const custom: Record<string, Value> = {};
  for (const [name, value] of Object.entries(record)) {
    const misfit = misfitOf(name, value, fields);
    if (misfit) return { misfit };
    const sent = toWire(value, fields.get(name));
    if (name.startsWith(`${part}.`)) custom[name.slice(part.length + 1)] = sent;
    else own[name] = sent;
  }
  return { item: { ...own, ...(Object.keys(custom).length > 0 ? { [part]: custom } : {}) } };
}

/** The record that makes one, or finds it: with its match value. A new user is sent no e-mail. */
export function creation({ value, item }: Sought, { object, field }: Wanting): Item {
  return { ...item, [field]: value, ...(object === "users" ? { skip_verify_email: true } : {}) };
}

/** The record that changes the one of this id. A row that is named anew names it anew. */
export function changeOf({ change, value, item }: Sought, id: string, { field }: Wanting): Item {
  return { ...item, ...(change.renamed ? { [field]: value } : {}), id: Number(id) };
}

/** The e-mail address that a user shall have first, where the change says so. */
export function wantedEmail(
  { change, value, item }: Sought,
  { object, field, operation }: Wanting,
): string | undefined {
  if (object !== "users" || operation === "clear") return undefined;
  if (field === "email") return change.renamed ? value : undefined;
  return typeof item["email"] === "string" ? item["email"] : undefined;
}

/** The other field that identifies records too, if the change writes it: then Zendesk could find another's. */
export function otherIdentity({ item }: Sought): string | undefined {
  const other = item["external_id"] ?? item["email"];
  return typeof other === "string" ? identity(other) : undefined;
}

/** External ids as one question each, as many as fit into an address. One with a comma fits into none. */
export function idLists(values: readonly string[]): readonly string[] {
  const lists: string[][] = [];
  let length = 0;
  for (const value of values.map(encodeURIComponent)) {
    const list = lists.at(-1);
    if (!list || list.length === mostIds || length + value.length > mostCharacters) {
      lists.push([value]);
      length = value.length;
    } else {
      list.push(value);
      length += value.length + 1;
    }
  }
  return lists.map((list) => list.join(","));
}

const mostIds = 100;

/** An address longer than 8 kB is refused on the way. */
const mostCharacters = 6000;
