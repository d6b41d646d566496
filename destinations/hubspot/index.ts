/** HubSpot: contacts, companies, deals, tickets, custom objects, and the members of static lists. */
import { z } from "zod";
import {
  type Batch,
  type BatchLimit,
  type Connection,
  type DestinationAdapter,
  DestinationError,
  type DestinationRecord,
  type Field,
  type FieldType,
  type ObjectDescription,
  type ObjectSettings,
  type ObjectSummary,
  type Outcome,
  type RateLimit,
} from "../../src/destination.ts";
import { parseAnswer } from "./answers.ts";
import { type HubSpotApi, openApi } from "./api.ts";
import { hubspotFailure, hubspotQuotas, refusalOf } from "./errors.ts";
import { ignoresCase, propertiesSchema, toFields } from "./fields.ts";
import { ensureList, findList, listMissing, parseSettings, writeMemberships } from "./memberships.ts";
import { readRecords, writeRecords } from "./records.ts";
import { connection, type HubSpotConfig } from "./settings.ts";

/** Requests in ten seconds and in a day, by tier. */
const limitsByTier: Readonly<Record<HubSpotConfig["tier"], readonly [number, number]>> = {
  free: [100, 250_000],
  starter: [100, 250_000],
  professional: [190, 625_000],
  enterprise: [190, 1_000_000],
};

/** Requests in ten seconds of an app that was authorized by OAuth, in each account, whatever its tier. */
const requestsOfApps = 110;

/** What HubSpot calls the standard objects. */
const standardObjects: Readonly<Record<string, { readonly title: string; readonly typeId: string }>> = {
  contacts: { title: "Contacts", typeId: "0-1" },
  companies: { title: "Companies", typeId: "0-2" },
  deals: { title: "Deals", typeId: "0-3" },
  tickets: { title: "Tickets", typeId: "0-5" },
};

const memberships = "list_memberships";

/** HubSpot takes at most so many inputs in any batch; where it answers slowly, four at a time would not use its limit. */
const batchLimit: BatchLimit = { records: 100, atOnce: 16 };

const hubspot: DestinationAdapter<HubSpotConfig> = {
  type: "hubspot",
  title: "HubSpot",
  connection,
  limits({ tier, refresh_token }): readonly RateLimit[] {
    const [ofTier, daily] = limitsByTier[tier];
    const rolling = refresh_token === undefined ? ofTier : requestsOfApps;
    return [
      { name: "ten seconds", requests: rolling, perMs: 10_000 },
      { name: "day", requests: daily, perMs: 86_400_000 },
    ];
  },
  failure: hubspotFailure,
  quotas: hubspotQuotas,
  connect: (config, context) => new HubSpotConnection(openApi(config, context)),
};

export default hubspot;

class HubSpotConnection implements Connection {
  readonly #api: HubSpotApi;
  readonly #fields = new Map<string, Promise<readonly Field[]>>();
  readonly #lists = new Map<string, Promise<string>>();
  #customObjects: Promise<readonly CustomObject[]> | undefined;

  constructor(api: HubSpotApi) {
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const details = parseAnswer(
      accountSchema,
      await this.#api.read("GET", `/account-info/${this.#api.version}/details`, undefined, signal),
    );
    await this.#api.read("GET", `/crm/properties/${this.#api.version}/contacts`, undefined, signal);
    return {
      account: `HubSpot account ${details.portalId ?? "(without a number)"}${details.accountType ? `, ${details.accountType}` : ""}`,
    };
  }

  async objects(signal?: AbortSignal): Promise<readonly ObjectSummary[]> {
    const custom = await this.#custom(signal);
    return [
      ...Object.entries(standardObjects).map(([name, { title }]) => ({ name, title })),
      ...custom.map(({ name, title }) => ({ name, title })),
      { name: memberships, title: "Members of a static list" },
    ];
  }

  ignoresCase(object: string, settings: ObjectSettings, field: string): boolean {
    return ignoresCase(object === memberships ? parseSettings(settings).of : object, field);
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    if (object === memberships) return this.#describeMemberships(settings, signal);
    const { title } = await this.#typeOf(object, signal);
    return {
      name: object,
      title,
      modes: ["upsert", "update", "insert", "mirror"],
      removals: ["archive", "clear"],
      batch: batchLimit,
      matchFields: 1,
      idempotent: { upsert: true, update: true, mirror: true, insert: false, append: false },
      fields: await this.#fieldsOf(object, signal),
      reads: true,
    };
  }

