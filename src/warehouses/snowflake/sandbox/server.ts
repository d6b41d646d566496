/** The routes that the driver uses. */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { gunzip } from "node:zlib";
import { promisify } from "node:util";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { answered, type Body, failed, finalPlace, inProgress, parameters, success } from "./answers.ts";
import { bindingsSchema } from "./binds.ts";
import { failureOf, SnowflakeFailure, unknownToSandbox } from "./failure.ts";
import type { Faults, RequestKind } from "./faults.ts";
import type { Queries, Query } from "./queries.ts";
import { setParameter } from "./session-statements.ts";
import type { Session } from "./session.ts";
import { expired, masterTokenSeconds, type Sessions, type Tokens } from "./sessions.ts";
import { bucket } from "./stage-statements.ts";
import type { Stages } from "./stages.ts";
import { authenticate, loginSchema, type SandboxUser } from "./users.ts";

export interface Served {
  readonly sessions: Sessions;
  readonly queries: Queries;
  readonly faults: Faults;
  readonly stages: Stages;
  readonly users: readonly SandboxUser[] | undefined;
  readonly tokenSeconds: number;
  /** So long a statement may keep its client waiting before it is told to ask again. */
  readonly answerSeconds: number;
  readonly storageToken: string;
  readonly chunkKey: string;
  /** Where the server listens. */
  url(): string;
}

const inflate = promisify(gunzip);

const querySchema = z.object({
  sqlText: z.string(),
  asyncExec: z.boolean().default(false),
  describeOnly: z.boolean().default(false),
  parameters: z.record(z.string(), z.unknown()).default({}),
  bindings: bindingsSchema.default({}),
  bindStage: z.string().nullish(),
});

const abortSchema = z.object({ requestId: z.string() });

export function driverRoutes(server: FastifyInstance, served: Served): void {
  sessionRoutes(server, served);
  queryRoutes(server, served);
  fileRoutes(server, served);
  server.post("/telemetry/send", () => success(null));
  server.setErrorHandler((error, _request, reply) => {
    const failure = error instanceof z.ZodError ? unknownToSandbox(z.prettifyError(error)) : failureOf(error);
    // The driver takes this one for an invalid token only with this status.
    return reply.code(failure.code === "390104" ? 401 : 200).send(failed(failure));
  });
}

function sessionRoutes(server: FastifyInstance, served: Served): void {
  const { sessions, users, tokenSeconds } = served;
  const tokenData = ({ token, masterToken }: Tokens, session: Session): Body => ({
    token,
    masterToken,
    sessionToken: token,
    validityInSeconds: tokenSeconds,
    validityInSecondsST: tokenSeconds,
    masterValidityInSeconds: masterTokenSeconds,
    validityInSecondsMT: masterTokenSeconds,
    sessionId: session.id,
  });
  server.post("/session/v1/login-request", async (request, reply) => {
    if (await struck(request, reply, "login", served)) return reply;
    const { data } = loginSchema.parse(inJson(request.body));
    const user = authenticate(data, users, new Date());
    const asked = placeSchema.parse(request.query);
    const { session, tokens } = await sessions.open(user.name.toUpperCase(), {
      role: (asked.roleName ?? user.role ?? "PUBLIC").toUpperCase(),
      warehouse: asked.warehouse?.toUpperCase() ?? null,
      database: (asked.databaseName ?? "SANDBOX").toUpperCase(),
      schema: (asked.schemaName ?? "PUBLIC").toUpperCase(),
    });
    const tag = data.SESSION_PARAMETERS["QUERY_TAG"];
    if (typeof tag === "string") setParameter(session, "QUERY_TAG", tag);
    const { finalDatabaseName: databaseName, finalSchemaName: schemaName } = finalPlace(session);
    const sessionInfo = {
      databaseName,
      schemaName,
      warehouseName: session.place.warehouse,
      roleName: session.place.role,
    };
    return success({
      ...tokenData(tokens, session),
      parameters: parameters(session),
      sessionInfo,
      displayUserName: user.name,
    });
  });
  server.post("/session/token-request", async (request, reply) => {
    if (await struck(request, reply, "renew", served)) return reply;
    const { session, tokens } = sessions.renew(request.headers.authorization);
    return success(tokenData(tokens, session));
  });
  server.post("/session/heartbeat", (request) => {
    sessions.find(request.headers.authorization);
    return success(null);
  });
  server.post("/session", async (request) => {
    const session = sessions.find(request.headers.authorization);
    served.queries.abortAll(session);
    await sessions.close(session);
    return success(null);
  });
}

const placeSchema = z.object({
  warehouse: z.string().optional(),
  databaseName: z.string().optional(),
  schemaName: z.string().optional(),
  roleName: z.string().optional(),
});

