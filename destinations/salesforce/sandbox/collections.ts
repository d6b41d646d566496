/** `/composite/sobjects`: up to 200 records, answered in order. */
import { z } from "zod";
import type { SandboxRequest, SandboxResponse } from "../../../src/sandbox.ts";
import { type ObjectStore, rowError, type RowError, type Values } from "./objects.ts";

const requestSchema = z.object({
  allOrNone: z.literal(false),
  records: z.array(z.looseObject({ attributes: z.object({ type: z.string() }), id: z.string().optional() })),
});

type Objects = ReadonlyMap<string, ObjectStore>;
const most = 200;

/** `path` is what follows `composite/sobjects`. */
export function handleCollection(
  { method, query, body }: SandboxRequest,
  [object, field]: readonly string[],
  objects: Objects,
): SandboxResponse {
  if (method === "DELETE") return removed((query["ids"] ?? "").split(","), objects);
  const parsed = requestSchema.safeParse(body);
  if (!parsed.success) return refusal("JSON_PARSER_ERROR", z.prettifyError(parsed.error));
  const { records } = parsed.data;
  if (records.length > most) return refusal("EXCEEDED_MAX_SIZE_REQUEST", `record limit reached: ${most}`);
  const upsertOf = method === "PATCH" && object !== undefined ? (field ?? "") : undefined;
  const ids = records.map((one) => String(upsertOf === undefined ? (one.id ?? "") : one[upsertOf]).toLowerCase());
  const results = records.map(({ attributes, id, ...values }, at) => {
    const store = objects.get(attributes.type.toLowerCase());
    if (!store) return failed(rowError("INVALID_TYPE", `sObject type '${attributes.type}' is not supported.`));
    if (ids[at] !== "" && ids.indexOf(ids[at] ?? "") !== ids.lastIndexOf(ids[at] ?? ""))
      return failed(rowError("DUPLICATE_VALUE", `Duplicate external id specified: ${ids[at] ?? ""}`));
    if (upsertOf !== undefined) return upserted(store, upsertOf, values);
    if (method === "POST") return written(store, undefined, values);
    if (id === undefined || !store.records.has(id)) return failed(rowError("ENTITY_IS_DELETED", "entity is deleted"));
    return written(store, id, values);
  });
  return { status: 200, body: results };
}

function upserted(store: ObjectStore, field: string, values: Values): Values {
  const definition = store.fields.get(field);
  if (!definition?.externalId && !definition?.idLookup)
    return failed(rowError("INVALID_FIELD", `${field} is no external id`, field));
  const [id, ...others] = store.find(field, values[field]);
  if (others.length > 0)
    return failed(rowError("DUPLICATE_EXTERNAL_ID", `${field}: more than one record found`, field));
  return { ...written(store, id, values), created: id === undefined };
}

function written(store: ObjectStore, id: string | undefined, values: Values): Values {
  const wrong = store.refusal(id, values);
  return wrong ? failed(wrong) : { id: store.write(id, values), success: true, errors: [] };
}

function removed(ids: readonly string[], objects: Objects): SandboxResponse {
  const body = ids.map((id) => {
    const store = [...objects.values()].find(({ records }) => records.has(id));
    if (!store) return failed(rowError("ENTITY_IS_DELETED", "entity is deleted"));
    store.records.delete(id);
    return { id, success: true, errors: [] };
  });
  return { status: 200, body };
}

function failed(error: RowError): Values {
  return { success: false, errors: [error] };
}

function refusal(errorCode: string, message: string): SandboxResponse {
  return { status: 400, body: [{ errorCode, message }] };
}
