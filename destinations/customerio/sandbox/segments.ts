/** Segments, and the requests that put people on manual ones. */
import { z } from "zod";
import type { SandboxRequest, SandboxResponse } from "../../../src/sandbox.ts";
import { metaRefusal, taken } from "./answers.ts";
import type { Values, Workspace } from "./workspace.ts";

export const segmentSeed = z.object({
  name: z.string(),
  type: z.enum(["manual", "dynamic"]).default("manual"),
});

interface Segment {
  readonly id: number;
  readonly name: string;
  readonly type: "manual" | "dynamic";
  /** `cio_id`s. */
  readonly members: Set<string>;
}

export class Segments {
  readonly #segments = new Map<number, Segment>();
  readonly #now: () => number;

  constructor(seeds: readonly z.output<typeof segmentSeed>[], now: () => number) {
    this.#now = now;
    for (const { name, type } of seeds) this.#add(name, type);
  }

  create(name: string): Values {
    return this.#shown(this.#add(name, "manual"));
  }

  list(): readonly Values[] {
    return [...this.#segments.values()].map((segment) => this.#shown(segment));
  }

  find(id: number): Segment | undefined {
    return this.#segments.get(id);
  }

  contents(): Values {
    return Object.fromEntries(
      [...this.#segments].map(([id, { name, members }]) => [String(id), { name, members: [...members] }]),
    );
  }

  #add(name: string, type: Segment["type"]): Segment {
    const segment: Segment = { id: this.#segments.size + 1, name, type, members: new Set() };
    this.#segments.set(segment.id, segment);
    return segment;
  }

  #shown({ id, name, type }: Segment): Values {
    const at = Math.floor(this.#now() / 1000);
    const times = { created_at: at, updated_at: at, deduplicate_id: `${id}:${at}` };
    return { id, name, description: "", type, state: "finished", progress: null, tags: null, ...times };
  }
}

const idsSchema = z.object({ ids: z.array(z.string()).min(1).max(1000) });

/** Who is not known is ignored, and people are taken off by their `id` only. */
export function handleSegmentChange(
  { body, query }: SandboxRequest,
  { id, verb, segments, workspace }: { id: number; verb: string; segments: Segments; workspace: Workspace },
): SandboxResponse {
  const segment = segments.find(id);
  if (!segment) return metaRefusal(404, "segment not found");
  if (segment.type !== "manual") return metaRefusal(400, "segment is not a manual segment");
  const parsed = idsSchema.safeParse(body);
  if (!parsed.success) return metaRefusal(400, "ids must be a list of 1 to 1000 texts");
  const idType = query["id_type"] ?? "id";
  if (!["id", "email", "cio_id"].includes(idType)) return metaRefusal(400, "invalid id_type");
  for (const value of parsed.data.ids) {
    const person = workspace.find({ [idType]: value });
    if (!person) continue;
    if (verb === "add") segment.members.add(person.cio_id);
    else if (idType === "id") segment.members.delete(person.cio_id);
  }
  return taken;
}