  async read(
    batch: Batch,
    fields: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, DestinationRecord | null>> {
    return readRecords(batch, fields, { api: this.#api, signal });
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    if (batch.object === memberships) return this.#writeMemberships(batch, signal);
    const fields = await this.#fieldsOf(batch.object, signal);
    const types = new Map<string, FieldType>(fields.map(({ name, type }) => [name, type]));
    return writeRecords(batch, { api: this.#api, types, signal });
  }

  async #describeMemberships(settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    const parsed = parseSettings(settings);
    const { title, typeId } = await this.#typeOf(parsed.of, signal);
    if ((await findList(parsed, typeId, this.#api, signal)) === undefined && !parsed.create) throw listMissing(parsed);
    const fields = await this.#fieldsOf(parsed.of, signal);
    const finding = fields.filter(({ name, matches }) => matches || name === "hs_object_id");
    return {
      name: memberships,
      title: `Members of the list "${parsed.list}" (${title})`,
      modes: ["upsert", "mirror"],
      removals: ["archive"],
      batch: batchLimit,
      matchFields: 1,
      idempotent: { upsert: true, update: true, mirror: true, insert: true, append: true },
      fields: finding.map((field) => ({ ...field, matches: true, writable: false })),
    };
  }

  async #writeMemberships(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const settings = parseSettings(batch.settings);
    const { typeId } = await this.#typeOf(settings.of, signal);
    const listId = await once(this.#lists, `${settings.of} ${settings.list}`, () =>
      ensureList(settings, typeId, this.#api, signal),
    );
    return writeMemberships(batch, { api: this.#api, listId, objectTypeId: typeId, of: settings.of, signal });
  }

  async #typeOf(object: string, signal?: AbortSignal): Promise<{ readonly title: string; readonly typeId: string }> {
    const standard = Object.hasOwn(standardObjects, object) ? standardObjects[object] : undefined;
    if (standard) return standard;
    const custom = await this.#custom(signal);
    const found = custom.find(({ name, typeId }) => name === object || typeId === object);
    if (found) return found;
    const names = [...Object.keys(standardObjects), ...custom.map(({ name }) => name), memberships].join(", ");
    throw new DestinationError("refused", `HubSpot has no object "${object}". There are: ${names}.`, {
      code: "unknown_object",
      applied: "no",
    });
  }

  /** Asked once a connection: a run sees one set of fields from its beginning to its end. */
  #fieldsOf(object: string, signal?: AbortSignal): Promise<readonly Field[]> {
    return once(this.#fields, object, async () => {
      const answer = await this.#api.call(
        "GET",
        `/crm/properties/${this.#api.version}/${encodeURIComponent(object)}`,
        undefined,
        signal,
      );
      if (answer.status !== 200) throw refusalOf(answer);
      return toFields(parseAnswer(propertiesSchema, answer.body).results, object);
    });
  }

  #custom(signal?: AbortSignal): Promise<readonly CustomObject[]> {
    this.#customObjects ??= this.#api
      .read("GET", `/crm-object-schemas/${this.#api.version}/schemas`, undefined, signal)
      .then((answer) =>
        parseAnswer(schemasSchema, answer).results.map(({ name, objectTypeId, labels }) => ({
          name,
          typeId: objectTypeId,
          title: labels.plural ?? name,
        })),
      )
      .catch((error: unknown) => {
        this.#customObjects = undefined;
        throw error;
      });
    return this.#customObjects;
  }
}

interface CustomObject extends ObjectSummary {
  readonly typeId: string;
}

const accountSchema = z.object({ portalId: z.number().optional(), accountType: z.string().optional() });

const schemasSchema = z.object({
  results: z.array(
    z.object({
      name: z.string(),
      objectTypeId: z.string(),
      labels: z.object({ plural: z.string().optional() }).default({}),
    }),
  ),
});

/** The value of a key, computed at most once at a time; a failure is not kept. */
function once<Value>(kept: Map<string, Promise<Value>>, key: string, compute: () => Promise<Value>): Promise<Value> {
  const present = kept.get(key);
  if (present) return present;
  const value = compute();
  kept.set(key, value);
  value.catch(() => kept.delete(key));
  return value;
}
