/** What could never work in a declared object, found before any row: each fault with its place and what would be right. */
import type { DeclaredObject, DeclaredOperation, Json, Rule } from "./declaration.ts";
import { fieldNames, matchNames, operationsOf } from "./objects.ts";
import { firstLine, variablesOf } from "./liquid.ts";
import { mayReach } from "./status.ts";

/** Something that could never work, where in the object it stands, and what is expected there. */
export interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** All faults of an object. */
export function faultsOf(object: DeclaredObject): readonly Fault[] {
  const operations = operationsOf(object);
  const shared = (object.answers ?? []).flatMap((rule, at) => statusFaults(rule, ["answers", at]));
  const own = operations.flatMap(([name, operation]) =>
    operationFaults(operation, object).map((fault) => ({ ...fault, path: ["operations", name, ...fault.path] })),
  );
  if (operations.length === 0) own.push({ path: ["operations"], message: "at least one operation" });
  if (object.batch && operations.every(([, { per }]) => per === "record"))
    own.push({ path: ["batch"], message: "nothing, or an operation with `per: batch`" });
  return [...shared, ...own, ...renamingFaults(object)];
}

function operationFaults(operation: DeclaredOperation, object: DeclaredObject): readonly Fault[] {
  return [
    ...bodyFaults(operation),
    ...pathFaults(operation),
    ...templatesOf(operation).flatMap((template) => templateFaults(template, object)),
    ...headerFaults(operation),
    ...answerFaults(operation, object),
    ...(operation.answers ?? []).flatMap((rule, at) => statusFaults(rule, ["answers", at])),
  ];
}

function bodyFaults({ item, body, text, per, content_type: type }: DeclaredOperation): readonly Fault[] {
  const faults: Fault[] = [];
  if (body !== undefined && text !== undefined) faults.push({ path: ["text"], message: "either `body` or `text`" });
  if (item !== undefined && per === "record")
    faults.push({ path: ["item"], message: "`body`; an `item` belongs to `per: batch`" });
  if (text === undefined && !isJson(type))
    faults.push({ path: ["content_type"], message: "a JSON type, or `text` instead of `body`" });
  return faults;
}

/** Whether a content type is JSON's own or one that is built on it. */
export function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(;|$)/i.test(contentType);
}

