/** Salesforce: every object that can be written, standard and custom, through sObject Collections and Bulk API 2.0. */
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
  type Removal,
} from "../../src/destination.ts";
import { openApi, type SalesforceApi } from "./api.ts";
import { collectionRecords, jobRecords, resumeBulk, writeBulk } from "./bulk.ts";
import { parseAnswer, salesforceFailure, salesforceQuotas } from "./errors.ts";
import { describeSchema, type SObject, toFields } from "./fields.ts";
import { writeRecords } from "./records.ts";
import { commonLogin, connection, parseSettings, type SalesforceConfig } from "./settings.ts";

/** A job's table comes back whole in its results, which are read in one piece. */
const bulkLimit: BatchLimit = {
  records: collectionRecords,
  recordsOf: { upsert: jobRecords, insert: jobRecords },
  bytes: 4_000_000,
};

const salesforce: DestinationAdapter<SalesforceConfig> = {
  type: "salesforce",
  title: "Salesforce",
  connection,
  limits: ({ daily_requests }) => [{ name: "day", requests: daily_requests, perMs: 86_400_000 }],
  failure: salesforceFailure,
  quotas: salesforceQuotas,
  // The address at which all log in leads to the org of the app, and of the user it acts as.
  place: ({ base_url, login_url = "", client_id, username = "" }) =>
    base_url === commonLogin ? [base_url, login_url, client_id, username].join(" ") : base_url,
  connect: (config, context) => new SalesforceConnection(openApi(config, context)),
};

export default salesforce;

const listSchema = z.object({
  sobjects: z.array(
    z.object({
      name: z.string(),
      labelPlural: z.string().nullish(),
      createable: z.boolean().default(false),
      updateable: z.boolean().default(false),
      queryable: z.boolean().default(true),
    }),
  ),
});

class SalesforceConnection implements Connection {
  readonly #api: SalesforceApi;
  readonly #described = new Map<string, Promise<SObject>>();

  constructor(api: SalesforceApi) {
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const { body, usage } = await this.#api.call("GET", "/sobjects", undefined, signal);
    const { sobjects } = parseAnswer(listSchema, body);
    const used = usage === undefined ? "" : `, ${usage} API requests used in 24 hours`;
    return { account: `Salesforce org, ${sobjects.length} objects${used}` };
  }

  async objects(signal?: AbortSignal): Promise<readonly ObjectSummary[]> {
    const { body } = await this.#api.call("GET", "/sobjects", undefined, signal);
    return parseAnswer(listSchema, body)
      .sobjects.filter(({ createable, updateable, queryable }) => (createable || updateable) && queryable)
      .map(({ name, labelPlural }) => ({ name, title: labelPlural ?? name }));
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    const { api } = parseSettings(settings);
    const found = await this.#describe(object, signal);
    const { createable, updateable, deletable } = found;
    const removals: readonly Removal[] = [
      ...(deletable ? ["delete" as const] : []),
      ...(updateable ? ["clear" as const] : []),
    ];
    return {
      name: found.name,
      title: found.label,
      modes: [
        ...(createable && updateable ? (["upsert", "mirror"] as const) : []),
        ...(updateable ? (["update"] as const) : []),
        ...(createable ? (["insert"] as const) : []),
      ],
      removals,
      batch: api === "bulk" ? bulkLimit : { records: collectionRecords },
      matchFields: 1,
      idempotent: { upsert: true, update: true, mirror: true, insert: false, append: false },
      fields: toFields(found),
    };
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const found = await this.#describe(batch.object, signal);
    const [match] = batch.match;
    const matchField = found.fields.find(({ name }) => name === match);
    if (!matchField) {
      const message = `Salesforce's ${batch.object} has no field "${match ?? ""}" to find records by.`;
      throw new DestinationError("refused", message, { code: "unknown_field", applied: "no", field: match });
    }
    const types = new Map(toFields(found).map(({ name, type }) => [name, type]));
    const context = { api: this.#api, types, matchField, signal };
    return parseSettings(batch.settings).api === "bulk" ? writeBulk(batch, context) : writeRecords(batch, context);
  }

  resume(handle: string, signal?: AbortSignal): Promise<readonly Outcome[]> {
    return resumeBulk(handle, { api: this.#api, signal });
  }

  /** Asked once a connection: a run sees one set of fields from its beginning to its end. */
  #describe(object: string, signal?: AbortSignal): Promise<SObject> {
    const present = this.#described.get(object);
    if (present) return present;
    const described = this.#ask(object, signal);
    this.#described.set(object, described);
    described.catch(() => this.#described.delete(object));
    return described;
  }

  async #ask(object: string, signal?: AbortSignal): Promise<SObject> {
    try {
      const path = `/sobjects/${encodeURIComponent(object)}/describe`;
      return parseAnswer(describeSchema, (await this.#api.call("GET", path, undefined, signal)).body);
    } catch (error) {
      if (!(error instanceof DestinationError) || error.status !== 404) throw error;
      const names = (await this.objects(signal)).map(({ name }) => name).join(", ");
      const message = `Salesforce has no object "${object}", or the user may not see it. There are: ${names}.`;
      throw new DestinationError("refused", message, { code: "unknown_object", applied: "no", status: 404 });
    }
  }
}
