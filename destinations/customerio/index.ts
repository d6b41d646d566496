/** Customer.io: people, objects, relationships between them, and the members of manual segments. */
import { z } from "zod";
import {
  type Batch,
  type Connection,
  type DestinationAdapter,
  DestinationError,
  type ObjectDescription,
  type ObjectSettings,
  type ObjectSummary,
  type Operation,
  type Outcome,
  type RateLimit,
} from "../../src/destination.ts";
import { customerioFailure, outcomesOf, parseAnswer } from "./answers.ts";
import { type CustomerioApi, type CustomerioConfig, openApi } from "./api.ts";
import { checkRequestSize, objectItems, personItems, toDrafts, type ToItems } from "./items.ts";
import {
  describeObjects,
  describePeople,
  describeRelationships,
  describeSegment,
  ignoresCase,
  type ObjectType,
} from "./objects.ts";
import { relationshipItems } from "./relationships.ts";
import { appKeyMissing, ensureSegment, findSegment, mayMake, segmentMissing, writeMembers } from "./segments.ts";
import { parseSettings, recordSettings, relationshipSettings, segmentSettings } from "./settings.ts";
import { findType, objectTypes, unknownObject } from "./types.ts";

const connection = z.strictObject({
  site_id: z.string().min(1).meta({ description: "The Site ID of a Track API key." }),
  track_api_key: z.string().min(1).meta({ secret: true, description: "The Track API key." }),
  app_api_key: z.string().min(1).optional().meta({
    secret: true,
    description: "An App API key: lists object types and segments. segment_members needs it.",
  }),
  region: z.enum(["us", "eu"]).default("us").meta({ description: "Where the account's data is." }),
  base_url: z.url().optional().meta({ description: "Another address than the region's, such as a sandbox's." }),
  app_base_url: z.url().optional().meta({ description: "Another address of the App API. base_url if that is given." }),
  requests_per_second: z.int().min(1).max(1000).default(100).meta({
    description: "How many requests a second the Track API takes. Customer.io has said 100, and 1,000.",
  }),
});

/** The App API's limit is the lower one, and one pace holds for both. */
const appRequestsPerSecond = 10;

const customerio: DestinationAdapter<CustomerioConfig> = {
  type: "customerio",
  title: "Customer.io",
  connection,
  limits({ app_api_key, requests_per_second }): readonly RateLimit[] {
    const requests =
      app_api_key === undefined ? requests_per_second : Math.min(requests_per_second, appRequestsPerSecond);
    return [{ name: "second", requests, perMs: 1000 }];
  },
  failure: customerioFailure,
  place: ({ base_url, region, site_id }) => `${base_url ?? region} ${site_id}`,
  connect: (config, context) => new CustomerioConnection(config, openApi(config, context)),
};

export default customerio;

const fixedObjects: readonly ObjectSummary[] = [
  { name: "people", title: "People" },
  { name: "relationships", title: "Relationships of people to objects" },
  { name: "segment_members", title: "Members of a manual segment" },
];

class CustomerioConnection implements Connection {
  readonly #config: CustomerioConfig;
  readonly #api: CustomerioApi;
  readonly #segments = new Map<string, Promise<number | undefined>>();
  readonly #workspace = new Map<"", Promise<number | undefined>>();
  readonly #objectTypes = new Map<"", Promise<readonly ObjectType[]>>();

