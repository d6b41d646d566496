/** `/v1/{sources,models,segments,destinations,syncs,triggers}/{name}`: the documents one by one, and their history. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { isKind, kinds } from "../documents/documents.ts";
import { UsageError } from "../errors.ts";
import type { ChangeOptions, DocumentOperations, DocumentView } from "../operations/operations.ts";
import { authorOf, needs } from "./access.ts";
import { text } from "./text.ts";

const named = z.object({ name: text });
const changeQuery = z.strictObject({ override: z.enum(["true", "false"]).default("false") });
const restoreBody = z.strictObject({ version: z.int().min(1) });
const listQuery = z.strictObject({
  kind: z.string().refine(isKind, `one of ${kinds.join(", ")}`),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  /** The name that the page before ended with. */
  cursor: text.max(200).optional(),
});

export function documentRoutes(api: FastifyInstance, documents: DocumentOperations): void {
  api.get("/v1/documents", needs("read"), async (request) => {
    const { kind, limit, cursor = "" } = listQuery.parse(request.query);
    const after = (await documents.list(kind)).filter(({ name }) => name > cursor);
    const data = after.slice(0, limit);
    return { data, next_cursor: after.length > limit ? (data.at(-1)?.name ?? null) : null };
  });

  for (const kind of kinds) {
    const path = `/v1/${kind}s/:name`;
    const nameOf = (request: FastifyRequest): string => named.parse(request.params).name;

    api.get(path, needs("read"), async (request, reply) => answer(reply, await documents.get(kind, nameOf(request))));

    api.put(path, needs("write"), async (request, reply) => {
      const changed = await documents.put(kind, nameOf(request), request.body, optionsOf(request));
      return answer(note(request, reply, changed), changed);
    });

    api.patch(path, needs("write"), async (request, reply) => {
      const changed = await documents.patch(kind, nameOf(request), request.body, optionsOf(request));
      return answer(note(request, reply, changed), changed);
    });

    api.delete(path, needs("write"), async (request, reply) => {
      await documents.delete(kind, nameOf(request), optionsOf(request));
      return reply.code(204).send();
    });

    api.get(`${path}/versions`, needs("read"), async (request) => ({
      data: await documents.versions(kind, nameOf(request)),
    }));

    api.post(`${path}/restore`, needs("write"), async (request, reply) => {
      const { version } = restoreBody.parse(request.body);
      const changed = await documents.restore(kind, nameOf(request), version, optionsOf(request));
      return answer(note(request, reply, changed), changed);
    });
  }
}

function answer(reply: FastifyReply, view: DocumentView): FastifyReply {
  return reply.header("etag", `"${view.version}"`).send(view);
}

/** One that is at its first version was not there before. */
function note(request: FastifyRequest, reply: FastifyReply, { version }: DocumentView): FastifyReply {
  request.noted = { version };
  return reply.code(version === 1 && request.method === "PUT" ? 201 : 200);
}

function optionsOf(request: FastifyRequest): ChangeOptions {
  const { override } = changeQuery.parse(request.query);
  return { author: authorOf(request), override: override === "true", ifVersion: versionOf(request) };
}

/** The version that a change is meant for: `If-Match: "3"`, or `If-None-Match: *` for what must not be there yet. */
function versionOf({ headers }: FastifyRequest): number | undefined {
  const { "if-match": match, "if-none-match": none } = headers;
  if (none === "*") return 0;
  if (match === undefined || match === "*") return undefined;
  const found = /^"(\d{1,15})"$/.exec(match);
  if (found !== null) return Number(found[1]);
  throw new UsageError("etag_wrong", "If-Match is not an ETag of this API.", {
    hint: 'Send what the ETag header of the document said, such as "3".',
  });
}
