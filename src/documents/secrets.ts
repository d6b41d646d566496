/** Secrets in connection settings: `${env:NAME}` in any text is read from the environment when a connection is opened. */
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
type Environment = Readonly<Record<string, string | undefined>>;

const reference = /\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}/g;

/**
 * A connection's settings with every `${env:NAME}` replaced. Fails with `missing_variable`, naming the document and
 * every variable that is not set. An empty variable counts as not set.
 */
export function resolveSecrets(document: Connectable, env: Environment): Settings {
  const missing = new Set<string>();
  const resolve = (value: Settings[string]): Settings[string] => {
    if (typeof value === "string") {
      return value.replace(reference, (_whole, name: string) => {
        const found = Object.hasOwn(env, name) ? env[name] : undefined;
        if (found === undefined || found === "") missing.add(name);
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
  const names = [...missing].join(", ");
  throw new UsageError(
    "missing_variable",
    `${document.kind} "${document.name}" needs ${names}, which the environment does not set`,
    {
      hint: `Set ${names} for the service, or change the connection of ${document.kind} "${document.name}".`,
    },
  );
}

/**
 * A connection's settings as its adapter's `connect` takes them: secrets resolved, then parsed by the adapter's schema.
 * A number or a switch may come from a variable: `port: "${env:PORT}"`.
 */
export function resolveConnection(
  document: Connectable,
  schema: z.ZodObject,
  env: Environment,
): Record<string, unknown> {
  const resolved = resolveSecrets(document, env);
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

/** The secrets that a document holds as plain text instead of `${env:NAME}`. */
export function literalSecrets(connection: unknown, schema: z.ZodObject): Problem[] {
  const shape: Readonly<Record<string, z.core.$ZodType>> = schema.shape;
  return Object.entries(shape).flatMap(([setting, settingSchema]) => {
    const value = valueAt(connection, [setting]);
    if (!isSecret(settingSchema) || typeof value !== "string" || hasReference(value)) return [];
    const message = "the secret is written out in the document";
    return [problem("literal_secret", ["connection", setting], message, { expected: '"${env:NAME}"' })];
  });
}

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

/** `${env:}`, `${ENV:X}` and their like would otherwise be sent to a vendor as a password. */
function malformedReferences(value: unknown, at: Path): Problem[] {
  if (Array.isArray(value)) return value.flatMap((one, index) => malformedReferences(one, [...at, index]));
  if (isRecord(value)) return Object.entries(value).flatMap(([key, one]) => malformedReferences(one, [...at, key]));
  if (typeof value !== "string" || !/\$\{\s*env\b/i.test(value.replaceAll(reference, ""))) return [];
  return [
    problem("invalid", at, "the reference to a variable is not written as it should be", { expected: "${env:NAME}" }),
  ];
}

/** A setting may be a secret, so a problem tells its kind and never its value. */
function withoutValue(one: Problem): Problem {
  if (one.code !== "invalid" && one.code !== "unknown_value") return one;
  const message = "the setting does not fit";
  return problem(one.code, one.at, message, { expected: one.expected, suggestion: one.suggestion });
}
