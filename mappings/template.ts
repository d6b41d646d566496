/**
 * Text written in Liquid over the columns of the row.
 *
 * Templates come from people who may configure a sync but not run code here: they read no file, reach nothing but the
 * row, and are cut off in time and memory. They are pure: no clock and no chance, so a row that did not change gives
 * the text that it gave before.
 */
import countries from "i18n-iso-countries";
import english from "i18n-iso-countries/langs/en.json" with { type: "json" };
import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from "libphonenumber-js";
import { Context, Liquid, Output, toValueSync, TypeGuards } from "liquidjs";
import type { FilterImplOptions, Template } from "liquidjs";
import { z } from "zod";
import { InvalidMapping, InvalidValue } from "../src/mapping.ts";
import type { Cell, ColumnType, MappingKind } from "../src/mapping.ts";

const maxTemplateLength = 4096;
const maxTextLength = 1_000_000;
const maxRenderMs = 75;

const options = z.strictObject({
  template: z
    .string()
    .min(1)
    .max(maxTemplateLength)
    .meta({ description: 'Liquid over the model\'s columns, such as "{{ plan | capitalize }}".' }),
});

const template: MappingKind<z.infer<typeof options>> = {
  name: "template",
  title: "Text written in Liquid over the columns of the row.",
  options,

  columns({ template }) {
    return engine.globalVariablesSync(parse(template), { partials: false });
  },

  compile({ template }, context) {
    const parsed = parse(template);
    const names = engine.globalVariablesSync(parsed, { partials: false });
    const columns = names.map((name) => ({ name, ...context.column(name) }));
    const direct = compileDirect(parsed);
    return {
      type: "text",
      evaluate(cells) {
        // Without a prototype, so that a template sees the columns and nothing else.
        const row: Row = Object.create(null);
        for (const { name, index, type } of columns) row[name] = toLiquid(cells[index] ?? null, type);
        const text = direct?.(row) ?? render(parsed, row);
        return text === "" ? null : text;
      },
    };
  },
};
export default template;

const tags = "assign break capture case comment continue cycle decrement echo for if increment liquid raw unless #";
const textFilters =
  "append prepend capitalize upcase downcase strip lstrip rstrip strip_newlines squish normalize_whitespace strip_html " +
  "newline_to_br replace replace_first replace_last remove remove_first remove_last truncate truncatewords " +
  "number_of_words slugify escape escape_once url_encode url_decode base64_encode base64_decode sha256 json default";
const listFilters =
  "split join first last size slice reverse sort sort_natural uniq compact concat push unshift pop shift map where " +
  "reject has find find_index group_by sum array_to_sentence_string";
const mathFilters = "plus minus times divided_by modulo abs round ceil floor at_least at_most";

const engine = hardenedEngine();

function hardenedEngine(): Liquid {
  const liquid = new Liquid({
    strictFilters: true,
    ownPropertyOnly: true,
    templates: {},
    parseLimit: maxTemplateLength,
    renderLimit: maxRenderMs,
    memoryLimit: 5 * maxTextLength,
    timezoneOffset: 0,
    locale: "en-US",
    outputEscape: toText,
  });
  keepOnly(liquid.tags, tags);
  const { date } = liquid.filters;
  keepOnly(liquid.filters, `${textFilters} ${listFilters} ${mathFilters}`);
  for (const name of mathFilters.split(" ")) liquid.registerFilter(name, exactly(handlerOf(liquid.filters[name])));
  liquid.registerFilter("date", inUtc(handlerOf(date)));
  liquid.registerFilter("phone", phone);
  liquid.registerFilter("country_code", countryCode);
  return liquid;
}

function keepOnly(registered: Record<string, unknown>, names: string): void {
  const kept = new Set(names.split(" "));
  for (const name of Object.keys(registered)) if (!kept.has(name)) delete registered[name];
}

type Handler = Extract<FilterImplOptions, (...given: never[]) => unknown>;

