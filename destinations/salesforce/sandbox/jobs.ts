/** `/jobs/ingest`: a table is uploaded, worked off, and told of in three further ones. */
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { z } from "zod";
import type { SandboxRequest, SandboxResponse } from "../../../src/sandbox.ts";
import type { ObjectStore, RowError, Values } from "./objects.ts";

/** How the jobs of this org go. */
export const bulkSchema = z.strictObject({
  /** How long a job takes. */
  ms: z.int().default(0),
  /** Rows with this value in any cell are in no result. */
  forgets: z.string().optional(),
  /** An administrator ends each job after so many rows. */
  ends_after: z.int().optional(),
  /** Each job fails as a whole, for this reason. */
  fails: z.string().optional(),
});

const askedSchema = z.object({
  object: z.string(),
  operation: z.enum(["insert", "upsert"]),
  contentType: z.literal("CSV"),
  lineEnding: z.literal("LF"),
  externalIdFieldName: z.string().optional(),
});

type Row = Readonly<Record<string, string>>;

interface Job extends z.output<typeof askedSchema> {
  readonly id: string;
  state: "Open" | "UploadComplete" | "JobComplete" | "Failed" | "Aborted";
  rows: readonly Row[];
  columns: readonly string[];
  overAt: number;
  readonly successful: (readonly string[])[];
  readonly failed: (readonly string[])[];
  readonly unprocessed: (readonly string[])[];
}

const mostBytes = 100 * 1024 * 1024;

export class Jobs {
  readonly #objects: ReadonlyMap<string, ObjectStore>;
  readonly #rules: z.output<typeof bulkSchema>;
  readonly #now: () => number;
  readonly #jobs = new Map<string, Job>();

  constructor(objects: ReadonlyMap<string, ObjectStore>, rules: z.output<typeof bulkSchema>, now: () => number) {
    this.#objects = objects;
    this.#rules = rules;
    this.#now = now;
  }

  /** `path` is what follows `jobs/ingest`. */
  handle({ method, body, text }: SandboxRequest, [id, part]: readonly string[]): SandboxResponse {
    if (id === undefined) return method === "POST" ? this.#create(body) : unknown;
    const job = this.#jobs.get(id);
    if (!job) return unknown;
    if (part === "batches" && method === "PUT") return upload(job, text ?? "");
    if (part === undefined && method === "PATCH") return this.#change(job, body);
    if (method !== "GET") return unknown;
    // What it comes to is known from the start, and shown when its time is over.
    const isOver = this.#now() >= job.overAt;
    const state = job.state === "Open" || isOver ? job.state : "InProgress";
    if (part === undefined) return { status: 200, body: about({ ...job, state }) };
    return isOver ? (tables(job)[part] ?? unknown) : unknown;
  }

  #create(body: unknown): SandboxResponse {
    const asked = askedSchema.safeParse(body);
    if (!asked.success) return refusal("INVALIDJOB", z.prettifyError(asked.error));
    const store = this.#objects.get(asked.data.object.toLowerCase());
    if (!store) return refusal("INVALIDENTITY", `Unsupported object: ${asked.data.object}`);
    const id = `7505j${String(this.#jobs.size + 1).padStart(10, "0")}AAA`;
    const results = { successful: [], failed: [], unprocessed: [] };
    const job: Job = { ...asked.data, ...results, id, state: "Open", rows: [], columns: [], overAt: Infinity };
    this.#jobs.set(id, job);
    return { status: 200, body: about(job) };
  }

  #change(job: Job, body: unknown): SandboxResponse {
    const wanted = z.object({ state: z.enum(["UploadComplete", "Aborted"]) }).safeParse(body).data?.state;
    if (wanted === undefined || job.state !== "Open")
      return refusal("INVALIDJOBSTATE", `Aborting Job not allowed when the job is ${job.state}`);
    job.state = wanted;
    job.overAt = this.#now() + (wanted === "Aborted" ? 0 : this.#rules.ms);
    if (wanted === "UploadComplete") this.#work(job);
    return { status: 200, body: about(job) };
  }

  /** What the job does is seen when it is over. */
  #work(job: Job): void {
    const { ends_after = Infinity, fails, forgets } = this.#rules;
    const store = this.#objects.get(job.object.toLowerCase());
    for (const [at, row] of job.rows.entries()) {
      const cells = job.columns.map((column) => row[column] ?? "");
      const told = forgets === undefined || !cells.includes(forgets);
      if (!store || fails !== undefined || at >= ends_after) job.unprocessed.push(cells);
      else {
        const result = write(store, job, row);
        if (!told) continue;
        if (typeof result === "object") job.failed.push(["", spell(result), ...cells]);
        else job.successful.push([result, "true", ...cells]);
      }
    }
    job.state = fails !== undefined ? "Failed" : job.rows.length > ends_after ? "Aborted" : "JobComplete";
  }
}

