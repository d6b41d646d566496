import { z } from "zod";
import { parseJsonPath } from "./json-path.ts";
import { problem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { valueAt } from "./value-at.ts";
import { name, secretVariable, text } from "./values.ts";

const webhook = z.strictObject({
  scheme: z
    .enum(["standard_webhooks", "hmac_sha256", "dbt_cloud", "hubspot", "zendesk", "segment", "github", "bearer"])
    .meta({ description: "How the sender proves who it is." }),
  secrets: z.array(secretVariable).min(1).max(2).meta({
    description: "The sender's secret as ${env:NAME} or ${secret:NAME}; during a rotation the old one and the new one.",
  }),
  header: text.max(100).optional().meta({ description: "hmac_sha256 only: the header with the signature, in hex." }),
  url: z.url().optional().meta({ description: "hubspot only: the hook's address as HubSpot knows it." }),
});

/** What starts runs of a sync besides its schedule and people. */
export const triggerSchema = z.strictObject({
  kind: z.literal("trigger"),
  name: name.meta({ description: "What commands and the history call this trigger." }),
  sync: name.meta({ description: "The sync that it starts." }),
  webhook: webhook.meta({ description: "Who may call the trigger's address, and how that is proven." }),
  run: z.enum(["changes", "full"]).optional().meta({
    description: "What is sent when the payload names no rows: changes (if not given) or full.",
  }),
  keys: z
    .string()
    .refine((path) => parseJsonPath(path) !== null, "a JSONPath of names, indexes and [*], such as $.objects[*].id")
    .optional()
    .meta({ description: "Where the payload has the keys of the rows to send; only those are read and sent." }),
});

export type TriggerDocument = z.infer<typeof triggerSchema>;

/** What the schema alone cannot say of a trigger. Takes the document as written, however wrong. */
export function triggerRules(value: unknown): Problem[] {
  const scheme = valueAt(value, ["webhook", "scheme"]);
  const problems = [...onlyFor(value, "header", "hmac_sha256", scheme), ...onlyFor(value, "url", "hubspot", scheme)];
  if (valueAt(value, ["run"]) === undefined || valueAt(value, ["keys"]) === undefined) return problems;
  const message = "the trigger says both run and keys";
  return [...problems, problem("conflict", ["keys"], message, { expected: "either run or keys" })];
}

function onlyFor(value: unknown, setting: "header" | "url", needs: string, scheme: unknown): Problem[] {
  const at = ["webhook", setting];
  const isGiven = valueAt(value, at) !== undefined;
  if (typeof scheme !== "string" || isGiven === (scheme === needs)) return [];
  if (isGiven) return [problem("conflict", at, `${setting} has no meaning with ${scheme}`, { expected: needs })];
  return [problem("missing", at, `"${setting}" is missing`, { expected: `with scheme ${needs}` })];
}
