/** Files: CSV or Parquet in a folder or a bucket, one for each batch, which together are a log of what was done. */
import {
  type Batch,
  type BatchLimit,
  type Change,
  type Connection,
  type Context,
  type DestinationAdapter,
  DestinationError,
  type Field,
  type ObjectDescription,
  type ObjectSettings,
  type ObjectSummary,
  type Operation,
  type Outcome,
} from "../../src/destination.ts";
import { storageFailure } from "./answers.ts";
import { BucketStore } from "./bucket.ts";
import { cellOf } from "./cells.ts";
import { FolderStore } from "./folder.ts";
import { contentTypes, toBytes } from "./formats.ts";
import type { FileRows } from "./rows.ts";
import { connection, type FileObject, type FilesConfig, ownColumns, placeOf } from "./settings.ts";
import type { FileStore } from "./store.ts";

/** Larger files are better ones, as far as a batch fits in memory several times. */
const batchLimit: BatchLimit = { records: 10_000, bytes: 8_000_000 };

/** Files are never changed: a change and a removal are rows, too. */
const operations: readonly Operation[] = ["append", "upsert", "delete"];

const files: DestinationAdapter<FilesConfig> = {
  type: "files",
  title: "Files",
  connection,
  // S3 takes thousands of files a second, a disk more.
  limits: () => [],
  failure: storageFailure,
  place: placeOf,
  connect: (config, context) => new FilesConnection(config, context),
};

export default files;

class FilesConnection implements Connection {
  readonly #config: FilesConfig;
  readonly #store: FileStore;

  constructor(config: FilesConfig, context: Context) {
    this.#config = config;
    this.#store = openStore(config, context);
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    return { account: await this.#store.check(signal) };
  }

  objects(): Promise<readonly ObjectSummary[]> {
    const { objects } = this.#config;
    return Promise.resolve(Object.entries(objects).map(([name, { title }]) => ({ name, title: title ?? name })));
  }

  describe(object: string, settings: ObjectSettings): Promise<ObjectDescription> {
    return Promise.resolve().then(() => {
      const { title, fields } = this.#object(object, settings);
      return {
        name: object,
        title: title ?? object,
        modes: ["append", "upsert", "mirror"],
        removals: ["delete"],
        batch: batchLimit,
        idempotent: { upsert: true, mirror: true, update: false, insert: false, append: false },
        fields: Object.entries(fields).map(([name, type]): Field => {
          // A double of a Parquet file keeps fifteen digits.
          const exact = type === "integer" || (type === "number" && this.#config.format === "csv");
          return { name, title: name, type, writable: true, matches: true, ...(exact ? { exact } : {}) };
        }),
      };
    });
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const { fields } = this.#object(batch.object, batch.settings);
    if (!operations.includes(batch.operation))
      throw refused("operation_unsupported", `A log of files knows no ${batch.operation}.`);
    const { file, seqs, outcomes } = rowsOf(batch, fields);
    if (seqs.length === 0) return outcomes;
    const { format } = this.#config;
    const name = `${batch.object}/${encodeURIComponent(batch.id)}.${format}`;
    const isKept = await this.#store.put(name, await toBytes(file, this.#config), contentTypes[format], signal);
    const message = "The storage answered, but did not say that it has the file.";
    return [
      ...outcomes,
      ...seqs.map((seq): Outcome => (isKept ? { seq, kind: "accepted" } : { seq, kind: "in_doubt", message })),
    ];
  }

  #object(name: string, settings: ObjectSettings): FileObject {
    const { objects } = this.#config;
    const object = Object.hasOwn(objects, name) ? objects[name] : undefined;
    if (!object) {
      const names = Object.keys(objects).join(", ");
      throw refused(
        "unknown_object",
        `The connection declares no object ${JSON.stringify(name)}. There are: ${names}.`,
      );
    }
    const [unknown] = Object.keys(settings);
    if (unknown === undefined) return object;
    throw refused("settings_invalid", `to.settings.${unknown}: files take no settings.`);
  }
}

function openStore(config: FilesConfig, context: Context): FileStore {
  const { folder, bucket } = config;
  if (bucket !== undefined) return new BucketStore({ ...config, bucket }, context);
  return new FolderStore(folder ?? "", context);
}

/** The rows of a batch's file. A change whose values do not fit is no row of it. */
function rowsOf(
  { changes, operation, id }: Batch,
  fields: FileObject["fields"],
): { readonly file: FileRows; readonly seqs: readonly number[]; readonly outcomes: readonly Outcome[] } {
  const columns = Object.entries(fields).map(([name, type]) => ({ name, type }));
  const rows: (string | null)[][] = [];
  const seqs: number[] = [];
  const outcomes: Outcome[] = [];
  for (const change of changes) {
    const row = cellsOf(change, columns);
    if ("unfit" in row) outcomes.push(row.unfit);
    else {
      rows.push([operation, id, ...row.cells]);
      seqs.push(change.seq);
    }
  }
  const own = ownColumns.map((name) => ({ name, type: "text" as const }));
  return { file: { columns: [...own, ...columns], rows }, seqs, outcomes };
}

function cellsOf(
  { seq, record, match }: Change,
  columns: FileRows["columns"],
): { readonly cells: readonly (string | null)[] } | { readonly unfit: Outcome } {
  const values = { ...record, ...match };
  const cells: (string | null)[] = [];
  for (const { name, type } of columns) {
    const cell = cellOf(values[name], type);
    if (typeof cell === "object" && cell !== null) return { unfit: { seq, kind: "rejected", ...cell, field: name } };
    cells.push(cell);
  }
  const unknown = Object.keys(values).find((name) => !columns.some((column) => column.name === name));
  if (unknown === undefined) return { cells };
  const message = `The files have no column "${unknown}".`;
  return { unfit: { seq, kind: "rejected", code: "unknown_field", message, field: unknown } };
}

function refused(code: string, message: string): DestinationError {
  return new DestinationError("refused", message, { code, applied: "no" });
}
