/** Faults that strike a request as a whole, whatever it is for. */
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { failed } from "./answers.ts";
import { insufficientPrivileges, SnowflakeFailure } from "./failure.ts";
import type { RequestKind } from "./faults.ts";
import type { Served } from "./served.ts";
import type { Session } from "./session.ts";
import { expired } from "./sessions.ts";

/** Whether a fault has answered, or cut, a request. */
export async function struck(
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
    case "refused":
      await reply.send(failed(insufficientPrivileges("what the fault says")));
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

/** Answers with a fault instead of what was asked. */
export async function strikeWith(
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

/** Ends a connection without a word. */
export function cut(reply: FastifyReply): FastifyReply {
  reply.hijack();
  reply.raw.destroy();
  return reply;
}
