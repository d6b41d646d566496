/**
 * n8n's webhooks: a production URL for an active workflow, a test URL that works once, and an answer either at once or
 * by a "Respond to Webhook" node. The words are those that n8n's users report.
 */
import { z } from "zod";
import type { SandboxRequest, SandboxResponse } from "../../../src/sandbox.ts";
import { Collection, collectionSchema } from "./collection.ts";

export const workflowSchema = z.strictObject({
  active: z.boolean().default(true),
  /** When the Webhook node answers. `results`: by a Respond to Webhook node, with a result for each record. */
  respond: z.enum(["immediately", "results"]),
  /** The data table that the workflow writes. */
  table: collectionSchema,
});

type Rules = z.output<typeof workflowSchema>;

const payloadSchema = z.object({
  records: z.array(z.object({ operation: z.enum(["upsert", "delete"]), data: z.record(z.string(), z.unknown()) })),
});

export class Workflows {
  readonly #rules: Readonly<Record<string, Rules>>;
  readonly #tables: ReadonlyMap<string, Collection>;
  readonly #tested = new Set<string>();
  #executions = 0;

  constructor(rules: Readonly<Record<string, Rules>>, newId: () => string) {
    this.#rules = rules;
    this.#tables = new Map(Object.entries(rules).map(([path, { table }]) => [path, new Collection(table, newId)]));
  }

  contents(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
    const tables = [...this.#tables].map(([path, table]) => [`workflow ${path}`, table.contents()] as const);
    return { ...Object.fromEntries(tables), executions: { all: this.#executions } };
  }

  handle(request: SandboxRequest): SandboxResponse {
    const [, entrance = "", ...rest] = request.path.split("/");
    const path = rest.join("/");
    const rules = this.#rules[path];
    const table = this.#tables.get(path);
    const registered = entrance === "webhook" ? rules?.active === true : !this.#tested.has(path);
    if (request.method !== "POST" || !rules || !table || !registered)
      return notRegistered(request.method, path, entrance);
    if (entrance === "webhook-test") this.#tested.add(path);
    this.#executions += 1;
    const results = run(table, request.body);
    if (rules.respond === "immediately") return { status: 200, body: { message: "Workflow was started" } };
    return results === undefined ? workflowError : { status: 200, body: { results } };
  }
}

export const workflowError: SandboxResponse = { status: 500, body: { message: "Error in workflow" } };

/** Each record by itself, as a loop with an error branch does it. Undefined: the payload is not what it expects. */
function run(table: Collection, body: unknown): readonly unknown[] | undefined {
  const payload = payloadSchema.safeParse(body);
  return payload.data?.records.map(({ operation, data }) => {
    const key = Object.fromEntries(table.key.map((field) => [field, data[field]]));
    if (operation === "delete") {
      table.remove(data);
      return { ...key, done: true };
    }
    const written = table.write("upsert", data);
    return "refusal" in written ? { ...key, done: false, reason: written.refusal.message } : { ...key, done: true };
  });
}

const hints: Readonly<Record<string, string>> = {
  webhook: "The workflow must be active for a production URL to run successfully.",
  "webhook-test":
    "Click the 'Execute workflow' button on the canvas, then try again. (In test mode, the webhook only works for one call after you click this button)",
};

export function notRegistered(method: string, path: string, entrance: string): SandboxResponse {
  const message = `The requested webhook "${method} ${path}" is not registered.`;
  return { status: 404, body: { code: 404, message, hint: hints[entrance] } };
}
