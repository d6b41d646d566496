/** The functions that the sandbox knows, by their names in Snowflake. Any other one is refused by its name. */
import { SnowflakeFailure, unknownToSandbox } from "../failure.ts";
import { datePattern, isTimeOnly, numberFormat } from "./formats.ts";
import { addableUnits } from "./macros.ts";
import { call, type Fields, literalText, literalValue, nullNode, numberNode, textNode, word } from "./nodes.ts";
import { asText, lengthOf } from "./texts.ts";
import { typeNode } from "./types.ts";

/** What functions and names of a statement depend on beside its text. */
export interface StatementContext {
  readonly role: string;
  readonly user: string;
  readonly warehouse: string | null;
  readonly database: string;
  readonly schema: string;
  readonly sessionId: number;
  readonly lastQueryId: string | null;
  readonly transactionId: number | null;
  /** A number that is greater after every change of the table. */
  changeToken(table: string): string;
}

type Rewrite = (args: readonly unknown[], context: StatementContext, name: string) => unknown;
type Rule = string | Rewrite;

/** The function as DuckDB's tree. */
export function translateCall(name: string, args: readonly unknown[], context: StatementContext): unknown {
  const rule = rules[name.toUpperCase()];
  if (rule === undefined) throw unknownToSandbox(`the function ${name.toUpperCase()}`);
  return typeof rule === "string" ? call(rule, ...args) : rule(args, context, name);
}

export function cast(value: unknown, type: string): Fields {
  return { cast: { this: value, to: typeNode(type), trailing_comments: [], double_colon_syntax: false } };
}

/** With more arguments than two, the last ones first. */
function nested(name: string): Rewrite {
  return (args) => args.slice(1).reduce((done, next) => call(name, done, next), args[0]);
}

function text(args: readonly unknown[], context: StatementContext): unknown {
  const [value, format] = args;
  if (format === undefined) return asText(value);
  const model = literalText(format);
  if (model === null) throw unknownToSandbox("a format that is not a text in quotes");
  const number = numberFormat(model);
  if (number === null) {
    const moment = isTimeOnly(model) ? call("sf_clock", value) : cast(value, "TIMESTAMP_NS");
    // DuckDB spoils what follows nanoseconds in a pattern, so each pattern ends with them.
    const parts = datePattern(model).split(/(?<=%n)(?!$)/);
    return nested("sf_concat")(
      parts.map((part) => call("strftime", moment, textNode(part))),
      context,
      "TO_CHAR",
    );
  }
  if (number.exponent) {
    const spelled = textNode(`%${number.signed ? "+" : ""}.${number.decimals}E`);
    return call("printf", spelled, cast(value, "DOUBLE"));
  }
  const written = call("format", textNode(number.pattern), cast(value, "DOUBLE"));
  return number.width === 0 ? written : call("lpad", written, numberNode(number.width), textNode(" "));
}

function moment(type: string): Rule {
  return ([value, format]) => {
    if (format === undefined) return cast(call("sf_to_timestamp", value), type);
    const model = literalText(format);
    if (model === null) throw unknownToSandbox("a format that is not a text in quotes");
    return cast(call("strptime", value, textNode(datePattern(model))), type);
  };
}

function number(args: readonly unknown[], _context: StatementContext, name: string): unknown {
  const [value, precision, scale] = args;
  if (literalText(precision) !== null) throw unknownToSandbox(`a format in ${name.toUpperCase()}`);
  return cast(value, `DECIMAL(${literalValue(precision) ?? "38"},${literalValue(scale) ?? "0"})`);
}

function dateUnit(node: unknown, name: string): string {
  const unit = (word(node) ?? "").toLowerCase();
  const aliases: Readonly<Record<string, string>> = {
    yyyy: "year",
    mm: "month",
    dd: "day",
    hh: "hour",
    mi: "minute",
    ss: "second",
  };
  const singular = aliases[unit] ?? unit.replace(/s$/, "");
  if (!addableUnits.includes(singular)) throw unknownToSandbox(`the unit '${unit}' in ${name.toUpperCase()}`);
  return singular;
}

/** A text in quotes is taken for a moment. */
export function asMoment(value: unknown): unknown {
  return literalText(value) === null ? value : cast(value, "TIMESTAMP");
}

function convertTimezone(args: readonly unknown[]): unknown {
  if (args.length === 3) return call("sf_convert_timezone", ...args);
  const [zone, value] = args;
  if (literalText(zone)?.toUpperCase() !== "UTC") throw unknownToSandbox("CONVERT_TIMEZONE to another zone than UTC");
  return call("sf_utc", value);
}

function datePart(args: readonly unknown[]): unknown {
  const unit = (word(args[0]) ?? "").toLowerCase();
  const value = asMoment(args[1]);
  if (/^epoch(_second)?$/.test(unit)) return call("sf_epoch_second", value);
  return call("date_part", textNode(unit), value);
}

function regexpReplace([value, pattern, replacement]: readonly unknown[]): unknown {
  if (replacement === undefined) return call("sf_regexp_replace", value, pattern);
  return call("sf_regexp_replace_with", value, pattern, replacement);
}

function sha2(name: string): Rule {
  return ([value, bits]) => {
    const size = bits === undefined ? "256" : literalValue(bits);
    if (size !== "256") throw unknownToSandbox(`SHA2 with ${size} bits`);
    return call(name, value);
  };
}

function identifierFree(): never {
  throw unknownToSandbox("IDENTIFIER");
}

const said =
  (of: (context: StatementContext) => string | number | null): Rule =>
  (_args, context) => {
    const value = of(context);
    if (value === null) return nullNode;
    return typeof value === "number" ? numberNode(value) : textNode(value);
  };

