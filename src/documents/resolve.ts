/** From documents to what a run needs: references followed, defaults filled in, mappings told apart. */
import { NotFoundError } from "../errors.ts";
import { lookupColumn } from "../mapping.ts";
import { closest } from "../nearest.ts";
import type { MappingKinds } from "../registry.ts";
import type { FieldSpec, GateSpec, LookupSpec, SyncSpec } from "../sync/ports.ts";
import type { ModelQuery } from "../warehouse.ts";
import type { DestinationDocument } from "./destination.ts";
import type { Documents, Kind } from "./documents.ts";
import { readField } from "./field.ts";
import type { ModelDocument } from "./model.ts";
import { InvalidDocument, problem } from "./problem.ts";
import type { SegmentDocument } from "./segment.ts";
import type { SourceDocument } from "./source.ts";
import type { SyncDocument } from "./sync.ts";
import { toBound } from "./values.ts";

export interface ResolvedSync {
  readonly spec: SyncSpec;
  readonly source: SourceDocument;
  readonly destination: DestinationDocument;
}

/** A sync with all that it refers to. Fails with `not_found`, suggesting the nearest name, where something is not there. */
export function resolveSync(documents: Documents, syncName: string, kinds: MappingKinds): ResolvedSync {
  const sync = find(documents.syncs, "sync", syncName);
  const model = find(documents.models, "model", sync.from.model);
  const segment = sync.from.segment === undefined ? undefined : find(documents.segments, "segment", sync.from.segment);
  const lookups = lookupSpecs(sync, model, documents);
  const spec: SyncSpec = {
    name: sync.name,
    model: modelQuery(model, segment),
    object: sync.to.object,
    settings: sync.to.settings ?? {},
    mode: sync.mode,
    match: sync.match,
    fields: fieldSpecs(sync.fields, kinds),
    removed: sync.mode === "mirror" ? (sync.removed ?? "archive") : "ignore",
    gate: gateSpec(sync.gate),
    ...(lookups.length === 0 ? {} : { lookups }),
    ...(sync.retry === undefined ? {} : { retryTimes: sync.retry === "until_changed" ? 1 : sync.retry.times }),
    keepValues: sync.keep === "values",
    skipUnchanged: sync.skip_unchanged ?? false,
  };
  return {
    spec,
    source: find(documents.sources, "source", model.source),
    destination: find(documents.destinations, "destination", sync.to.destination),
  };
}

function gateSpec({ removed, rejected, keys, changed, fields }: SyncDocument["gate"]): GateSpec {
  const ofFields = Object.entries(fields ?? {}).map(([field, bound]) => [field, toBound(bound)] as const);
  return {
    removed: toBound(removed),
    rejected: toBound(rejected),
    keys,
    ...(changed === undefined ? {} : { changed: toBound(changed) }),
    ...(ofFields.length === 0 ? {} : { fields: Object.fromEntries(ofFields) }),
  };
}

/** What is read from the warehouse for a model, narrowed by a segment. */
export function modelQuery(model: ModelDocument, segment?: SegmentDocument): ModelQuery {
  return {
    from: model.sql === undefined ? { table: model.table ?? "" } : { sql: model.sql },
    key: typeof model.key === "string" ? [model.key] : model.key,
    ...(segment === undefined ? {} : { filter: segment.filter }),
  };
}

/** The fields of a sync's document, each with its kind of mapping and options. */
export function fieldSpecs(fields: SyncDocument["fields"], kinds: MappingKinds): FieldSpec[] {
  return Object.entries(fields).map(([target, written]) => {
    const field = readField(written, kinds, ["fields", target]);
    if (!field.ok) throw new InvalidDocument(field.problems);
    const { kind, options, whenNull, when } = field.value;
    // A mapping's text decides whether rows are mapped again: what is as ever is not in it.
    return { target, kind, options, whenNull, ...(when === "always" ? {} : { when }) };
  });
}

/** The lookups of a sync, each with the sync that it looks into. */
function lookupSpecs(sync: SyncDocument, model: ModelDocument, documents: Documents): readonly LookupSpec[] {
  const lookups = Object.entries(sync.fields).flatMap(([target, written]): LookupSpec[] => {
    if (typeof written === "string" || typeof written["lookup"] !== "string" || typeof written["by"] !== "string")
      return [];
    const { lookup, by } = written;
    const of = find(documents.syncs, "sync", lookup);
    requireTogether(sync, of, target);
    const its = find(documents.models, "model", of.from.model);
    if (its.source !== model.source || typeof its.key !== "string") {
      const message = `sync "${lookup}" cannot be looked into: its model has another source, or a key of several columns`;
      throw new InvalidDocument([problem("lookup_impossible", ["fields", target, "lookup"], message)]);
    }
    const { object, settings = {} } = of.to;
    return [{ column: lookupColumn(lookup, by), by, of: { name: of.name, object, settings } }];
  });
  return [...new Map(lookups.map((one) => [one.column, one])).values()];
}

/** Ids of one destination mean nothing to another. */
function requireTogether(sync: SyncDocument, of: SyncDocument, target: string): void {
  if (of.to.destination === sync.to.destination) return;
  const message = `sync "${of.name}" sends to "${of.to.destination}", whose ids mean nothing to "${sync.to.destination}"`;
  throw new InvalidDocument([problem("lookup_impossible", ["fields", target, "lookup"], message)]);
}

function find<T>(documents: ReadonlyMap<string, T>, kind: Kind, name: string): T {
  const found = documents.get(name);
  if (found !== undefined) return found;
  const near = closest(name, documents.keys());
  const hint = near === undefined ? {} : { hint: `Did you mean "${near}"?` };
  throw new NotFoundError("not_found", `there is no ${kind} "${name}"`, hint);
}
