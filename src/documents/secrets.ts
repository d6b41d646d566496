/**
 * Secrets in connection settings: in any text, `${env:NAME}` is read from the environment when a connection is opened,
 * and `${secret:NAME}` from the secrets that the service keeps.
 */
import { z } from "zod";
import { UsageError } from "../errors.ts";
import type { DestinationDocument } from "./destination.ts";
import { check } from "./explain.ts";
import type { Checked } from "./explain.ts";
import { InvalidDocument, problem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import type { SourceDocument } from "./source.ts";
import { isRecord, recordAt, valueAt } from "./value-at.ts";
import type { Path } from "./value-at.ts";

type Settings = (SourceDocument | DestinationDocument)["connection"];
type Connectable = { readonly kind: string; readonly name: string; readonly connection: Settings };

/** What references stand for. */
export interface Known {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Those that `secretNames` finds in the document. */
  readonly secrets: ReadonlyMap<string, string>;
}

const reference = /\$\{(?<from>env|secret):(?<name>[A-Za-z_][A-Za-z0-9_-]*)\}/g;

/** The service's own settings are not for documents: whoever writes one could send them anywhere. */
const reserved = /^SLUICE_/;

/** The names of the stored secrets that settings refer to. */
export function secretNames(settings: unknown): readonly string[] {
  const written = typeof settings === "string" ? settings : JSON.stringify(settings ?? null);
  const found = [...written.matchAll(reference)].filter(({ groups }) => groups?.["from"] === "secret");
  return [...new Set(found.map(({ groups }) => groups?.["name"] ?? ""))];
}

/** Every reference that settings hold, as it is written. */
export function references(settings: unknown): readonly string[] {
  return [...new Set(JSON.stringify(settings ?? null).match(reference) ?? [])];
}

/**
 * A connection's settings with every reference replaced. Fails with `missing_variable`, naming the document and every
 * variable and secret that is not set. An empty variable counts as not set, and so do the service's own settings.
 */
export function resolveSecrets(document: Connectable, { environment, secrets }: Known): Settings {
  const missing = new Set<string>();
  const lookUp = (from: string, name: string): string | undefined => {
    if (from === "secret") return secrets.get(name);
    return Object.hasOwn(environment, name) && !reserved.test(name) ? environment[name] : undefined;
  };
  const resolve = (value: Settings[string]): Settings[string] => {
    if (typeof value === "string") {
      return value.replace(reference, (_whole, from: string, name: string) => {
        const found = lookUp(from, name);
        if (found === undefined || found === "") missing.add(from === "secret" ? `secret ${name}` : name);
        return found ?? "";
      });
    }
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value === "object" && value !== null) return resolveAll(value);
    return value;
  };
  const resolveAll = (settings: Settings): Settings =>
    Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, resolve(value)]));
  const resolved = resolveAll(document.connection);
  if (missing.size === 0) return resolved;
  throw missingOf(document, [...missing]);
}

function missingOf({ kind, name }: Connectable, missing: readonly string[]): UsageError {
  const names = missing.join(", ");
  const ours = missing.filter((one) => reserved.test(one));
  const message = `${kind} "${name}" needs ${names}, which ${missing.length === 1 ? "is" : "are"} not set`;
  if (ours.length > 0) {
    return new UsageError("missing_variable", message, {
      hint: `${ours.join(", ")}: the settings of Sluice itself are not for documents. Choose other names.`,
    });
  }
  return new UsageError("missing_variable", message, {
    hint: `Set variables in the service's environment, secrets with "sluice secrets set NAME"; or change the connection of ${kind} "${name}".`,
  });
}

/**
 * A connection's settings as its adapter's `connect` takes them: secrets resolved, then parsed by the adapter's schema.
 * A number or a switch may come from a variable: `port: "${env:PORT}"`.
 */
export function resolveConnection(document: Connectable, schema: z.ZodObject, known: Known): Record<string, unknown> {
  const resolved = resolveSecrets(document, known);
  const first = schema.strict().safeParse(resolved);
  if (first.success) return first.data;
  for (const { path } of first.error.issues) {
    const at = path as Path;
    if (hasReference(valueAt(document.connection, at))) putParsed(resolved, at);
  }
  const second = check(schema.strict(), resolved, ["connection"]);
  if (second.ok) return second.value;
  throw new InvalidDocument(second.problems.map(withoutValue));
}

