/** How a route is declared: the scope that it needs, what it takes, what it answers. The OpenAPI document says the same. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { FastifyBaseLogger, FastifyInstance, FastifySchemaCompiler, RawServerDefault } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { problemSchema } from "../operations/schemas.ts";
import type { Scope } from "../security/key.ts";

/** The API, where routes get what their schemas say. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

interface Declaration {
  readonly summary: string;
  readonly description?: string;
  readonly params?: z.ZodType;
  readonly querystring?: z.ZodType;
  readonly headers?: z.ZodType;
  readonly body?: z.ZodType;
  /** What each status answers; null for no body, a text for a type other than JSON. */
  readonly answers: Readonly<Record<number, z.ZodType | string | null>>;
}

interface Route<Taken> {
  readonly config: { readonly scope: Scope };
  /** As far as the types of requests go by it. */
  readonly schema: Taken;
}

/** Options of a route that needs this scope. */
export function needs<const Declared extends Declaration>(
  scope: Scope,
  declared: Declared,
): Route<Omit<Declared, "answers" | "summary" | "description">> {
  const { answers, summary, description, ...taken } = declared;
  const words = [description, `Needs a key of scope \`${scope}\`.`].filter((one) => one !== undefined).join("\n\n");
  const described = { summary, description: words, tags: [scope], security: [{ key: [] }], "x-scope": scope };
  const schema = { ...taken, ...described, response: { ...responses(answers), ...problems } };
  return { config: { scope }, schema };
}

/**
 * As `needs`, for a body that the operation itself checks: it tells every mistake with its place and what would be
 * right. The schema is there to be read.
 */
export function needsDocument<const Declared extends Declaration>(
  scope: Scope,
  declared: Declared,
  body: z.ZodType,
): Route<Omit<Declared, "answers" | "summary" | "description">> {
  shownOnly.add(body);
  const { config, schema } = needs(scope, declared);
  const shown = { ...schema, body };
  return { config, schema: shown };
}

/** Options of a route that everybody may ask. */
export function open({ answers, ...described }: Pick<Declaration, "summary" | "description" | "answers">): {
  readonly schema: object;
} {
  return { schema: { ...described, security: [], response: { ...responses(answers), ...problems } } };
}

/** Schemas that no request is checked by. */
const shownOnly = new WeakSet<z.ZodType>();

/** Checks what a route takes. The error is told as it is: `tellProblem` knows how to show its places. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema }) => {
  if (shownOnly.has(schema)) return (value: unknown) => ({ value });
  return (value: unknown) => {
    // No body is null here, and undefined to a schema that does without.
    const parsed = schema.safeParse(value ?? undefined);
    return parsed.success ? { value: parsed.data } : { error: parsed.error };
  };
};

const problems = {
  "4xx": problemAnswer("The request cannot be done, and why."),
  "5xx": problemAnswer("The service or what it asked failed. Ask again later."),
};

function problemAnswer(description: string): object {
  return { description, content: { "application/problem+json": { schema: problemSchema } } };
}

function responses(answers: Declaration["answers"]): Record<string, object> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, answer]) => {
      const description = STATUS_CODES[status] ?? "";
      if (answer === null) return [status, z.undefined().meta({ description })];
      const [type, schema] = typeof answer === "string" ? [answer, z.string()] : ["application/json", answer];
      return [status, { description, content: { [type]: { schema } } }];
    }),
  );
}
