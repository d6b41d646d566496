/** Statements, the answers to them, and the end of them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { answered, type Body, failed, inJson, inProgress, success } from "./answers.ts";
import { bindingsSchema } from "./binds.ts";
import { insufficientPrivileges, unknownToSandbox } from "./failure.ts";
import type { Query } from "./queries.ts";
import type { Served } from "./served.ts";
import { cut, strikeWith, struck } from "./strikes.ts";

const querySchema = z.object({
  sqlText: z.string(),
  asyncExec: z.boolean().default(false),
  describeOnly: z.boolean().default(false),
  parameters: z.record(z.string(), z.unknown()).default({}),
  bindings: bindingsSchema.default({}),
  bindStage: z.string().nullish(),
});

const abortSchema = z.object({ requestId: z.string() });

/** Serves statements and their answers. */
export function queryRoutes(server: FastifyInstance, served: Served): void {
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
  if (fault?.kind === "refused") throw insufficientPrivileges("what the fault says");
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
