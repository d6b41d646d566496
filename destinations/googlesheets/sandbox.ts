/**
 * A spreadsheet of Google Sheets in memory: tabs with cells, service accounts whose assertions are verified, the quotas of
 * a minute, and people who sort between two requests. A batchUpdate is applied whole or not at all.
 */
import { createPublicKey, verify } from "node:crypto";
import { z } from "zod";
import { RateWindow } from "../../src/rate-window.ts";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { Grid, RefusedStep, type SandboxCell, type Step, stepSchema } from "./sandbox/grid.ts";

const cell = z.union([z.string(), z.number(), z.boolean()]);

const seedSchema = z.strictObject({
  title: z.string().default("Sandbox"),
  tabs: z
    .array(
      z.strictObject({
        title: z.string(),
        rows: z.array(z.array(cell)).default([]),
        chart: z.boolean().default(false),
      }),
    )
    .default([
      { title: "Accounts", chart: false, rows: [["account_id", "name", "plan", "mrr"]] },
      { title: "Sheet1", chart: false, rows: [] },
    ]),
  /** Who may ask for tokens. None given: any whose name does not begin with `stranger`, with any key. */
  accounts: z.array(z.strictObject({ client_email: z.string(), public_key: z.string() })).optional(),
  /** With which of the spreadsheet is shared for reading only. */
  readers: z.array(z.string()).default([]),
  /** Before the n-th batchUpdate (from 1) somebody turns the rows under the header upside down. */
  sorts_before: z.array(z.int()).default([]),
});

type Seed = z.output<typeof seedSchema>;

const perMinute = 60;

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const given = seedSchema.parse(seed);
  const reads = new RateWindow(perMinute, 60_000, now);
  const writes = new RateWindow(perMinute, 60_000, now);
  const tokens = new Map<string, string>();
  let book = new Book(given);
  return {
    failures,
    distort,
    contents: () => book.contents(),
    reset: () => {
      book = new Book(given);
      reads.clear();
      writes.clear();
    },
    handle: (request) => {
      if (request.path === "/token") return tokenAnswer(request, given, tokens);
      const account = tokens.get(/^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1] ?? "");
      if (account === undefined) return unauthenticated;
      const isWrite = request.path.endsWith(":batchUpdate");
      if (limits && !(isWrite ? writes : reads).enter()) return failures["quota"] ?? { status: 429 };
      if (isWrite && given.readers.includes(account)) return failures["not_shared"] ?? { status: 403 };
      return book.handle(request);
    },
  };
};

export default createSandbox;

class Book {
  readonly #seed: Seed;
  #grids: Grid[];
  #updates = 0;

  constructor(seed: Seed) {
    this.#seed = seed;
    this.#grids = seed.tabs.map(({ title, rows }, at) => new Grid(at * 100, title, rows));
  }

  /** Tab → number of the row → its cells; formulas as `{ formula }`. */
  contents(): Readonly<Record<string, Readonly<Record<string, readonly SandboxCell[]>>>> {
    const rowsOf = ({ rows }: Grid): [string, readonly SandboxCell[]][] => rows.map((row, at) => [String(at + 1), row]);
    return Object.fromEntries(this.#grids.map((grid) => [grid.title, Object.fromEntries(rowsOf(grid))]));
  }

  handle({ method, path, body }: SandboxRequest): SandboxResponse {
    const [, id, verb = ""] = /^\/v4\/spreadsheets\/([^/:]+)(.*)$/.exec(path) ?? [];
    if (id === undefined || id === "missing") return refusal(404, "NOT_FOUND", "Requested entity was not found.");
    if (method === "GET" && verb === "") return { status: 200, body: this.#properties() };
    if (method === "POST" && verb === "/values:batchGetByDataFilter") return this.#read(id, body);
    if (method === "POST" && verb === ":batchUpdate") return this.#update(id, body);
    return refusal(404, "NOT_FOUND", "Requested entity was not found.");
  }

  #properties(): unknown {
    const sheets = this.#seed.tabs.map(({ title, chart }, at) => ({
      properties: { sheetId: at * 100, title, sheetType: chart ? "OBJECT" : "GRID" },
    }));
    return { properties: { title: this.#seed.title }, sheets };
  }

  #read(spreadsheetId: string, body: unknown): SandboxResponse {
    const asked = readSchema.safeParse(body).data?.dataFilters[0].a1Range;
    const title = /^'(.*)'$/s.exec(asked ?? "")?.[1]?.replaceAll("''", "'");
    const grid = this.#grids.find((one) => one.title === title);
    if (!grid) return refusal(400, "INVALID_ARGUMENT", `Unable to parse range: ${asked ?? ""}`);
    const values = grid.values();
    const valueRange = { range: `${asked}!A1:Z1000`, majorDimension: "ROWS", ...(values.length > 0 ? { values } : {}) };
    return { status: 200, body: { spreadsheetId, valueRanges: [{ valueRange, dataFilters: [{ a1Range: asked }] }] } };
  }

  #update(spreadsheetId: string, body: unknown): SandboxResponse {
    const parsed = updateSchema.safeParse(body);
    if (!parsed.success)
      return refusal(
        400,
        "INVALID_ARGUMENT",
        `Invalid JSON payload received. ${parsed.error.issues[0]?.message ?? ""}`,
      );
    this.#updates += 1;
    if (this.#seed.sorts_before.includes(this.#updates)) for (const grid of this.#grids) grid.rows = turned(grid.rows);
    const copies = this.#grids.map((grid) => grid.copy());
    for (const [at, step] of parsed.data.requests.entries()) {
      const grid = copies.find(({ sheetId }) => sheetId === sheetIdOf(step));
      if (!grid)
        return refusal(400, "INVALID_ARGUMENT", `Invalid requests[${at}]: No grid with id: ${sheetIdOf(step)}`);
      try {
        grid.take(step);
      } catch (error) {
        if (!(error instanceof RefusedStep)) throw error;
        return refusal(400, "INVALID_ARGUMENT", `Invalid requests[${at}]: ${error.message}`);
      }
    }
    this.#grids = copies;
    return { status: 200, body: { spreadsheetId, replies: parsed.data.requests.map(() => ({})) } };
  }
}

