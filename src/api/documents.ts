/** `/v1/{sources,models,segments,destinations,syncs,triggers,notifications}/{name}`: the documents one by one, and their history. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { kinds, schemas } from "../documents/documents.ts";
import type { DocumentOperations } from "../operations/operations.ts";
import { documentVersionSchema, documentViewSchema, type DocumentView, listOf, pageOf } from "../operations/schemas.ts";
import { changeHeaders, changeQuery, optionsOf } from "./change.ts";
import { type Api, needs, needsDocument } from "./route.ts";
import { text } from "./text.ts";

const named = z.object({ name: text });
const restoreBody = z.strictObject({ version: z.int().min(1) });
const listQuery = z.strictObject({
  kind: z.enum(kinds),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: text.max(200).optional().meta({ description: "The name that the page before ended with." }),
});

export function documentRoutes(api: Api, documents: DocumentOperations): void {
  api.get(
    "/v1/documents",
    needs("read", {
      summary: "The documents of a kind, by name",
      querystring: listQuery,
      answers: { 200: pageOf(documentViewSchema) },
    }),
    async (request) => {
      const { kind, limit, cursor = "" } = request.query;
      const after = (await documents.list(kind)).filter(({ name }) => name > cursor);
      const data = after.slice(0, limit);
      return { data, next_cursor: after.length > limit ? (data.at(-1)?.name ?? null) : null };
    },
  );
  for (const kind of kinds) documentRoutesOf(kind, api, documents);
}

function documentRoutesOf(kind: (typeof kinds)[number], api: Api, documents: DocumentOperations): void {
  const path = `/v1/${kind}s/:name`;
  const asked = { params: named, querystring: changeQuery, headers: changeHeaders };
  const view = { 200: documentViewSchema };
  const all: z.ZodObject = schemas[kind];
  const whole = all.omit({ kind: true, name: true });

  api.get(path, needs("read", { summary: `A ${kind}`, params: named, answers: view }), async (request, reply) =>
    answer(reply, await documents.get(kind, request.params.name)),
  );

  const put = {
    summary: `Make or replace a ${kind}`,
    ...asked,

    answers: { ...view, 201: documentViewSchema },
  };
  api.put(path, needsDocument("write", put, whole), async (request, reply) => {
    const changed = await documents.put(kind, request.params.name, request.body, optionsOf(request));
    return answer(note(request, reply, changed), changed);
  });

  const patch = {
    summary: `Change a part of a ${kind}`,
    description: "A JSON merge patch (RFC 7396): null deletes, a map is merged, anything else replaces.",
    ...asked,
    answers: view,
  };
  api.patch(path, needsDocument("write", patch, z.record(z.string(), z.unknown())), async (request, reply) => {
    const changed = await documents.patch(kind, request.params.name, request.body, optionsOf(request));
    return answer(note(request, reply, changed), changed);
  });

  api.delete(
    path,
    needs("write", { summary: `Delete a ${kind} that nothing needs`, ...asked, answers: { 204: null } }),
    async (request, reply) => {
      await documents.delete(kind, request.params.name, optionsOf(request));
      return reply.code(204).send();
    },
  );

  const versions = { 200: listOf(documentVersionSchema) };
  api.get(
    `${path}/versions`,
    needs("read", { summary: `All that a ${kind} ever was, newest first`, params: named, answers: versions }),
    async (request) => ({ data: await documents.versions(kind, request.params.name) }),
  );

  api.post(
    `${path}/restore`,
    needs("write", { summary: `Make a ${kind} what it was`, ...asked, body: restoreBody, answers: view }),
    async (request, reply) => {
      const { version } = request.body;
      const changed = await documents.restore(kind, request.params.name, version, optionsOf(request));
      return answer(note(request, reply, changed), changed);
    },
  );
}

function answer(reply: FastifyReply, view: DocumentView): FastifyReply {
  return reply.header("etag", `"${view.version}"`).send(view);
}

/** One that is at its first version was not there before. */
function note(request: FastifyRequest, reply: FastifyReply, { version }: DocumentView): FastifyReply {
  request.noted = { version };
  return reply.code(version === 1 && request.method === "PUT" ? 201 : 200);
}
