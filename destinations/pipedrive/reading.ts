/** Reads records before they are written, so that a field can be left alone. */
import type { Batch, Change, DestinationRecord, Value } from "../../src/destination.ts";
import type { Known } from "./known.ts";
import { lists, shownEntries } from "./lists.ts";
import { readRecord, type Shown } from "./lookup.ts";
import { idOf, matchField, meantBy, type RecordsContext, seek } from "./records.ts";

/** The records of upserts and updates as they are, by seq. Those of which there are several are left out. */
export async function readRecords(
  batch: Batch,
  names: readonly string[],
  context: RecordsContext,
): Promise<ReadonlyMap<number, DestinationRecord | null>> {
  const field = matchField(batch, context);
  const asked = names.flatMap((name) => context.fields.get(name) ?? []);
  const records = new Map<number, DestinationRecord | null>();
  for (const change of batch.changes) {
    const record = await readOne(change, field, { batch, asked, context });
    if (record !== undefined) records.set(change.seq, record);
  }
  return records;
}

interface Reading {
  readonly batch: Batch;
  readonly asked: readonly Known[];
  readonly context: RecordsContext;
}

async function readOne(
  change: Change,
  field: Known,
  { batch, asked, context }: Reading,
): Promise<DestinationRecord | null | undefined> {
  const known = idOf(change);
  const shown = known === undefined ? undefined : await show(known, asked, context);
  if (shown) return recordIn(shown, asked);
  const meant = meantBy(change, field, context.fields);
  if ("misfit" in meant) return undefined;
  const found = await seek({ object: context.object, field, value: meant.value }, context);
  // The write that follows need not search again, which costs most of all.
  context.found.keep(batch, change, found);
  if (found.kind === "refused") return undefined;
  const present = found.kind === "one" ? await show(found.id, asked, context) : undefined;
  return present ? recordIn(present, asked) : null;
}

/** Pipedrive shows up to fifteen custom fields by name, or all. */
function show(id: number, asked: readonly Known[], context: RecordsContext): Promise<Shown | undefined> {
  const custom = asked.filter((known) => known.custom === true).map(({ name }) => name);
  const only = custom.length > 0 && custom.length <= 15 ? `?custom_fields=${custom.join(",")}` : "";
  return readRecord(context.object, id, context, only);
}

function recordIn(shown: Shown, asked: readonly Known[]): DestinationRecord {
  return Object.fromEntries(asked.map((known) => [known.name, valueIn(shown, known)]));
}

/** A value as a record has it: options by their labels, and the first of a person's addresses. */
function valueIn(shown: Shown, { name, kind, custom, options = new Map() }: Known): Value {
  if (kind === "email" || kind === "phone") {
    const entries = shownEntries(shown[lists[kind]]) ?? [];
    return (entries.find(({ primary }) => primary) ?? entries[0])?.value ?? null;
  }
  const value = ((custom === true ? shown.custom_fields?.[name] : shown[name]) ?? null) as Value;
  const labels = new Map<Value, string>([...options].map(([label, id]) => [id, label]));
  const labelOf = (id: Value): Value => labels.get(id) ?? id;
  if (kind === "option") return value === null ? null : labelOf(value);
  return kind === "options" && Array.isArray(value) ? value.map(labelOf) : value;
}