function handlerOf(filter: FilterImplOptions | undefined): Handler {
  if (typeof filter !== "function") throw new TypeError("Liquid's filters are not what they were");
  return filter;
}

/** Liquid counts in doubles. They hold 15 digits, so more than 15 are refused rather than rounded without a word. */
function exactly(filter: Handler): Handler {
  return function (...operands) {
    operands.forEach(requireExact);
    const result: unknown = filter.apply(this, operands);
    if (typeof result !== "number") return result;
    if (!Number.isFinite(result)) throw new RangeError("the result is not a number: is it divided by 0?");
    if (Number.isSafeInteger(result)) return result;
    if (Math.abs(result) >= 1e15) throw new RangeError("the result has more than 15 digits");
    return Number(result.toPrecision(15));
  };
}

function requireExact(operand: unknown): void {
  if (typeof operand !== "number" && typeof operand !== "string") return;
  const written = String(operand).trim();
  if (written === "" || !Number.isFinite(Number(written))) throw new TypeError("a text is not a number");
  const digits = written.replace(/e.*$/i, "").replace(/^[+-]?[0.]*|\./g, "");
  if (digits.length > 15 && !Number.isSafeInteger(Number(written)))
    throw new RangeError("a number has more than 15 digits");
}

/** A time without a zone is read as UTC, not as the zone of whichever machine this runs on. */
function inUtc(date: Handler): Handler {
  return function (value, ...rest) {
    if (value === "now" || value === "today") {
      throw new TypeError(`"${value}" would change a record whose row did not change; select the time in the model`);
    }
    const zoneless = typeof value === "string" && /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(value);
    const result: unknown = date.call(this, zoneless ? `${value}Z` : value, ...rest);
    return result;
  };
}

countries.registerLocale(english);

/** A telephone number as E.164 has it, such as +4930901820; nothing for what is none. */
function phone(written: unknown, country?: unknown): string | null {
  if (country !== undefined && !isCountry(country))
    throw new TypeError(`phone takes a country's two letters, such as "DE", for numbers without one`);
  const number = parsePhoneNumberFromString(textOf(written), country);
  return number?.isValid() === true ? number.number : null;
}

function isCountry(country: unknown): country is CountryCode {
  return typeof country === "string" && isSupportedCountry(country);
}

/** A country's two letters, from them, from its three, or from its English name; nothing for what is none. */
function countryCode(written: unknown): string | null {
  const name = textOf(written).trim();
  const letters = name.toUpperCase();
  if (/^[A-Z]{2}$/.test(letters)) return countries.isValid(letters) ? letters : null;
  return (
    (/^[A-Z]{3}$/.test(letters) && countries.alpha3ToAlpha2(letters)) || countries.getAlpha2Code(name, "en") || null
  );
}

function textOf(written: unknown): string {
  return typeof written === "string" || typeof written === "number" ? String(written) : "";
}

function parse(source: string): Template[] {
  try {
    return engine.parse(source);
  } catch (error) {
    throw new InvalidMapping(`the template does not parse: ${sentenceOf(error)}`, { cause: error });
  }
}

/** What a template can name: columns by their names, and nothing else. */
type Row = Record<string, unknown>;

/** Text for a row; undefined when Liquid itself is to render it, and to say what is wrong. */
type Direct = (row: Row) => string | undefined;

/**
 * A template of texts and `{{ … }}` alone, without tags, as one function: several times as fast as walking its tree for
 * every row, with Liquid's own expressions and filters. Undefined for a template that has tags.
 */
