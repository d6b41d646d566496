/** Writes companies, one at a time, by the `company_id` that a person gives them and that never changes. */
import { type Batch, type Change, DestinationError, type Operation, type Outcome } from "../../src/destination.ts";
import { type Answer, isSuccess, type JsonApi } from "../../src/json-api.ts";
import { type Company, companiesIn, companyIn, keptOf, tellsGone } from "./answers.ts";
import { notingWrites } from "./api.ts";
import type { RecordsContext } from "./contacts.ts";
import { type Reason, reasonOf } from "./errors.ts";
import { accepted, inDoubt, rejected, unkept } from "./outcomes.ts";
import { changeBody, isEmpty, matchText, type Wanted, wantedOf } from "./requests.ts";

const operations: readonly Operation[] = ["upsert", "update", "delete", "clear"];

/** Writes a batch by its operation. */
export async function writeCompanies(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  const { operation, match, changes } = batch;
  if (!operations.includes(operation) || match.length !== 1 || match[0] !== "company_id")
    throw new DestinationError("refused", `Intercom's companies know no ${operation} by ${match.join(" and ")}.`, {
      code: "operation_unsupported",
      applied: "no",
    });
  const writing = { ...context, api: notingWrites(context.api), operation };
  const outcomes: Outcome[] = [];
  for (const change of changes) outcomes.push(await writeOne(change, writing));
  return outcomes;
}

interface Writing extends RecordsContext {
  readonly operation: Operation;
}

async function writeOne(change: Change, writing: Writing): Promise<Outcome> {
  const asked = matchText(change.match, "company_id");
  if ("misfit" in asked) return rejected(change, asked.misfit);
  const record = Object.entries(change.record).filter(([field]) => !(field in change.match));
  const parts = wantedOf(Object.fromEntries(record), writing.fields);
  if ("misfit" in parts) return rejected(change, parts.misfit);
  const { wanted } = parts;
  const companyId = asked.text;
  // Without looking first: Intercom makes the company or changes the one that has the id.
  if (writing.operation === "upsert" && !change.renamed) return post(change, companyId, wanted, writing);
  const found = await findCompany(companyId, writing.api, writing.signal);
  if (found.kind === "untold") return inDoubt(change, "which company is meant");
  if (found.kind === "refused") return rejected(change, found.reason);
  if (found.kind === "none") return missing(change, writing.operation);
  return writing.operation === "delete"
    ? remove(change, found.company, writing)
    : put(change, found.company, wanted, writing);
}

/** What a search for one company gives. */
export type FoundCompany =
  | { readonly kind: "one"; readonly company: Company }
  | { readonly kind: "none" }
  | { readonly kind: "refused"; readonly reason: Reason }
  /** The answer does not say. */
  | { readonly kind: "untold" };

/** The company with the id that a person gave it. */
export async function findCompany(
  companyId: string,
  api: JsonApi,
  signal: AbortSignal | undefined,
): Promise<FoundCompany> {
  const query = new URLSearchParams({ company_id: companyId });
  const answer = await api.call("GET", `/companies?${query.toString()}`, undefined, signal);
  if (answer.status === 404) return { kind: "none" };
  if (!isSuccess(answer)) return { kind: "refused", reason: reasonOf(answer) };
  const companies = companiesIn(answer.body);
  if (!companies) return { kind: "untold" };
  const company = companies.find((one) => one.company_id === companyId);
  return company ? { kind: "one", company } : { kind: "none" };
}

function missing(change: Change, operation: Operation): Outcome {
  // A company that is gone has nothing left to take away.
  if (operation === "delete" || operation === "clear") return accepted(change);
  const field = "company_id";
  if (operation === "update")
    return rejected(change, { code: "not_found", message: "No company has this company_id.", field });
  const message =
    "The row was sent under another company_id, and Intercom cannot change a company's. " +
    "Give the row its former company_id, or delete the former company in Intercom.";
  return rejected(change, { code: "company_id_fixed", message, field });
}

async function post(change: Change, companyId: string, wanted: Wanted, { api, signal }: Writing): Promise<Outcome> {
  const body = { company_id: companyId, ...changeBody(wanted) };
  const answer = await api.call("POST", "/companies", body, signal);
  return writtenOutcome(change, answer, (company) => company.company_id === companyId, wanted);
}

async function put(change: Change, { id }: Company, wanted: Wanted, { api, signal }: Writing): Promise<Outcome> {
  if (isEmpty(wanted)) return accepted(change);
  const answer = await api.call("PUT", `/companies/${encodeURIComponent(id)}`, changeBody(wanted), signal);
  return writtenOutcome(change, answer, (company) => company.id === id, wanted);
}

/** No id is told: Intercom cannot rename a company, so nothing may follow it by its id. */
function writtenOutcome(
  change: Change,
  answer: Answer,
  isMeant: (company: Company) => boolean,
  wanted: Wanted,
): Outcome {
  if (!isSuccess(answer)) return rejected(change, reasonOf(answer));
  const company = companyIn(answer.body);
  if (!company || !isMeant(company)) return inDoubt(change, "the company");
  const kept = keptOf(company, wanted);
  if (typeof kept === "object") return unkept(change, kept.unkept);
  return kept === "untold" ? inDoubt(change, "what was sent") : accepted(change);
}

async function remove(change: Change, { id }: Company, { api, signal }: Writing): Promise<Outcome> {
  const answer = await api.call("DELETE", `/companies/${encodeURIComponent(id)}`, undefined, signal);
  if (answer.status === 404) return accepted(change);
  if (!isSuccess(answer)) return rejected(change, reasonOf(answer));
  return tellsGone(answer.body, id) ? accepted(change) : inDoubt(change, "that the company is gone");
}