/** Replaces `5432` and `true` that came as text from a variable by what they mean; another text is left as it is. */
function putParsed(settings: Settings, at: Path): void {
  const parent: unknown = valueAt(settings, at.slice(0, -1));
  const last = at.at(-1);
  const written = valueAt(settings, at);
  if (last === undefined || typeof parent !== "object" || parent === null || typeof written !== "string") return;
  const parsed = z
    .union([z.boolean(), z.number()])
    .safeParse(/^(true|false|-?\d+(\.\d+)?)$/.test(written) ? JSON.parse(written) : null);
  if (parsed.success) Reflect.set(parent, last, parsed.data);
}

/** Checks a connection's settings as written: a text with `${env:…}` may stand for any value. Problems name no value. */
export function checkConnection(connection: unknown, schema: z.ZodObject): Checked<unknown> {
  const malformed = malformedReferences(connection, []);
  const checked = check(schema.strict(), connection, []);
  // What a variable holds cannot be judged before it is read.
  const later = (one: Problem): boolean => one.code !== "unknown_key" && hasReference(valueAt(connection, one.at));
  const isMalformed = (one: Problem): boolean => malformed.some((known) => known.pointer === one.pointer);
  const problems = checked.ok ? [] : checked.problems.filter((one) => !later(one) && !isMalformed(one));
  const all = [...problems.map(withoutValue), ...malformed].map((one) =>
    problem(one.code, ["connection", ...one.at], one.message, one),
  );
  return all.length === 0 ? { ok: true, value: connection } : { ok: false, problems: all };
}

/** The secrets that a document holds as plain text instead of a reference. */
export function literalSecrets(connection: unknown, schema: z.ZodObject): Problem[] {
  const shape: Readonly<Record<string, z.core.$ZodType>> = schema.shape;
  return Object.entries(shape).flatMap(([setting, settingSchema]) => {
    const value = valueAt(connection, [setting]);
    if (!isSecret(settingSchema) || typeof value !== "string" || hasReference(value)) return [];
    const message = "the secret is written out in the document";
    return [problem("literal_secret", ["connection", setting], message, { expected: referenceForms })];
  });
}

export const referenceForms = '"${env:NAME}" or "${secret:NAME}"';

/** Stands for a secret that was written out. */
const hidden = "********";

/** Whether a document shows something in place of a secret. */
export function hiddenSecrets(document: unknown): boolean {
  return Object.values(recordAt(document, ["connection"])).includes(hidden);
}

/** A connection with what stands for a secret that is written out: secrets go in, and never come out. */
export function withoutSecrets(connection: Settings, schema: z.ZodObject): Settings {
  const written = literalSecrets(connection, schema).map((one) => String(one.at.at(-1)));
  return { ...connection, ...Object.fromEntries(written.map((setting) => [setting, hidden])) };
}

/** Whether a setting of an adapter's schema is marked as a secret, also inside `.optional()` and its like. */
export function isSecret(schema: z.core.$ZodType): boolean {
  if (z.globalRegistry.get(schema)?.["secret"] === true) return true;
  const inner: unknown = Reflect.get(schema._zod.def, "innerType");
  return inner instanceof z.ZodType && isSecret(inner);
}

/** The texts of the settings that are marked as secret, so that they can be masked wherever they might be repeated. */
export function secretTexts(schema: z.ZodObject, config: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(schema.shape).flatMap(([name, setting]) => (isSecret(setting) ? textsIn(config[name]) : []));
}

/** A secret may be a map, such as headers: every text in it is one. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return value === "" ? [] : [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

function hasReference(value: unknown): boolean {
  return typeof value === "string" && value.search(reference) !== -1;
}

/** `${env:}`, `${SECRET:X}` and their like would otherwise be sent to a vendor as a password. */
function malformedReferences(value: unknown, at: Path): Problem[] {
  if (Array.isArray(value)) return value.flatMap((one, index) => malformedReferences(one, [...at, index]));
  if (isRecord(value)) return Object.entries(value).flatMap(([key, one]) => malformedReferences(one, [...at, key]));
  if (typeof value !== "string" || !/\$\{\s*(env|secret)\b/i.test(value.replaceAll(reference, ""))) return [];
  return [problem("invalid", at, "the reference is not written as it should be", { expected: referenceForms })];
}

/** A setting may be a secret, so a problem tells its kind and never its value. */
function withoutValue(one: Problem): Problem {
  if (one.code !== "invalid" && one.code !== "unknown_value") return one;
  const message = "the setting does not fit";
  return problem(one.code, one.at, message, { expected: one.expected, suggestion: one.suggestion });
}
