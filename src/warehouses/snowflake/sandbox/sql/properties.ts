/** What is said of a table beside its columns. */
import { unknownToSandbox } from "../failure.ts";
import { type Fields, isFields, listField, textField } from "./nodes.ts";

/** How long Snowflake keeps it and how it lays it out: nothing of it changes what the table holds. */
const withoutEffect =
  /^(data_retention_time_in_days|max_data_extension_time_in_days|change_tracking|comment)\s*=|^cluster by/i;

/** A table's definition without what has no effect here. What would have one is refused by its name. */
export function tableProperties(fields: Fields): Fields {
  for (const property of listField(fields, "properties")) {
    const raw =
      isFields(property) && isFields(property["raw"])
        ? (textField(property["raw"], "sql") ?? "")
        : JSON.stringify(property);
    if (!withoutEffect.test(raw)) throw unknownToSandbox(`the table property ${raw}`);
  }
  if (listField(fields, "constraints").some((one) => isFields(one) && "Like" in one)) {
    throw unknownToSandbox("CREATE TABLE … LIKE");
  }
  if (fields["clone_source"] != null) throw unknownToSandbox("CREATE TABLE … CLONE");
  const columns = listField(fields, "columns").map((column) => (isFields(column) ? plainColumn(column) : column));
  return { ...fields, columns, properties: [], mysql_table_options: [], table_modifier: null };
}

function plainColumn(column: Fields): Fields {
  if (column["auto_increment"] === true) throw unknownToSandbox("AUTOINCREMENT and IDENTITY");
  const constraints = listField(column, "constraints").filter((one) => !(isFields(one) && "Comment" in one));
  const order = listField(column, "constraint_order").filter((one) => one !== "Comment");
  return { ...column, comment: null, constraints, constraint_order: order };
}
