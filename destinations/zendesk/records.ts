/** Writes users and organizations through Zendesk's jobs, at most a hundred records each. */
import { type Batch, DestinationError, type Outcome } from "../../src/destination.ts";
import { type JsonApi, notingWhatApplied } from "../../src/json-api.ts";
import { rejected } from "./answers.ts";
import { identity, isMatchField, type KnownFields, type ObjectName, words } from "./fields.ts";
import { byExternalIds, byIds, find, type Found } from "./lookup.ts";
import { removeRecords } from "./removals.ts";
import { otherIdentity, type Sought, soughtOf } from "./requests.ts";
import { type Writing, writeById, writeNew } from "./writes.ts";

export interface RecordsContext {
  readonly api: JsonApi;
  readonly object: ObjectName;
  readonly fields: KnownFields;
  readonly signal: AbortSignal | undefined;
}

/** Writes a batch by its operation. */
export async function writeRecords(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  const { operation, match } = batch;
  const { object } = context;
  const [field = ""] = match;
  const known = operation !== "append" && (operation !== "archive" || object === "users");
  if (!known || match.length !== 1 || !isMatchField(object, field))
    throw new DestinationError("refused", `Zendesk's ${object} know no ${operation} by ${match.join(" and ")}.`, {
      code: "operation_unsupported",
      applied: "no",
    });
  const { onJob } = batch;
  const writing: Writing = { ...context, api: notingWhatApplied(context.api), operation, field, onJob };
  const outcomes: Outcome[] = [];
  const changes: Sought[] = [];
  for (const change of batch.changes) {
    const asked = soughtOf(change, writing);
    if ("misfit" in asked) outcomes.push(rejected(change, asked.misfit));
    else changes.push(asked.sought);
  }
  const [twins, single] = splitTwins(changes, field);
  return [...outcomes, ...twins, ...(await byOperation(single, writing))];
}

/** Rows whose match values differ in case alone: one record for Zendesk, which would keep whichever came last. */
function splitTwins(
  changes: readonly Sought[],
  field: string,
): readonly [twins: readonly Outcome[], single: readonly Sought[]] {
  const groups = [...Map.groupBy(changes, ({ value }) => identity(value)).values()];
  const twins = groups.filter(({ length }) => length > 1).flat();
  const refused = twins.map(({ change, value }) => {
    const message = `Another row has "${field}" ${JSON.stringify(value)} but for its case, and Zendesk ignores the case. None of them was sent.`;
    return rejected(change, { code: "duplicate_match", message, field });
  });
  return [refused, groups.filter(({ length }) => length === 1).flat()];
}

function byOperation(changes: readonly Sought[], writing: Writing): Promise<readonly Outcome[]> {
  switch (writing.operation) {
    case "upsert":
      return upsert(changes, writing);
    case "insert":
      return writeNew(changes, "create_many", writing);
    case "update":
      return update(changes, writing);
    default:
      return removeRecords(changes, writing);
  }
}

async function update(changes: readonly Sought[], writing: Writing): Promise<readonly Outcome[]> {
  const { field, object } = writing;
  const [renames, others] = await rename(changes, writing);
  const found = await find(others, writing);
  const missing = others.filter((sought) => !found.has(sought));
  const notFound = missing.map(({ change, value }): Outcome => {
    const message = `Zendesk has no ${words[object].one} with ${field} ${JSON.stringify(value)}.`;
    return rejected(change, { code: "not_found", message, field });
  });
  return [...renames, ...notFound, ...(await writeById(found, writing))];
}

/** Rows that are named anew are written to the records that they had; those without one are left to the others. */
async function rename(
  changes: readonly Sought[],
  writing: Writing,
): Promise<readonly [outcomes: readonly Outcome[], others: readonly Sought[]]> {
  const renamed = changes.filter(({ change: { renamed: is, destinationId } }) => is && destinationId !== undefined);
  const records = await byIds(
    renamed.map(({ change: { destinationId = "" } }) => destinationId),
    writing,
  );
  const found: Found = new Map(
    renamed.flatMap((sought) => {
      const record = records.get(sought.change.destinationId ?? "");
      return record ? [[sought, record]] : [];
    }),
  );
  return [await writeById(found, writing), changes.filter((sought) => !found.has(sought))];
}

/**
 * Zendesk's own upsert exists for users only, and looks for the external id and for the e-mail address alike. A change
 * with both could reach another's user, so it is not left to it.
 */
async function upsert(changes: readonly Sought[], writing: Writing): Promise<readonly Outcome[]> {
  const [renames, others] = await rename(changes, writing);
  if (writing.object === "organizations") return [...renames, ...(await makeOrChange(others, writing))];
  if (writing.field === "email") {
    const [clashes, clear] = await splitClashes(others, writing);
    return [...renames, ...clashes, ...(await writeNew(clear, bulkUpsert, writing))];
  }
  const plain = await writeNew(
    others.filter((sought) => !otherIdentity(sought)),
    bulkUpsert,
    writing,
  );
  return [...renames, ...plain, ...(await makeOrChange(others.filter(otherIdentity), writing))];
}

/** Rows whose external id is that of a user with another e-mail address, refused, and the others. */
async function splitClashes(
  changes: readonly Sought[],
  writing: Writing,
): Promise<readonly [clashes: readonly Outcome[], clear: readonly Sought[]]> {
  const externalIds = changes.map(otherIdentity).filter((value) => value !== undefined);
  const owners = await byExternalIds(externalIds, writing);
  const clashes: Outcome[] = [];
  const clear: Sought[] = [];
  for (const sought of changes) {
    const owner = owners.get(otherIdentity(sought) ?? "");
    if (!owner || identity(owner.email) === identity(sought.value)) clear.push(sought);
    else {
      const message = `User ${owner.id} has this external id, and another e-mail address. Neither user was changed.`;
      clashes.push(rejected(sought.change, { code: "conflict", message, field: "external_id" }));
    }
  }
  return [clashes, clear];
}

const bulkUpsert = "create_or_update_many";

/** Changes of rows that were sent before are looked up; others are tried as new, for Zendesk says so if they are not. */
async function makeOrChange(changes: readonly Sought[], writing: Writing): Promise<readonly Outcome[]> {
  const sent = changes.filter(({ change: { destinationId } }) => destinationId !== undefined);
  const present = await find(sent, writing);
  const changed = await writeById(present, writing);
  const tried = changes.filter((sought) => !present.has(sought));
  const made = await writeNew(tried, "create_many", writing);
  const refused = new Set(made.flatMap(({ kind, seq }) => (kind === "rejected" ? [seq] : [])));
  const there = await find(
    tried.filter((sought) => refused.has(sought.change.seq)),
    writing,
  );
  const brought = await writeById(there, writing);
  const replaced = new Set(brought.map(({ seq }) => seq));
  return [...changed, ...made.filter(({ seq }) => !replaced.has(seq)), ...brought];
}
