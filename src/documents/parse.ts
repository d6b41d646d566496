/** One document as a value, from REST or from a file: everything that is wrong with it, or the document. */
import { closest } from "../nearest.ts";
import type { Registry } from "../registry.ts";
import { isKind, kinds, schemas } from "./documents.ts";
import type { DocumentOf, Kind, WorkspaceDocument } from "./documents.ts";
import { addressProblems } from "./address.ts";
import { check, describe, isMisspelt, oneOf } from "./explain.ts";
import type { Checked } from "./explain.ts";
import { readField } from "./field.ts";
import { modelRules } from "./model.ts";
import { problem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { checkConnection } from "./secrets.ts";
import { syncRules } from "./sync.ts";
import { triggerRules } from "./trigger.ts";
import { isRecord, recordAt, valueAt } from "./value-at.ts";
import type { Path } from "./value-at.ts";

const maxDepth = 40;
const maxMaps = 5000;
const maxFields = 1000;

/**
 * Checks the document that `PUT /v1/{kind}s/{name}` carries, which need not repeat kind and name. References to other
 * documents are `checkReferences`' task.
 */
export async function parseDocument<K extends Kind>(
  kind: K,
  name: string,
  value: unknown,
  registry: Registry,
): Promise<Checked<DocumentOf[K]>> {
  const disagreeing = Object.entries({ kind, name }).flatMap(([key, expected]) => {
    const found = valueAt(value, [key]);
    if (found === undefined || found === expected) return [];
    const message = `the document says another ${key} than its address`;
    return [problem("conflict", [key], message, { found: describe(found), expected: JSON.stringify(expected) })];
  });
  if (disagreeing.length > 0) return { ok: false, problems: disagreeing };
  return await checkKind(kind, isRecord(value) ? { ...value, kind, name } : value, registry);
}

/** Checks a document that says its kind and name, as files do. */
export async function checkDocument(value: unknown, registry: Registry): Promise<Checked<WorkspaceDocument>> {
  if (!isRecord(value)) {
    const detail = { found: describe(value), expected: "a map that says kind and name" };
    return { ok: false, problems: [problem("invalid", [], "this is not a document", detail)] };
  }
  const { kind } = value;
  if (isKind(kind)) return await checkKind(kind, value, registry);
  const expected = oneOf(kinds);
  if (kind === undefined) {
    return { ok: false, problems: [problem("missing", ["kind"], '"kind" is missing', { expected })] };
  }
  const found = describe(kind);
  const suggestion = typeof kind === "string" ? closest(kind.slice(0, 80), kinds) : undefined;
  return {
    ok: false,
    problems: [problem("unknown_value", ["kind"], `there is no kind ${found}`, { found, expected, suggestion })],
  };
}

async function checkKind<K extends Kind>(kind: K, value: unknown, registry: Registry): Promise<Checked<DocumentOf[K]>> {
  const hostile = hostileParts(value);
  if (hostile.length > 0) return { ok: false, problems: hostile };
  const schema: (typeof schemas)[Kind] = schemas[kind];
  const checked = check<WorkspaceDocument>(schema, value);
  const problems = checked.ok ? [] : checked.problems;
  const more = isRecord(value) ? await beyondSchema(kind, value, registry) : [];
  const isNew = (one: Problem): boolean =>
    !problems.some((known) => known.pointer === one.pointer) && !isMisspelt(one, problems);
  const all = [...problems, ...more.filter(isNew)];
  if (!checked.ok || all.length > 0) return { ok: false, problems: all };
  return { ok: true, value: checked.value as DocumentOf[K] };
}

/** What only the adapters, the kinds of mapping or two settings together can tell. Looks at documents however wrong. */
async function beyondSchema(kind: Kind, value: unknown, registry: Registry): Promise<Problem[]> {
  switch (kind) {
    case "source":
      return await connectionProblems(value, registry.warehouseTypes(), (type) => registry.loadWarehouse(type));
    case "destination":
      return await destinationProblems(value, registry);
    case "model":
      return modelRules(value);
    case "sync":
      return [...syncRules(value), ...(await fieldProblems(value, registry))];
    case "trigger":
      return triggerRules(value);
    case "segment":
    case "notification":
      return [];
  }
}

async function destinationProblems(value: unknown, registry: Registry): Promise<Problem[]> {
  const types = registry.destinationTypes();
  const type = types.find((one) => one === valueAt(value, ["type"]));
  const schema = type === undefined ? undefined : (await registry.loadDestination(type)).connection;
  return [
    ...(await connectionProblems(value, types, (known) => registry.loadDestination(known))),
    ...addressProblems(valueAt(value, ["connection"]), schema),
  ];
}

async function connectionProblems(
  value: unknown,
  types: readonly string[],
  load: (type: string) => Promise<{ readonly connection: Parameters<typeof checkConnection>[1] }>,
): Promise<Problem[]> {
  const type = valueAt(value, ["type"]);
  const connection = valueAt(value, ["connection"]);
  if (typeof type !== "string") return [];
  if (!types.includes(type)) {
    const found = JSON.stringify(type);
    const detail = { found, expected: oneOf(types), suggestion: closest(type.slice(0, 80), types) };
    return [problem("unknown_value", ["type"], `there is no type ${found}`, detail)];
  }
  if (!isRecord(connection)) return [];
  const checked = checkConnection(connection, (await load(type)).connection);
  return checked.ok ? [] : [...checked.problems];
}

async function fieldProblems(value: unknown, registry: Registry): Promise<Problem[]> {
  const mappingKinds = await registry.mappingKinds();
  const fields = Object.entries(recordAt(value, ["fields"]));
  if (fields.length > maxFields) {
    const detail = { found: `${fields.length} fields`, expected: `at most ${maxFields} fields` };
    return [problem("invalid", ["fields"], "the sync maps too many fields", detail)];
  }
  return fields.flatMap(([target, written]) => {
    // Anything else than a column or a map is the schema's to report.
    if (!isRecord(written) && (typeof written !== "string" || written === "")) return [];
    const read = readField(written, mappingKinds, ["fields", target]);
    return read.ok ? [] : [...read.problems];
  });
}

/**
 * Refuses what no document needs and what could harm those who handle it: bottomless nesting, more maps and lists than
 * anyone wrote by hand, JavaScript's own names, texts that would come out of a database as others.
 */
function hostileParts(document: unknown): Problem[] {
  let maps = 0;
  const visit = (value: unknown, at: Path): Problem[] => {
    if (typeof value === "string" && !isWhole(value))
      return [problem("unsafe_text", at, "the text has a NUL character or half of a character in it")];
    if (typeof value !== "object" || value === null) return [];
    maps += 1;
    if (maps > maxMaps) return [];
    if (at.length > maxDepth) {
      return [problem("too_deep", at.slice(0, 1), `the document is nested more than ${maxDepth} deep`)];
    }
    return Object.entries(value).flatMap(([key, inner]) => {
      const here = [...at, Array.isArray(value) ? Number(key) : key];
      if (key === "__proto__") return [problem("unsafe_key", here, "the name __proto__ cannot be used")];
      return isWhole(key) ? visit(inner, here) : visit(key, at);
    });
  };
  const problems = visit(document, []);
  if (maps <= maxMaps) return problems;
  return [problem("too_large", [], `the document has more than ${maxMaps} maps and lists`)];
}

/** Whether every database and every API can hold a text as it is. */
function isWhole(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}
