/**
 * A statement of Snowflake's as one of DuckDB's. It is parsed, and its tree is walked from the leaves: names are
 * folded, types and functions replaced. What is in no table of what is known is refused by its name.
 */
import { Dialect, generate, parse } from "@polyglot-sql/sdk";
import { SnowflakeFailure, syntaxError, unknownToSandbox } from "../failure.ts";
import { asMoment, type StatementContext, translateCall } from "./functions.ts";
import { aggregates, functionKinds, plainKinds } from "./kinds.ts";
import { withNamedColumns, withNamedValues } from "./column-names.ts";
import { firstOf, folded, foldedName, isIdentifier, isTable, schemaName } from "./identifiers.ts";
import { informationSchema } from "./macros.ts";
import { database, otherSide, schemaInDuckdb } from "./names.ts";
import {
  aliasedAs,
  asNode,
  call,
  columnNode,
  type Fields,
  identifier,
  isFields,
  listField,
  literalText,
  type Node,
  tableFields,
  textField,
  textNode,
} from "./nodes.ts";
import { tableProperties } from "./properties.ts";
import { castNode, itemPath, jsonPath, orderedAggregate } from "./rewrites.ts";
import { refuseSourceSide, type Target, targetOf } from "./targets.ts";
import { readable } from "./text.ts";
import { duckdbType, isType, typeNode } from "./types.ts";

export interface TranslationContext extends StatementContext {
  /** Whether a table of this name is the session's own, and temporary. */
  isTemporary(table: string): boolean;
  /** The Parquet files under a place on a stage. */
  stageFiles(stage: string): readonly string[];
  /** The DuckDB table that holds the result of a query. */
  resultTable(queryId: string): string;
  readonly binds: Binds;
}

/** Values for the placeholders: one row as literals, or rows that wait in a table. */
export type Binds =
  | { readonly kind: "none" }
  | { readonly kind: "row"; readonly values: readonly Fields[] }
  | { readonly kind: "rows"; readonly table: string };

export interface Translated {
  readonly sql: string;
  /** The parser's name of the statement's kind, as `select` or `create_table`. */
  readonly kind: string;
  /** The table or schema that it writes, as Snowflake names it; null for what only reads. */
  readonly target: Target | null;
}

/** Translates one statement. Throws a SnowflakeFailure for what is wrong or not known. */
export function translate(sql: string, context: TranslationContext): Translated {
  const parsed = parse(readable(sql), Dialect.Snowflake);
  if (!parsed.success) throw syntaxError(parsed.error ?? "cannot be read");
  const [tree, ...others] = Array.isArray(parsed.ast) ? (parsed.ast as readonly unknown[]) : [parsed.ast];
  const node = asNode(tree);
  if (node === null || others.length > 0) throw syntaxError("cannot be read");
  const translator = new Translator(context);
  const rewritten = translator.statement(node);
  const generated = generate([rewritten], Dialect.DuckDB);
  const text = generated.sql?.[0];
  if (!generated.success || text === undefined) throw syntaxError(generated.error ?? "cannot be written");
  return { sql: text, kind: node.kind, target: translator.target };
}

class Translator {
  readonly #context: TranslationContext;
  #placeholders = 0;
  target: Target | null = null;

  constructor(context: TranslationContext) {
    this.#context = context;
  }

  statement({ kind, fields }: Node): unknown {
    this.target = targetOf(kind, fields, (table) => this.#context.isTemporary(table));
    switch (kind) {
      case "create_table":
        return this.#value({ create_table: this.#tableDefinition(fields) });
      case "create_schema":
        return { create_schema: { ...fields, name: schemaName(listField(fields, "name")) } };
      case "merge":
        refuseSourceSide(fields);
        return this.#value({ merge: fields });
      case "insert":
        return this.#insert(fields);
      default:
        return this.#value({ [kind]: withNamedColumns(kind, fields) });
    }
  }

  /** A value of the tree, with all that is in it. */
  #value(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one) => this.#value(one));
    if (!isFields(value)) return value;
    const node = asNode(value);
    if (node !== null) return this.#node(node);
    if (isType(value)) return typeNode(duckdbType(value));
    if (isTable(value)) return this.#table(value);
    if (isIdentifier(value)) return folded(value);
    return this.#fields(value);
  }

