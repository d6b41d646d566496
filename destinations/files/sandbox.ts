/** Storage that speaks S3's protocol: a bucket in memory that verifies signatures and check sums, and lists what it has. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { signatureFault } from "./sandbox/signature.ts";

const seedSchema = z.strictObject({
  bucket: z.string().default("sandbox"),
  keys: z
    .array(z.strictObject({ id: z.string(), secret: z.string() }))
    .default([{ id: "AKIASANDBOX", secret: "sandbox-secret" }]),
});

function fail(status: number, code: string, message = code): SandboxResponse {
  return xml(status, `<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
}

const xml = (status: number, text: string): SandboxResponse => ({
  status,
  headers: { "content-type": "application/xml" },
  text,
});

const createSandbox: CreateSandbox = ({ seed = {} } = {}) => {
  const { bucket, keys } = seedSchema.parse(seed);
  const objects = new Map<string, Buffer>();

  function act({ method, path, query, headers, bytes = Buffer.alloc(0) }: SandboxRequest): SandboxResponse {
    const [name, ...rest] = path.slice(1).split("/").map(decodeURIComponent);
    if (name !== bucket) return fail(404, "NoSuchBucket", "The specified bucket does not exist");
    const key = rest.join("/");
    if (method === "GET" && "list-type" in query) {
      const found = [...objects.keys()].filter((one) => one.startsWith(query["prefix"] ?? "")).toSorted();
      const shown = found.slice(0, Number(query["max-keys"] ?? 1000));
      const contents = shown.map((one) => `<Contents><Key>${one}</Key></Contents>`).join("");
      return xml(200, `<ListBucketResult><KeyCount>${shown.length}</KeyCount>${contents}</ListBucketResult>`);
    }
    if (method !== "PUT" || key === "") return fail(405, "MethodNotAllowed");
    const sum = createHash("md5").update(bytes);
    const told = headers["content-md5"];
    const digest = sum.digest();
    if (told !== undefined && told !== digest.toString("base64")) return fail(400, "BadDigest");
    // The last one written is the last one, also where it replaces another.
    objects.delete(key);
    objects.set(key, bytes);
    return { ...xml(200, ""), headers: { etag: `"${digest.toString("hex")}"` } };
  }

  return {
    handle(request) {
      const fault = signatureFault(request, keys);
      return fault === undefined ? act(request) : fail(403, fault);
    },
    contents: () => ({
      [bucket]: Object.fromEntries([...objects].map(([key, bytes]) => [key, shownAs(key, bytes)])),
    }),
    reset: () => objects.clear(),
    // An answer tells of one file: it has no parts to leave out or to bring into another order.
    distort: (kind, response) => (kind === "silent" ? { ...response, headers: {}, body: undefined } : response),
    failures: {
      slow_down: fail(503, "SlowDown", "Please reduce your request rate."),
      access_denied: fail(403, "AccessDenied", "Access Denied"),
      wrong_region: fail(301, "PermanentRedirect", "The bucket must be addressed using another endpoint."),
      no_such_bucket: fail(404, "NoSuchBucket", "The specified bucket does not exist"),
    },
  };
};

/** CSV as it is; what is no text, as base64. */
const shownAs = (key: string, bytes: Buffer): string => bytes.toString(key.endsWith(".csv") ? "utf8" : "base64");

export default createSandbox;
