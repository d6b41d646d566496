/**
 * How a name of Snowflake's stands in DuckDB. Snowflake folds `accounts` to ACCOUNTS; DuckDB keeps what was written and
 * does not tell case apart. So a name in one case stands in the other one's: ACCOUNTS is accounts, and a quoted
 * "accounts" is ACCOUNTS. Names of both cases stay. The same function leads back, whoever made the table.
 */
export function otherSide(name: string): string {
  if (name === name.toLowerCase()) return name.toUpperCase();
  return name === name.toUpperCase() ? name.toLowerCase() : name;
}

/** The same as SQL, for what DuckDB's catalog says. */
export function otherSideSql(name: string): string {
  return `case when ${name} = lower(${name}) then upper(${name}) when ${name} = upper(${name}) then lower(${name}) else ${name} end`;
}

/** DuckDB's `main` is where tables without a schema are, which Snowflake calls PUBLIC. */
export function schemaInDuckdb(schema: string): string {
  return schema === "PUBLIC" ? "main" : otherSide(schema);
}

/** The name by which the data is attached in DuckDB. */
export const database = "SANDBOX";

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The parts of a name such as `a."b c".d`, as Snowflake folds them. */
export function nameParts(path: string): readonly string[] {
  return [...path.matchAll(/"((?:[^"]|"")+)"|([^".\s]+)/g)].map(([, exact, plain = ""]) =>
    exact === undefined ? plain.toUpperCase() : exact.replaceAll('""', '"'),
  );
}
