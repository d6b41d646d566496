/** Google Sheets: the tabs of one spreadsheet, each a table with a header row. */
import {
  type Batch,
  type BatchLimit,
  type Connection,
  type DestinationAdapter,
  DestinationError,
  type Field,
  type ObjectDescription,
  type ObjectSettings,
  type ObjectSummary,
  type Outcome,
} from "../../src/destination.ts";
import { openApi, type SheetsApi, type Spreadsheet } from "./api.ts";
import { sheetsFailure } from "./errors.ts";
import { writeRows } from "./records.ts";
import { cellLimit } from "./requests.ts";
import { apiAddress, connection, parseSettings, type SheetsConfig, type TabSettings } from "./settings.ts";
import { type Table, tableIn } from "./table.ts";

/** Google advises 2 MB a request; what surrounds each cell in one is as long as a short value. */
const batchLimit: BatchLimit = { records: 500, bytes: 1_000_000 };

const googlesheets: DestinationAdapter<SheetsConfig> = {
  type: "googlesheets",
  title: "Google Sheets",
  connection,
  // Google counts reads and writes apart, 60 of each. Here they are one: of three requests two are reads.
  limits: ({ requests_per_minute }) => [{ name: "minute", requests: requests_per_minute, perMs: 60_000 }],
  failure: sheetsFailure,
  place: (config) => `${apiAddress(config)} ${config.spreadsheet_id}`,
  connect: (config, context) => new SheetsConnection(openApi(config, context)),
};

export default googlesheets;

type Tab = Spreadsheet["sheets"][number]["properties"];

class SheetsConnection implements Connection {
  readonly #api: SheetsApi;
  #spreadsheet: Promise<Spreadsheet> | undefined;

  constructor(api: SheetsApi) {
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const { properties, sheets } = await this.#api.spreadsheet(signal);
    return { account: `Spreadsheet "${properties.title}", ${sheets.length} tabs` };
  }

  async objects(signal?: AbortSignal): Promise<readonly ObjectSummary[]> {
    return tabsOf(await this.#api.spreadsheet(signal)).map(({ title }) => ({ name: title, title }));
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    const { title } = await this.#tab(object, signal);
    const given = parseSettings(settings);
    const table = tableIn(await this.#api.cells(title, signal), given.header_row);
    return {
      name: title,
      title,
      modes: ["upsert", "update", "insert", "mirror", "append"],
      removals: ["delete", "clear"],
      batch: batchLimit,
      idempotent: { upsert: true, update: true, mirror: true, insert: false, append: false },
      fields: toFields(title, table, given),
    };
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const { header_row: headerRow } = parseSettings(batch.settings);
    const { sheetId } = await this.#tab(batch.object, signal);
    return writeRows(batch, { api: this.#api, sheetId, headerRow, signal });
  }

  async #tab(object: string, signal?: AbortSignal): Promise<Tab> {
    const tabs = tabsOf(await this.#known(signal));
    const tab = tabs.find(({ title }) => title === object);
    if (tab) return tab;
    const names = tabs.map(({ title }) => title).join(", ");
    throw refused("unknown_object", `The spreadsheet has no tab "${object}". There are: ${names}.`);
  }

  /** Asked once a connection: a tab that is renamed during a run is refused by Google from then on. */
  #known(signal?: AbortSignal): Promise<Spreadsheet> {
    this.#spreadsheet ??= this.#api.spreadsheet(signal).catch((error: unknown) => {
      this.#spreadsheet = undefined;
      throw error;
    });
    return this.#spreadsheet;
  }
}

/** Tabs with cells: charts have tabs too. */
const tabsOf = ({ sheets }: Spreadsheet): readonly Tab[] =>
  sheets.map(({ properties }) => properties).filter(({ sheetType }) => sheetType === "GRID");

function toFields(tab: string, { columns, repeated }: Table, { header_row, types }: TabSettings): readonly Field[] {
  if (columns.size === 0) {
    const words = repeated.length === 0 ? "" : ` Headers that stand twice do not count: ${repeated.join(", ")}.`;
    throw refused("header_missing", `The tab "${tab}" has no headers in row ${header_row}.${words}`);
  }
  const unknown = Object.keys(types).find((name) => !columns.has(name));
  if (unknown !== undefined)
    throw refused("settings_invalid", `to.settings.types: the tab "${tab}" has no one column "${unknown}".`);
  return [...columns.keys()].map((name) => {
    const type = types[name] ?? "text";
    return {
      name,
      title: name,
      type,
      writable: true,
      matches: true,
      ...(type === "text" ? { maxLength: cellLimit } : {}),
    };
  });
}

function refused(code: string, message: string): DestinationError {
  return new DestinationError("refused", message, { code, applied: "no" });
}
