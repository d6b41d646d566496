/** An S3-compatible bucket as the place of plan and state: it outlives the machine, and any number of processes share it. */
import { createReadStream, createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type * as Sdk from "@aws-sdk/client-s3";
import type { GetObjectCommandOutput, S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { messageOf, WarehouseError } from "../../errors.ts";
import type { BucketPlace } from "../../warehouse.ts";
import type { LedgerText, StateStore, StoredFile } from "./store.ts";

/** Loaded on first use: it takes as long as the rest of a command. */
const sdk = (): Promise<typeof Sdk> => import("@aws-sdk/client-s3");

/**
 * The ledger is one object, replaced on condition that it is the one that was read (`If-Match`), which S3 itself, R2,
 * MinIO and their like keep. A bucket that does not is refused by `check`.
 */
export class BucketStore implements StateStore {
  readonly #place: BucketPlace;
  #client: Promise<S3Client> | undefined;

  constructor(place: BucketPlace) {
    this.#place = place;
  }

  async check(): Promise<void> {
    const trial = `check-${crypto.randomUUID()}`;
    try {
      await this.replaceLedger(trial, "first", null);
      if (await this.replaceLedger(trial, "second", null)) {
        throw new WarehouseError(
          "bucket_not_conditional",
          `The storage of bucket "${this.#place.bucket}" replaces objects whatever the condition says.`,
          { hint: "Choose storage that keeps If-None-Match and If-Match, or a folder." },
        );
      }
    } finally {
      await this.remove(trial, ledgerFile).catch(() => undefined);
    }
  }

  async readLedger(sync: string): Promise<LedgerText | null> {
    const { GetObjectCommand } = await sdk();
    const found = await this.#asked(async (client) => {
      try {
        return await client.send(new GetObjectCommand(this.#object(sync, ledgerFile)));
      } catch (error) {
        if (statusOf(error) === 404 && nameOf(error) === "NoSuchKey") return null;
        throw error;
      }
    });
    if (found === null) return null;
    return { text: (await found.Body?.transformToString()) ?? "", version: found.ETag ?? "" };
  }

  async replaceLedger(sync: string, text: string, before: LedgerText | null): Promise<boolean> {
    const { PutObjectCommand } = await sdk();
    const condition = before === null ? { IfNoneMatch: "*" } : { IfMatch: before.version };
    return await this.#asked(async (client) => {
      try {
        await client.send(new PutObjectCommand({ ...this.#object(sync, ledgerFile), Body: text, ...condition }));
        return true;
      } catch (error) {
        // 409: another writer is at it this very moment. 404: what was to be replaced is gone.
        if ([404, 409, 412].includes(statusOf(error) ?? 0) && nameOf(error) !== "NoSuchBucket") return false;
        throw error;
      }
    });
  }

  async put(sync: string, file: string, path: string): Promise<void> {
    const { PutObjectCommand } = await sdk();
    const { size } = await stat(path);
    await this.#asked(async (client) => {
      const body = { Body: createReadStream(path), ContentLength: size };
      await client.send(new PutObjectCommand({ ...this.#object(sync, file), ...body }));
    });
    await rm(path);
  }

  async fetch(sync: string, file: string, folder: string): Promise<string> {
    const { GetObjectCommand } = await sdk();
    const path = join(folder, file);
    await this.#asked(async (client) => {
      const found = await client.send(new GetObjectCommand(this.#object(sync, file)));
      await pipeline(bodyOf(found), createWriteStream(path));
    });
    return path;
  }

  async list(sync: string): Promise<readonly StoredFile[]> {
    const { paginateListObjectsV2 } = await sdk();
    const prefix = this.#key(sync, "");
    return await this.#asked(async (client) => {
      const found: StoredFile[] = [];
      for await (const page of paginateListObjectsV2({ client }, { Bucket: this.#place.bucket, Prefix: prefix })) {
        for (const { Key = "", LastModified } of page.Contents ?? []) {
          const file = Key.slice(prefix.length);
          if (file !== ledgerFile) found.push({ file, ageMs: Date.now() - (LastModified?.getTime() ?? Date.now()) });
        }
      }
      return found;
    });
  }

  async remove(sync: string, file: string): Promise<void> {
    const { DeleteObjectCommand } = await sdk();
    await this.#asked((client) => client.send(new DeleteObjectCommand(this.#object(sync, file))));
  }

  #object(sync: string, file: string): { Bucket: string; Key: string } {
    return { Bucket: this.#place.bucket, Key: this.#key(sync, file) };
  }

  #key(sync: string, file: string): string {
    return [this.#place.prefix, encodeURIComponent(sync), file].filter((part) => part !== undefined).join("/");
  }

  async #asked<T>(work: (client: S3Client) => Promise<T>): Promise<T> {
    try {
      this.#client ??= connect(this.#place);
      return await work(await this.#client);
    } catch (error) {
      throw toldError(error, this.#place);
    }
  }
}

const ledgerFile = "ledger.json";

async function connect({ region, endpoint, accessKeyId, secretAccessKey }: BucketPlace): Promise<S3Client> {
  const { S3Client } = await sdk();
  const credentials =
    accessKeyId === undefined || secretAccessKey === undefined ? {} : { credentials: { accessKeyId, secretAccessKey } };
  return new S3Client({
    ...credentials,
    ...(region !== undefined && { region }),
    // Other storage than Amazon's is seldom reached by a bucket's own host name.
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    // What other storage does not know is not asked of it.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

function bodyOf({ Body }: GetObjectCommandOutput): Readable {
  if (Body instanceof Readable) return Body;
  throw new WarehouseError("state_unreachable", "The storage answered without the file that it was asked for.");
}

function toldError(error: unknown, { bucket }: BucketPlace): WarehouseError {
  if (error instanceof WarehouseError) return error;
  const status = statusOf(error);
  const words = `The bucket "${bucket}", where plan and state are, says: ${nameOf(error) ?? "error"}: ${messageOf(error)}`;
  if (status === 403 || status === 401) {
    return new WarehouseError("state_not_writable", words, {
      hint: "Let the key get, put, list and delete objects under the prefix.",
      cause: error,
    });
  }
  if (nameOf(error) === "NoSuchKey") {
    return new WarehouseError("state_file_missing", words, {
      hint: "Bring the object back. Without it, delete the sync's others: the next run then sends every row again.",
      cause: error,
    });
  }
  const hint = status === undefined ? "Check endpoint, region and credentials." : "Check the bucket's name and rights.";
  return new WarehouseError("state_unreachable", words, { hint, cause: error });
}

function nameOf(error: unknown): string | undefined {
  return error instanceof Error ? error.name : undefined;
}

function statusOf(error: unknown): number | undefined {
  return (error as Partial<S3ServiceException> | undefined)?.$metadata?.httpStatusCode;
}
