/** ChartMogul: customers, with their custom attributes and tags. */
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
import { type DataSource, parseAccount, parseDataSource, parsePage } from "./answers.ts";
import { type ChartMogulConfig, openApi } from "./api.ts";
import { noteAttributes, type SeenAttributes, settleTypes } from "./attributes.ts";
import { writeCustomers } from "./customers.ts";
import { chartMogulFailure, refusalOf } from "./errors.ts";
import { toFields } from "./fields.ts";
import { type AttributeType, type CustomerSettings, parseSettings } from "./settings.ts";

const connection = z.strictObject({
  api_key: z.string().min(1).meta({ secret: true, description: "An API key that may read and write." }),
  base_url: z
    .url()
    .default("https://api.chartmogul.com")
    .meta({ description: "Another address, such as a sandbox's, without /v1." }),
});

const customers: ObjectSummary = { name: "customers", title: "Customers" };

/** ChartMogul takes one customer a request. */
const batchLimit: BatchLimit = { records: 1, atOnce: 16 };

/** So many customers are looked at for the attributes that they have. */
const discovery = { pages: 5, perPage: 200 };

const chartmogul: DestinationAdapter<ChartMogulConfig> = {
  type: "chartmogul",
  title: "ChartMogul",
  connection,
  limits: () => [{ name: "second", requests: 40, perMs: 1000 }],
  failure: chartMogulFailure,
  connect: (config, context) => new ChartMogulConnection(openApi(config, context)),
};

export default chartmogul;

class ChartMogulConnection implements Connection {
  readonly #api: JsonApi;
  readonly #accounts = new Map<string, Promise<Surroundings>>();

  constructor(api: JsonApi) {
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const { name, id } = parseAccount(await this.#api.ask("GET", "/account", undefined, signal));
    parsePage(await this.#api.ask("GET", "/customers?per_page=1", undefined, signal));
    return { account: `ChartMogul account ${name ?? id ?? "(without a name)"}` };
  }

  async objects(): Promise<readonly ObjectSummary[]> {
    return [customers];
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    const { source, types } = await this.#surroundings(object, settings, signal);
    // Only in a data source that is ours to fill can a customer be made.
    const creates = source !== undefined && /^import api$/i.test(source.system);
    return {
      name: customers.name,
      title: source ? `${customers.title} of the data source "${source.name}" (${source.system})` : customers.title,
      modes: creates ? ["upsert", "update", "insert", "mirror"] : ["update"],
      removals: creates ? ["clear"] : [],
      batch: batchLimit,
      matchFields: 1,
      idempotent: { upsert: true, update: true, mirror: true, insert: true, append: false },
      fields: toFields(types, source !== undefined),
    };
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const { source, types } = await this.#surroundings(batch.object, batch.settings, signal);
    return writeCustomers(batch, { api: this.#api, dataSource: source?.uuid, types, signal });
  }

  /** Asked once a connection: a run sees one set of fields from its beginning to its end. */
  #surroundings(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<Surroundings> {
    if (object !== customers.name) return Promise.reject(unknownObject(object));
    const key = JSON.stringify(settings);
    const present = this.#accounts.get(key);
    if (present) return present;
    const asked = lookAround(this.#api, settings, signal);
    this.#accounts.set(key, asked);
    asked.catch(() => this.#accounts.delete(key));
    return asked;
  }
}

/** What a sync's settings mean in the account. */
interface Surroundings {
  readonly source: DataSource | undefined;
  readonly types: ReadonlyMap<string, AttributeType>;
}

async function lookAround(api: JsonApi, settings: ObjectSettings, signal?: AbortSignal): Promise<Surroundings> {
  const parsed = parseSettings(settings);
  const source = await findSource(api, parsed, signal);
  return { source, types: settleTypes(await seeAttributes(api, signal), parsed) };
}

async function findSource(
  api: JsonApi,
  { data_source }: CustomerSettings,
  signal: AbortSignal | undefined,
): Promise<DataSource | undefined> {
  if (data_source === undefined) return undefined;
  const answer = await api.call("GET", `/data_sources/${encodeURIComponent(data_source)}`, undefined, signal);
  if (isSuccess(answer)) return parseDataSource(answer.body);
  if (answer.status !== 404) throw refusalOf(answer);
  const message = `ChartMogul has no data source ${data_source}. Its UUID is on the page of the source in ChartMogul.`;
  throw new DestinationError("refused", message, { code: "unknown_data_source", applied: "no", status: 404 });
}

/** The attributes that the first customers have: an account's attributes are the same in all its data sources. */
async function seeAttributes(api: JsonApi, signal: AbortSignal | undefined): Promise<SeenAttributes> {
  const seen: SeenAttributes = new Map();
  let cursor: string | undefined;
  for (let page = 0; page < discovery.pages; page += 1) {
    const query = new URLSearchParams({ per_page: String(discovery.perPage), ...(cursor ? { cursor } : {}) });
    const {
      entries,
      has_more,
      cursor: next,
    } = parsePage(await api.ask("GET", `/customers?${query.toString()}`, undefined, signal));
    noteAttributes(seen, entries);
    if (has_more !== true || !next) break;
    cursor = next;
  }
  return seen;
}

function unknownObject(object: string): DestinationError {
  return new DestinationError("refused", `ChartMogul has no object "${object}". There is: ${customers.name}.`, {
    code: "unknown_object",
    applied: "no",
  });
}
