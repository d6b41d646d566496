/**
 * An in-house service with collections of records: one request a record in REST's usual form, one request a batch with a
 * result for each record. A record may be named by its key or by the service's own id.
 */
import { z } from "zod";
import type { SandboxRequest, SandboxResponse } from "../../../src/sandbox.ts";
import type { Collection, Mode, Refusal, Values, Written } from "./collection.ts";

const values = z.record(z.string(), z.unknown());
const batchSchema = z.object({
  mode: z.enum(["upsert", "update", "insert", "delete"]),
  records: z.array(z.looseObject({ id: z.string().nullish(), values: values.default({}) })).max(1000),
});

const statusOf: Readonly<Record<Refusal["code"], number>> = { invalid: 422, not_found: 404, conflict: 409 };

export class Service {
  readonly #collections: ReadonlyMap<string, Collection>;
  readonly #answered = new Map<string, SandboxResponse>();

  constructor(collections: ReadonlyMap<string, Collection>) {
    this.#collections = collections;
  }

  /** A request with an idempotency key that was seen before gets the answer that it got then. */
  handle(request: SandboxRequest): SandboxResponse {
    const key = request.headers["idempotency-key"];
    const known = key === undefined ? undefined : this.#answered.get(key);
    if (known) return known;
    const response = this.#route(request);
    if (key !== undefined && response.status < 300) this.#answered.set(key, response);
    return response;
  }

  #route({ method, path, body }: SandboxRequest): SandboxResponse {
    const [, name = "", ...rest] = path.split("/");
    if (method === "GET" && name === "me") return { status: 200, body: { name: "The sandbox's own service" } };
    const collection = this.#collections.get(name);
    if (!collection || rest.length > collection.key.length) return noRoute;
    if (method === "POST" && rest[0] === "batch") return writeBatch(collection, body);
    const given = values.safeParse(body ?? {});
    if (!given.success) return refusal({ code: "invalid", message: "The body is no JSON object." });
    if (method === "POST" && rest.length === 0) return single(collection.write("insert", given.data));
    if (rest.length !== collection.key.length) return noRoute;
    const key = Object.fromEntries(collection.key.map((field, at) => [field, decoded(rest[at] ?? "")]));
    return writeOne(collection, { method, key, given: given.data });
  }
}

/** What the server's decoding of a whole path leaves encoded: the characters that have a meaning in it. */
function decoded(segment: string): string {
  return segment.replaceAll(/%(?:2[346BCF]|3[ABDF]|40)/gi, decodeURIComponent);
}

function writeOne(
  collection: Collection,
  { method, key, given }: { readonly method: string; readonly key: Values; readonly given: Values },
): SandboxResponse {
  switch (method) {
    case "PUT":
      return single(collection.write("upsert", { ...given, ...key }));
    case "PATCH":
      return single(collection.write("update", { ...given, ...key }));
    case "DELETE":
      return collection.remove(key)
        ? { status: 204 }
        : refusal({ code: "not_found", message: "There is no such record." });
    default:
      return noRoute;
  }
}

function single(written: Written): SandboxResponse {
  if ("refusal" in written) return refusal(written.refusal);
  return { status: 200, body: { ok: true, id: written.id, record: written.values } };
}

function writeBatch(collection: Collection, body: unknown): SandboxResponse {
  const batch = batchSchema.safeParse(body);
  if (!batch.success) return refusal({ code: "invalid", message: z.prettifyError(batch.error) });
  const { mode, records } = batch.data;
  const results = records.map(({ id, values: given, ...named }) => {
    const key = Object.fromEntries(collection.key.map((field) => [field, named[field]]));
    return { ...key, ...resultOf(collection, mode, { ...given, ...key }, id ?? undefined) };
  });
  return { status: 200, body: { results } };
}

function resultOf(collection: Collection, mode: Mode | "delete", given: Values, id: string | undefined): Values {
  if (mode === "delete") return { status: collection.remove(given, id) ? "deleted" : "gone" };
  const written = collection.write(mode, given, id);
  return "refusal" in written ? { status: "failed", error: written.refusal } : { status: "ok", id: written.id };
}

function refusal(error: Refusal): SandboxResponse {
  return { status: statusOf[error.code], body: { ok: false, error } };
}

const noRoute: SandboxResponse = {
  status: 404,
  body: { ok: false, error: { code: "no_route", message: "The service has no such address." } },
};
