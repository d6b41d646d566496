import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Delivery, type Scheme, type Verification, verify } from "../../src/triggers/verify.ts";

const now = new Date("2026-11-23T12:00:00Z");
const body = Buffer.from('{"objects": [{"id": 1}]}');
const secret = "c2VjcmV0LXNlY3JldA==";
const url = "https://sluice.example/hooks/x";

const sign = (algorithm: string, key: string | Buffer, text: string, encoding: "hex" | "base64"): string =>
  createHmac(algorithm, key).update(text).digest(encoding);

/** The headers that each sender would send at a time. */
const senders: Readonly<Record<Scheme, (key: string, at: number) => Record<string, string>>> = {
  standard_webhooks: (key, at) => ({
    "webhook-id": "msg_1",
    "webhook-timestamp": String(at / 1000),
    "webhook-signature": `v1,${sign("sha256", Buffer.from(key, "base64"), `msg_1.${at / 1000}.${String(body)}`, "base64")}`,
  }),
  hmac_sha256: (key) => ({ "x-sig": sign("sha256", key, String(body), "hex") }),
  dbt_cloud: (key) => ({ authorization: sign("sha256", key, String(body), "hex") }),
  hubspot: (key, at) => ({
    "x-hubspot-request-timestamp": String(at),
    "x-hubspot-signature-v3": sign("sha256", key, `POST${url}${String(body)}${at}`, "base64"),
  }),
  zendesk: (key, at) => {
    const timestamp = new Date(at).toISOString();
    return {
      "x-zendesk-webhook-signature-timestamp": timestamp,
      "x-zendesk-webhook-signature": sign("sha256", key, `${timestamp}${String(body)}`, "base64"),
    };
  },
  segment: (key) => ({ "x-signature": sign("sha1", key, String(body), "hex") }),
  github: (key) => ({
    "x-hub-signature-256": `sha256=${sign("sha256", key, String(body), "hex")}`,
    "x-github-delivery": "d-1",
  }),
  bearer: (key) => ({ authorization: `Bearer ${key}` }),
};

const schemes = Object.keys(senders).map((one) => one as Scheme);
const timed: readonly Scheme[] = ["standard_webhooks", "hubspot", "zendesk"];
const by = (scheme: Scheme, secrets: readonly string[] = [secret]): Verification => ({
  scheme,
  secrets,
  header: "X-Sig",
  url,
});
const from = (scheme: Scheme, at = now.getTime(), key = secret): Delivery => ({
  headers: senders[scheme](key, at),
  body,
});

describe.each(schemes)("%s", (scheme) => {
  test("takes what its sender signed", () => {
    expect(verify(by(scheme), from(scheme), now)).not.toBeNull();
  });

  test("takes the old and the new secret during a rotation, and after it the new one only", () => {
    expect(verify(by(scheme, ["bmV3", secret]), from(scheme), now)).not.toBeNull();
    expect(verify(by(scheme, ["bmV3"]), from(scheme), now)).toBeNull();
    expect(verify(by(scheme, []), from(scheme), now)).toBeNull();
  });

  test("refuses what is missing, cut off, empty or of another kind, and says nothing", () => {
    const { headers } = from(scheme);
    for (const name of Object.keys(headers).filter((one) => one !== "x-github-delivery")) {
      for (const wrong of [
        undefined,
        "",
        "v1,",
        "v2,abc",
        "sha256=",
        "Bearer ",
        String(headers[name]).slice(0, -2),
        "é",
      ])
        expect(verify(by(scheme), { headers: { ...headers, [name]: wrong }, body }, now)).toBeNull();
      expect(verify(by(scheme), { headers: { ...headers, [name]: [String(headers[name])] }, body }, now)).toBeNull();
    }
  });

  test.skipIf(scheme === "bearer")("refuses a body that was written anew", () => {
    const again = Buffer.from(JSON.stringify(JSON.parse(String(body))));
    expect(verify(by(scheme), { ...from(scheme), body: again }, now)).toBeNull();
  });

  test.runIf(timed.includes(scheme))("refuses a time more than five minutes off, either way, or none at all", () => {
    const minutes = (count: number): Delivery => from(scheme, now.getTime() + count * 60_000);
    expect([-6, 6].map((count) => verify(by(scheme), minutes(count), now))).toEqual([null, null]);
    expect([-4, 4].every((count) => verify(by(scheme), minutes(count), now) !== null)).toBe(true);
    const { headers } = from(scheme);
    const name = Object.keys(headers).find((one) => one.endsWith("timestamp")) ?? "";
    for (const wrong of ["-1", "soon", "1e20", "9".repeat(20), "NaN"])
      expect(verify(by(scheme), { headers: { ...headers, [name]: wrong }, body }, now)).toBeNull();
  });
});