function about({
  id,
  state,
  object,
  operation,
  externalIdFieldName,
}: Omit<Job, "state"> & { readonly state: string }): Values {
  const error = state === "Failed" ? { errorMessage: "InvalidBatch : Field name not found" } : {};
  const answer = {
    id,
    state,
    object,
    operation,
    externalIdFieldName,
    contentUrl: `services/data/v66.0/jobs/ingest/${id}/batches`,
  };
  return { ...answer, ...error };
}

function upload(job: Job, text: string): SandboxResponse {
  if (job.state !== "Open") return refusal("INVALIDJOBSTATE", "The job is not open.");
  if (Buffer.byteLength(text) > mostBytes) return refusal("EXCEEDEDQUOTA", "The request is too large.");
  const [header = [], ...rows]: readonly (readonly string[])[] = parse(text);
  job.columns = header;
  job.rows = rows.map((cells) => Object.fromEntries(header.map((column, at) => [column, cells[at] ?? ""])));
  return { status: 201 };
}

function tables(job: Job): Readonly<Record<string, SandboxResponse>> {
  return {
    // Salesforce keeps no order.
    successfulResults: table([["sf__Id", "sf__Created", ...job.columns], ...job.successful.toReversed()]),
    failedResults: table([["sf__Id", "sf__Error", ...job.columns], ...job.failed.toReversed()]),
    unprocessedrecords: table([job.columns, ...job.unprocessed]),
  };
}

function table(rows: readonly (readonly string[])[]): SandboxResponse {
  return { status: 200, headers: { "content-type": "text/csv" }, text: stringify([...rows], { quoted: true }) };
}

/** The record's id, or why it was refused. */
function write(store: ObjectStore, { operation, externalIdFieldName = "" }: Job, row: Row): string | RowError {
  const values = Object.fromEntries(
    Object.entries(row).flatMap(([name, cell]) => (cell === "" ? [] : [[name, valueOf(store, name, cell)]])),
  );
  const [id, ...others] = operation === "upsert" ? store.find(externalIdFieldName, values[externalIdFieldName]) : [];
  if (others.length > 0)
    return {
      statusCode: "DUPLICATE_EXTERNAL_ID",
      message: "more than one record found",
      fields: [externalIdFieldName],
    };
  return store.refusal(id, values) ?? store.write(id, values);
}

function valueOf(store: ObjectStore, name: string, cell: string): unknown {
  if (cell === "#N/A") return null;
  const type = store.fields.get(name)?.type;
  if (type === "double" && cell.trim() !== "" && Number.isFinite(Number(cell))) return Number(cell);
  return type === "boolean" ? cell === "true" : cell;
}

function spell({ statusCode, message, fields }: RowError): string {
  return `${statusCode}:${message}:${fields.join(", ")} --`;
}

function refusal(errorCode: string, message: string): SandboxResponse {
  return { status: 400, body: [{ errorCode, message }] };
}

const unknown: SandboxResponse = {
  status: 404,
  body: [{ errorCode: "NOT_FOUND", message: "The requested resource does not exist" }],
};
