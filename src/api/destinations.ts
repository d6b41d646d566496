/** `/v1/destinations`: does the connection work, and what can be written? */
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { checkSchema, listOf, objectSchema, objectsSchema, typeSchema } from "../operations/schemas.ts";
import { type Api, needs } from "./route.ts";
import { text } from "./text.ts";

const named = z.object({ name: text });
const objectNamed = named.extend({ object: text });
/** An object's settings, as JSON in one parameter. */
const settingsQuery = z.strictObject({
  settings: z
    .string()
    .default("{}")
    .refine((written) => settingsIn(written) !== null, "settings must be a JSON object")
    .meta({ description: "The object's settings, as a JSON object." }),
});

function settingsIn(written: string): Record<string, unknown> | null {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(written));
  } catch {
    return null;
  }
}

export function destinationRoutes(api: Api, operations: Operations): void {
  api.get(
    "/v1/destination-types",
    needs("read", {
      summary: "The types of destinations, with what each needs to connect",
      answers: { 200: listOf(typeSchema) },
    }),
    async () => ({ data: await operations.destinationTypes() }),
  );

  api.post(
    "/v1/destinations/:name/check",
    needs("run", { summary: "Try a destination's connection", params: named, answers: { 200: checkSchema } }),
    (request) => operations.check(request.params.name),
  );

  api.get(
    "/v1/destinations/:name/objects",
    needs("read", {
      summary: "What a destination takes",
      params: named,
      querystring: settingsQuery,
      answers: { 200: objectsSchema },
    }),
    ({ params, query }) => operations.describe(params.name, undefined, settingsIn(query.settings) ?? {}),
  );

  api.get(
    "/v1/destinations/:name/objects/:object",
    needs("read", {
      summary: "What can be done with an object, and its fields",
      params: objectNamed,
      querystring: settingsQuery,
      answers: { 200: objectSchema },
    }),
    ({ params, query }) => operations.describe(params.name, params.object, settingsIn(query.settings) ?? {}),
  );
}
