/** Changes as requests: what a declared operation sends for a record, or for a batch of them. */
import { type Batch, type Change, DestinationError, type Outcome } from "../../src/destination.ts";
import type { DeclaredOperation } from "./declaration.ts";
import { isJson } from "./faults.ts";
import { compileAddress, compileJson, compileText, type Rendered, type Scope } from "./liquid.ts";
import { Unsendable } from "./unsendable.ts";

/** A request, still without the headers of the connection. */
export interface HttpRequest {
  readonly method: DeclaredOperation["method"];
  /** With its query; put after base_url. */
  readonly address: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty: no body. */
  readonly body: string;
}

/** A request and the changes that it carries. */
export interface Draft {
  readonly changes: readonly Change[];
  readonly request: HttpRequest;
}

/** What of a batch can be sent, and what is rejected without being sent. */
export interface Drafts {
  readonly drafts: readonly Draft[];
  readonly rejected: readonly Outcome[];
}

/** Makes the requests for a batch. Throws `refused` for a batch that a smaller one may do for. */
export type ToDrafts = (batch: Batch) => Drafts;

/** Compiles an operation, whose templates were checked with the declaration. */
export function compileRequests(operation: DeclaredOperation, maxBytes: number | undefined): ToDrafts {
  const toRequest = limited(compileRequest(operation), maxBytes);
  if (operation.per === "record")
    return (batch) => {
      const { made, rejected } = makeEach(batch.changes, (change) => toRequest(scopeOf(change, batch)));
      return { drafts: made.map(([change, request]) => ({ changes: [change], request })), rejected };
    };
  const toItem = compileJson(operation.item ?? "{{ record }}");
  return (batch) => {
    const { made, rejected } = makeEach(batch.changes, (change) => present(toItem(scopeOf(change, batch))));
    if (made.length === 0) return { drafts: [], rejected };
    const scope = { items: made.map(([, item]) => item), operation: batch.operation, batch_id: batch.id };
    const changes = made.map(([change]) => change);
    const request = makeTogether(changes, () => toRequest(scope));
    if (request instanceof Unsendable)
      return { drafts: [], rejected: [...rejected, ...changes.map(rejection(request))] };
    return { drafts: [{ changes, request }], rejected };
  };
}

/** The text by which a change is known in an answer that repeats it. */
export function referenceOf({ seq }: Change): string {
  return String(seq);
}

/** What the templates of one record can name. */
function scopeOf(change: Change, { operation }: Batch): Scope {
  const { match, record, destinationId, renamed } = change;
  return {
    match,
    record: { ...match, ...record },
    id: destinationId,
    renamed,
    reference: referenceOf(change),
    operation,
  };
}

interface Made<Result> {
  readonly made: readonly (readonly [Change, Result])[];
  readonly rejected: readonly Outcome[];
}

/** A record that cannot be made into a request costs the others nothing. */
function makeEach<Result>(changes: readonly Change[], make: (change: Change) => Result): Made<Result> {
  const made: [Change, Result][] = [];
  const rejected: Outcome[] = [];
  for (const change of changes) {
    try {
      made.push([change, make(change)]);
    } catch (error) {
      if (!(error instanceof Unsendable)) throw error;
      rejected.push(rejection(error)(change));
    }
  }
  return { made, rejected };
}

/** A batch that cannot be made into a request is halved; a record alone is rejected. */
function makeTogether<Result>(changes: readonly Change[], make: () => Result): Result | Unsendable {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof Unsendable)) throw error;
    if (changes.length === 1) return error;
    throw new DestinationError("refused", error.message, { code: error.code, applied: "no", cause: error });
  }
}

function rejection({ code, message }: Unsendable): (change: Change) => Outcome {
  return ({ seq }) => ({ seq, kind: "rejected", code, message });
}

function present(item: unknown): unknown {
  if (item === undefined) throw new Unsendable("item_missing", "The record comes out as nothing that could be sent.");
  return item;
}

function limited(toRequest: Rendered<HttpRequest>, maxBytes: number | undefined): Rendered<HttpRequest> {
  if (maxBytes === undefined) return toRequest;
  return (scope) => {
    const request = toRequest(scope);
    const bytes = Buffer.byteLength(request.body);
    if (bytes <= maxBytes) return request;
    throw new Unsendable("too_large", `The request would have ${bytes} bytes; the service takes ${maxBytes}.`);
  };
}

function compileRequest(operation: DeclaredOperation): Rendered<HttpRequest> {
  const { method, content_type: contentType } = operation;
  const toPath = compileAddress(operation.path);
  const toQuery = compileAll(operation.query);
  const toHeaders = compileAll(operation.headers);
  const toBody = compileBody(operation);
  return (scope) => {
    const body = toBody(scope);
    const type = body === "" ? {} : { "content-type": contentType };
    return {
      method,
      address: `${safePath(toPath(scope))}${queryOf(toQuery(scope))}`,
      headers: { ...type, ...safeHeaders(toHeaders(scope)) },
      body,
    };
  };
}

function compileAll(sources: Readonly<Record<string, string>>): Rendered<readonly (readonly [string, string])[]> {
  const compiled = Object.entries(sources).map(([name, source]) => [name, compileText(source)] as const);
  return (scope) => compiled.map(([name, render]) => [name, render(scope)] as const);
}

/** A value `..` is not encoded, and would lead to another place. */
function safePath(path: string): string {
  if (!path.split("/").some((segment) => segment === "." || segment === "..")) return path;
  throw new Unsendable("address_invalid", "A value would make a segment of the address that is . or .. alone.");
}

/** A parameter that comes out empty is left out. */
function queryOf(parameters: readonly (readonly [string, string])[]): string {
  const query = new URLSearchParams();
  for (const [name, value] of parameters) if (value !== "") query.append(name, value);
  return query.size === 0 ? "" : `?${query.toString()}`;
}

function safeHeaders(headers: readonly (readonly [string, string])[]): Record<string, string> {
  for (const [name, value] of headers) {
    if (/^[\t -~]*$/.test(value)) continue;
    throw new Unsendable("header_invalid", `The header ${name} would have a line break or a letter beyond ASCII.`);
  }
  return Object.fromEntries(headers);
}

function compileBody(operation: DeclaredOperation): Rendered<string> {
  const { method, per, body, text, content_type: contentType } = operation;
  if (text === undefined) {
    if (body === undefined && method === "DELETE" && per === "record") return () => "";
    const toJson = compileJson(body ?? (per === "batch" ? "{{ items }}" : "{{ record }}"));
    return (scope) => JSON.stringify(toJson(scope)) ?? "";
  }
  const toText = compileText(text);
  if (!isJson(contentType)) return toText;
  return (scope) => requireJson(toText(scope));
}

function requireJson(body: string): string {
  try {
    JSON.parse(body);
    return body;
  } catch {
    // Its text may hold a whole record, and is told nowhere.
    throw new Unsendable("body_not_json", "The body that `text` makes of this is not JSON. Put values in by `| json`.");
  }
}
