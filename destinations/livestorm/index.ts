/** Livestorm: people registered to a session of an event. */
import { z } from "zod";
import {
  type Batch,
  type BatchLimit,
  type Connection,
  type DestinationAdapter,
  DestinationError,
  type ObjectDescription,
  type ObjectSettings,
  type ObjectSummary,
  type Outcome,
} from "../../src/destination.ts";
import { isSuccess, type JsonApi } from "../../src/json-api.ts";
import { organizationNameIn, parseAnswer, parseSession, type Session } from "./answers.ts";
import { type LivestormConfig, openApi } from "./api.ts";
import { livestormFailure, livestormQuotas, refusalOf } from "./errors.ts";
import { attributesSchema, type KnownFields, knownFields, type PeopleAttribute, toFields } from "./fields.ts";
import { writeRegistrants } from "./registrants.ts";
import { parseSettings } from "./settings.ts";

const connection = z.strictObject({
  api_token: z.string().min(1).meta({ secret: true, description: "An API token that may read and write events." }),
  monthly_calls: z
    .int()
    .min(1)
    .default(10_000)
    .meta({ description: "How many calls Livestorm takes of the workspace in 30 days: more with an add-on." }),
  base_url: z
    .url()
    .default("https://api.livestorm.co")
    .meta({ description: "Another address, such as a sandbox's, without /v1." }),
});

const registrants: ObjectSummary = { name: "registrants", title: "Registrants of a session" };

const batchLimit: BatchLimit = { records: 1 };

const attributesPerPage = 100;

const dayMs = 86_400_000;

const livestorm: DestinationAdapter<LivestormConfig> = {
  type: "livestorm",
  title: "Livestorm",
  connection,
  limits: ({ monthly_calls }) => [
    { name: "second", requests: 5, perMs: 1000 },
    { name: "30 days", requests: monthly_calls, perMs: 30 * dayMs },
  ],
  failure: livestormFailure,
  quotas: livestormQuotas,
  connect: (config, context) => new LivestormConnection(openApi(config, context)),
};

export default livestorm;

class LivestormConnection implements Connection {
  readonly #api: JsonApi;
  #fields: Promise<KnownFields> | undefined;

  constructor(api: JsonApi) {
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const name = organizationNameIn(await this.#api.ask("GET", "/organization", undefined, signal));
    // Another scope than that of the workspace's name.
    await this.#api.ask("GET", "/people_attributes?page[size]=1", undefined, signal);
    return { account: `Livestorm workspace ${name ?? "(without a name)"}` };
  }

  async objects(): Promise<readonly ObjectSummary[]> {
    return [registrants];
  }

  ignoresCase(object: string, _settings: ObjectSettings, field: string): boolean {
    return object === registrants.name && field === "email";
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    const { session } = settingsOf(object, settings);
    const { name, status } = await findSession(session, this.#api, signal);
    return {
      name: registrants.name,
      title: `Registrants of ${name ? `the session "${name}"` : "a session"}${status ? ` (${status})` : ""}`,
      modes: ["upsert", "update", "insert", "mirror"],
      removals: ["delete"],
      batch: batchLimit,
      matchFields: 1,
      // Nobody is registered to a session twice.
      idempotent: { upsert: true, update: true, mirror: true, insert: true, append: false },
      fields: toFields(await this.#known(signal)),
    };
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const { session } = settingsOf(batch.object, batch.settings);
    return writeRegistrants(batch, { api: this.#api, session, fields: await this.#known(signal), signal });
  }

  /** Asked once a connection, for every call counts: a run sees one set of fields from its beginning to its end. */
  #known(signal?: AbortSignal): Promise<KnownFields> {
    this.#fields ??= askAttributes(this.#api, signal)
      .then(knownFields)
      .catch((error: unknown) => {
        this.#fields = undefined;
        throw error;
      });
    return this.#fields;
  }
}

async function askAttributes(api: JsonApi, signal?: AbortSignal): Promise<readonly PeopleAttribute[]> {
  const all: PeopleAttribute[] = [];
  // Pages are counted from 0.
  for (let page: number | undefined = 0; page !== undefined;) {
    const query = new URLSearchParams({ "page[number]": String(page), "page[size]": String(attributesPerPage) });
    const answer = await api.ask("GET", `/people_attributes?${query.toString()}`, undefined, signal);
    const { data, meta } = parseAnswer(attributesSchema, answer);
    all.push(...data.map(({ attributes }) => attributes));
    const next: number | undefined = meta?.next_page ?? undefined;
    page = next !== undefined && next > page ? next : undefined;
  }
  return all;
}

async function findSession(session: string, api: JsonApi, signal?: AbortSignal): Promise<Session> {
  const answer = await api.call("GET", `/sessions/${encodeURIComponent(session)}`, undefined, signal);
  if (isSuccess(answer)) return parseSession(answer.body);
  if (answer.status !== 404) throw refusalOf(answer);
  const message = `Livestorm has no session ${session}. Its ID is in the address of the session's page in Livestorm.`;
  throw new DestinationError("refused", message, { code: "unknown_session", applied: "no", status: 404 });
}

function settingsOf(object: string, settings: ObjectSettings): ReturnType<typeof parseSettings> {
  if (object === registrants.name) return parseSettings(settings);
  throw new DestinationError("refused", `Livestorm has no object "${object}". There is: ${registrants.name}.`, {
    code: "unknown_object",
    applied: "no",
  });
}
