/** Snowflake's types in DuckDB. */
import { unknownToSandbox } from "../failure.ts";
import { isFields, numberField, textField, type Fields } from "./nodes.ts";

/** DuckDB's name of a type that Snowflake's parser found. */
export function duckdbType(type: Fields): string {
  const name = textField(type, "data_type") ?? "";
  if (name === "decimal") return decimal(numberField(type, "precision"), numberField(type, "scale"));
  if (name === "timestamp") {
    return type["timezone"] === true ? "TIMESTAMPTZ" : timestamp(numberField(type, "precision"));
  }
  if (name === "custom") return customType(textField(type, "name") ?? "");
  const known = types[name];
  if (known === undefined) throw unknownToSandbox(`the type ${name.replaceAll("_", "").toUpperCase()}`);
  return known;
}

/** Every whole number of Snowflake's is a NUMBER(38,0). Lengths of texts are not enforced. */
const types: Readonly<Record<string, string>> = {
  ...Object.fromEntries(["int", "integer", "big_int", "small_int", "tiny_int"].map((name) => [name, "DECIMAL(38,0)"])),
  ...Object.fromEntries(["float", "double", "real"].map((name) => [name, "DOUBLE"])),
  ...Object.fromEntries(["var_char", "char", "text", "string", "n_char"].map((name) => [name, "VARCHAR"])),
  ...Object.fromEntries(["binary", "var_binary", "blob"].map((name) => [name, "BLOB"])),
  boolean: "BOOLEAN",
  date: "DATE",
  time: "TIME",
  variant: "JSON",
  json: "JSON",
};

/** Types whose name the parser keeps as it is written, with what stands in brackets. */
function customType(written: string): string {
  const [, name = "", first, second] = /^(\w+)\s*(?:\((\d+)\s*(?:,\s*(\d+)\s*)?\))?$/.exec(written) ?? [];
  const precision = first === undefined ? null : Number(first);
  switch (name.toUpperCase().replaceAll("_", "")) {
    case "NUMBER":
      return decimal(precision, second === undefined ? null : Number(second));
    case "TIMESTAMPNTZ":
    case "DATETIME":
    case "TIMESTAMP":
      return timestamp(precision);
    case "TIMESTAMPLTZ":
    case "TIMESTAMPTZ":
      return "TIMESTAMPTZ";
    case "VARIANT":
    case "OBJECT":
    case "ARRAY":
      return "JSON";
    case "BYTEINT":
      return "DECIMAL(38,0)";
    case "STRING":
      return "VARCHAR";
    default:
      throw unknownToSandbox(`the type ${written}`);
  }
}

function decimal(precision: number | null, scale: number | null): string {
  return `DECIMAL(${precision ?? 38},${scale ?? 0})`;
}

/** Snowflake's default is nanoseconds. */
function timestamp(precision: number | null): string {
  const digits = precision ?? 9;
  if (digits > 6) return "TIMESTAMP_NS";
  return digits > 3 ? "TIMESTAMP" : digits > 0 ? "TIMESTAMP_MS" : "TIMESTAMP_S";
}

/** A type as the parser's own node. */
export function typeNode(type: string): Fields {
  return { data_type: "custom", name: type };
}

export function isType(value: unknown): value is Fields {
  return isFields(value) && typeof value["data_type"] === "string";
}