const readSchema = z.object({
  dataFilters: z.tuple([z.object({ a1Range: z.string() })]),
  valueRenderOption: z.literal("UNFORMATTED_VALUE"),
});

const updateSchema = z.object({ requests: z.array(stepSchema).min(1) });

function sheetIdOf(step: Step): number {
  if ("updateCells" in step) return step.updateCells.start.sheetId;
  return "appendCells" in step ? step.appendCells.sheetId : step.deleteDimension.range.sheetId;
}

const turned = ([header = [], ...rows]: readonly SandboxCell[][]): SandboxCell[][] => [header, ...rows.toReversed()];

const claimsSchema = z.object({
  iss: z.string(),
  scope: z.literal("https://www.googleapis.com/auth/spreadsheets"),
  aud: z.string(),
  iat: z.number(),
  exp: z.number(),
});

/** Google's token endpoint: only the assertion tells who asks, and its signature whether it is true. */
function tokenAnswer(
  { method, form }: SandboxRequest,
  { accounts }: Seed,
  tokens: Map<string, string>,
): SandboxResponse {
  const denied = (words: string): SandboxResponse => ({
    status: 400,
    body: { error: "invalid_grant", error_description: words },
  });
  const [head = "", content = "", signature = ""] = form?.["assertion"]?.split(".") ?? [];
  const claims = claimsSchema.safeParse(decoded(content)).data;
  if (method !== "POST" || form?.["grant_type"] !== "urn:ietf:params:oauth:grant-type:jwt-bearer" || !claims)
    return denied("Invalid JWT: Failed audience check.");
  if (claims.exp - claims.iat > 3600) return denied("Invalid JWT: Token must be a short-lived token (60 minutes).");
  const account = accounts?.find(({ client_email }) => client_email === claims.iss);
  if (accounts ? !account : claims.iss.startsWith("stranger")) return denied("Invalid grant: account not found");
  const signed = Buffer.from(`${head}.${content}`);
  const isTrue =
    !account || verify("RSA-SHA256", signed, createPublicKey(account.public_key), Buffer.from(signature, "base64url"));
  if (!isTrue) return denied("Invalid JWT Signature.");
  const token = `ya29.sandbox-${tokens.size + 1}`;
  tokens.set(token, claims.iss);
  return { status: 200, body: { access_token: token, expires_in: 3599, token_type: "Bearer" } };
}

function decoded(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString());
  } catch {
    return null;
  }
}

function refusal(code: number, status: string, message: string, reason?: string): SandboxResponse {
  const errors = reason === undefined ? {} : { errors: [{ message, domain: "usageLimits", reason }] };
  return { status: code, body: { error: { code, message, status, ...errors } } };
}

const unauthenticated = refusal(
  401,
  "UNAUTHENTICATED",
  "Request had invalid authentication credentials. Expected OAuth 2 access token.",
);

/** Failures in Google's words, by name. A used-up quota names no wait. */
const failures: Readonly<Record<string, SandboxResponse>> = {
  quota: refusal(
    429,
    "RESOURCE_EXHAUSTED",
    "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute per user'.",
  ),
  quota_403: refusal(403, "PERMISSION_DENIED", "User Rate Limit Exceeded", "userRateLimitExceeded"),
  not_shared: refusal(403, "PERMISSION_DENIED", "The caller does not have permission"),
  token_ended: unauthenticated,
  unavailable: refusal(503, "UNAVAILABLE", "The service is currently unavailable."),
};

const valuesSchema = z.looseObject({
  valueRanges: z.tuple([z.looseObject({ valueRange: z.looseObject({ values: z.array(z.unknown()).min(1) }) })]),
});

/** Answers about records are tables that are read: their rows after the header are left out or stand in another order. */
function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse {
  if (kind === "silent") return { status: 200, body: {} };
  const answer = valuesSchema.safeParse(response.body).data;
  if (!answer) return response;
  const [range] = answer.valueRanges;
  const [header, ...rows] = range.valueRange.values;
  const shown = kind === "partial" ? rows.filter((_, at) => at % 2 === 0) : rows.toReversed();
  const valueRange = { ...range.valueRange, values: [header, ...shown] };
  return { ...response, body: { ...answer, valueRanges: [{ ...range, valueRange }] } };
}
