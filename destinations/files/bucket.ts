/** A bucket, by the vendor's own client over the service's own requests: guarded addresses, pace, no retries of its own. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type * as Sdk from "@aws-sdk/client-s3";
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import { type Context, DestinationError } from "../../src/destination.ts";
import type { FilesConfig } from "./settings.ts";
import type { FileStore } from "./store.ts";

/** Loaded on first use: it takes as long as the rest of a command. */
const sdk = (): Promise<typeof Sdk> => import("@aws-sdk/client-s3");

type BucketConfig = FilesConfig & { readonly bucket: string };

export class BucketStore implements FileStore {
  readonly #config: BucketConfig;
  readonly #context: Context;
  #client: Promise<S3Client> | undefined;

  constructor(config: BucketConfig, context: Context) {
    this.#config = config;
    this.#context = context;
  }

  async check(signal?: AbortSignal): Promise<string> {
    const { bucket, prefix = "" } = this.#config;
    const { ListObjectsV2Command } = await sdk();
    const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 });
    await this.#asked((client) => client.send(command, abortedBy(signal)), signal);
    return `bucket ${bucket}${prefix === "" ? "" : `, ${prefix}`}`;
  }

  async put(name: string, bytes: Uint8Array, type: string, signal?: AbortSignal): Promise<boolean> {
    const { bucket, prefix } = this.#config;
    const { PutObjectCommand } = await sdk();
    const command = new PutObjectCommand({
      Bucket: bucket,
      Key: prefix === undefined ? name : `${prefix}/${name}`,
      Body: bytes,
      ContentType: type,
      // Storage that got other bytes than were sent refuses them.
      ContentMD5: createHash("md5").update(bytes).digest("base64"),
    });
    const { ETag } = await this.#asked((client) => client.send(command, abortedBy(signal)), signal);
    return ETag !== undefined && ETag !== "";
  }

  async #asked<Answer>(ask: (client: S3Client) => Promise<Answer>, signal?: AbortSignal): Promise<Answer> {
    this.#client ??= connect(this.#config, this.#context.fetch);
    try {
      return await ask(await this.#client);
    } catch (error) {
      // The client has a reason of its own.
      signal?.throwIfAborted();
      throw toldError(error, this.#config);
    }
  }
}

const abortedBy = (signal: AbortSignal | undefined): { abortSignal?: AbortSignal } =>
  signal === undefined ? {} : { abortSignal: signal };

async function connect(config: BucketConfig, fetch: Context["fetch"]): Promise<S3Client> {
  const { S3Client } = await sdk();
  const { region, base_url, access_key_id: id = "", secret_access_key: secret = "", session_token: session } = config;
  return new S3Client({
    region,
    credentials: {
      accessKeyId: id,
      secretAccessKey: secret,
      ...(session === undefined ? {} : { sessionToken: session }),
    },
    // Other storage than Amazon's is seldom reached by a bucket's own host name.
    ...(base_url === undefined ? {} : { endpoint: base_url, forcePathStyle: true }),
    maxAttempts: 1,
    // What other storage does not know is not asked of it.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: handlerOver(fetch),
  });
}

type Handler = NonNullable<S3ClientConfig["requestHandler"]>;

/** A signed request, as the client gives it. */
interface Asked {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** The client's requests over the service's fetch. */
function handlerOver(fetch: Context["fetch"]): Handler {
  const handle = (asked: Asked, { abortSignal }: { readonly abortSignal?: unknown } = {}): Promise<unknown> =>
    answered(asked, fetch, abortSignal);
  // The client calls nothing else; its type asks for a class of a package of its own, which is no dependency of ours.
  return { handle } as unknown as Handler;
}

async function answered(asked: Asked, fetch: Context["fetch"], signal: unknown): Promise<unknown> {
  const { protocol, hostname, port, path, query, method, headers, body: sent } = asked;
  const search = Object.entries(query ?? {}).map(([name, value]): [string, string] => [name, String(value ?? "")]);
  const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`);
  url.search = new URLSearchParams(search).toString().replaceAll("+", "%20");
  const answer = await fetch(url, {
    method,
    // Asked of proxies; it is not signed.
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== "expect")),
    ...(sent instanceof Uint8Array ? { body: new Uint8Array(sent) } : {}),
    ...(signal instanceof AbortSignal ? { signal } : {}),
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const body = Readable.from(bytes.length === 0 ? [] : [bytes]);
  return { response: { statusCode: answer.status, headers: Object.fromEntries(answer.headers), body } };
}

/** What the storage says of the request itself: its bucket, its key. All files would be refused alike. */
function toldError(error: unknown, { bucket }: BucketConfig): unknown {
  if (error instanceof DestinationError || !(error instanceof Error) || !("$metadata" in error)) return error;
  const { httpStatusCode: status } = error.$metadata as { readonly httpStatusCode?: number };
  // Signed in another way than the storage reads it, or an answer in another form: who knows what became of it.
  const known = status !== undefined && status >= 400;
  const message = `The bucket "${bucket}" says: ${error.name}: ${error.message}`;
  return new DestinationError(known ? "unauthorized" : "unavailable", message, {
    code: known ? error.name : "unknown_answer",
    applied: known ? "no" : "unknown",
    status,
  });
}