  constructor(config: CustomerioConfig, api: CustomerioApi) {
    this.#config = config;
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const workspace = await this.#verify(signal);
    if (this.#api.app) await objectTypes(this.#api, signal);
    return { account: `Customer.io workspace ${workspace ?? "(without a number)"}, region ${this.#config.region}` };
  }

  async objects(signal?: AbortSignal): Promise<readonly ObjectSummary[]> {
    const types = await this.#types(signal);
    return [...fixedObjects, ...types.map(({ object, title }) => ({ name: object, title }))];
  }

  ignoresCase(object: string, _settings: ObjectSettings, field: string): boolean {
    return ignoresCase(object, field);
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    await this.#verified(signal);
    switch (object) {
      case "people":
        return describePeople(parseSettings(object, recordSettings, settings).datetimes);
      case "relationships": {
        const { object_type: wanted, datetimes } = parseSettings(object, relationshipSettings, settings);
        return describeRelationships(await this.#typeOf(wanted, signal), datetimes);
      }
      case "segment_members": {
        const parsed = parseSettings(object, segmentSettings, settings);
        if (!this.#api.app) throw appKeyMissing();
        const found = await findSegment(parsed, this.#api.app, signal);
        if (found === undefined && !mayMake(parsed)) throw segmentMissing(parsed);
        return describeSegment(parsed.segment);
      }
      default: {
        const type = await this.#typeOf(object, signal);
        return describeObjects(type, parseSettings(object, recordSettings, settings).datetimes);
      }
    }
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    await this.#verified(signal);
    if (batch.object === "segment_members") return this.#writeSegment(batch, signal);
    const drafts = toDrafts(batch, await this.#itemsOf(batch, signal));
    const rejected = drafts.flatMap((draft): Outcome[] =>
      "reason" in draft ? [{ seq: draft.seq, kind: "rejected", ...draft.reason }] : [],
    );
    const sent = drafts.flatMap((draft) => ("sendable" in draft ? [draft] : []));
    if (sent.length === 0) return rejected;
    const items = sent.flatMap(({ sendable }) => sendable.items);
    checkRequestSize(items);
    const seqs = sent.flatMap(({ seq, sendable }) => sendable.items.map(() => seq));
    const ids = new Map(sent.map(({ seq, sendable }) => [seq, sendable.destinationId]));
    const outcomes = outcomesOf(seqs, await this.#api.batch(items, signal)).map((outcome): Outcome => {
      const destinationId = ids.get(outcome.seq);
      return outcome.kind === "accepted" && destinationId !== undefined ? { ...outcome, destinationId } : outcome;
    });
    return [...rejected, ...outcomes];
  }

  /** How the changes of a batch become items. Throws for what cannot be done with its object. */
  async #itemsOf(batch: Batch, signal?: AbortSignal): Promise<ToItems> {
    const { object, settings } = batch;
    switch (object) {
      case "people":
        requireAble(batch, ["upsert", "delete", "clear"]);
        return personItems(parseSettings(object, recordSettings, settings).datetimes, Date.now());
      case "relationships": {
        requireAble(batch, ["upsert", "delete"]);
        const { object_type: wanted, datetimes } = parseSettings(object, relationshipSettings, settings);
        return relationshipItems((await this.#typeOf(wanted, signal)).typeId, datetimes, batch);
      }
      default: {
        requireAble(batch, ["upsert", "delete"]);
        const { typeId } = await this.#typeOf(object, signal);
        return objectItems(typeId, parseSettings(object, recordSettings, settings).datetimes);
      }
    }
  }

  async #writeSegment(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    requireAble(batch, ["upsert", "archive"]);
    const settings = parseSettings(batch.object, segmentSettings, batch.settings);
    const { app } = this.#api;
    if (!app) throw appKeyMissing();
    const joining = batch.operation === "upsert";
    const segmentId = await once(this.#segments, `${batch.operation} ${settings.segment}`, () =>
      joining ? ensureSegment(settings, app, signal) : findSegment(settings, app, signal),
    );
    // Of a segment that is gone nobody is a member.
    if (segmentId === undefined) return batch.changes.map(({ seq }) => ({ seq, kind: "accepted" }));
    return writeMembers(batch, { api: this.#api, app, segmentId, signal });
  }

  async #typeOf(wanted: string, signal?: AbortSignal): Promise<ObjectType> {
    const types = await this.#types(signal);
    const found = findType(wanted, types);
    if (found) return found;
    throw unknownObject(
      wanted,
      fixedObjects.map(({ name }) => name),
      types,
    );
  }

  #types(signal?: AbortSignal): Promise<readonly ObjectType[]> {
    return once(this.#objectTypes, "", () => objectTypes(this.#api, signal));
  }

  /** Once a connection, so that no row crosses a region where it must not be. */
  #verified(signal?: AbortSignal): Promise<number | undefined> {
    return once(this.#workspace, "", () => this.#verify(signal));
  }

  /** The workspace's number. Throws where the credentials are for the other region. */
  async #verify(signal?: AbortSignal): Promise<number | undefined> {
    const { region, environment_id: workspace } = parseAnswer(regionSchema, await this.#api.region(signal));
    if (region === undefined || region === this.#config.region) return workspace;
    const message = `The workspace is in the region ${region}, and the connection says ${this.#config.region}. Its data would go through the wrong one.`;
    throw new DestinationError("unauthorized", message, { code: "wrong_region", applied: "no" });
  }
}

const regionSchema = z.object({ region: z.string().optional(), environment_id: z.int().optional() });

function requireAble({ object, operation }: Batch, able: readonly Operation[]): void {
  if (able.includes(operation)) return;
  const message = `Customer.io cannot ${operation} what is sent to ${object}; it can ${able.join(", ")}.`;
  throw new DestinationError("refused", message, { code: "operation_unsupported", applied: "no" });
}

/** The value of a key, asked for once a connection; a failure is not kept. */
function once<Key, Value>(kept: Map<Key, Promise<Value>>, key: Key, ask: () => Promise<Value>): Promise<Value> {
  const present = kept.get(key);
  if (present) return present;
  const asked = ask();
  kept.set(key, asked);
  asked.catch(() => kept.delete(key));
  return asked;
}
