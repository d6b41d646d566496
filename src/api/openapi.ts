/** The API's description, made from the routes themselves, and its page. */
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import {
  createJsonSchemaTransform,
  createJsonSchemaTransformObject,
  serializerCompiler,
} from "fastify-type-provider-zod";
import { type Api, validatorCompiler } from "./route.ts";

// What only code can check, such as a template, is text to those who read the description.
const zodToJsonConfig = { unrepresentable: "any" } as const;

const addComponents = createJsonSchemaTransformObject({ zodToJsonConfig });

/** Every schema comes as it is taken and as it is answered, of which most APIs need one. */
function withoutUnused(document: ReturnType<typeof addComponents>): ReturnType<typeof addComponents> {
  if (!("components" in document)) return document;
  const { components = {} } = document;
  const { schemas = {} } = components;
  const rest = JSON.stringify({ ...document, components: { ...components, schemas: null } });
  const used = new Set<string>();
  const follow = (text: string): void => {
    for (const [, name = ""] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      follow(JSON.stringify(Reflect.get(schemas, name) ?? null));
    }
  };
  follow(rest);
  for (const name of Object.keys(schemas)) if (!used.has(name)) Reflect.deleteProperty(schemas, name);
  return document;
}

/** Describes every route that is added afterwards, at `/openapi.json`, and shows it at `/docs`. */
export async function describeApi(api: Api, version: string): Promise<void> {
  api.setValidatorCompiler(validatorCompiler);
  api.setSerializerCompiler(serializerCompiler);
  await api.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Sluice",
        version,
        description:
          "Reverse ETL: what is in the warehouse, on the right record of the right tool. Errors are problem documents (RFC 9457) whose `code` is stable.",
      },
      components: {
        securitySchemes: {
          key: { type: "http", scheme: "bearer", description: "An API key: `sluice keys create NAME --scope …`" },
        },
      },
      tags: [
        { name: "read", description: "What there is, and what became of it." },
        { name: "run", description: "Plans, runs and checks." },
        { name: "write", description: "Documents." },
        { name: "admin", description: "Keys, the audit log, the addresses of webhooks." },
      ],
    },
    transform: createJsonSchemaTransform({ zodToJsonConfig }),
    transformObject: (document) => withoutUnused(addComponents(document)),
  });
  await api.register(swaggerUi, { routePrefix: "/docs", staticCSP: true });
  api.get("/openapi.json", { schema: { hide: true } }, () => api.swagger());
}
