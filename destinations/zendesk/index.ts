/** Zendesk Support: users (customers) and organizations, with the custom fields that the account has. */
import { z } from "zod";
import {
  type Batch,
  type Connection,
  type DestinationAdapter,
  DestinationError,
  type ObjectDescription,
  type ObjectSettings,
  type ObjectSummary,
  type Outcome,
} from "../../src/destination.ts";
import { type JsonApi } from "../../src/json-api.ts";
import { parseAnswer, parseMe } from "./answers.ts";
import { openApi } from "./api.ts";
import { zendeskFailure, zendeskQuotas } from "./errors.ts";
import {
  type CustomField,
  customFieldsSchema,
  ignoresCase,
  type KnownFields,
  knownFields,
  type ObjectName,
  toFields,
  words,
} from "./fields.ts";
import { writeRecords } from "./records.ts";
import { resumeJob } from "./resume.ts";
import { connection, requestsPerMinute, type ZendeskConfig } from "./settings.ts";

const abilities: Readonly<Record<ObjectName, Omit<ObjectDescription, "name" | "fields">>> = {
  users: {
    title: "Users",
    modes: ["upsert", "update", "insert", "mirror"],
    removals: ["archive", "delete", "clear"],
    batch: { records: 100 },
    matchFields: 1,
    // External ids and e-mail addresses are unique: an insert sent twice is refused the second time.
    idempotent: { upsert: true, update: true, mirror: true, insert: true, append: false },
  },
  organizations: {
    title: "Organizations",
    modes: ["upsert", "update", "insert", "mirror"],
    removals: ["delete", "clear"],
    batch: { records: 100 },
    matchFields: 1,
    idempotent: { upsert: true, update: true, mirror: true, insert: true, append: false },
  },
};

const zendesk: DestinationAdapter<ZendeskConfig> = {
  type: "zendesk",
  title: "Zendesk",
  connection,
  limits: ({ plan }) => [{ name: "minute", requests: requestsPerMinute[plan], perMs: 60_000 }],
  failure: zendeskFailure,
  quotas: zendeskQuotas,
  place: ({ base_url, subdomain }) => base_url ?? subdomain.toLowerCase(),
  connect: (config, context) => new ZendeskConnection(openApi(config, context)),
};

export default zendesk;

class ZendeskConnection implements Connection {
  readonly #api: JsonApi;
  readonly #fields = new Map<ObjectName, Promise<KnownFields>>();

  constructor(api: JsonApi) {
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const { id, name, email, role } = parseMe(await this.#api.ask("GET", "/users/me", undefined, signal));
    // Zendesk answers 200 to everyone: to a stranger, with a user without an id.
    if (id === null) throw unfit("Zendesk does not know the credential.", "anonymous");
    if (role !== "admin" && role !== "agent")
      throw unfit(
        `The credential is ${email ?? id}'s, whose role is "${role ?? "unknown"}". It has to be an admin's.`,
        "not_an_admin",
      );
    return { account: `Zendesk, as ${name ?? "someone"} (${email ?? id}, ${role})` };
  }

  async objects(): Promise<readonly ObjectSummary[]> {
    return names.map((name) => ({ name, title: abilities[name].title }));
  }

  ignoresCase(object: string, _settings: ObjectSettings, field: string): boolean {
    return ignoresCase(object, field);
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    const name = nameOf(object, settings);
    return { name, ...abilities[name], fields: toFields(await this.#fieldsOf(name, signal)) };
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const object = nameOf(batch.object, batch.settings);
    const fields = await this.#fieldsOf(object, signal);
    return writeRecords(batch, { api: this.#api, object, fields, signal });
  }

  resume(handle: string, signal?: AbortSignal): Promise<readonly Outcome[]> {
    return resumeJob(handle, { api: this.#api, signal });
  }

  /** Asked once a connection: a run sees one set of fields from its beginning to its end. */
  #fieldsOf(name: ObjectName, signal?: AbortSignal): Promise<KnownFields> {
    const present = this.#fields.get(name);
    if (present) return present;
    const asked = askFields(name, this.#api, signal);
    this.#fields.set(name, asked);
    asked.catch(() => this.#fields.delete(name));
    return asked;
  }
}

const pageSchema = z.object({ next_page: z.string().nullish() });

async function askFields(name: ObjectName, api: JsonApi, signal?: AbortSignal): Promise<KnownFields> {
  const custom: CustomField[] = [];
  for (let page = 1; ; page += 1) {
    const path = `/${words[name].custom}${page === 1 ? "" : `?page=${page}`}`;
    const answer = await api.ask("GET", path, undefined, signal);
    const fields = parseAnswer(customFieldsSchema, answer);
    custom.push(...fields);
    // A page that is said to follow an empty one never ends.
    if (fields.length === 0 || pageSchema.safeParse(answer).data?.next_page == null) return knownFields(name, custom);
  }
}

function unfit(message: string, code: string): DestinationError {
  return new DestinationError("unauthorized", message, { code, applied: "no" });
}

const names: readonly ObjectName[] = ["users", "organizations"];

function nameOf(object: string, settings: ObjectSettings): ObjectName {
  const name = names.find((one) => one === object);
  const refuse = (code: string, message: string): DestinationError =>
    new DestinationError("refused", message, { code, applied: "no" });
  if (!name) throw refuse("unknown_object", `Zendesk has no object "${object}". There are: ${names.join(", ")}.`);
  const [setting] = Object.keys(settings);
  if (setting === undefined) return name;
  throw refuse("settings_invalid", `${name} takes no settings, so to.settings.${setting} means nothing.`);
}
