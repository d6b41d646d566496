/** `/crm/objects/{version}/{object}/batch/*` */
import { z } from "zod";
import type { SandboxResponse } from "../../../src/sandbox.ts";
import { batchAnswer, recordError, refusal } from "./answers.ts";
import { normal, type ObjectStore, type SandboxRecord } from "./objects.ts";

/** The account around an object: makes ids, tells the time, forgets archived records. */
export interface Surroundings {
  readonly version: string;
  newId(): string;
  at(): string;
  onArchived(object: ObjectStore, id: string): void;
}

const values = z.record(
  z.string(),
  z.union([z.string(), z.number().transform(String), z.boolean().transform(String), z.null().transform(() => "")]),
);
const writeSchema = z.object({
  inputs: z.array(
    z.object({
      id: z.string().optional(),
      idProperty: z.string().optional(),
      objectWriteTraceId: z.string().optional(),
      properties: values,
    }),
  ),
});
const idsSchema = z.object({ inputs: z.array(z.object({ id: z.string() })) });
const readSchema = idsSchema.extend({ idProperty: z.string().optional(), properties: z.array(z.string()).default([]) });

type Input = z.output<typeof writeSchema>["inputs"][number];
type Verb = "upsert" | "update" | "create";

export const mostInputs = 100;

export function handleBatch(object: ObjectStore, verb: string, body: unknown, around: Surroundings): SandboxResponse {
  switch (verb) {
    case "upsert":
    case "update":
    case "create":
      return parsed(writeSchema, body, ({ inputs }) => write(object, verb, inputs, around));
    case "archive":
      return parsed(idsSchema, body, ({ inputs }) => archive(object, inputs, around));
    case "read":
      return parsed(readSchema, body, (request) => read(object, request, around));
    default:
      return refusal(404, "OBJECT_NOT_FOUND", `No batch operation ${verb}`);
  }
}

function parsed<Request extends { inputs: readonly unknown[] }>(
  schema: z.ZodType<Request>,
  body: unknown,
  handle: (request: Request) => SandboxResponse,
): SandboxResponse {
  const result = schema.safeParse(body);
  if (!result.success) return refusal(400, "VALIDATION_ERROR", `Invalid input JSON: ${z.prettifyError(result.error)}`);
  const count = result.data.inputs.length;
  if (count > mostInputs)
    return refusal(
      400,
      "VALIDATION_ERROR",
      `The maximum number of inputs supported in a batch request is ${mostInputs}, but ${count} were given.`,
    );
  return handle(result.data);
}

interface Planned {
  readonly input: Input;
  readonly record: SandboxRecord | undefined;
  readonly error: Readonly<Record<string, unknown>> | undefined;
}

/** Nothing is applied before it is known that the request is not refused whole. */
function write(object: ObjectStore, verb: Verb, inputs: readonly Input[], around: Surroundings): SandboxResponse {
  const wrong = refusedWhole(object, verb, inputs);
  if (wrong) return wrong;
  const traced = inputs.every(({ objectWriteTraceId }) => objectWriteTraceId !== undefined);
  const planned = inputs.map((input) => plan(object, verb, input));
  const [bad] = planned.filter(({ error }) => error !== undefined);
  if (bad && !traced) return refusal(400, String(bad.error?.["category"]), String(bad.error?.["message"]));
  const conflict = conflictOf(
    object,
    planned.filter(({ error }) => error === undefined),
  );
  if (conflict) return conflict;
  const results = planned.filter(({ error }) => error === undefined).map((one) => apply(object, verb, one, around));
  const errors = planned.flatMap(({ error }) => (error === undefined ? [] : [error]));
  return batchAnswer(results, errors, around.at(), around.version === "2026-03" ? 207 : 200);
}

function refusedWhole(object: ObjectStore, verb: Verb, inputs: readonly Input[]): SandboxResponse | null {
  if (verb === "create") return null;
  for (const { idProperty } of inputs) {
    if (idProperty === undefined && verb === "update") continue;
    if (idProperty !== undefined && object.isUnique(idProperty)) continue;
    return refusal(
      400,
      "VALIDATION_ERROR",
      `Unable to perform update/upsert by non-unique property ${idProperty ?? "hs_object_id"}`,
    );
  }
  const ids = inputs.map(({ id = "" }) => normal(id));
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice === undefined) return null;
  return refusal(400, "VALIDATION_ERROR", `Duplicate IDs found in batch input: [${twice}]. IDs must be unique`, {
    context: { ids: [twice] },
  });
}