function compileDirect(parsed: readonly Template[]): Direct | undefined {
  // Nothing in such a template writes to its context, so one serves many rows; only the memory that it counts runs out.
  let context = directContext();
  const current = (): Context => context;
  const parts = parsed.map((template) => compilePart(template, current));
  if (!parts.every((part) => part !== undefined)) return undefined;
  return (row) => {
    const until = performance.now() + maxRenderMs;
    context.environments = row;
    try {
      let text = "";
      for (const part of parts) {
        // Between two parts Liquid looks at the clock too; one alone is bounded by the memory that it may take.
        if (parts.length > 1 && performance.now() > until) return undefined;
        text += part(row);
      }
      return text.length <= maxTextLength ? text : undefined;
    } catch {
      context = directContext();
      return undefined;
    }
  };
}

function directContext(): Context {
  return new Context({}, engine.options, { sync: true }, { liquid: engine });
}

type Part = (row: Row) => string;

function compilePart(template: Template, context: () => Context): Part | undefined {
  if (TypeGuards.isHTMLToken(template.token)) {
    const text = template.token.getContent();
    return () => text;
  }
  if (!(template instanceof Output)) return undefined;
  const { initial, filters } = template.value;
  const name = columnOf(initial.postfix);
  // The last one is `toText`.
  const own = filters.slice(0, -1);
  return (row) => {
    let value = name === undefined ? toValueSync(initial.evaluate(context())) : row[name];
    for (const filter of own) value = toValueSync(filter.render(value, context()));
    return toText(value);
  };
}

/** The column that an expression names, where it does nothing else. */
function columnOf([token, ...others]: readonly unknown[]): string | undefined {
  if (others.length > 0 || !TypeGuards.isPropertyAccessToken(token) || token.variable !== undefined) return undefined;
  const [prop, ...inner] = token.props;
  if (inner.length > 0) return undefined;
  return TypeGuards.isWordToken(prop) || TypeGuards.isQuotedToken(prop) ? prop.content : undefined;
}

function render(parsed: Template[], row: Row): string {
  const rendered = String(withinTime(() => engine.renderSync(parsed, row)));
  if (rendered.length > maxTextLength) {
    throw new InvalidValue("template_failed", `the template made more than ${maxTextLength} characters`);
  }
  return rendered;
}

/**
 * Liquid's limit is one of the wall's clock, and a row must not fail because the machine stood still while its template
 * was rendered. One that was cut off is rendered once more.
 */
function withinTime(renderOnce: () => unknown): unknown {
  try {
    return renderOnce();
  } catch (error) {
    if (!sentenceOf(error).includes("render limit")) throw failed(error);
  }
  try {
    return renderOnce();
  } catch (error) {
    throw failed(error);
  }
}

function failed(error: unknown): InvalidValue {
  return new InvalidValue("template_failed", `the template failed: ${sentenceOf(error)}`);
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? String(error.message.split("\n")[0]) : String(error);
}

/** A cell as Liquid knows it. A number that a double would change stays text, so that no digit is lost. */
function toLiquid(cell: Cell, type: ColumnType): unknown {
  if (cell === null) return null;
  switch (type) {
    case "boolean":
      return cell === "true";
    case "integer":
    case "decimal":
    case "float":
      return exactNumber(cell);
    case "json":
      return fromJson(cell);
    case "text":
    case "date":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "binary":
      return cell;
  }
}

function exactNumber(written: string): string | number {
  const number = Number(written);
  return Number.isFinite(number) && String(number) === written ? number : written;
}

function fromJson(written: string): unknown {
  try {
    return JSON.parse(written, (_key, value: unknown, context?: { source?: string }) =>
      typeof value === "number" && context?.source !== undefined ? exactNumber(context.source) : value,
    );
  } catch {
    return written;
  }
}

/** What `{{ … }}` puts out; Liquid alone would write a JSON object as `[object Object]`. */
function toText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(toText).join("");
  if (typeof value !== "object") return `${value as string | number | boolean}`;
  // Liquid's own words, such as `blank`, are objects that stand for a value.
  const meant: unknown = typeof value.valueOf === "function" ? value.valueOf() : value;
  return meant === value ? JSON.stringify(value) : toText(meant);
}
