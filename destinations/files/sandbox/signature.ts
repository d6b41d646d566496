/** AWS Signature Version 4, as its specification writes it. */
import { createHash, createHmac } from "node:crypto";
import type { SandboxRequest } from "../../../src/sandbox.ts";

interface Key {
  readonly id: string;
  readonly secret: string;
}

const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);

const sha256 = (bytes: Buffer | string): string => createHash("sha256").update(bytes).digest("hex");
const hmac = (secret: string | Buffer, text: string): Buffer => createHmac("sha256", secret).update(text).digest();

/** What S3 calls the fault of a request's signature; undefined for a right one. */
export function signatureFault(request: SandboxRequest, keys: readonly Key[]): string | undefined {
  const { headers, method, path, query, bytes = "" } = request;
  const found = /Credential=([^/]+)\/(\d+)\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)/.exec(
    headers["authorization"] ?? "",
  );
  if (!found) return "AccessDenied";
  const [, id, day = "", region = "", signed = "", signature] = found;
  const key = keys.find((one) => one.id === id);
  if (!key) return "InvalidAccessKeyId";
  const told = headers["x-amz-content-sha256"] ?? "";
  if (told !== "UNSIGNED-PAYLOAD" && told !== sha256(bytes)) return "XAmzContentSHA256Mismatch";
  const canonical = [
    method,
    path
      .split("/")
      .map((part) => encode(decodeURIComponent(part)))
      .join("/"),
    Object.entries(query)
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .toSorted()
      .join("&"),
    signed
      .split(";")
      .map((name) => `${name}:${(headers[name] ?? "").trim()}\n`)
      .join(""),
    signed,
    told,
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, sha256(canonical)].join("\n");
  const secret = [day, region, "s3", "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${key.secret}`);
  return hmac(secret, toSign).toString("hex") === signature ? undefined : "SignatureDoesNotMatch";
}