  #fields(fields: Fields): Fields {
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, this.#value(value)]));
  }

  #node(node: Node): unknown {
    const { kind, fields } = node;
    const special = this.#fromTable(node) ?? this.#bind(node);
    if (special !== null) return special;
    if (kind === "table") return { table: this.#table(fields) };
    if (kind === "select") return { select: this.#fields({ ...fields, from: withNamedValues(fields["from"]) }) };
    if (kind === "identifier") return { identifier: folded(fields) };
    if (kind === "function") return this.#function(fields);
    if (kind === "aggregate_function") return this.#aggregate(fields);
    const inner = this.#fields(fields);
    const asFunction = functionKinds[kind];
    if (asFunction !== undefined) {
      const [name, ...names] = asFunction;
      return translateCall(name, names.map((field) => inner[field]).filter(isFields), this.#context);
    }
    return this.#known(kind, inner);
  }

  /** Kinds that are written in another way in DuckDB. What is in them is translated already. */
  #known(kind: string, inner: Fields): unknown {
    switch (kind) {
      case "div":
        return call("sf_divide", inner["left"], inner["right"]);
      case "mod":
        return call("sf_modulo", inner["left"], inner["right"]);
      case "mod_func":
        return call("sf_modulo", inner["this"], inner["expression"]);
      case "j_s_o_n_extract":
        return call("sf_get", inner["this"], textNode(jsonPath(literalText(inner["expression"]) ?? "")));
      case "subscript":
        return call("sf_get", inner["this"], textNode(itemPath(inner["index"])));
      case "array_func":
        return call("json_array", ...listField(inner, "expressions"));
      case "date_diff":
        return this.#dateDifference(inner);
      case "to_number":
        if (inner["safe"] != null || inner["format"] != null)
          throw unknownToSandbox("TRY_TO_NUMBER or a number format");
        return translateCall(
          "TO_NUMBER",
          ["this", "precision", "scale"].map((name) => inner[name]).filter(isFields),
          this.#context,
        );
      case "within_group":
        return orderedAggregate(inner["this"], listField(inner, "order_by"));
      case "list_agg":
      case "array_agg":
        return orderedAggregate({ [kind]: inner }, []);
      case "cast":
      case "try_cast":
        return castNode(kind, inner);
      default:
        if (!plainKinds.has(kind)) throw unknownToSandbox(kind.replaceAll("_", " ").toUpperCase());
        if (kind === "like" && inner["quantifier"] != null) throw unknownToSandbox("LIKE ANY and LIKE ALL");
        // Kinds without fields have null for them.
        return { [kind]: Object.keys(inner).length === 0 ? null : inner };
    }
  }

  #dateDifference(inner: Fields): unknown {
    const unit = (textField(inner, "unit") ?? "day").toLowerCase();
    return call("date_diff", textNode(unit), asMoment(inner["expression"]), asMoment(inner["this"]));
  }

  #function(fields: Fields): unknown {
    const name = textField(fields, "name") ?? "";
    const args = listField(fields, "args").map((arg) => this.#value(arg));
    return translateCall(name, args, this.#context);
  }

  #aggregate(fields: Fields): unknown {
    const name = (textField(fields, "name") ?? "").toUpperCase();
    const known = aggregates[name];
    if (known === undefined) throw unknownToSandbox(`the function ${name}`);
    return { aggregate_function: { ...this.#fields(fields), name: known } };
  }

  /** What stands in FROM and is no table: files on a stage, the result of a query. */
  #fromTable({ kind, fields }: Node): unknown {
    const name = isFields(fields["name"]) ? foldedName(fields["name"]) : "";
    if (kind === "table" && name.startsWith("@")) return aliased(this.#stage(name), fields["alias"]);
    if (kind !== "function" || textField(fields, "name")?.toLowerCase() !== "table") return null;
    const inner = asNode(listField(fields, "args")[0]);
    const called = inner?.kind === "function" ? (textField(inner.fields, "name") ?? "") : (inner?.kind ?? "");
    if (inner === null || called.toLowerCase() !== "result_scan") {
      throw unknownToSandbox(`the table function ${called.toUpperCase()}`);
    }
    const queryId = literalText(this.#value(listField(inner.fields, "args")[0]));
    if (queryId === null) throw unknownToSandbox("RESULT_SCAN of anything but a query id");
    return { table: tableFields(identifier(this.#context.resultTable(queryId))) };
  }

  #stage(name: string): Fields {
    const files = this.#context.stageFiles(name);
    if (files.length === 0) return call("sf_no_files");
    const list = { array_func: { expressions: files.map(textNode), bracket_notation: true, use_list_keyword: false } };
    return call("sf_stage", list);
  }

  /** A placeholder's value; `$1` is the row of a file. */
  #bind({ kind, fields }: Node): unknown {
    const index = typeof fields["index"] === "number" ? fields["index"] : null;
    if (kind === "parameter" && fields["style"] === "Dollar") {
      if (index !== 1) throw unknownToSandbox("session variables and columns of files other than $1");
      return columnNode("$1");
    }
    if (kind !== "placeholder" && kind !== "parameter") return null;
    this.#placeholders += 1;
    return this.#boundValue(index ?? this.#placeholders);
  }

  #boundValue(position: number): unknown {
    const { binds } = this.#context;
    if (binds.kind === "rows") {
      return columnNode(`c${position}`);
    }
    const value = binds.kind === "row" ? binds.values[position - 1] : undefined;
    if (value === undefined) {
      throw new SnowflakeFailure("002049", "42601", `SQL compilation error:\nBind variable ${position} not set.`);
    }
    return value;
  }

  /** Rows of binds are read from where they wait, instead of one row of VALUES. */
  #insert(fields: Fields): unknown {
    if (fields["overwrite"] === true) throw unknownToSandbox("INSERT OVERWRITE");
    const inner = this.#fields(fields);
    const { binds } = this.#context;
    if (binds.kind !== "rows") return { insert: inner };
    const [row, ...others] = listField(inner, "values");
    if (!Array.isArray(row) || others.length > 0) throw unknownToSandbox("rows of binds but in INSERT … VALUES (?, …)");
    const select = asNode(firstOf(parse("select 1 from rows_of_binds", Dialect.DuckDB).ast));
    const from = { expressions: [{ table: tableFields(identifier(binds.table)) }] };
    return { insert: { ...inner, values: [], query: { select: { ...select?.fields, expressions: row, from } } } };
  }

  #table(table: Fields): Fields {
    const rest = this.#fields({ ...table, name: null, schema: null, catalog: null });
    const name = foldedName(table["name"]);
    const schema = table["schema"] == null ? null : foldedName(table["schema"]);
    if (schema === "INFORMATION_SCHEMA") {
      const view = informationSchema[name];
      if (view === undefined) throw unknownToSandbox(`INFORMATION_SCHEMA.${name}`);
      return { ...rest, name: identifier(view), schema: identifier("main"), catalog: identifier("snowflake") };
    }
    if (this.#context.isTemporary(name)) return { ...rest, name: identifier(otherSide(name)) };
    if (schema === null) return { ...rest, name: identifier(otherSide(name)) };
    const place = { schema: identifier(schemaInDuckdb(schema)), catalog: identifier(database) };
    return { ...rest, name: identifier(otherSide(name)), ...place };
  }

  /** What a table is kept for does not matter here; what would change what it holds does. */
  #tableDefinition(fields: Fields): Fields {
    const definition = tableProperties(fields);
    if (fields["temporary"] !== true || !isFields(fields["name"])) return definition;
    return { ...definition, name: { ...fields["name"], schema: null, catalog: null } };
  }
}

function aliased(value: Fields, alias: unknown): unknown {
  return isFields(alias) ? aliasedAs(value, folded(alias)) : value;
}
