/** Logins, tokens and the end of sessions. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { type Body, finalPlace, inJson, parameters, success } from "./answers.ts";
import type { Served } from "./served.ts";
import { setParameter } from "./session-statements.ts";
import type { Session } from "./session.ts";
import { masterTokenSeconds, type Tokens } from "./sessions.ts";
import { struck } from "./strikes.ts";
import { authenticate, loginSchema } from "./users.ts";

/** Serves logins, tokens and the end of sessions. */
export function sessionRoutes(server: FastifyInstance, served: Served): void {
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
