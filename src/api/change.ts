/** What every route takes that changes a document: for which version, and for whom. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { UsageError } from "../errors.ts";
import type { ChangeOptions } from "../operations/operations.ts";
import { authorOf } from "./access.ts";

export const changeQuery = z.strictObject({
  override: z
    .enum(["true", "false"])
    .default("false")
    .meta({ description: "Also if the document is kept in files, which then differ from it." }),
});
export const changeHeaders = z.looseObject({
  "if-match": z.string().optional().meta({ description: "The ETag of the version that the change is meant for." }),
  "if-none-match": z.string().optional().meta({ description: "`*`: only if there is none yet." }),
});
/** Who changes, and what they may overwrite. */
export function optionsOf(request: FastifyRequest<{ Querystring: z.output<typeof changeQuery> }>): ChangeOptions {
  return {
    author: authorOf(request),
    scope: request.identity?.scope,
    override: request.query.override === "true",
    ifVersion: versionOf(request.headers),
  };
}

/** The version that a change is meant for: `If-Match: "3"`, or `If-None-Match: *` for what must not be there yet. */
function versionOf(headers: FastifyRequest["headers"]): number | undefined {
  const { "if-match": match, "if-none-match": none } = headers;
  if (none === "*") return 0;
  if (match === undefined || match === "*") return undefined;
  const found = /^"(\d{1,15})"$/.exec(match);
  if (found !== null) return Number(found[1]);
  throw new UsageError("etag_wrong", "If-Match is not an ETag of this API.", {
    hint: 'Send what the ETag header of the document said, such as "3".',
  });
}
