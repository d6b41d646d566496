/** Storage that speaks S3's protocol on loopback, in memory: signatures are verified, conditions are kept. */
import { createHash, createHmac, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ServedBucket extends AsyncDisposable {
  readonly url: string;
  readonly objects: Map<string, StoredObject>;
  /** Answers a request by itself; undefined leaves it to the storage. */
  fault: (method: string, key: string) => "error" | "lost answer" | undefined;
  /** Whether conditions of writes are kept. */
  conditional: boolean;
}

interface StoredObject {
  readonly body: Buffer;
  readonly etag: string;
  readonly modified: Date;
}

export const bucketKeys = { accessKeyId: "AKIATEST", secretAccessKey: "right-secret" } as const;

export async function serveBucket(bucket: string): Promise<ServedBucket> {
  const objects = new Map<string, StoredObject>();
  const server = createServer((request, response) => {
    void (async () => {
      const body = await bodyOf(request);
      const { pathname, searchParams } = new URL(request.url ?? "", "http://loopback");
      if (!isSigned(request, body)) return fail(response, 403, "SignatureDoesNotMatch");
      if (!pathname.startsWith(`/${bucket}`)) return fail(response, 404, "NoSuchBucket");
      const key = decodeURIComponent(pathname.slice(bucket.length + 2));
      const fault = served.fault(request.method ?? "", key);
      if (fault === "error") return fail(response, 500, "InternalError");
      const answer = fault === "lost answer" ? undefined : response;
      act(request, key, body, searchParams, answer);
      if (fault === "lost answer") request.socket.destroy();
    })();
  });
  const act = (
    request: IncomingMessage,
    key: string,
    body: Buffer,
    search: URLSearchParams,
    response: ServerResponse | undefined,
  ): void => {
    const found = objects.get(key);
    if (request.method === "GET" && search.has("list-type")) return list(search, response);
    if (request.method === "GET") {
      if (found === undefined) return fail(response, 404, "NoSuchKey");
      response?.writeHead(200, { etag: found.etag, "last-modified": found.modified.toUTCString() }).end(found.body);
    } else if (request.method === "PUT") {
      const { "if-match": match, "if-none-match": none } = request.headers;
      const refused = (none === "*" && found !== undefined) || (match !== undefined && match !== found?.etag);
      if (served.conditional && refused) return fail(response, 412, "PreconditionFailed");
      const etag = `"${randomUUID()}"`;
      objects.set(key, { body, etag, modified: new Date() });
      response?.writeHead(200, { etag }).end();
    } else if (request.method === "DELETE") {
      objects.delete(key);
      response?.writeHead(204).end();
    } else fail(response, 405, "MethodNotAllowed");
  };
  const list = (search: URLSearchParams, response: ServerResponse | undefined): void => {
    const keys = [...objects.keys()].filter((key) => key.startsWith(search.get("prefix") ?? "")).toSorted();
    const from = Number(search.get("continuation-token") ?? 0);
    const page = keys.slice(from, from + 2).map((key) => {
      return `<Contents><Key>${key}</Key><LastModified>${objects.get(key)?.modified.toISOString()}</LastModified></Contents>`;
    });
    const more = from + 2 < keys.length;
    const next = more ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : "";
    response
      ?.writeHead(200, { "content-type": "application/xml" })
      .end(`<ListBucketResult><IsTruncated>${more}</IsTruncated>${next}${page.join("")}</ListBucketResult>`);
  };
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const served: ServedBucket = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    fault: () => undefined,
    conditional: true,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
  return served;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function fail(response: ServerResponse | undefined, status: number, code: string): void {
  response
    ?.writeHead(status, { "content-type": "application/xml" })
    .end(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}

/** AWS Signature Version 4, as its specification writes it. */
function isSigned(request: IncomingMessage, body: Buffer): boolean {
  const found = /Credential=([^/]+)\/(\d+)\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)/.exec(
    request.headers.authorization ?? "",
  );
  if (found === null) return false;
  const [, key, day = "", region = "", signedHeaders = "", signature] = found;
  const told = String(request.headers["x-amz-content-sha256"]);
  if (told !== "UNSIGNED-PAYLOAD" && told !== createHash("sha256").update(body).digest("hex")) return false;
  const { pathname, searchParams } = new URL(request.url ?? "", "http://loopback");
  const encode = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).toSorted();
  const headers = signedHeaders.split(";").map((name) => `${name}:${String(request.headers[name]).trim()}\n`);
  const canonical = [request.method, pathname, query.join("&"), headers.join(""), signedHeaders, told].join("\n");
  const toSign = [
    "AWS4-HMAC-SHA256",
    request.headers["x-amz-date"],
    `${day}/${region}/s3/aws4_request`,
    createHash("sha256").update(canonical).digest("hex"),
  ].join("\n");
  const hmac = (secret: string | Buffer, text: string): Buffer => createHmac("sha256", secret).update(text).digest();
  const steps = [day, region, "s3", "aws4_request", toSign];
  const expected = steps.reduce<string | Buffer>(hmac, `AWS4${bucketKeys.secretAccessKey}`);
  return key === bucketKeys.accessKeyId && Buffer.from(expected).toString("hex") === signature;
}
