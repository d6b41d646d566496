/**
 * Liquid, as requests are written in it: it reads no file, reaches nothing but what it is given, knows no clock and no
 * chance, and is cut off in time and memory. So a request that is sent again is the same request.
 */
import { Context, Liquid, Output, toValueSync } from "liquidjs";
import type { Json } from "./declaration.ts";
import { Unsendable } from "./unsendable.ts";

/** What a template can name. */
export type Scope = Readonly<Record<string, unknown>>;

/** What a template comes out as, for one record or one batch. Throws Unsendable. */
export type Rendered<Result> = (scope: Scope) => Result;

const maxTemplateLength = 16_384;

const tags = "assign break capture case comment continue echo for if liquid raw unless #";
const filters =
  "append prepend capitalize upcase downcase strip lstrip rstrip strip_newlines replace replace_first replace_last " +
  "remove truncate slugify escape url_encode base64_encode sha256 json default " +
  "split join first last size slice reverse sort uniq compact concat map where reject find";

/** Text as it is, for bodies and headers. */
const texts = engine(toText);
/** Text in which every value is encoded, for addresses: a value can never become a path of its own. */
const addresses = engine(toAddressPart);
/** Values as they are. */
const values = engine();

/** Text in which `{{ … }}` puts values as they are. */
export function compileText(source: string): Rendered<string> {
  return compile(source, texts);
}

/** Text in which `{{ … }}` puts values encoded as parts of an address. A value that is missing or empty is refused. */
export function compileAddress(source: string): Rendered<string> {
  return compile(source, addresses);
}

/**
 * A template that is one `{{ … }}` and nothing else gives that value as it is: a number, a list, a map; undefined
 * where there is none. Any other gives text.
 */
export function compileValue(source: string): Rendered<unknown> {
  const [only, ...others] = values.parse(source);
  if (!(only instanceof Output) || others.length > 0) return compileText(source);
  const steps = /^\{\{-?\s*([a-z_]\w*(?:\.[a-z_]\w*)*)\s*-?\}\}$/i.exec(source)?.[1]?.split(".");
  return (scope) => {
    const found = steps && valueAlong(steps, scope);
    return found === undefined ? guarded(() => valueOf(only, scope)) : found;
  };
}

/** What stands in maps at the end of some steps. Undefined for all that Liquid itself is to look at. */
function valueAlong(steps: readonly string[], scope: Scope): unknown {
  let value: unknown = scope;
  for (const step of steps) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, step))
      return undefined;
    value = Reflect.get(value, step);
  }
  return typeof value === "function" ? undefined : value;
}

function valueOf({ value }: Output, scope: Scope): unknown {
  return plain(toValueSync(value.value(new Context(scope, values.options, { sync: true }), false)));
}

/**
 * JSON whose texts are templates. One that is a single `{{ … }}` becomes that value; where there is none, its property
 * or its place in a list is left out. Null stays null.
 */
export function compileJson(json: Json): Rendered<unknown> {
  if (typeof json === "string") return isTemplate(json) ? compileValue(json) : () => json;
  if (Array.isArray(json)) {
    const items = json.map(compileJson);
    return (scope) => items.map((item) => item(scope)).filter((item) => item !== undefined);
  }
  if (typeof json !== "object" || json === null) return () => json;
  const properties = Object.entries(json).map(([name, value]) => [name, compileJson(value)] as const);
  return (scope) => {
    const rendered: Record<string, unknown> = {};
    for (const [name, render] of properties) {
      const value = render(scope);
      if (value !== undefined) define(rendered, name, value);
    }
    return rendered;
  };
}

/** Assigns without ever touching a prototype, whatever the property is called: only one name would reach it. */
function define(rendered: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== "__proto__") rendered[name] = value;
  else Object.defineProperty(rendered, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Whether a text has anything that Liquid would look at. */
function isTemplate(source: string): boolean {
  return /\{[{%]/.test(source);
}

/** The variables that a template reads, each as the steps to it. Throws what the parser says of one that is wrong. */
export function variablesOf(source: string): readonly (readonly string[])[] {
  const found = texts.globalVariableSegmentsSync(texts.parse(source), { partials: false });
  return found.map((steps) => {
    const dynamic = steps.findIndex((step) => typeof step !== "string");
    return steps.slice(0, dynamic === -1 ? steps.length : dynamic).map(String);
  });
}

function engine(outputEscape?: (value: unknown) => string): Liquid {
  const liquid = new Liquid({
    strictFilters: true,
    ownPropertyOnly: true,
    templates: {},
    parseLimit: maxTemplateLength,
    renderLimit: 2000,
    memoryLimit: 20_000_000,
    ...(outputEscape ? { outputEscape } : {}),
  });
  keepOnly(liquid.tags, tags);
  keepOnly(liquid.filters, filters);
  return liquid;
}

function keepOnly(registered: Record<string, unknown>, names: string): void {
  const kept = new Set(names.split(" "));
  for (const name of Object.keys(registered)) if (!kept.has(name)) delete registered[name];
}

function compile(source: string, liquid: Liquid): Rendered<string> {
  const parsed = liquid.parse(source);
  if (!isTemplate(source)) return () => source;
  return (scope) => guarded(() => String(liquid.renderSync(parsed, scope)));
}

function guarded<Result>(render: () => Result): Result {
  try {
    return render();
  } catch (error) {
    const cause: unknown = error instanceof Error && "originalError" in error ? error.originalError : error;
    if (cause instanceof Unsendable) throw cause;
    throw new Unsendable("template_failed", `A template of the request failed: ${firstLine(error)}`);
  }
}

/** What a parser or a template says, without the excerpt of the template that follows it. */
export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}

function toAddressPart(value: unknown): string {
  const text = toText(value);
  // `/accounts/` with nothing after it would be all accounts.
  if (text === "") throw new Unsendable("address_incomplete", "A value that the address needs is missing or empty.");
  try {
    return encodeURIComponent(text);
  } catch {
    throw new Unsendable("address_invalid", "A value that the address needs is not whole Unicode text.");
  }
}

/** What `{{ … }}` puts out; Liquid alone would write a map as `[object Object]`. */
function toText(value: unknown): string {
  const meant = plain(value);
  if (meant === null || meant === undefined) return "";
  return typeof meant === "object" ? JSON.stringify(meant) : `${meant as string | number | boolean}`;
}

/** Liquid's own words, such as `blank`, are objects that stand for a value. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return typeof value.valueOf === "function" ? value.valueOf() : value;
}
