/**
 * Writes docs/destinations.md from what the adapters declare, and from what they say of their sandboxes' objects.
 * Run by itself, as `npm run docs` does, it writes the page anew.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import {
  type Connection,
  type DestinationAdapter,
  DestinationError,
  type ObjectDescription,
  type RateLimit,
} from "../../src/destination.ts";
import { createDial } from "../../src/dial.ts";
import { createFetch } from "../../src/fetch.ts";
import { openRegistry, type Registry } from "../../src/registry.ts";
import { serveSandbox } from "../../src/serve-sandbox.ts";
import { contextOf } from "./context.ts";
import { type DestinationFixture, type ObjectFixture, protocolOf } from "./place.ts";

export const page = join(import.meta.dirname, "../../docs/destinations.md");

const heading = `# Destinations

What every adapter declares of itself: how to connect, what can be written, how much at once and how fast. This page is made from the declarations and from the sandboxes, by
\`npm run docs\`. Scopes, traps and what each mode does are in each adapter's README, to which its title leads. For your own account, with its fields, ask
\`sluice describe DESTINATION [OBJECT]\`, or \`GET /v1/destination-types\` and \`GET /v1/destinations/{name}/objects/{object}\`.

Settings that are not *needed* may be so in place of each other, such as one credential or another. Objects are those of the sandbox; an account's own ones are alike.

Every row that is sent gets one outcome, in every mode. *Safe again*: the modes in which the same change, sent twice, leaves the same record; in others, what is in doubt may be there
twice. *Reads*: a field can be left alone (\`when\`). Limits are those of the settings as they are without being set; a higher plan or quota is a setting.
`;

/** The whole page. */
export async function overview(): Promise<string> {
  const registry = await openRegistry();
  const sections: string[] = [];
  for (const type of registry.destinationTypes()) sections.push(await sectionOf(type, registry));
  return `${[heading.trimEnd(), ...sections].join("\n\n")}\n`;
}

interface Described {
  readonly objects: readonly string[];
  /** Objects that cannot be described without settings. */
  readonly unsettled: readonly string[];
  readonly resumes: boolean;
}

async function sectionOf(type: string, registry: Registry): Promise<string> {
  const adapter = await registry.loadDestination(type);
  const { default: fixture } = (await import(`./${type}.fixture.ts`)) as { default: DestinationFixture };
  const { objects, unsettled, resumes } = await describedOf(adapter, fixture, registry);
  const titles = [
    "object",
    "modes",
    "removed rows",
    "safe again",
    "records a batch",
    "bytes a batch",
    "batches at once",
    "match by",
    "reads",
  ];
  return [
    `## [${adapter.title}](../destinations/${type}/README.md)`,
    table(["setting", "", "default", "what it is"], settingsOf(adapter)),
    limitsOf(adapter, fixture),
    table(titles, objects),
    ...(unsettled.length > 0 ? [`Described only with settings, which the README has: ${unsettled.join(", ")}.`] : []),
    ...(resumes ? ["Jobs that a worker left behind are asked about again."] : []),
  ].join("\n\n");
}

/** All objects that the sandbox has; with the settings of the suite's fixture, or none. */
async function describedOf(
  adapter: DestinationAdapter,
  fixture: DestinationFixture,
  registry: Registry,
): Promise<Described> {
  const createSandbox = await registry.loadSandbox(adapter.type);
  const served = await serveSandbox(createSandbox({ limits: false, seed: fixture.seed }));
  const clock = { now: () => new Date() };
  const reached = { name: "overview", adapter, secrets: [], allowed: ["127.0.0.0/8"], clock };
  const outbound = createFetch(reached);
  const config = adapter.connection.parse({ base_url: served.url, ...fixture.connection });
  const connection = adapter.connect(config, { ...contextOf(outbound.fetch), dial: createDial(reached) });
  try {
    const listed = (await connection.objects()).map(({ name }) => ({ name, settings: {} }));
    const known = new Set(fixture.objects.map(({ name }) => name));
    const rows: string[] = [];
    const unsettled: string[] = [];
    for (const object of [...fixture.objects, ...listed.filter(({ name }) => !known.has(name))]) {
      const described = await describeIfSettled(connection, object);
      if (described) rows.push(objectRow(described, object));
      else unsettled.push(`\`${object.name}\``);
    }
    return { objects: [...new Set(rows)], unsettled, resumes: connection.resume !== undefined };
  } finally {
    await connection.close?.();
    await outbound.close();
    await served.close();
  }
}

