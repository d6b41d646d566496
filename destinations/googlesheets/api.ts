/** The Sheets API as the adapter calls it: a spreadsheet's tabs, a tab's cells, and changes applied whole or not at all. */
import { z } from "zod";
import { type Context, DestinationError } from "../../src/destination.ts";
import { parseAnswer, parseJson, refusalOf } from "./errors.ts";
import { apiAddress, type SheetsConfig } from "./settings.ts";
import { askToken, type Token } from "./token.ts";
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
  let token: Promise<Token> | undefined;
  const current = async (signal?: AbortSignal): Promise<string> => {
    const held = await token;
    if (held && held.endsAt > Date.now()) return held.text;
    const asked = askToken(config, context, signal);
    token = asked;
    asked.catch(() => {
      if (token === asked) token = undefined;
    });
    return (await asked).text;
  };
  const call = async (path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> => {
    const authorization = `Bearer ${await current(signal)}`;
    try {
      return await send(`${root}${path}`, { authorization, body, signal }, context);
    } catch (error) {
      // A token that was withdrawn is not used again.
      if (error instanceof DestinationError && error.status === 401) token = undefined;
      throw error;
    }
  };
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
  readonly authorization: string;
  /** Undefined: a GET. */
  readonly body: unknown;
  readonly signal: AbortSignal | undefined;
}

async function send(url: string, { authorization, body, signal }: Asked, { fetch }: Context): Promise<unknown> {
  const response = await fetch(url, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      authorization,
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
