/** Mailchimp Marketing: the members of an audience. */
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
import { openApi } from "./api.ts";
import { mailchimpFailure, parseAnswer, refusalOf } from "./errors.ts";
import { emailField, type MergeField, mergeFieldsSchema, toFields } from "./fields.ts";
import { writeMembers } from "./members.ts";
import { apiAddress, connection, type MailchimpConfig, parseSettings } from "./settings.ts";

/** Members who are there are changed one by one, and the batch waits for all of them. */
const byOne = 50;

const mailchimp: DestinationAdapter<MailchimpConfig> = {
  type: "mailchimp",
  title: "Mailchimp",
  connection,
  // Ten connections at a time are allowed; no number of requests is published.
  limits: () => [],
  failure: mailchimpFailure,
  place: apiAddress,
  connect: (config, context) => new MailchimpConnection(openApi(config, context)),
};

export default mailchimp;

const object = "members";
const summary: ObjectSummary = { name: object, title: "Members of an audience" };

class MailchimpConnection implements Connection {
  readonly #api: JsonApi;
  readonly #fields = new Map<string, Promise<readonly MergeField[]>>();

  constructor(api: JsonApi) {
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const root = z.object({ account_name: z.string(), role: z.string().default("unknown role") });
    const { account_name, role } = parseAnswer(root, await this.#api.ask("GET", "/", undefined, signal));
    return { account: `Mailchimp, ${account_name} (${role})` };
  }

  async objects(): Promise<readonly ObjectSummary[]> {
    return [summary];
  }

  ignoresCase(_object: string, _settings: ObjectSettings, field: string): boolean {
    return field === emailField;
  }

  async describe(name: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    requireObject(name);
    const { audience } = parseSettings(settings);
    return {
      ...summary,
      modes: ["upsert", "update", "insert", "mirror"],
      removals: ["clear", "archive", "delete"],
      batch: { records: byOne, recordsOf: { insert: 500 } },
      matchFields: 1,
      // An address is a member once: a repeated insert is refused.
      idempotent: { upsert: true, update: true, mirror: true, insert: true, append: false },
      fields: toFields(await this.#fieldsOf(audience, signal)),
    };
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    requireObject(batch.object);
    const settings = parseSettings(batch.settings);
    const fields = new Map((await this.#fieldsOf(settings.audience, signal)).map((one) => [one.tag, one]));
    return writeMembers(batch, { api: this.#api, settings, fields, signal });
  }

  /** Asked once a connection: a run sees one set of fields from its beginning to its end. */
  #fieldsOf(audience: string, signal?: AbortSignal): Promise<readonly MergeField[]> {
    const present = this.#fields.get(audience);
    if (present) return present;
    const asked = askFields(audience, this.#api, signal);
    this.#fields.set(audience, asked);
    asked.catch(() => this.#fields.delete(audience));
    return asked;
  }
}

async function askFields(audience: string, api: JsonApi, signal?: AbortSignal): Promise<readonly MergeField[]> {
  const answer = await api.call("GET", `/lists/${audience}/merge-fields?count=1000`, undefined, signal);
  if (answer.status === 404)
    throw new DestinationError("refused", `Mailchimp has no audience "${audience}".`, {
      code: "audience_not_found",
      applied: "no",
      status: 404,
    });
  if (answer.status !== 200) throw refusalOf(answer);
  return parseAnswer(mergeFieldsSchema, answer.body).merge_fields;
}

function requireObject(name: string): void {
  if (name === object) return;
  const message = `Mailchimp has no object "${name}". There is: ${object}.`;
  throw new DestinationError("refused", message, { code: "unknown_object", applied: "no" });
}
