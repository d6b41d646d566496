/** Attaches contacts to companies: a row is a pair of both, and has no other identity. */
import {
  type Batch,
  type Change,
  DestinationError,
  type Field,
  type Operation,
  type Outcome,
} from "../../src/destination.ts";
import { type Answer, isSuccess, type JsonApi } from "../../src/json-api.ts";
import { companyIn } from "./answers.ts";
import { notingWrites } from "./api.ts";
import { type FoundCompany, findCompany } from "./companies.ts";
import { reasonOf } from "./errors.ts";
import { find, type Found } from "./lookup.ts";
import { accepted, inDoubt, rejected } from "./outcomes.ts";
import { matchText } from "./requests.ts";

/** The ends of an attachment; either of the contact's two finds it. */
export const attachmentFields: readonly Field[] = [
  { ...end("company_id", "Company ID"), required: true },
  end("external_id", "The contact's external ID"),
  { ...end("email", "The contact's e-mail"), matching: "case_insensitive" },
];

function end(name: string, title: string): Field {
  return { name, title, type: "text", writable: false, matches: true };
}

/** What writing attachments needs. */
export interface AttachmentsContext {
  readonly api: JsonApi;
  /** The companies that were found, by `company_id`: many contacts have the same. */
  readonly companies: Map<string, string>;
  readonly signal: AbortSignal | undefined;
}

const operations: readonly Operation[] = ["upsert", "delete"];

/** Writes a batch by its operation. */
export async function writeAttachments(batch: Batch, context: AttachmentsContext): Promise<readonly Outcome[]> {
  const { operation, match, changes } = batch;
  const contactField = match.find((field) => field === "external_id" || field === "email");
  if (match.length !== 2 || contactField === undefined || !match.includes("company_id"))
    throw refusal("match_incomplete", "company_contacts is matched by company_id and one of external_id, email.");
  if (!operations.includes(operation))
    throw refusal("operation_unsupported", `Contacts cannot be attached to companies by ${operation}.`);
  const writing: Writing = { ...context, api: notingWrites(context.api), operation, contactField };
  const outcomes: Outcome[] = [];
  for (const change of changes) outcomes.push(await writeOne(change, writing));
  return outcomes;
}

function refusal(code: string, message: string): DestinationError {
  return new DestinationError("refused", message, { code, applied: "no" });
}

interface Writing extends AttachmentsContext {
  readonly operation: Operation;
  /** Which of the contact's two identifiers finds it. */
  readonly contactField: string;
}

async function writeOne(change: Change, writing: Writing): Promise<Outcome> {
  const { contactField: field, operation } = writing;
  if (change.renamed) return rejected(change, pairChanged);
  const contactText = matchText(change.match, field);
  if ("misfit" in contactText) return rejected(change, contactText.misfit);
  const companyText = matchText(change.match, "company_id");
  if ("misfit" in companyText) return rejected(change, companyText.misfit);
  const contact = await find({ field, value: contactText.text, destinationId: undefined }, writing);
  if (contact.kind !== "one") return endMissing(change, contact, field, operation);
  const company = await companyOf(companyText.text, writing);
  if (company.kind !== "one") return endMissing(change, company, "company_id", operation);
  const path = `/contacts/${encodeURIComponent(contact.contact.id)}/companies`;
  if (operation === "delete") return detach(change, path, company.id, writing);
  const outcome = await attach(change, path, company.id, writing);
  // It may have been deleted since it was found.
  if (outcome.kind !== "accepted") writing.companies.delete(companyText.text);
  return outcome;
}

/** What else the former pair is needed for cannot be known from one row. */
const pairChanged = {
  code: "pair_changed",
  message:
    "The row names another pair now. Give the model a key of both the contact and the company: " +
    "then a contact that changes companies is a removed row and an added one.",
  field: "company_id",
};

type CompanyEnd = { readonly kind: "one"; readonly id: string } | Exclude<FoundCompany, { readonly kind: "one" }>;

async function companyOf(companyId: string, { api, companies, signal }: Writing): Promise<CompanyEnd> {
  const known = companies.get(companyId);
  if (known !== undefined) return { kind: "one", id: known };
  const found = await findCompany(companyId, api, signal);
  if (found.kind !== "one") return found;
  companies.set(companyId, found.company.id);
  return { kind: "one", id: found.company.id };
}

function endMissing(
  change: Change,
  found: Exclude<Found | CompanyEnd, { readonly kind: "one" }>,
  field: string,
  operation: Operation,
): Outcome {
  if (found.kind === "untold") return inDoubt(change, "which contact or company is meant");
  // What is gone is attached to nothing.
  if (operation === "delete" && found.kind !== "refused") return accepted(change);
  if (found.kind !== "none") return rejected(change, found.reason);
  const what = field === "company_id" ? "company" : "contact";
  return rejected(change, { code: `${what}_not_found`, message: `No ${what} has this ${field}.`, field });
}

/** Attaching again changes nothing. */
async function attach(change: Change, path: string, id: string, { api, signal }: Writing): Promise<Outcome> {
  return told(change, await api.call("POST", path, { id }, signal), id);
}

async function detach(change: Change, path: string, id: string, { api, signal }: Writing): Promise<Outcome> {
  const answer = await api.call("DELETE", `${path}/${encodeURIComponent(id)}`, undefined, signal);
  return answer.status === 404 || answer.status === 410 ? accepted(change) : told(change, answer, id);
}

/** Intercom answers with the company. */
function told(change: Change, answer: Answer, id: string): Outcome {
  if (!isSuccess(answer)) return rejected(change, reasonOf(answer));
  return companyIn(answer.body)?.id === id ? accepted(change) : inDoubt(change, "the company");
}
