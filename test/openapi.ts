/** Vendors' own descriptions of their APIs (OpenAPI 3.0), and whether an exchange is as they say. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Ajv, type ErrorObject } from "ajv";
import formats from "ajv-formats";
import { z } from "zod";
import type { SandboxExchange } from "../src/sandbox.ts";

/** The folder with a vendor's descriptions, or null, said loudly, where they are not beside the project. */
export function descriptionsOf(vendor: string): string | null {
  const folder = join(process.env["SLUICE_SPECS"] ?? resolve(import.meta.dirname, "../../shared/specs"), vendor);
  if (existsSync(folder)) return folder;
  console.warn(
    `NOT CHECKED: ${vendor}'s API descriptions are not there. Set SLUICE_SPECS to the folder that has them.`,
  );
  return null;
}

const body = z.object({ content: z.record(z.string(), z.object({ schema: z.unknown() })).optional() });
const parameter = z.object({ name: z.string(), in: z.string(), required: z.boolean().optional() });
/** Inline, or by reference to one that the description shares. */
const parameters = z.array(z.union([parameter, z.object({ $ref: z.string() })])).default([]);
const operation = z.object({
  parameters,
  requestBody: body.optional(),
  responses: z.record(z.string(), body),
});
const document = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.looseObject({ parameters: z.record(z.string(), z.unknown()).default({}) }).optional(),
});

export interface Misfit {
  /** `POST /crm/…/batch/upsert`, as the description writes it; null where it has no such operation. */
  readonly operation: string | null;
  readonly part: "path" | "query" | "request" | "response";
  readonly message: string;
}

export class Descriptions {
  readonly #ajv: Ajv;
  readonly #operations: { readonly method: string; readonly template: string; readonly file: string }[] = [];
  readonly #documents = new Map<string, z.output<typeof document>>();

  constructor(folder: string, files: readonly string[]) {
    this.#ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true });
    formats.default(this.#ajv);
    // `datetime` is a spelling of Zendesk's.
    this.#ajv.addFormat("int32", true).addFormat("int64", true).addFormat("datetime", true);
    for (const file of files) this.#add(file, document.parse(JSON.parse(readFileSync(join(folder, file), "utf8"))));
  }

  /** Everything in an exchange that the description does not allow. */
  misfits({ method, path, query, requestBody, status, responseBody }: SandboxExchange): readonly Misfit[] {
    const found = this.#operations.find((one) => one.method === method.toLowerCase() && matches(one.template, path));
    if (!found) return [{ operation: null, part: "path", message: `${method} ${path} is not described` }];
    const { file, template } = found;
    const name = `${method} ${template}`;
    const methods = this.#documents.get(file)?.paths[template];
    const described = operation.parse(methods?.[found.method]);
    const taken = this.#resolved(file, [...parameters.parse(methods?.["parameters"]), ...described.parameters]);
    const at = `${file}#/paths/${pointer(template)}/${found.method}`;
    const misfit =
      (part: Misfit["part"]) =>
      (message: string): Misfit => ({ operation: name, part, message });
    const outcome = status === null ? undefined : [String(status), "default"].find((key) => key in described.responses);
    return [
      ...queryFaults(query, taken).map(misfit("query")),
      ...(described.requestBody?.content
        ? this.#faults(requestBody, `${at}/requestBody`, described.requestBody).map(misfit("request"))
        : []),
      ...(status !== null && outcome === undefined ? [misfit("response")(`status ${status} is not described`)] : []),
      ...(outcome !== undefined && described.responses[outcome]?.content
        ? this.#faults(responseBody, `${at}/responses/${outcome}`, described.responses[outcome]).map(misfit("response"))
        : []),
    ];
  }

  #add(file: string, parsed: z.output<typeof document>): void {
    this.#documents.set(file, parsed);
    this.#ajv.addSchema(parsed, file);
    for (const [template, methods] of Object.entries(parsed.paths)) {
      for (const method of Object.keys(methods)) this.#operations.push({ method, template, file });
    }
    // `/objects/{type}/batch/upsert` before `/objects/{type}/{id}`.
    const wild = (template: string): number => template.split("{").length;
    this.#operations.sort((one, other) => wild(one.template) - wild(other.template));
  }

  #resolved(file: string, given: z.output<typeof parameters>): z.output<typeof parameter>[] {
    const shared = this.#documents.get(file)?.components?.parameters ?? {};
    return given.map((one) => ("$ref" in one ? parameter.parse(shared[one.$ref.split("/").at(-1) ?? ""]) : one));
  }

  #faults(value: unknown, at: string, { content = {} }: z.output<typeof body>): string[] {
    const [type] = Object.keys(content);
    if (type === undefined) return value === null || value === "" ? [] : ["/ must be empty"];
    const validate = this.#ajv.getSchema(`${at}/content/${pointer(type)}/schema`);
    if (!validate) throw new Error(`there is no schema at ${at}`);
    return validate(value) === true ? [] : (validate.errors ?? []).map(describeError);
  }
}

function queryFaults(query: Readonly<Record<string, string>>, taken: readonly z.output<typeof parameter>[]): string[] {
  const known = taken.filter((one) => one.in === "query");
  const unknown = Object.keys(query).filter((name) => !known.some((one) => one.name === name));
  const missing = known.filter(({ name, required }) => required === true && !(name in query));
  return [...unknown.map((name) => `?${name} is not described`), ...missing.map(({ name }) => `?${name} is missing`)];
}

function matches(template: string, path: string): boolean {
  const wanted = template.split("/");
  const given = path.split("/");
  return wanted.length === given.length && wanted.every((part, at) => part.startsWith("{") || part === given[at]);
}

function pointer(key: string): string {
  return encodeURIComponent(key.replaceAll("~", "~0").replaceAll("/", "~1"));
}

function describeError({ instancePath, message, params }: ErrorObject): string {
  return `${instancePath || "/"} ${message ?? "is wrong"} ${JSON.stringify(params)}`;
}
