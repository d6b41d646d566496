/** Loops: the contacts of an audience. */
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
import type { JsonApi } from "../../src/json-api.ts";
import { loopsFailure, openApi, parseAnswer, refusalOf } from "./api.ts";
import { writeContacts } from "./contacts.ts";
import { emailField, propertiesSchema, toFields } from "./fields.ts";
import { connection, type LoopsConfig } from "./settings.ts";

const loops: DestinationAdapter<LoopsConfig> = {
  type: "loops",
  title: "Loops",
  connection,
  limits: () => [{ name: "second", requests: 10, perMs: 1000 }],
  failure: loopsFailure,
  connect: (config, context) => new LoopsConnection(openApi(config, context)),
};

export default loops;

const summary: ObjectSummary = { name: "contacts", title: "Contacts" };

class LoopsConnection implements Connection {
  readonly #api: JsonApi;

  constructor(api: JsonApi) {
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const answer = await this.#api.call("GET", "/api-key", undefined, signal);
    if (answer.status !== 200) throw refusalOf(answer);
    const { teamName } = parseAnswer(z.object({ teamName: z.string().min(1) }), answer.body);
    return { account: `Loops, ${teamName}` };
  }

  async objects(): Promise<readonly ObjectSummary[]> {
    return [summary];
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    requireContacts(object, settings);
    const answer = await this.#api.call("GET", "/contacts/properties?list=custom", undefined, signal);
    if (answer.status !== 200) throw refusalOf(answer);
    return {
      ...summary,
      modes: ["upsert", "update", "insert", "mirror"],
      removals: ["delete", "clear"],
      // One request each: a batch is what one second takes.
      batch: { records: 10 },
      matchFields: 1,
      // An identifier is a contact's once: a repeated insert is refused.
      idempotent: { upsert: true, update: true, insert: true, mirror: true, append: false },
      fields: toFields(parseAnswer(propertiesSchema, answer.body)),
    };
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    requireContacts(batch.object, batch.settings);
    return writeContacts(batch, { api: this.#api, signal });
  }

  ignoresCase(_object: string, _settings: ObjectSettings, field: string): boolean {
    return field === emailField;
  }
}

function requireContacts(object: string, settings: ObjectSettings): void {
  const refuse = (code: string, message: string): DestinationError =>
    new DestinationError("refused", message, { code, applied: "no" });
  if (object !== summary.name)
    throw refuse("unknown_object", `Loops has no object "${object}". There is: ${summary.name}.`);
  const [setting] = Object.keys(settings);
  if (setting !== undefined)
    throw refuse("settings_invalid", `contacts takes no settings, so to.settings.${setting} means nothing.`);
}
