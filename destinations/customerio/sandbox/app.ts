/** The App API: object types, segments, and the search for people. */
import { z } from "zod";
import type { SandboxRequest, SandboxResponse } from "../../../src/sandbox.ts";
import { appRefusal } from "./answers.ts";
import type { Segments } from "./segments.ts";
import type { Person, Workspace } from "./workspace.ts";

interface Surroundings {
  readonly workspace: Workspace;
  readonly segments: Segments;
}

/** Answers a request below `/v1`. */
export function handleApp(request: SandboxRequest, { workspace, segments }: Surroundings): SandboxResponse {
  switch (`${request.method} ${request.path}`) {
    case "GET /v1/object_types":
      return { status: 200, body: { types: workspace.types.map((type) => ({ ...type, id: String(type.id) })) } };
    case "GET /v1/segments":
      return { status: 200, body: { segments: segments.list() } };
    case "POST /v1/segments":
      return createSegment(request, segments);
    case "POST /v1/customers":
      return search(request, workspace);
    default:
      return appRefusal(404, "not found");
  }
}

const segmentSchema = z.object({ segment: z.object({ name: z.string().min(1), description: z.string().optional() }) });

function createSegment({ body }: SandboxRequest, segments: Segments): SandboxResponse {
  const parsed = segmentSchema.safeParse(body);
  if (!parsed.success) return appRefusal(400, "bad request");
  return { status: 200, body: { segment: segments.create(parsed.data.segment.name) } };
}

const conditionSchema = z.object({
  attribute: z.object({ field: z.string(), operator: z.literal("eq"), value: z.string() }),
});
const filterSchema = z.object({ filter: z.object({ or: z.array(conditionSchema).min(1) }) });

function search({ body, query }: SandboxRequest, workspace: Workspace): SandboxResponse {
  const parsed = filterSchema.safeParse(body);
  if (!parsed.success) return appRefusal(400, "bad request");
  const wanted = parsed.data.filter.or.map(({ attribute }) => attribute);
  const limit = Math.min(Number(query["limit"] ?? 50), 1000);
  const found = workspace.people.filter((person) =>
    wanted.some(({ field, value }) => textOf(person, field).toLowerCase() === value.toLowerCase()),
  );
  const identifiers = found.slice(0, limit).map((person) => ({
    email: textOf(person, "email") || null,
    id: textOf(person, "id"),
    cio_id: person.cio_id,
  }));
  return { status: 200, body: { identifiers, ids: identifiers.map(({ id }) => id), next: "" } };
}

function textOf({ cio_id, attributes }: Person, field: string): string {
  const value = field === "cio_id" ? cio_id : attributes[field];
  return typeof value === "string" ? value : "";
}
