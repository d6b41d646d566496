import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { AddressGuard } from "../src/address-guard.ts";
import { DestinationError } from "../src/destination.ts";
import { createFetch, type FetchOptions, type OutboundClient, retryAfter } from "../src/fetch.ts";

const now = new Date("2026-11-23T12:00:00Z");
const loopback = ["127.0.0.0/8", "::1/128"];
const secret = "pat-na1-very-secret";
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

function client(options: Partial<FetchOptions> = {}): OutboundClient {
  const made = createFetch({
    name: "crm",
    adapter: { title: "CRM" },
    secrets: [secret],
    allowed: loopback,
    clock: { now: () => now },
    ...options,
  });
  closing.push(() => made.close());
  return made;
}

/** A server on loopback that answers as told; `sockets` counts the connections made to it. */
async function serve(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ url: string; port: number; sockets: () => number }> {
  const server = createServer(handle);
  let sockets = 0;
  server.on("connection", () => {
    sockets += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, sockets: () => sockets };
}

const answering = (status: number, body = "", headers: Record<string, string> = {}): ReturnType<typeof serve> =>
  serve((_request, response) => response.writeHead(status, headers).end(body));

async function failureOf(answer: Promise<unknown>): Promise<DestinationError> {
  const error: unknown = await answer.then(
    () => new Error("it was answered"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof DestinationError) return error;
  throw error;
}

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

  test("a redirect is not followed: the credential goes nowhere else", async () => {
    let reached = 0;
    const other = await serve((_request, response) => {
      reached += 1;
      response.end();
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const { url } = await answering(status, "", { location: other.url });
      const asked = client().fetch(url, { method: "POST", body: "{}", headers: { authorization: secret } });
      expect(await failureOf(asked)).toMatchObject({ kind: "unauthorized", applied: "no", status });
    }
    expect(reached).toBe(0);
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

describe("addresses", () => {
  const privateHosts = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127.0.0.1.",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::10.0.0.1]",
    "[2002:7f00:1::]",
    "[2001::1]",
    "[fd00:ec2::254]",
    "[fc00::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[100::1]",
    "[2001:db8::1]",
    "[4000::1]",
    "169.254.169.254",
    "169.254.169.254.",
    "100.100.100.200",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.0.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
  ];

  test.each(privateHosts)("https://%s is not dialled unless it is allowed", async (host) => {
    const asked = client({ allowed: [], timeoutMs: 3000 }).fetch(`https://${host}:1/`);
    expect(await failureOf(asked)).toMatchObject({ kind: "unauthorized", code: "address_refused", applied: "no" });
  });

  test("one private address among public ones refuses the name", () => {
    const guard = new AddressGuard([]);
    expect(guard.check("crm.test", ["8.8.8.8", "2606:4700::1"])).toEqual(["8.8.8.8", "2606:4700::1"]);
    for (const addresses of [["8.8.8.8", "10.0.0.1"], ["::ffff:10.0.0.1", "8.8.8.8"], ["not an address"], []]) {
      expect(() => guard.check("crm.test", addresses)).toThrow("crm.test");
    }
  });

  test("only https is spoken with the outside, and no other scheme at all", async () => {
    const refused = { kind: "unauthorized", code: "address_refused", applied: "no" };
    const urls = [
      "http://crm.example/",
      "http://8.8.8.8/",
      "ftp://127.0.0.1/",
      "file:///etc/passwd",
      "data:,x",
      "gopher://x/",
    ];
    for (const url of urls) expect(await failureOf(client().fetch(url))).toMatchObject(refused);
  });

  test("a URL with a user in it is refused, also for an allowed host", async () => {
    for (const url of ["https://good@127.0.0.1/", "https://a:b@127.0.0.1/", "http://good%2f@localhost/"]) {
      expect(await failureOf(client().fetch(url))).toMatchObject({ code: "address_refused" });
    }
  });

  test("what looks like a host before a backslash or a hash is not the host that is judged", async () => {
    for (const url of ["https://127.0.0.1\\@good.example/", "https://127.0.0.1#@good.example/"]) {
      expect(await failureOf(client({ allowed: ["good.example"] }).fetch(url))).toMatchObject({
        code: "address_refused",
      });
    }
  });

  const allowances: readonly [allowed: readonly string[], host: string][] = [
    [["*"], "127.0.0.1"],
    [["*"], "localhost"],
    [["127.0.0.1"], "127.0.0.1"],
    [["127.0.0.1"], "[::ffff:127.0.0.1]"],
    [["127.0.0.0/8"], "127.0.0.1"],
    [["127.0.0.0/8", "::1"], "localhost"],
    [["LocalHost"], "localhost"],
  ];
  test.each(allowances)("%j lets %s be reached", async (allowed, host) => {
    const { port } = await answering(200, "{}");
    expect((await client({ allowed }).fetch(`http://${host}:${port}/`)).status).toBe(200);
  });

  const otherAllowances: readonly [allowed: readonly string[], host: string][] = [
    [["10.0.0.0/8"], "127.0.0.1"],
    [["localhost"], "127.0.0.1"],
    [["::1/128", "::1"], "127.0.0.1"],
    [["127.0.0.0/33", "nonsense/8", "/", ""], "127.0.0.1"],
    [["127.0.0.2"], "127.0.0.1"],
  ];
  test.each(otherAllowances)("%j does not let %s be reached", async (allowed, host) => {
    const { port } = await answering(200, "{}");
    expect(await failureOf(client({ allowed }).fetch(`http://${host}:${port}/`))).toMatchObject({
      code: "address_refused",
    });
  });

  test("a name is dialled at each of its addresses until one answers", async () => {
    const { port } = await answering(200, "{}");
    const resolve = async (): Promise<readonly string[]> => ["127.0.0.2", "127.0.0.1"];
    const { fetch } = client({ allowed: ["crm.test"], resolve });
    expect((await fetch(`http://crm.test:${port}/`)).status).toBe(200);
  });

  test("a name that resolves otherwise the second time is not dialled there", async () => {
    const { port, sockets } = await answering(200, "{}");
    const answers = [["127.0.0.2"], ["127.0.0.1"]];
    const resolve = async (): Promise<readonly string[]> => answers.shift() ?? [];
    const { fetch } = client({ allowed: ["127.0.0.2"], resolve });
    expect(await failureOf(fetch(`https://crm.test:${port}/`))).toMatchObject({ code: "unreachable", applied: "no" });
    expect(await failureOf(fetch(`https://crm.test:${port}/`))).toMatchObject({ code: "address_refused" });
    expect(sockets()).toBe(0);
  });

  test("localhost with a dot is not dialled either, whether it resolves or not", async () => {
    expect(await failureOf(client({ allowed: [] }).fetch("https://localhost.:1/"))).toMatchObject({ applied: "no" });
  });
});
