/** `/crm/lists/{version}`: static lists and their members. */
import { z } from "zod";
import type { SandboxRequest, SandboxResponse } from "../../../src/sandbox.ts";
import { refusal } from "./answers.ts";
import type { ObjectStore } from "./objects.ts";

interface List {
  readonly listId: string;
  readonly name: string;
  readonly objectTypeId: string;
  readonly processingType: string;
  readonly createdAt: string;
  /** Record id → when it joined. */
  readonly members: Map<string, string>;
}

const createSchema = z.object({
  name: z.string().min(1),
  objectTypeId: z.string(),
  processingType: z.enum(["MANUAL", "DYNAMIC", "SNAPSHOT"]),
});
const changeSchema = z.object({ recordIdsToAdd: z.array(z.string()), recordIdsToRemove: z.array(z.string()) });
const lookSchema = z.object({ inputs: z.array(z.object({ objectTypeId: z.string(), recordId: z.string() })) });

export class Lists {
  readonly #lists = new Map<string, List>();
  readonly #objects: ReadonlyMap<string, ObjectStore>;
  readonly #at: () => string;

  constructor(objects: ReadonlyMap<string, ObjectStore>, at: () => string) {
    this.#objects = objects;
    this.#at = at;
  }

  contents(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(
      [...this.#lists.values()].map(({ listId, name, members }) => [listId, { name, members: [...members.keys()] }]),
    );
  }

  /** An archived record is on no list. */
  forget(object: ObjectStore, id: string): void {
    for (const list of this.#lists.values()) if (list.objectTypeId === object.objectTypeId) list.members.delete(id);
  }

  /** `path` is what follows `/crm/lists/{version}`. */
  handle({ method, query, body }: SandboxRequest, path: readonly string[]): SandboxResponse | null {
    const [first = "", second, third, fourth] = path;
    const route = `${method} ${path.length}`;
    if (route === "POST 0") return this.#create(body);
    if (route === "GET 4" && first === "object-type-id" && third === "name")
      // The server leaves reserved characters of a path encoded.
      return this.#byName(second ?? "", (fourth ?? "").replaceAll(/%(2[3-6BCF]|3[ABDF]|40)/gi, decodeURIComponent));
    if (method === "POST" && path.join("/") === "records/memberships/batch/read") return this.#memberships(body);
    const list = this.#lists.get(first);
    if (!list) return path.length > 0 ? refusal(404, "OBJECT_NOT_FOUND", `List ${first} does not exist`) : null;
    if (route === "GET 1") return { status: 200, body: { list: shown(list) } };
    if (route === "DELETE 1") {
      this.#lists.delete(first);
      return { status: 204 };
    }
    if (route === "GET 2" && second === "memberships") return members(list, query);
    if (route === "PUT 3" && second === "memberships" && third === "add-and-remove") return this.#change(list, body);
    return null;
  }

  #create(body: unknown): SandboxResponse {
    const parsed = createSchema.safeParse(body);
    if (!parsed.success) return refusal(400, "VALIDATION_ERROR", z.prettifyError(parsed.error));
    const { name, objectTypeId, processingType } = parsed.data;
    if (this.#find(objectTypeId, name))
      return refusal(400, "VALIDATION_ERROR", `A list named "${name}" exists already`, {
        subCategory: "ILS.DUPLICATE_LIST_NAMES",
      });
    const list: List = {
      listId: String(this.#lists.size + 1),
      name,
      objectTypeId,
      processingType,
      createdAt: this.#at(),
      members: new Map(),
    };
    this.#lists.set(list.listId, list);
    return { status: 200, body: { list: shown(list) } };
  }

  #byName(objectTypeId: string, name: string): SandboxResponse {
    const list = this.#find(objectTypeId, name);
    return list
      ? { status: 200, body: { list: shown(list) } }
      : refusal(404, "OBJECT_NOT_FOUND", `There is no list named "${name}"`);
  }

  #find(objectTypeId: string, name: string): List | undefined {
    return [...this.#lists.values()].find(
      (list) => list.objectTypeId === objectTypeId && list.name.toLowerCase() === name.toLowerCase(),
    );
  }

  /** Members already, and records that were not on the list, are mentioned nowhere in the answer. */
  #change(list: List, body: unknown): SandboxResponse {
    const parsed = changeSchema.safeParse(body);
    if (!parsed.success) return refusal(400, "VALIDATION_ERROR", z.prettifyError(parsed.error));
    if (list.processingType === "DYNAMIC")
      return refusal(400, "VALIDATION_ERROR", "Memberships of a DYNAMIC list cannot be changed", {
        subCategory: "ILS.INVALID_LIST_PROCESSING_TYPE",
      });
    const { recordIdsToAdd, recordIdsToRemove } = parsed.data;
    const exists = (id: string): boolean => this.#objectOf(list)?.records.has(id) === true;
    const added = recordIdsToAdd.filter((id) => exists(id) && !list.members.has(id));
    const removed = recordIdsToRemove.filter((id) => list.members.has(id));
    for (const id of added) list.members.set(id, this.#at());
    for (const id of removed) list.members.delete(id);
    const missing = [...recordIdsToAdd, ...recordIdsToRemove].filter((id) => !exists(id));
    return { status: 200, body: { recordsIdsAdded: added, recordIdsRemoved: removed, recordIdsMissing: missing } };
  }

  #objectOf(list: List): ObjectStore | undefined {
    return [...this.#objects.values()].find(({ objectTypeId }) => objectTypeId === list.objectTypeId);
  }

  #memberships(body: unknown): SandboxResponse {
    const parsed = lookSchema.safeParse(body);
    if (!parsed.success) return refusal(400, "VALIDATION_ERROR", z.prettifyError(parsed.error));
    const at = this.#at();
    const results = parsed.data.inputs.map(({ objectTypeId, recordId }) => {
      const on = [...this.#lists.values()].filter(
        (list) => list.objectTypeId === objectTypeId && list.members.has(recordId),
      );
      const recordListMemberships = on.map((list) => ({
        listId: list.listId,
        listVersion: 1,
        firstAddedTimestamp: list.members.get(recordId),
        lastAddedTimestamp: list.members.get(recordId),
      }));
      return { objectTypeId, recordId, recordListMemberships };
    });
    return { status: 200, body: { status: "COMPLETE", results, startedAt: at, completedAt: at } };
  }
}

function shown({
  listId,
  name,
  objectTypeId,
  processingType,
  createdAt,
  members: { size },
}: List): Readonly<Record<string, unknown>> {
  return {
    listId,
    name,
    objectTypeId,
    processingType,
    processingStatus: "COMPLETE",
    listVersion: 1,
    size,
    createdAt,
    updatedAt: createdAt,
  };
}

function members(list: List, query: Readonly<Record<string, string>>): SandboxResponse {
  const limit = Math.min(Number(query["limit"] ?? 100), 250);
  const from = Number(query["after"] ?? 0);
  const all = [...list.members].map(([recordId, membershipTimestamp]) => ({ recordId, membershipTimestamp }));
  const page = all.slice(from, from + limit);
  const after = from + limit;
  return {
    status: 200,
    body: {
      results: page,
      total: all.length,
      ...(after < all.length ? { paging: { next: { after: String(after) } } } : {}),
    },
  };
}
