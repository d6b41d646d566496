/** Intercom: contacts and companies, with the custom attributes that the workspace has, and which belong together. */
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
import { type JsonApi } from "../../src/json-api.ts";
import { attachmentFields, writeAttachments } from "./attachments.ts";
import { parseAnswer, parseMe } from "./answers.ts";
import { type IntercomConfig, openApi } from "./api.ts";
import { writeCompanies } from "./companies.ts";
import { writeContacts } from "./contacts.ts";
import { intercomFailure, intercomQuotas, sliceMs } from "./errors.ts";
import {
  attributesSchema,
  ignoresCase,
  type KnownFields,
  knownFields,
  models,
  type ObjectName,
  toFields,
} from "./fields.ts";

const connection = z.strictObject({
  access_token: z.string().min(1).meta({ secret: true, description: "An app's access token." }),
  region: z.enum(["us", "eu", "au"]).default("us").meta({ description: "Where Intercom hosts the workspace." }),
  base_url: z.url().optional().meta({ description: "Another address, such as a sandbox's." }),
});

/** Intercom takes one record a request. */
const batch: BatchLimit = { records: 1, atOnce: 32 };

/** Contacts attached to companies, for which Intercom has no name of its own. */
const attachments = "company_contacts";

type Name = ObjectName | typeof attachments;

const abilities: Readonly<Record<Name, Omit<ObjectDescription, "name" | "fields">>> = {
  contacts: {
    title: "Contacts",
    modes: ["upsert", "update", "insert", "mirror"],
    removals: ["archive", "delete", "clear"],
    batch,
    matchFields: 1,
    // Users with different external ids may share an e-mail address, so one sent twice may be there twice.
    idempotent: { upsert: true, update: true, mirror: true, insert: false, append: false },
  },
  companies: {
    title: "Companies",
    // Intercom has no call that makes a company and never changes one.
    modes: ["upsert", "update", "mirror"],
    removals: ["delete", "clear"],
    batch,
    matchFields: 1,
    idempotent: { upsert: true, update: true, mirror: true, insert: false, append: false },
  },
  [attachments]: {
    title: "Contacts of companies",
    modes: ["upsert", "mirror"],
    removals: ["delete"],
    batch,
    matchFields: 2,
    idempotent: { upsert: true, update: true, mirror: true, insert: true, append: true },
  },
};

const intercom: DestinationAdapter<IntercomConfig> = {
  type: "intercom",
  title: "Intercom",
  connection,
  // 10,000 a minute for an app, in slices.
  limits: () => [{ name: "ten seconds", requests: 1666, perMs: sliceMs }],
  failure: intercomFailure,
  quotas: intercomQuotas,
  place: ({ base_url, region }) => base_url ?? region,
  connect: (config, context) => new IntercomConnection(openApi(config, context)),
};

export default intercom;

class IntercomConnection implements Connection {
  readonly #api: JsonApi;
  readonly #fields = new Map<ObjectName, Promise<KnownFields>>();
  readonly #companies = new Map<string, string>();

  constructor(api: JsonApi) {
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const { app } = parseMe(await this.#api.ask("GET", "/me", undefined, signal));
    await askAttributes("contacts", this.#api, signal);
    const place = [app.id_code, app.region].filter((one) => one !== undefined).join(", ");
    return { account: `Intercom workspace ${app.name ?? "(without a name)"}${place === "" ? "" : ` (${place})`}` };
  }

  async objects(): Promise<readonly ObjectSummary[]> {
    return names.map((name) => ({ name, title: abilities[name].title }));
  }

  ignoresCase(object: string, _settings: ObjectSettings, field: string): boolean {
    return ignoresCase(object, field);
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    const name = nameOf(object, settings);
    if (name === attachments) return { name, ...abilities[name], fields: attachmentFields };
    return { name, ...abilities[name], fields: toFields(await this.#fieldsOf(name, signal)) };
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const name = nameOf(batch.object, batch.settings);
    if (name === attachments) return writeAttachments(batch, { api: this.#api, companies: this.#companies, signal });
    const context = { api: this.#api, fields: await this.#fieldsOf(name, signal), signal };
    return name === "contacts" ? writeContacts(batch, context) : writeCompanies(batch, context);
  }

  /** Asked once a connection: a run sees one set of fields from its beginning to its end. */
  #fieldsOf(name: ObjectName, signal?: AbortSignal): Promise<KnownFields> {
    const present = this.#fields.get(name);
    if (present) return present;
    const asked = askAttributes(name, this.#api, signal);
    this.#fields.set(name, asked);
    asked.catch(() => this.#fields.delete(name));
    return asked;
  }
}

async function askAttributes(name: ObjectName, api: JsonApi, signal?: AbortSignal): Promise<KnownFields> {
  const answer = await api.ask("GET", `/data_attributes?model=${models[name]}`, undefined, signal);
  return knownFields(name, parseAnswer(attributesSchema, answer).data);
}

const names: readonly Name[] = ["contacts", "companies", attachments];

function nameOf(object: string, settings: ObjectSettings): Name {
  const name = names.find((one) => one === object);
  const refuse = (code: string, message: string): DestinationError =>
    new DestinationError("refused", message, { code, applied: "no" });
  if (!name) throw refuse("unknown_object", `Intercom has no object "${object}". There are: ${names.join(", ")}.`);
  const [setting] = Object.keys(settings);
  if (setting === undefined) return name;
  throw refuse("settings_invalid", `${name} takes no settings, so to.settings.${setting} means nothing.`);
}
