/** Writes customers, one at a time: ChartMogul has no call for several. */
import {
  type Batch,
  type Change,
  DestinationError,
  type DestinationRecord,
  type Operation,
  type Outcome,
} from "../../src/destination.ts";
import { isSuccess, type JsonApi, notingWhatApplied } from "../../src/json-api.ts";
import { type Customer, isKnownAs, parseCustomer, parsePage } from "./answers.ts";
import { type Reason, reasonOf } from "./errors.ts";
import { changesTo, creation, dependsOnPresent, type Step, type Wanted, wantedOf } from "./requests.ts";
import type { AttributeType } from "./settings.ts";

export interface CustomersContext {
  readonly api: JsonApi;
  /** Where `external_id` finds a customer; undefined when customers are found by UUID or e-mail. */
  readonly dataSource: string | undefined;
  /** The types of the account's custom attributes. */
  readonly types: ReadonlyMap<string, AttributeType>;
  readonly signal: AbortSignal | undefined;
}

/** Writes a batch by its operation. */
export async function writeCustomers(batch: Batch, context: CustomersContext): Promise<readonly Outcome[]> {
  const { operation } = batch;
  const writing: Writing = { ...context, api: notingWhatApplied(context.api), operation };
  if (!(context.dataSource === undefined ? ["update"] : ["upsert", "update", "insert", "clear"]).includes(operation)) {
    const where = context.dataSource === undefined ? " without to.settings.data_source" : "";
    throw new DestinationError("refused", `ChartMogul's customers know no ${operation}${where}.`, {
      code: "operation_unsupported",
      applied: "no",
    });
  }
  const outcomes: Outcome[] = [];
  for (const change of batch.changes) outcomes.push(await writeOne(change, writing));
  return outcomes;
}

interface Writing extends CustomersContext {
  readonly operation: Operation;
}

async function writeOne(change: Change, writing: Writing): Promise<Outcome> {
  const { seq } = change;
  const parts = wantedOf(recordOf(change, writing), writing.types);
  if ("misfit" in parts) return { seq, kind: "rejected", ...parts.misfit };
  const asked = lookupOf(change, writing);
  if ("outcome" in asked) return asked.outcome;
  const { operation } = writing;
  const creates = operation === "insert" || (operation === "upsert" && !change.renamed);
  if (creates && asked.lookup.by === "external_id") return create(seq, parts.wanted, asked.lookup, writing);
  const found = await find(asked.lookup, writing);
  if ("refused" in found) return { seq, kind: "rejected", ...found.refused };
  if (found.customers.length > 1) return ambiguous(seq, found.customers.length);
  const [customer] = found.customers;
  if (!customer) return missing(change, operation);
  return bring(seq, customer, parts.wanted, writing);
}

/** What is written: not what found the customer, and never nothing for its name. */
function recordOf({ record, match, renamed }: Change, { operation, dataSource }: Writing): DestinationRecord {
  const own = Object.entries(record).filter(
    ([field]) => !(field in match) && (operation !== "clear" || field !== "name"),
  );
  // A row that has another e-mail address now: its customer, found by UUID, gets it.
  const moved = renamed && dataSource === undefined && "email" in match ? { email: match["email"] ?? null } : {};
  return { ...Object.fromEntries(own), ...moved };
}

interface ByExternalId {
  readonly by: "external_id";
  readonly externalId: string;
  readonly dataSource: string;
}

/** How a customer is asked for. */
type Lookup =
  | ByExternalId
  /** One that is gone, perhaps merged into another, may still be found by its e-mail address. */
  | { readonly by: "uuid"; readonly uuid: string; readonly orBy: string | undefined }
  | { readonly by: "email"; readonly email: string };

function lookupOf(
  { seq, match, destinationId }: Change,
  { dataSource }: Writing,
): { readonly lookup: Lookup } | { readonly outcome: Outcome } {
  const text = (field: string): string => {
    const value = match[field] ?? "";
    return typeof value === "string" ? value : JSON.stringify(value);
  };
  if (dataSource !== undefined) return { lookup: { by: "external_id", externalId: text("external_id"), dataSource } };
  const email = "email" in match ? text("email") : undefined;
  const uuid = email === undefined ? text("uuid") : destinationId;
  if (email !== undefined && uuid === undefined) return { lookup: { by: "email", email } };
  // A UUID becomes part of an address, where other text could mean another place.
  if (uuid !== undefined && /^cus_[\w-]+$/.test(uuid)) return { lookup: { by: "uuid", uuid, orBy: email } };
  const message = "A customer's UUID begins with cus_.";
  return { outcome: { seq, kind: "rejected", code: "not_a_uuid", message, field: "uuid" } };
}

type Found = { readonly customers: readonly Customer[] } | { readonly refused: Reason };

