/** Braze: users, by external id. */
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
import { isSuccess, type JsonApi } from "../../src/json-api.ts";
import { openApi } from "./api.ts";
import { brazeFailure, refusalOf } from "./errors.ts";
import { fields } from "./fields.ts";
import { apiAddress, connection, type BrazeConfig } from "./settings.ts";
import { writeUsers } from "./users.ts";

const braze: DestinationAdapter<BrazeConfig> = {
  type: "braze",
  title: "Braze",
  connection,
  limits: () => [{ name: "three seconds", requests: 3000, perMs: 3000 }],
  failure: brazeFailure,
  place: apiAddress,
  connect: (config, context) => new BrazeConnection(openApi(config, context), config.instance),
};

export default braze;

const summary: ObjectSummary = { name: "users", title: "Users" };

class BrazeConnection implements Connection {
  readonly #api: JsonApi;
  readonly #instance: string;

  constructor(api: JsonApi, instance: string) {
    this.#api = api;
    this.#instance = instance;
  }

  /** Braze has no request that only tells whose key it is: one that asks for nothing is refused for that alone. */
  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const answer = await this.#api.call("POST", "/users/track", { attributes: [] }, signal);
    if (!isSuccess(answer) && answer.status !== 400) throw refusalOf(answer);
    return { account: `Braze, a workspace on ${this.#instance}` };
  }

  async objects(): Promise<readonly ObjectSummary[]> {
    return [summary];
  }

  async describe(object: string, settings: ObjectSettings): Promise<ObjectDescription> {
    requireUsers(object, settings);
    return {
      ...summary,
      modes: ["upsert", "update", "mirror"],
      removals: ["clear", "delete"],
      // 75 users a request and 4 MB; deleting and looking up takes 50.
      batch: { records: 50, recordsOf: { upsert: 75, clear: 75 }, bytes: 3_500_000, atOnce: 16 },
      matchFields: 1,
      idempotent: { upsert: true, update: true, mirror: true, insert: false, append: false },
      fields,
    };
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    requireUsers(batch.object, batch.settings);
    return writeUsers(batch, { api: this.#api, signal });
  }
}

function requireUsers(object: string, settings: ObjectSettings): void {
  const refuse = (code: string, message: string): DestinationError =>
    new DestinationError("refused", message, { code, applied: "no" });
  if (object !== summary.name)
    throw refuse("unknown_object", `Braze has no object "${object}". There is: ${summary.name}.`);
  const [setting] = Object.keys(settings);
  if (setting !== undefined)
    throw refuse("settings_invalid", `users takes no settings, so to.settings.${setting} means nothing.`);
}
