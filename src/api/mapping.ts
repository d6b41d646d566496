/** `/v1/syncs/{name}/mapping`: match and fields of a sync by themselves, and their history. */
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { syncSchema } from "../documents/sync.ts";
import type { MappingOperations } from "../operations/operations.ts";
import { documentVersionSchema, listOf, mappingSchema, type MappingView } from "../operations/schemas.ts";
import { changeHeaders, changeQuery, optionsOf } from "./change.ts";
import { type Api, needs, needsDocument } from "./route.ts";
import { text } from "./text.ts";

const named = z.object({ name: text });
const mappingBody = z.strictObject({ match: z.unknown(), fields: z.unknown() });
const restoreBody = z.strictObject({ version: z.int().min(1) });

export function mappingRoutes(api: Api, mappings: MappingOperations): void {
  const path = "/v1/syncs/:name/mapping";
  const asked = { params: named, querystring: changeQuery, headers: changeHeaders };
  const view = { 200: mappingSchema };

  api.get(path, needs("read", { summary: "A sync's mapping", params: named, answers: view }), async (request, reply) =>
    answer(reply, await mappings.get(request.params.name)),
  );

  const put = {
    summary: "Replace a sync's mapping",
    description: "The rest of the sync stays.",
    ...asked,
    answers: view,
  };
  const shown = syncSchema.pick({ match: true, fields: true });
  api.put(path, needsDocument("write", put, shown), async (request, reply) => {
    const { match, fields } = mappingBody.parse(request.body);
    return answer(reply, await mappings.put(request.params.name, { match, fields }, optionsOf(request)));
  });

  const versions = { 200: listOf(documentVersionSchema) };
  api.get(
    `${path}/versions`,
    needs("read", { summary: "The changes of a sync's mapping, newest first", params: named, answers: versions }),
    async (request) => ({ data: await mappings.versions(request.params.name) }),
  );

  api.post(
    `${path}/restore`,
    needs("write", { summary: "Make a sync's mapping what it was", ...asked, body: restoreBody, answers: view }),
    async (request, reply) =>
      answer(reply, await mappings.restore(request.params.name, request.body.version, optionsOf(request))),
  );
}

function answer(reply: FastifyReply, view: MappingView): FastifyReply {
  return reply.header("etag", `"${view.version}"`).send(view);
}