async function find(lookup: Lookup, writing: Writing): Promise<Found> {
  const { api, signal } = writing;
  const answer = await api.call("GET", addressOf(lookup), undefined, signal);
  if (answer.status === 404 && lookup.by === "uuid" && lookup.orBy !== undefined)
    return find({ by: "email", email: lookup.orBy }, writing);
  if (answer.status === 404) return { customers: [] };
  if (!isSuccess(answer)) return { refused: reasonOf(answer) };
  const listed = lookup.by === "uuid" ? [parseCustomer(answer.body)] : parsePage(answer.body).entries;
  return { customers: listed.filter((customer) => isMeant(customer, lookup)) };
}

/** An answer may list others too, such as customers of whom a contact has the e-mail address. */
function isMeant(customer: Customer, lookup: Lookup): boolean {
  switch (lookup.by) {
    case "uuid":
      return customer.uuid === lookup.uuid;
    case "email":
      return customer.email?.trim().toLowerCase() === lookup.email.trim().toLowerCase();
    case "external_id":
      return isKnownAs(customer, lookup.externalId, lookup.dataSource);
  }
}

function addressOf(lookup: Lookup): string {
  switch (lookup.by) {
    case "uuid":
      return `/customers/${encodeURIComponent(lookup.uuid)}`;
    case "email":
      return `/customers/search?${new URLSearchParams({ email: lookup.email }).toString()}`;
    case "external_id": {
      const { dataSource, externalId } = lookup;
      const query = new URLSearchParams({ data_source_uuid: dataSource, external_id: externalId });
      return `/customers?${query.toString()}`;
    }
  }
}

/**
 * Makes the customer, unless ChartMogul says no: an external id is unique in its data source, so the customer may be
 * there, made by another or by an attempt whose answer was lost. An upsert then changes it.
 */
async function create(seq: number, wanted: Wanted, lookup: ByExternalId, writing: Writing): Promise<Outcome> {
  const made = await perform(creation(wanted, lookup), writing);
  if (made.kind === "done") return { seq, kind: "accepted" };
  if (made.kind === "untold") return inDoubt(seq, "the customer");
  const rejected: Outcome = { seq, kind: "rejected", ...made.reason };
  if (writing.operation === "insert") return rejected;
  const found = await find(lookup, writing);
  if ("refused" in found) return rejected;
  const [customer, ...others] = found.customers;
  if (others.length > 0) return ambiguous(seq, found.customers.length);
  return customer ? bring(seq, customer, wanted, writing) : rejected;
}

/** Brings a customer to what is wanted, part by part. */
async function bring(seq: number, customer: Customer, wanted: Wanted, writing: Writing): Promise<Outcome> {
  if (dependsOnPresent(wanted) && customer.attributes == null) return inDoubt(seq, "the customer's attributes");
  const done: string[] = [];
  for (const step of changesTo(customer, wanted)) {
    const result = await perform(step, writing);
    if (result.kind === "untold") return inDoubt(seq, step.writes);
    if (result.kind === "refused") {
      const { message, ...reason } = result.reason;
      const before =
        done.length === 0 ? "" : ` (The row's ${[...new Set(done)].join(" and ")} were written before that.)`;
      return { seq, kind: "rejected", ...reason, message: `${message}${before}` };
    }
    done.push(step.writes);
  }
  // In a data source no id is told: ChartMogul cannot rename a customer, so nothing may follow it by its id.
  return { seq, kind: "accepted", ...(writing.dataSource === undefined ? { destinationId: customer.uuid } : {}) };
}

type Result =
  | { readonly kind: "done" }
  | { readonly kind: "untold" }
  | { readonly kind: "refused"; readonly reason: Reason };

async function perform({ method, path, body, isDone, unkept }: Step, { api, signal }: Writing): Promise<Result> {
  const answer = await api.call(method, path, body, signal);
  if (!isSuccess(answer)) return { kind: "refused", reason: reasonOf(answer) };
  if (!isDone(answer.body)) return { kind: "untold" };
  const field = unkept?.(answer.body);
  if (field === undefined) return { kind: "done" };
  const message = `ChartMogul answered with success, but has another value in "${field}".`;
  return { kind: "refused", reason: { code: "not_kept", message, field } };
}

function inDoubt(seq: number, what: string): Outcome {
  return { seq, kind: "in_doubt", message: `ChartMogul's answer does not show ${what}, or not as sent.` };
}

function ambiguous(seq: number, count: number): Outcome {
  const message = `${count} customers have this value. Match by uuid, or by external_id in a data source.`;
  return { seq, kind: "rejected", code: "ambiguous_match", message };
}

function missing({ seq, match }: Change, operation: Operation): Outcome {
  // A customer that is gone has nothing left to clear.
  if (operation === "clear") return { seq, kind: "accepted" };
  const [field = ""] = Object.keys(match);
  if (operation === "update")
    return { seq, kind: "rejected", code: "not_found", message: `No customer has this ${field}.`, field };
  const message =
    "The row was sent under another external_id, and ChartMogul cannot rename a customer. " +
    "Merge the two in ChartMogul, or give the row its former external_id.";
  return { seq, kind: "rejected", code: "external_id_fixed", message, field };
}
