/** `/v1/destinations`: does the connection work, and what can be written? */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { needs } from "./access.ts";

const named = z.object({ name: z.string() });
const objectNamed = named.extend({ object: z.string() });
/** An object's settings, as JSON in one parameter. */
const settingsQuery = z.strictObject({
  settings: z
    .string()
    .default("{}")
    .transform((text, context) => {
      try {
        return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
      } catch {
        context.addIssue("settings must be a JSON object");
        return z.NEVER;
      }
    }),
});

export function destinationRoutes(api: FastifyInstance, operations: Operations): void {
  api.post("/v1/destinations/:name/check", needs("run"), (request) =>
    operations.check(named.parse(request.params).name),
  );

  api.get("/v1/destinations/:name/objects", needs("read"), (request) =>
    operations.describe(named.parse(request.params).name, undefined, settingsQuery.parse(request.query).settings),
  );

  api.get("/v1/destinations/:name/objects/:object", needs("read"), (request) => {
    const { name, object } = objectNamed.parse(request.params);
    return operations.describe(name, object, settingsQuery.parse(request.query).settings);
  });
}