type Settled = Pick<ObjectFixture, "name" | "settings">;

async function describeIfSettled(connection: Connection, object: Settled): Promise<ObjectDescription | undefined> {
  try {
    return await connection.describe(object.name, object.settings);
  } catch (error) {
    if (error instanceof DestinationError && error.code === "settings_invalid") return undefined;
    throw error;
  }
}

const schemaSchema = z.object({
  required: z.array(z.string()).default([]),
  properties: z.record(
    z.string(),
    z.object({
      description: z.string().default(""),
      secret: z.boolean().default(false),
      default: z.unknown().optional(),
      enum: z.array(z.string()).default([]),
    }),
  ),
});

/** What a person must give to connect, as `GET /v1/destination-types` has it. */
function settingsOf({ connection }: DestinationAdapter): readonly string[] {
  const schema = schemaSchema.parse(z.toJSONSchema(connection, { io: "input", unrepresentable: "any" }));
  return Object.entries(schema.properties).map(([name, { description, secret, default: value, enum: options }]) => {
    const marks = [...(schema.required.includes(name) ? ["needed"] : []), ...(secret ? ["secret"] : [])];
    const shown = value === undefined ? "" : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
    const choice = options.length > 0 ? ` One of ${options.map((option) => `\`${option}\``).join(", ")}.` : "";
    return row([`\`${name}\``, marks.join(", "), shown, `${description}${choice}`]);
  });
}

function limitsOf(adapter: DestinationAdapter, fixture: DestinationFixture): string {
  const config = adapter.connection.parse({ base_url: protocolOf(fixture).address, ...fixture.connection });
  const limits = adapter.limits(config);
  if (limits.length > 0) return `Limits: ${limits.map(limitText).join("; ")}.`;
  return "No limit is declared: the pace is felt for, faster while all is taken, slower when it asks to wait.";
}

function limitText({ requests, perMs }: RateLimit): string {
  return `${requests.toLocaleString("en")} ${requests === 1 ? "request" : "requests"} in ${spanText(perMs)}`;
}

function spanText(ms: number): string {
  const units = [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1000],
  ] as const;
  const [unit, span] = units.find(([, length]) => ms >= length && ms % length === 0) ?? (["ms", 1] as const);
  const count = ms / span;
  return count === 1 ? `a ${unit}` : `${count} ${unit}${unit === "ms" ? "" : "s"}`;
}

function objectRow(described: ObjectDescription, { name, settings }: Settled): string {
  const { modes, removals, batch, matchFields, idempotent, fields, reads } = described;
  const again = modes.filter((mode) => idempotent[mode]);
  const besides = Object.entries(batch.recordsOf ?? {}).map(([operation, records]) => `${operation} ${records}`);
  const matching = fields.filter(({ matches }) => matches).map((field) => `\`${field.name}\``);
  const withSettings = Object.keys(settings).length > 0 ? `, with settings: ${Object.keys(settings).join(", ")}` : "";
  return row([
    `\`${name}\`${withSettings}`,
    modes.join(", "),
    removals.join(", "),
    again.length === modes.length ? "all" : again.join(", ") || "none",
    [String(batch.records), ...besides].join("; "),
    batch.bytes?.toLocaleString("en") ?? "",
    batch.atOnce === undefined ? "" : String(batch.atOnce),
    `${matching.join(", ")}${matchFields === undefined && matching.length > 1 ? ", or several" : ""}`,
    reads === true ? "yes" : "",
  ]);
}

function table(titles: readonly string[], rows: readonly string[]): string {
  return [row(titles), row(titles.map(() => "---")), ...rows].join("\n");
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll(/\s+/g, " ")).join(" | ")} |`;
}

if (import.meta.main) writeFileSync(page, await overview());
