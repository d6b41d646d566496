import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { retryAfter } from "../src/fetch.ts";
import { answering, client, closing, failureOf, now, secret, serve } from "./outbound.ts";

const timer = (ms: number): Promise<never> =>
  new Promise((_resolve, reject) => setTimeout(() => reject(new Error("too late")), ms));

describe("answers", () => {
  test("2xx and a 4xx about records come back as they are", async () => {
    for (const status of [200, 201, 207, 400, 404, 409, 422]) {
      const { url } = await answering(status, '{"a":"ü"}', { "x-request": "1" });
      const answer = await client().fetch(url);
      expect([answer.status, await answer.json(), answer.headers.get("x-request")]).toEqual([status, { a: "ü" }, "1"]);
    }
    const { url } = await answering(204);
    expect(await (await client().fetch(url)).text()).toBe("");
  });

  test("a status that is not about records is classified", async () => {
    const expected: readonly [number, string, string][] = [
      [401, "unauthorized", "no"],
      [403, "unauthorized", "no"],
      [408, "unavailable", "unknown"],
      [423, "busy", "no"],
      [425, "busy", "no"],
      [429, "busy", "no"],
      [500, "unavailable", "unknown"],
      [502, "unavailable", "unknown"],
      [503, "unavailable", "unknown"],
      [599, "unavailable", "unknown"],
    ];
    for (const [status, kind, applied] of expected) {
      const { url } = await answering(status);
      const error = await failureOf(client().fetch(url, { method: "POST", body: "{}" }));
      expect(error).toMatchObject({ status, kind, applied, code: `http_${status}` });
    }
  });

  test("a read that failed has certainly changed nothing", async () => {
    const { url } = await answering(500);
    expect(await failureOf(client().fetch(url))).toMatchObject({ kind: "unavailable", applied: "no" });
  });

  test("what the adapter knows of a failure is used, and a busy destination has applied nothing", async () => {
    const { url } = await answering(503, "maintenance");
    const failure = (): { kind: "busy"; code: string; message: string; retryAfterMs: number } => ({
      kind: "busy",
      code: "MAINTENANCE",
      message: `until noon, ${secret}`,
      retryAfterMs: 5,
    });
    const error = await failureOf(client({ adapter: { title: "CRM", failure } }).fetch(url, { method: "POST" }));
    expect(error).toMatchObject({ kind: "busy", applied: "no", code: "MAINTENANCE", retryAfterMs: 5, status: 503 });
    expect(error.message).toContain("until noon, [redacted]");
  });

  test("whatever body the web's fetch takes is sent as it is there", async () => {
    const { url } = await serve((request, response) => {
      request.setEncoding("utf8");
      let text = "";
      request.on("data", (part: string) => (text += part));
      request.on("end", () => response.end(JSON.stringify([request.headers["content-type"] ?? null, text])));
    });
    const sent = async (body: NonNullable<RequestInit["body"]>, headers = {}): Promise<unknown> =>
      (await client().fetch(url, { method: "POST", body, headers })).json();
    expect(await sent("{}", { "content-type": "application/json" })).toEqual(["application/json", "{}"]);
    expect(await sent("ü 😀 \ud800")).toEqual(["text/plain;charset=UTF-8", "ü 😀 \ufffd"]);
    expect(await sent(new URLSearchParams({ a: "1 2" }))).toEqual([
      "application/x-www-form-urlencoded;charset=UTF-8",
      "a=1+2",
    ]);
    expect(await sent(Buffer.from("ab,c"), { "content-type": "text/csv" })).toEqual(["text/csv", "ab,c"]);
  });

  test("requests one after another share a connection", async () => {
    const { url, sockets } = await answering(200, "{}");
    const { fetch } = client();
    for (let times = 0; times < 5; times += 1) await fetch(url);
    // The second request may come a moment before the first connection is free again.
    expect(sockets()).toBeLessThanOrEqual(2);
  });
});

