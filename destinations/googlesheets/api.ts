/** The Sheets API as the adapter calls it: a spreadsheet's tabs, a tab's cells, and changes applied whole or not at all. */
import { z } from "zod";
import type { Bearer, Context } from "../../src/destination.ts";
import { parseJson } from "../../src/json-api.ts";
import { parseAnswer, refusalOf } from "./errors.ts";
import { apiAddress, type SheetsConfig } from "./settings.ts";
import { grantOf } from "./token.ts";
import type { Cell } from "./table.ts";
import type { SheetRequest } from "./requests.ts";

const spreadsheetSchema = z.object({
  properties: z.object({ title: z.string() }),
  sheets: z.array(
    z.object({
      properties: z.object({
        sheetId: z.int(),
        title: z.string(),
        // Charts have tabs too, which hold no cells.
        sheetType: z.string().default("GRID"),
      }),
    }),
  ),
});

export type Spreadsheet = z.output<typeof spreadsheetSchema>;

const valuesSchema = z.object({
  valueRanges: z
    .array(
      z.object({
        valueRange: z.object({
          range: z.string(),
          values: z.array(z.array(z.union([z.string(), z.number(), z.boolean()]))).default([]),
        }),
      }),
    )
    .length(1),
});

export interface SheetsApi {
  spreadsheet(signal?: AbortSignal): Promise<Spreadsheet>;
  /** All cells of a tab from its first row on; empty rows and cells at an end are left out, as Google does. */
  cells(tab: string, signal?: AbortSignal): Promise<readonly (readonly Cell[])[]>;
  /** Applies all requests or none. Throws `refused` when Google takes them not. */
  apply(requests: readonly SheetRequest[], signal?: AbortSignal): Promise<void>;
}

export function openApi(config: SheetsConfig, context: Context): SheetsApi {
  const root = `${apiAddress(config)}/v4/spreadsheets/${encodeURIComponent(config.spreadsheet_id)}`;
  const bearer = context.bearer(grantOf(config));
  const call = (path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> =>
    send(`${root}${path}`, { body, signal }, bearer);
  return {
    spreadsheet: async (signal) =>
      parseAnswer(
        spreadsheetSchema,
        await call("?fields=properties.title,sheets.properties(sheetId,title,sheetType)", undefined, signal),
      ),
    cells: async (tab, signal) => {
      const asked = { dataFilters: [{ a1Range: quoted(tab) }], valueRenderOption: "UNFORMATTED_VALUE" };
      const answer = await call("/values:batchGetByDataFilter", asked, signal);
      const [range] = parseAnswer(valuesSchema, answer).valueRanges;
      return range?.valueRange.values ?? [];
    },
    apply: async (requests, signal) => void (await call(":batchUpdate", { requests }, signal)),
  };
}

/** A tab's name as a range; a quote in it is doubled. */
const quoted = (tab: string): string => `'${tab.replaceAll("'", "''")}'`;

interface Asked {
  /** Undefined: a GET. */
  readonly body: unknown;
  readonly signal: AbortSignal | undefined;
}

async function send(url: string, { body, signal }: Asked, { fetch }: Bearer): Promise<unknown> {
  const response = await fetch(url, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      accept: "application/json",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  });
  const answer = parseJson(await response.text());
  if (!response.ok) throw refusalOf({ status: response.status, body: answer });
  return answer;
}
