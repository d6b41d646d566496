/** Pipedrive: persons, organizations and deals, with the custom fields that the company has. */
import { z } from "zod";
import {
  type Batch,
  type Connection,
  type DestinationAdapter,
  DestinationError,
  type DestinationRecord,
  type ObjectDescription,
  type ObjectSettings,
  type ObjectSummary,
  type Outcome,
} from "../../src/destination.ts";
import { type JsonApi } from "../../src/json-api.ts";
import { openApi } from "./api.ts";
import { parseAnswer, pipedriveFailure } from "./errors.ts";
import { fieldPageSchema, ignoresCase, knownFields, type PipedriveField, toFields } from "./fields.ts";
import { FoundBefore } from "./found-before.ts";
import type { KnownFields } from "./known.ts";
import { type ObjectName, objects } from "./objects.ts";
import { readRecords } from "./reading.ts";
import { type RecordsContext, writeRecords } from "./records.ts";
import { apiAddress, connection, limitsOf, type PipedriveConfig } from "./settings.ts";

const pipedrive: DestinationAdapter<PipedriveConfig> = {
  type: "pipedrive",
  title: "Pipedrive",
  connection,
  limits: limitsOf,
  failure: pipedriveFailure,
  place: apiAddress,
  connect: (config, context) => new PipedriveConnection(openApi(config, context)),
};

export default pipedrive;

const meSchema = z.object({
  data: z.object({ name: z.string().default("a user"), company_name: z.string().default("a company") }),
});

class PipedriveConnection implements Connection {
  readonly #api: JsonApi;
  readonly #fields = new Map<ObjectName, Promise<KnownFields>>();
  readonly #lost = new Set<string>();
  readonly #found = new FoundBefore();

  constructor(api: JsonApi) {
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const { data } = parseAnswer(meSchema, await this.#api.ask("GET", "/v1/users/me", undefined, signal));
    return { account: `Pipedrive, ${data.company_name} (as ${data.name})` };
  }

  async objects(): Promise<readonly ObjectSummary[]> {
    return names.map((name) => ({ name, title: objects[name].title }));
  }

  ignoresCase(_object: string, _settings: ObjectSettings, field: string): boolean {
    return ignoresCase(field);
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    const name = nameOf(object, settings);
    return {
      name,
      title: objects[name].title,
      modes: ["upsert", "update", "insert", "mirror"],
      removals: ["delete", "clear"],
      // Pipedrive takes one record a request.
      batch: { records: 1 },
      matchFields: 1,
      // The search sees a new record late: one whose answer was lost may be made twice.
      idempotent: { upsert: false, update: true, mirror: false, insert: false, append: false },
      fields: toFields(await this.#fieldsOf(name, signal)),
      reads: true,
    };
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    return writeRecords(batch, await this.#contextOf(batch, signal));
  }

  async read(
    batch: Batch,
    fields: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, DestinationRecord | null>> {
    return readRecords(batch, fields, await this.#contextOf(batch, signal));
  }

  async #contextOf(batch: Batch, signal: AbortSignal | undefined): Promise<RecordsContext> {
    const object = nameOf(batch.object, batch.settings);
    const fields = await this.#fieldsOf(object, signal);
    return { api: this.#api, object, fields, lost: this.#lost, found: this.#found, signal };
  }

  /** Asked once a connection: a run sees one set of fields from its beginning to its end. */
  #fieldsOf(name: ObjectName, signal?: AbortSignal): Promise<KnownFields> {
    const present = this.#fields.get(name);
    if (present) return present;
    const asked = askFields(name, this.#api, signal).then((all) => knownFields(name, all));
    this.#fields.set(name, asked);
    asked.catch(() => this.#fields.delete(name));
    return asked;
  }
}

async function askFields(
  name: ObjectName,
  api: JsonApi,
  signal: AbortSignal | undefined,
): Promise<readonly PipedriveField[]> {
  const all: PipedriveField[] = [];
  for (let cursor: string | undefined, page = 1; page === 1 || cursor !== undefined; page += 1) {
    const query = new URLSearchParams({ limit: "500", ...(cursor === undefined ? {} : { cursor }) });
    const answer = await api.ask("GET", `/v2/${objects[name].fields}?${query.toString()}`, undefined, signal);
    const { data, additional_data: more } = parseAnswer(fieldPageSchema, answer);
    all.push(...data);
    cursor = more?.next_cursor ?? undefined;
  }
  return all;
}

const names: readonly ObjectName[] = ["persons", "organizations", "deals"];

function nameOf(object: string, settings: ObjectSettings): ObjectName {
  const name = names.find((one) => one === object);
  const refuse = (code: string, message: string): DestinationError =>
    new DestinationError("refused", message, { code, applied: "no" });
  if (!name) throw refuse("unknown_object", `Pipedrive has no object "${object}". There are: ${names.join(", ")}.`);
  const [setting] = Object.keys(settings);
  if (setting === undefined) return name;
  throw refuse("settings_invalid", `${name} takes no settings, so to.settings.${setting} means nothing.`);
}