function plan(object: ObjectStore, verb: Verb, input: Input): Planned {
  const { id = "", idProperty, objectWriteTraceId, properties } = input;
  const record = verb === "create" ? undefined : object.find(id, idProperty);
  const context = objectWriteTraceId === undefined ? {} : { objectWriteTraceId: [objectWriteTraceId] };
  if (verb === "update" && !record) {
    return {
      input,
      record,
      error: recordError("OBJECT_NOT_FOUND", "Could not update object: not found", { ...context, ids: [id] }),
    };
  }
  const identity = idProperty === undefined || verb === "create" ? {} : { [idProperty]: id };
  const invalid = object.invalidities({ ...identity, ...properties }, record);
  if (invalid.length === 0) return { input, record, error: undefined };
  return {
    input,
    record,
    error: recordError("VALIDATION_ERROR", `Property values were not valid: ${JSON.stringify(invalid)}`, context),
  };
}

/** One record that has another's unique value refuses the whole batch, trace ids or not, and only the first is named. */
function conflictOf(object: ObjectStore, planned: readonly Planned[]): SandboxResponse | null {
  const claimed = new Map<string, Planned>();
  for (const one of planned) {
    const found = object.conflict(one.input.properties, one.record);
    if (found) {
      const noun = object.name === "contacts" ? "Contact" : "Object";
      return refusal(409, "CONFLICT", `${noun} already exists. Existing ID: ${found.other.id}`, {
        errors: [{ message: `${found.property} is taken`, context: { propertyName: [found.property] } }],
      });
    }
    for (const [property, value] of Object.entries(one.input.properties)) {
      if (value === "" || !object.isUnique(property)) continue;
      const key = `${property} ${normal(value)}`;
      const other = claimed.get(key);
      if (other)
        return refusal(409, "CONFLICT", `Two inputs have the same ${property}`, {
          errors: [{ message: `${property} is taken`, context: { propertyName: [property] } }],
        });
      claimed.set(key, one);
    }
  }
  return null;
}

function apply(
  object: ObjectStore,
  verb: Verb,
  { input, record }: Planned,
  around: Surroundings,
): Readonly<Record<string, unknown>> {
  const { id = "", idProperty, objectWriteTraceId, properties } = input;
  const at = around.at();
  const identity = idProperty === undefined || record ? {} : { [idProperty]: id };
  if (record) object.update(record, properties, at);
  const written = record ?? object.create(around.newId(), { ...identity, ...properties }, at);
  const shown = toResult(written, [...Object.keys(properties), ...(idProperty === undefined ? [] : [idProperty])]);
  return {
    ...shown,
    ...(verb === "upsert" ? { new: record === undefined } : {}),
    ...(objectWriteTraceId === undefined ? {} : { objectWriteTraceId }),
  };
}

function archive(object: ObjectStore, inputs: readonly { id: string }[], around: Surroundings): SandboxResponse {
  const ids = inputs.map(({ id }) => id);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined)
    return refusal(400, "VALIDATION_ERROR", `Duplicate IDs found in batch input: [${twice}]. IDs must be unique`, {
      context: { ids: [twice] },
    });
  for (const id of ids) {
    const record = object.records.get(id);
    if (!record) continue;
    object.remove(record);
    around.onArchived(object, id);
  }
  return { status: 204 };
}

function read(
  object: ObjectStore,
  { inputs, idProperty, properties }: z.output<typeof readSchema>,
  around: Surroundings,
): SandboxResponse {
  if (idProperty !== undefined && !object.isUnique(idProperty)) {
    return refusal(400, "VALIDATION_ERROR", `Unable to read by non-unique property ${idProperty}`);
  }
  const found = new Map(
    inputs.flatMap(({ id }) => object.find(id, idProperty) ?? []).map((record) => [record.id, record]),
  );
  const missing = inputs.filter(({ id }) => !object.find(id, idProperty)).map(({ id }) => id);
  const errors =
    missing.length === 0
      ? []
      : [
          recordError("OBJECT_NOT_FOUND", "Could not get some objects, they may be deleted or not exist.", {
            ids: missing,
          }),
        ];
  return batchAnswer(
    [...found.values()].map((record) => toResult(record, properties)),
    errors,
    around.at(),
    around.version === "2026-03" ? 207 : 200,
  );
}

export function toResult(record: SandboxRecord, properties: readonly string[]): Readonly<Record<string, unknown>> {
  const names = ["hs_object_id", "createdate", "lastmodifieddate", ...properties];
  const shown = Object.fromEntries(
    names.flatMap((name) => (record.properties[name] === undefined ? [] : [[name, record.properties[name]]])),
  );
  return {
    id: record.id,
    properties: shown,
    createdAt: record.createdAt,
    updatedAt: record.updatedAt,
    archived: false,
  };
}