function pathFaults({ path }: DeclaredOperation): readonly Fault[] {
  const written = path.replaceAll(/\{\{.*?(\}\}|$)|\{%.*?(%\}|$)/gs, "value");
  if (/[?#\s\\]/.test(written))
    return [{ path: ["path"], message: "a path without blanks and #; what follows a ? belongs into `query`" }];
  const dots = written.split("/").some((segment) => /^(\.|%2e){1,2}$/i.test(segment));
  return dots ? [{ path: ["path"], message: "a path without the segments . and .." }] : [];
}

/** Headers that the connection decides, or that would change where or how the request is sent. */
const reserved = /^(host|connection|content-length|content-type|transfer-encoding|authorization|webhook-\w+)$/i;

function headerFaults({ headers }: DeclaredOperation): readonly Fault[] {
  return Object.keys(headers)
    .filter((header) => reserved.test(header))
    .map((header) => ({ path: ["headers", header], message: "another header; this one is set by the connection" }));
}

interface Template {
  readonly path: readonly (string | number)[];
  readonly source: string;
  /** The names that it may begin with. */
  readonly known: readonly string[];
}

const ofRecord = ["match", "record", "id", "renamed", "reference", "operation"];
const ofBatch = ["items", "operation", "batch_id"];

function templatesOf({ per, path, query, headers, item, body, text }: DeclaredOperation): readonly Template[] {
  const known = per === "batch" ? ofBatch : ofRecord;
  const inMap = (name: string, map: Readonly<Record<string, string>>): readonly Template[] =>
    Object.entries(map).map(([key, source]) => ({ path: [name, key], source, known }));
  return [
    { path: ["path"], source: path, known },
    ...inMap("query", query),
    ...inMap("headers", headers),
    ...textsIn(item, ["item"]).map((template) => ({ ...template, known: ofRecord })),
    ...textsIn(body, ["body"]).map((template) => ({ ...template, known })),
    ...(text === undefined ? [] : [{ path: ["text"], source: text, known }]),
  ];
}

function textsIn(json: Json | undefined, path: Template["path"]): readonly Omit<Template, "known">[] {
  if (typeof json === "string") return [{ path, source: json }];
  if (Array.isArray(json)) return json.flatMap((one, at) => textsIn(one, [...path, at]));
  if (typeof json !== "object" || json === null) return [];
  return Object.entries(json).flatMap(([key, one]) => textsIn(one, [...path, key]));
}

function templateFaults({ path, source, known }: Template, object: DeclaredObject): readonly Fault[] {
  let variables: ReturnType<typeof variablesOf>;
  try {
    variables = variablesOf(source);
  } catch (error) {
    return [{ path, message: `Liquid that can be read (${firstLine(error)})` }];
  }
  const inside: Readonly<Record<string, readonly string[]>> = {
    match: matchNames(object),
    record: [...fieldNames(object), ...matchNames(object)],
  };
  return variables.flatMap(([root = "", name]): Fault[] => {
    if (!known.includes(root)) return [{ path, message: `one of ${known.join(", ")}, not {{ ${root} }}` }];
    const names = inside[root];
    if (names === undefined || name === undefined || names.includes(name)) return [];
    return [{ path, message: `a field that ${root} has (${names.join(", ")}), not {{ ${root}.${name} }}` }];
  });
}

function answerFaults(operation: DeclaredOperation, object: DeclaredObject): readonly Fault[] {
  const rules = operation.answers ?? object.answers;
  if (rules === undefined) return [{ path: ["answers"], message: "what its answers mean" }];
  const path = ["answers"];
  const faults = rules.flatMap((rule) => (rule.means === "results" ? resultFaults(rule, operation, object) : []));
  if (operation.per === "batch" && rules.some((rule) => rule.means === "accepted" && rule.id !== undefined))
    faults.push({ path, message: "`id` in `results`; the answer to a batch has no id for all of its records" });
  const accepting = rules.some(({ means }) => means === "accepted" || means === "results");
  if (!accepting) faults.push({ path, message: "an answer that means accepted, or results" });
  return faults;
}

function resultFaults(
  { lists }: Extract<Rule, { means: "results" }>,
  operation: DeclaredOperation,
  object: DeclaredObject,
): Fault[] {
  const path = ["answers"];
  if (operation.per === "record") return [{ path, message: "`results` with `per: batch` only" }];
  const match = matchNames(object);
  return lists.flatMap(({ by }) => {
    if (typeof by === "string")
      return reads(operation, "reference") ? [] : [{ path, message: "`by` as it is, and {{ reference }} in `item`" }];
    const names = Object.keys(by);
    const same = names.length === match.length && names.every((name) => match.includes(name));
    return same ? [] : [{ path, message: `\`by\` with a pointer for each of ${match.join(", ")}` }];
  });
}

function statusFaults({ status }: Rule, path: Fault["path"]): readonly Fault[] {
  if (mayReach(status)) return [];
  const message = "another status: 401, 403, 408, 423, 425, 429 and 477 mean the same everywhere";
  return [{ path: [...path, "status"], message }];
}

/** An id that is told but never sent would leave a renamed row's record behind, without a word. */
function renamingFaults(object: DeclaredObject): readonly Fault[] {
  const tells = (rules: readonly Rule[] | undefined): boolean =>
    (rules ?? []).some(
      (rule) =>
        (rule.means === "accepted" && rule.id !== undefined) ||
        (rule.means === "results" &&
          rule.lists.some(({ items }) => items.some((item) => item.means === "accepted" && item.id !== undefined))),
    );
  const { upsert, update } = object.operations;
  return (
    [
      ["upsert", upsert],
      ["update", update],
    ] as const
  ).flatMap(([name, operation]) => {
    if (!operation || !tells(operation.answers ?? object.answers) || reads(operation, "id")) return [];
    const message = "{{ id }} somewhere in the request, since its answers tell an id";
    return [{ path: ["operations", name], message }];
  });
}

function reads(operation: DeclaredOperation, variable: string): boolean {
  return templatesOf(operation).some(({ source }) => {
    try {
      return variablesOf(source).some(([root]) => root === variable);
    } catch {
      return true;
    }
  });
}
