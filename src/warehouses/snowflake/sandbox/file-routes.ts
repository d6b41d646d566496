/** Chunks of results, and the files of stages: addresses that want a key of their own, and no session. */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { SnowflakeFailure } from "./failure.ts";
import type { Served } from "./served.ts";
import { bucket } from "./stage-statements.ts";
import { struck } from "./strikes.ts";

const inflate = promisify(gunzip);

/** Serves chunks of results and the files of stages. */
export function fileRoutes(server: FastifyInstance, served: Served): void {
  server.get<{ Params: { id: string; index: string } }>("/_chunks/:id/:index", async (request, reply) => {
    if (await struck(request, reply, "chunk", served)) return reply;
    const chunk = served.queries.byId(request.params.id).chunk(Number(request.params.index));
    if (chunk === undefined || request.headers["x-sandbox-key"] !== served.chunkKey)
      return await reply.code(403).send();
    if (!/\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) return await inflate(chunk.gzipped);
    return await reply.header("content-encoding", "gzip").type("application/octet-stream").send(chunk.gzipped);
  });
  server.put<{ Params: { "*": string } }>(
    `/${bucket}/*`,
    { bodyLimit: Number.MAX_SAFE_INTEGER },
    async (request, reply) => {
      if (await struck(request, reply, "stage", served)) return reply;
      const file = stagedFile(request, served);
      await mkdir(dirname(file), { recursive: true });
      await pipeline(request.raw, createWriteStream(file));
      return await reply.code(200).send();
    },
  );
  server.get<{ Params: { "*": string } }>(`/${bucket}/*`, async (request, reply) => {
    if (await struck(request, reply, "stage", served)) return reply;
    const file = stagedFile(request, served);
    const found = await stat(file).catch(() => null);
    if (found === null) return await reply.code(404).send();
    void reply.header("content-length", found.size).type("application/octet-stream");
    return await reply.send(createReadStream(file));
  });
}

/** The file that a request is for; never one outside of the stages. */
function stagedFile(request: FastifyRequest<{ Params: { "*": string } }>, { stages, storageToken }: Served): string {
  if (request.headers.authorization !== `Bearer ${storageToken}`)
    throw new SnowflakeFailure("403", "08001", "Forbidden");
  const path = request.params["*"];
  if (path.split("/").includes("..")) throw new SnowflakeFailure("403", "08001", "Forbidden");
  return join(stages.root, path);
}