function queryRoutes(server: FastifyInstance, served: Served): void {
  const { sessions, queries } = served;
  server.post("/queries/v1/query-request", async (request, reply) => await submit(request, reply, served));
  server.get<{ Params: { id: string } }>("/queries/:id/result", async (request, reply) => {
    if (await struck(request, reply, "result", served)) return reply;
    sessions.find(request.headers.authorization);
    return await answerOf(queries.byId(request.params.id), served);
  });
  server.get<{ Params: { id: string } }>("/monitoring/queries/:id", async (request, reply) => {
    if (await struck(request, reply, "monitor", served)) return reply;
    sessions.find(request.headers.authorization);
    return success({ queries: [monitored(queries.byId(request.params.id))] });
  });
  server.post<{ Params: { id: string } }>("/queries/:id/abort-request", async (request, reply) => {
    if (await struck(request, reply, "abort", served)) return reply;
    sessions.find(request.headers.authorization);
    queries.byId(request.params.id).abort();
    return success(null);
  });
  server.post("/queries/v1/abort-request", async (request, reply) => {
    if (await struck(request, reply, "abort", served)) return reply;
    sessions.find(request.headers.authorization);
    queries.byRequest(abortSchema.parse(inJson(request.body)).requestId)?.abort();
    return success(null);
  });
}

async function submit(request: FastifyRequest, reply: FastifyReply, served: Served): Promise<Body | FastifyReply> {
  const session = served.sessions.find(request.headers.authorization);
  const body = querySchema.parse(inJson(request.body));
  const fault = served.faults.strike({ kind: "query", path: request.url, statement: body.sqlText });
  if (fault?.kind === "session_expired" || fault?.kind === "session_gone" || fault?.kind === "status") {
    return await strikeWith(fault, session, reply, served);
  }
  if (fault?.kind === "drop_before") return cut(reply);
  if (body.bindStage != null) throw unknownToSandbox("binds on a stage");
  const tag = body.parameters["QUERY_TAG"] ?? session.parameters.get("QUERY_TAG");
  const timeout =
    body.parameters["STATEMENT_TIMEOUT_IN_SECONDS"] ?? session.parameters.get("STATEMENT_TIMEOUT_IN_SECONDS");
  const { requestId = "" } = requestIdSchema.parse(request.query);
  const query = served.queries.submit(
    {
      sql: body.sqlText,
      requestId,
      bindings: body.bindings,
      describeOnly: body.describeOnly,
      tag: typeof tag === "string" ? tag : null,
      timeoutSeconds: timeout === undefined ? null : Number(timeout),
      delayMs: fault?.kind === "slow" ? fault.ms : fault?.kind === "hang" ? longestTimer : 0,
    },
    session,
  );
  if (fault?.kind === "drop_after") {
    await query.outcome;
    return cut(reply);
  }
  return body.asyncExec ? inProgress(query, true) : await answerOf(query, served);
}

const requestIdSchema = z.object({ requestId: z.string().optional() });

/** Node takes no longer one: 24 days. */
const longestTimer = 2 ** 31 - 1;

/** The answer if it is there soon, else where to ask for it. */
async function answerOf(query: Query, served: Served): Promise<Body> {
  const waiting = new AbortController();
  const late = sleep(served.answerSeconds * 1000, null, { signal: waiting.signal }).catch(() => null);
  const outcome = await Promise.race([query.outcome, late]);
  waiting.abort();
  if (outcome === null) return inProgress(query, false);
  if ("failure" in outcome) return failed(outcome.failure, query.id);
  return answered(outcome.executed, query, { url: served.url(), key: served.chunkKey });
}

function monitored(query: Query): Body {
  const { status, code } = query.record();
  const failure = query.ended !== null && "failure" in query.ended ? query.ended.failure : null;
  const aborted = code === "000604";
  return {
    id: query.id,
    status:
      status === "running" ? "RUNNING" : status === "success" ? "SUCCESS" : aborted ? "ABORTED" : "FAILED_WITH_ERROR",
    sqlText: query.sql,
    startTime: query.startedAt,
    errorCode: failure?.code ?? null,
    errorMessage: failure?.message ?? null,
    sessionId: query.session.id,
  };
}

/** Chunks of results, and the files of stages: addresses that want a key of their own, and no session. */
function fileRoutes(server: FastifyInstance, served: Served): void {
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

/** Whether a fault has answered, or cut, a request. */
async function struck(
  request: FastifyRequest,
  reply: FastifyReply,
  kind: RequestKind,
  served: Served,
): Promise<boolean> {
  const fault = served.faults.strike({ kind, path: request.url });
  switch (fault?.kind) {
    case undefined:
      return false;
    case "slow":
      await sleep(fault.ms);
      return false;
    case "hang":
      reply.hijack();
      return true;
    case "drop_before":
    case "drop_after":
      cut(reply);
      return true;
    case "status":
      await reply.code(fault.status).send("");
      return true;
    case "session_expired":
    case "session_gone":
      await strikeWith(fault, served.sessions.find(request.headers.authorization), reply, served);
      return true;
  }
}

async function strikeWith(
  fault: { readonly kind: "session_expired" | "session_gone" } | { readonly kind: "status"; readonly status: number },
  session: Session,
  reply: FastifyReply,
  { sessions }: Served,
): Promise<FastifyReply> {
  switch (fault.kind) {
    case "status":
      return await reply.code(fault.status).send("");
    case "session_expired":
      sessions.expire(session);
      return await reply.send(failed(expired()));
    case "session_gone":
      await sessions.close(session);
      return await reply.code(401).send(failed(new SnowflakeFailure("390104", "08001", "Session token is invalid.")));
  }
}

function cut(reply: FastifyReply): FastifyReply {
  reply.hijack();
  reply.raw.destroy();
  return reply;
}

function inJson(body: unknown): unknown {
  return typeof body === "string" && body !== "" ? JSON.parse(body) : {};
}
