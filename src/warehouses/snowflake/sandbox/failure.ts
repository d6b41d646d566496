/** What Snowflake says when it refuses: its number, its SQLSTATE and its words, also for what DuckDB says instead. */
import { messageOf } from "../../../errors.ts";

/** A statement or a request that is refused, as a client is told of it. */
export class SnowflakeFailure extends Error {
  override readonly name = "SnowflakeFailure";
  readonly code: string;
  readonly sqlState: string;

  constructor(code: string, sqlState: string, message: string) {
    super(message);
    this.code = code;
    this.sqlState = sqlState;
  }
}

/** What a real account may know and this one does not: said by its name, never guessed at. */
export function unknownToSandbox(what: string): SnowflakeFailure {
  return new SnowflakeFailure("000002", "0A000", `Unsupported feature: The sandbox does not know ${what}.`);
}

/** A statement that cannot be compiled, in Snowflake's form. */
export function compilationError(code: string, sqlState: string, words: string): SnowflakeFailure {
  return new SnowflakeFailure(code, sqlState, `SQL compilation error:\n${words}`);
}

/** A statement that cannot be parsed. */
export function syntaxError(words: string): SnowflakeFailure {
  return compilationError("001003", "42000", `syntax error: ${words}`);
}

/** Something that is named and is not there, or not for this role: Snowflake does not tell which. */
export function notFound(kind: string, name: string): SnowflakeFailure {
  return compilationError("002003", "42S02", `${kind} '${name}' does not exist or not authorized.`);
}

/** A write that the role has no grant for. */
export function insufficientPrivileges(on: string): SnowflakeFailure {
  const words = `SQL access control error:\nInsufficient privileges to operate on ${on}.`;
  return new SnowflakeFailure("003001", "42501", words);
}

/** A statement that somebody stopped. */
export function canceled(): SnowflakeFailure {
  return new SnowflakeFailure("000604", "57014", "SQL execution canceled");
}

/** A statement that ran for longer than STATEMENT_TIMEOUT_IN_SECONDS. */
export function timedOut(seconds: number): SnowflakeFailure {
  const words = `Statement reached its statement or warehouse timeout of ${seconds} second(s) and was canceled.`;
  return new SnowflakeFailure("000630", "57014", words);
}

interface Known {
  /** What DuckDB says; the first group that matched is the name or value that it is about. */
  readonly says: RegExp;
  readonly failure: (about: string, words: string) => SnowflakeFailure;
}

/** In the order in which they are tried. */
const known: readonly Known[] = [
  { says: /INTERRUPT/, failure: canceled },
  {
    says: /(?:Table|View) with name "?(.+?)"? does not exist/,
    failure: (name) => notFound("Object", name.toUpperCase()),
  },
  { says: /Schema with name "?(.+?)"? does not exist/, failure: (name) => notFound("Schema", name.toUpperCase()) },
  {
    says: /(?:Table|View|Schema) with name "?(.+?)"? already exists/,
    failure: (name) => compilationError("002002", "42710", `Object '${name.toUpperCase()}' already exists.`),
  },
  {
    says: /Ambiguous reference to column name "(.+?)"/,
    failure: (name) => compilationError("001052", "42601", `ambiguous column name '${name.toUpperCase()}'`),
  },
  {
    says: /(?:Referenced (?:update )?column|does not have a column (?:named|with name)|Column with name|Referenced table) "?(.+?)"?(?: not found| does not exist|\n|$)/,
    failure: (name) => compilationError("000904", "42000", `invalid identifier '${name.toUpperCase()}'`),
  },
  {
    says: /column "(.+?)" must appear in the GROUP BY/,
    failure: (name) =>
      compilationError("000979", "42601", `[${name.toUpperCase()}] is not a valid group by expression`),
  },
  {
    says: /Text is too long/,
    failure: () => new SnowflakeFailure("100078", "22000", "String is too long and would be truncated"),
  },
  { says: /Division by zero/, failure: () => new SnowflakeFailure("100051", "22012", "Division by zero") },
  {
    says: /Malformed JSON.*?Input: (.*)/s,
    failure: (input) => new SnowflakeFailure("100069", "22P02", `Error parsing JSON: ${input}`),
  },
  {
    says: /Could not convert string ['"](.*?)['"] to (?:\w*INT|DECIMAL|DOUBLE|FLOAT)/,
    failure: (value) => new SnowflakeFailure("100038", "22018", `Numeric value '${value}' is not recognized`),
  },
  {
    says: /(?:date|time|timestamp) field (?:format|value).*?"(.*?)"/,
    failure: (value) => new SnowflakeFailure("100040", "22007", `Date '${value}' is not recognized`),
  },
  {
    says: /out of range|Could not cast value .* to DECIMAL|Overflow in/,
    failure: (_about, words) => new SnowflakeFailure("100039", "22003", `Numeric value is out of range: ${words}`),
  },
  {
    says: /NOT NULL constraint failed: .*?(\w+)$/m,
    failure: (name) =>
      new SnowflakeFailure("100072", "22000", `NULL result in a non-nullable column ${name.toUpperCase()}`),
  },
  {
    says: /More than one row returned by a subquery/,
    failure: () => new SnowflakeFailure("100090", "22000", "Single-row subquery returns more than one row."),
  },
  { says: /^Parser Error: (.*)/, failure: (words) => syntaxError(words) },
  { says: /^Conversion Error: (.*)/, failure: (words) => new SnowflakeFailure("100038", "22018", words) },
];

/** DuckDB's error in Snowflake's numbers. What has no counterpart keeps its words under 000001. */
export function failureOf(error: unknown): SnowflakeFailure {
  if (error instanceof SnowflakeFailure) return error;
  const words = messageOf(error);
  const [firstLine = words] = words.split("\n");
  for (const { says, failure } of known) {
    const found = says.exec(words);
    if (found !== null) return failure(found[1] ?? "", firstLine);
  }
  return compilationError("000001", "42000", firstLine);
}