describe("bounds", () => {
  test("an answer that does not come, or does not end, is cut at the deadline", async () => {
    const silent = await serve(() => undefined);
    const dripping = await serve((_request, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write("."), 20);
      response.on("close", () => clearInterval(drip));
    });
    for (const { url } of [silent, dripping]) {
      const asked = client({ timeoutMs: 150 }).fetch(url, { method: "POST", body: "{}" });
      const error = await failureOf(Promise.race([asked, timer(2000)]));
      expect(error).toMatchObject({ kind: "unavailable", code: "unreachable", applied: "unknown" });
      expect(error.message).toContain("no answer in time");
    }
  });

  test("an answer that is too large is cut, and one of exactly the most bytes is not", async () => {
    const { url } = await answering(200, "x".repeat(1000));
    const { fetch } = client({ maxBytes: 999 });
    expect(await failureOf(fetch(url, { method: "POST" }))).toMatchObject({ kind: "unavailable", applied: "unknown" });
    expect(await (await client({ maxBytes: 1000 }).fetch(url)).text()).toHaveLength(1000);
    const endless = await serve((_request, response) => {
      const pour = (): void => {
        while (response.write("x".repeat(65_536)));
      };
      response.on("drain", pour);
      pour();
    });
    expect(await failureOf(client().fetch(endless.url))).toMatchObject({ kind: "unavailable" });
  });

  test("who aborts gets the reason at once", async () => {
    const { url } = await serve(() => undefined);
    const stop = new AbortController();
    const reason = new Error("stopped");
    setTimeout(() => stop.abort(reason), 20);
    await expect(Promise.race([client().fetch(url, { signal: stop.signal }), timer(2000)])).rejects.toBe(reason);
    await expect(client().fetch(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test("a request that has ended leaves nothing on the signal that could have stopped it", async () => {
    const { signal } = new AbortController();
    const { url } = await answering(200, "{}");
    const failing = await answering(500);
    await client().fetch(url, { signal });
    await failureOf(client().fetch(failing.url, { signal }));
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("a connection that was refused applied nothing; one that broke may have", async () => {
    const { url, port } = await answering(200);
    await Promise.all(closing.splice(0).map((close) => close()));
    const post = { method: "POST", body: "{}" };
    expect(await failureOf(client().fetch(url, post))).toMatchObject({ kind: "unavailable", applied: "no" });
    expect(await failureOf(client().fetch(`http://localhost:${port}`, post))).toMatchObject({ applied: "no" });
    const broken = await serve((request) => request.socket.destroy());
    expect(await failureOf(client().fetch(broken.url, post))).toMatchObject({
      kind: "unavailable",
      applied: "unknown",
    });
  });
});

describe("messages", () => {
  test("name the destination, its host and what it said, on one short line", async () => {
    const { url, port } = await answering(500, `\u001b[2Jbad\r\nlevel=info forged\u2028\u0085${"x".repeat(2000)}`);
    const { message } = await failureOf(client().fetch(url));
    expect(message).toContain('destination "crm"');
    expect(message).toContain(`127.0.0.1:${port}`);
    expect(message).toContain("[2Jbad level=info forged xxx");
    expect(message).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
    expect(message.length).toBeLessThan(700);
  });

  test("hold no secret, also not where one begins like another", async () => {
    const longer = `${secret}-and-more`;
    const { url } = await answering(401, `${longer} is wrong, and so is ${secret}`);
    const { message } = await failureOf(client({ secrets: [secret, longer] }).fetch(url));
    expect(message).toContain("[redacted] is wrong, and so is [redacted]");
    expect(message).not.toContain("more");
  });

  test("nor does what the adapter reads of a refusal", async () => {
    const { url } = await answering(400, JSON.stringify({ message: `token ${secret} may not do this` }));
    expect(await (await client().fetch(url)).json()).toEqual({ message: "token [redacted] may not do this" });
  });

  test("a credential that cannot be sent is refused as such, without telling it", async () => {
    const { url } = await answering(200);
    const torn = "pat-na1\nvery-secret";
    const asked = client({ secrets: [torn] }).fetch(url, { headers: { authorization: `Bearer ${torn}` } });
    const error = await failureOf(asked);
    expect(error).toMatchObject({ kind: "unauthorized", applied: "no", code: "header_invalid" });
    expect(everyWord(error)).not.toContain("very-secret");
  });
});

function everyWord(error: unknown): string {
  return error instanceof Error ? `${error.message} ${error.stack} ${everyWord(error.cause)}` : String(error);
}

test("Retry-After is seconds or a date, never less than none and never more than a day", () => {
  const expected: readonly [string | null, number | undefined][] = [
    [null, undefined],
    ["", undefined],
    ["soon", undefined],
    ["-5", undefined],
    ["1e3", undefined],
    ["0", 0],
    ["7", 7000],
    [" 7 ", 7000],
    ["0.5", 500],
    ["999999999", 86_400_000],
    ["9".repeat(400), 86_400_000],
    ["Mon, 23 Nov 2026 12:00:30 GMT", 30_000],
    ["Monday, 23-Nov-26 12:00:30 GMT", 30_000],
    ["Mon Nov 23 12:00:30 2026", 30_000],
    ["Mon, 23 Nov 2026 11:00:00 GMT", 0],
    ["Wed, 23 Nov 2050 12:00:00 GMT", 86_400_000],
    ["Mon, 99 Foo 2026 12:00:30 GMT", undefined],
    ["2026-11-23T12:00:30Z", undefined],
  ];
  for (const [header, ms] of expected) expect([header, retryAfter(header, now)]).toEqual([header, ms]);
});

test("the Retry-After of an answer is told", async () => {
  const { url } = await answering(429, "", { "retry-after": "12" });
  expect(await failureOf(client().fetch(url))).toMatchObject({ kind: "busy", retryAfterMs: 12_000 });
});