/** They do the same in DuckDB. */
const alike = `ABS SIGN SQRT EXP LN LOG POWER ROUND FLOOR CEIL ASCII CHR LEFT RIGHT LPAD RPAD LTRIM RTRIM TRIM REVERSE
  REPEAT TRANSLATE SPLIT_PART UPPER LOWER NULLIF COALESCE MD5 DATE_TRUNC LAST_DAY CONTAINS STRPOS PI SIN COS TAN
  DEGREES RADIANS`;

const rules: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(alike.split(/\s+/).map((name) => [name, name])),
  NVL: "coalesce",
  IFNULL: "coalesce",
  NVL2: "sf_nvl2",
  IFF: "sf_iff",
  EQUAL_NULL: "sf_equal_null",
  ZEROIFNULL: "sf_zeroifnull",
  NULLIFZERO: "sf_nullifzero",
  DIV0: "sf_div0",
  GREATEST: nested("sf_greatest"),
  LEAST: nested("sf_least"),
  CONCAT: nested("sf_concat"),
  REPLACE: (args) => call(args.length === 2 ? "sf_replace" : "replace", ...args),
  CHARINDEX: "sf_charindex",
  STARTSWITH: "starts_with",
  ENDSWITH: "ends_with",
  LENGTH: ([value]) => lengthOf(value),
  LEN: ([value]) => lengthOf(value),
  OCTET_LENGTH: "strlen",
  REGEXP_LIKE: "sf_regexp_like",
  RLIKE: "sf_regexp_like",
  REGEXP_REPLACE: regexpReplace,
  TO_VARCHAR: text,
  TO_CHAR: text,
  TO_JSON: "sf_to_json",
  TO_VARIANT: "to_json",
  TO_OBJECT: "to_json",
  TO_ARRAY: "to_json",
  PARSE_JSON: "json",
  TRY_PARSE_JSON: "sf_try_parse_json",
  GET_PATH: "sf_get",
  ARRAY_SIZE: "sf_array_size",
  ARRAY_CONSTRUCT: "json_array",
  OBJECT_CONSTRUCT: (args) => call("sf_object_construct", call("json_object", ...args)),
  OBJECT_CONSTRUCT_KEEP_NULL: "json_object",
  MD5_HEX: "md5",
  MD5_BINARY: "sf_md5_binary",
  SHA2: sha2("sha256"),
  SHA2_HEX: sha2("sha256"),
  SHA2_BINARY: sha2("sf_sha2_binary"),
  SHA1: "sha1",
  HEX_ENCODE: "hex",
  HEX_DECODE_BINARY: "unhex",
  TO_BINARY: ([value]) => call("sf_binary", value),
  TO_DATE: moment("DATE"),
  DATE: moment("DATE"),
  TO_TIMESTAMP: moment("TIMESTAMP_NS"),
  TO_TIMESTAMP_NTZ: moment("TIMESTAMP_NS"),
  TO_TIMESTAMP_LTZ: moment("TIMESTAMPTZ"),
  TO_TIMESTAMP_TZ: moment("TIMESTAMPTZ"),
  TO_NUMBER: number,
  TO_DECIMAL: number,
  TO_NUMERIC: number,
  TO_DOUBLE: ([value]) => cast(value, "DOUBLE"),
  TO_BOOLEAN: ([value]) => cast(value, "BOOLEAN"),
  TO_TIME: ([value]) => cast(value, "TIME"),
  CONVERT_TIMEZONE: convertTimezone,
  SYSDATE: "sf_sysdate",
  GETDATE: "now",
  CURRENT_TIMESTAMP: () => call("now"),
  LOCALTIMESTAMP: () => call("now"),
  CURRENT_DATE: () => cast(call("now"), "DATE"),
  CURRENT_TIME: () => cast(call("now"), "TIME"),
  DATEADD: ([unit, amount, value], _context, name) =>
    call(`sf_dateadd_${dateUnit(unit, name)}`, amount, asMoment(value)),
  TIMESTAMPADD: ([unit, amount, value], _context, name) =>
    call(`sf_dateadd_${dateUnit(unit, name)}`, amount, asMoment(value)),
  DATEDIFF: ([unit, from, to], _context, name) =>
    call("date_diff", textNode(dateUnit(unit, name)), asMoment(from), asMoment(to)),
  DATE_PART: datePart,
  UUID_STRING: "sf_uuid_string",
  IDENTIFIER: identifierFree,
  CURRENT_ROLE: said(({ role }) => role),
  CURRENT_USER: said(({ user }) => user),
  CURRENT_WAREHOUSE: said(({ warehouse }) => warehouse),
  CURRENT_DATABASE: said(({ database }) => database),
  CURRENT_SCHEMA: said(({ schema }) => schema),
  CURRENT_SESSION: said(({ sessionId }) => String(sessionId)),
  CURRENT_TRANSACTION: said(({ transactionId }) => (transactionId === null ? null : String(transactionId))),
  CURRENT_VERSION: said(() => "0.0.0-sandbox"),
  CURRENT_ACCOUNT: said(() => "SANDBOX"),
  CURRENT_REGION: said(() => "LOOPBACK"),
  LAST_QUERY_ID: said(({ lastQueryId }) => lastQueryId),
  SYSTEM$TYPEOF: "sf_typeof",
  SYSTEM$LAST_CHANGE_COMMIT_TIME: ([table], context) => {
    const name = literalText(table);
    if (name === null)
      throw new SnowflakeFailure("001015", "22023", "SQL compilation error:\nargument needs to be a string");
    return numberNode(context.changeToken(name));
  },
};
