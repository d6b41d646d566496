/** The API's own description, and requests made from it: such as it allows, and such that are a little off. */
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import fc from "fast-check";
import { z } from "zod";

const operation = z.object({
  parameters: z
    .array(z.object({ name: z.string(), in: z.string(), required: z.boolean(), schema: z.unknown() }))
    .default([]),
  requestBody: z.object({ content: z.record(z.string(), z.object({ schema: z.unknown() })) }).optional(),
  responses: z.record(
    z.string(),
    z.object({ content: z.record(z.string(), z.object({ schema: z.unknown() })).optional() }),
  ),
  "x-scope": z.string().optional(),
});
const description = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
});

export interface DescribedOperation {
  readonly method: string;
  /** As the description writes it: `/v1/syncs/{name}`. */
  readonly path: string;
  readonly scope: string | undefined;
  readonly described: z.output<typeof operation>;
}

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** A JSON schema as far as the API uses it. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly pattern?: string;
}

export class Description {
  readonly operations: readonly DescribedOperation[];
  readonly #document: z.output<typeof description>;
  readonly #ajv: Ajv2020;

  constructor(document: unknown) {
    this.#document = description.parse(document);
    this.#ajv = new Ajv2020({ strict: false, allErrors: true });
    formats.default(this.#ajv);
    this.#ajv.addSchema(this.#document, "api");
    this.operations = Object.entries(this.#document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, described]) => {
        const { "x-scope": scope } = described;
        return { method: method.toUpperCase(), path, scope, described };
      }),
    );
  }

  /** What of an answer the description does not allow; null where it is as described. */
  misfit({ method, path, described }: DescribedOperation, status: number, type: string, body: unknown): string | null {
    const found = [String(status), `${String(status)[0]}XX`].find((key) => described.responses[key] !== undefined);
    if (found === undefined) return `status ${status} is not described`;
    const { content } = described.responses[found] ?? {};
    if (content === undefined) return body === null ? null : `status ${status} has a body`;
    const [media = ""] = type.split(";");
    if (content[media] === undefined) return `${media} is not described for ${status}`;
    if (!media.endsWith("json")) return null;
    const parts = ["paths", path, method.toLowerCase(), "responses", found, "content", media, "schema"];
    const pointer = parts.map((part) => part.replaceAll("~", "~0").replaceAll("/", "~1")).join("/");
    const check = this.#ajv.getSchema(`api#/${encodeURI(pointer)}`);
    if (check === undefined) return `no schema at ${pointer}`;
    return check(body) === true ? null : this.#ajv.errorsText(check.errors);
  }

  /** Requests of one operation. `names` are texts that stand for something there is. */
  requests({ method, path, described }: DescribedOperation, names: readonly string[]): fc.Arbitrary<Asked> {
    const text = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...names) },
      fc.string({ unit: "binary", maxLength: 20 }),
    );
    const parameters = fc.record(
      Object.fromEntries(
        described.parameters.map(({ name, in: place, schema }) => {
          // Of any text few would get past the headers.
          const header = fc.constantFrom('"1"', "*", "x");
          const value = { path: text, header }[place] ?? this.#value(schema as Schema, text, 0);
          return [`${place} ${name}`, value];
        }),
      ),
      { requiredKeys: described.parameters.filter((one) => one.required).map((one) => `${one.in} ${one.name}`) },
    );
    const schema = Object.values(described.requestBody?.content ?? {})[0]?.schema as Schema | undefined;
    const body = schema === undefined ? fc.constant(undefined) : this.#value(schema, text, 0);
    return fc.record({ parameters, body }).map((made) => asked(method, path, made.parameters, made.body));
  }

  #value(schema: Schema, text: fc.Arbitrary<string>, depth: number): fc.Arbitrary<unknown> {
    const described = this.#described(schema, text, depth);
    return fc.oneof({ weight: 40, arbitrary: described }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) });
  }

  #described(schema: Schema, text: fc.Arbitrary<string>, depth: number): fc.Arbitrary<unknown> {
    const { $ref, enum: choices, const: only, anyOf, oneOf = anyOf, type } = schema;
    if ($ref !== undefined) {
      // What refers to itself ends.
      if (depth > 6) return fc.jsonValue({ maxDepth: 1 });
      const name = $ref.split("/").at(-1) ?? "";
      return this.#value(this.#document.components.schemas[name] as Schema, text, depth + 1);
    }
    if (only !== undefined) return fc.constant(only);
    if (choices !== undefined) return fc.constantFrom(...choices);
    if (oneOf !== undefined && oneOf.length > 0) {
      return fc.oneof(...oneOf.map((one) => this.#value(one, text, depth + 1)));
    }
    if (type === "object") return this.#object(schema, text, depth);
    if (type === "array") return fc.array(this.#value(schema.items ?? {}, text, depth + 1), { maxLength: 3 });
    if (type === "integer") return fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer());
    if (type === "number") return fc.double({ noNaN: true, noDefaultInfinity: true });
    if (type === "boolean") return fc.boolean();
    return type === "string" ? text : fc.jsonValue({ maxDepth: 3 });
  }

  #object(schema: Schema, text: fc.Arbitrary<string>, depth: number): fc.Arbitrary<unknown> {
    const { properties = {}, required = [], additionalProperties } = schema;
    const known = fc.record(
      Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, this.#value(one, text, depth + 1)])),
      { requiredKeys: required.filter((name) => name in properties) },
    );
    if (typeof additionalProperties !== "object") return known;
    return fc
      .tuple(known, fc.dictionary(text, this.#value(additionalProperties, text, depth + 1), { maxKeys: 3 }))
      .map(([some, more]) => ({ ...more, ...some }));
  }
}

function asked(method: string, path: string, parameters: Readonly<Record<string, unknown>>, body: unknown): Asked {
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  let url = path;
  for (const [place, value] of Object.entries(parameters)) {
    const [where, name = ""] = place.split(" ");
    const written = typeof value === "string" ? value : JSON.stringify(value);
    if (where === "path") url = url.replace(`{${name}}`, encodeURIComponent(written.toWellFormed()) || "%20");
    if (where === "query") query.set(name, written);
    // What is no header at all is the client's to refuse.
    if (where === "header") headers[name] = written.replaceAll(/[^\x21-\x7e]/g, "") || "x";
  }
  return { method, url: query.size === 0 ? url : `${url}?${query.toString()}`, headers, body };
}
