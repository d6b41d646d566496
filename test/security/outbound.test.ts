/** Attacks 25–43 (42: tls.test.ts): where requests go that Sluice sends, what they carry, and how much it listens to. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import salesforce from "../../destinations/salesforce/index.ts";
import { connection as salesforceSettings } from "../../destinations/salesforce/settings.ts";
import { AddressGuard } from "../../src/address-guard.ts";
import { failureOf as failureOfCall } from "../destinations/checks.ts";
import { batch, change, things, wired } from "../destinations/http.service.ts";
import { answering, client, failureOf, secret, serve } from "../outbound.ts";
import { House } from "./house.ts";
import { contextOf } from "../destinations/context.ts";

let house: House;
beforeAll(async () => {
  house = await House.open();
});
afterAll(() => house?.[Symbol.asyncDispose]());

const refused = { kind: "unauthorized", code: "address_refused", applied: "no" };

async function isNotDialled(host: string): Promise<void> {
  const asked = client({ allowed: [], timeoutMs: 3000 }).fetch(`https://${host}:1443/`);
  expect(await failureOf(asked)).toMatchObject(refused);
}

const put = (connection: object, type = "http"): ReturnType<House["ask"]> =>
  house.ask("PUT", "/v1/destinations/attack", { body: { type, connection } });
const toUrl = (url: string): ReturnType<House["ask"]> =>
  // oxlint-disable-next-line no-template-curly-in-string -- read by the service
  put({ access_token: "${env:TOKEN}", base_url: url }, "hubspot");

test.each([
  "127.0.0.1",
  "127.1",
  "2130706433",
  "0x7f000001",
  "0177.0.0.1",
  "①②⑦.⓪.⓪.①",
  "127。0。0。1",
  "127.0.0.1.",
  "0",
  "localhost",
  "LOCALHOST",
])("25: https://%s is not dialled unless it is allowed", isNotDialled);

test("25: localhost with a dot is not dialled either, whether it resolves or not", async () => {
  expect(await failureOf(client({ allowed: [] }).fetch("https://localhost.:1443/"))).toMatchObject({ applied: "no" });
});

test.each([
  "[::1]",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[::127.0.0.1]",
  "[::ffff:0:127.0.0.1]",
  "[64:ff9b::127.0.0.1]",
  "[64:ff9b:1::10.0.0.1]",
  "[2002:7f00:1::]",
  "[2001::1]",
  "[100::1]",
  "[2001:db8::1]",
  "[4000::1]",
])("26: https://%s is not dialled unless it is allowed", isNotDialled);

test.each(["169.254.169.254", "169.254.169.254.", "[fd00:ec2::254]", "100.100.100.200", "[::ffff:169.254.169.254]"])(
  "27: the cloud's metadata at https://%s is not dialled unless it is allowed",
  isNotDialled,
);

test("27: nor by its name", async () => {
  const resolve = async (): Promise<readonly string[]> => ["169.254.169.254"];
  const asked = client({ allowed: [], resolve }).fetch("https://metadata.google.internal/");
  expect(await failureOf(asked)).toMatchObject(refused);
});

test.each([
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "10.255.255.255",
  "100.64.0.1",
  "100.127.255.255",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.0.1",
  "192.0.0.1",
  "198.18.0.1",
  "198.19.255.255",
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255",
  "[fc00::1]",
  "[fdff::1]",
  "[fe80::1]",
  "[febf::1]",
  "[fec0::1]",
  "[ff02::1]",
])("28: every private range is refused: https://%s", isNotDialled);

describe("28: what is allowed is no more than what was said", () => {
  const reached: readonly [allowed: readonly string[], host: string][] = [
    [["*"], "127.0.0.1"],
    [["*"], "localhost"],
    [["127.0.0.1"], "127.0.0.1"],
    [["127.0.0.1"], "[::ffff:127.0.0.1]"],
    [["127.0.0.0/8"], "127.0.0.1"],
    [["127.0.0.0/8", "::1"], "localhost"],
    [["LocalHost"], "localhost"],
  ];
  test.each(reached)("28: %j lets %s be reached", async (allowed, host) => {
    const { port } = await answering(200, "{}");
    expect((await client({ allowed }).fetch(`http://${host}:${port}/`)).status).toBe(200);
  });

  const unreached: readonly [allowed: readonly string[], host: string][] = [
    [["10.0.0.0/8"], "127.0.0.1"],
    [["localhost"], "127.0.0.1"],
    [["::1/128", "::1"], "127.0.0.1"],
    [["127.0.0.0/33", "nonsense/8", "/", ""], "127.0.0.1"],
    [["127.0.0.2"], "127.0.0.1"],
  ];
  test.each(unreached)("28: %j does not let %s be reached", async (allowed, host) => {
    const { port } = await answering(200, "{}");
    expect(await failureOf(client({ allowed }).fetch(`http://${host}:${port}/`))).toMatchObject(refused);
  });
});

test("29: one private address among public ones refuses the name", () => {
  const guard = new AddressGuard([]);
  expect(guard.check("crm.test", ["8.8.8.8", "2606:4700::1"])).toEqual(["8.8.8.8", "2606:4700::1"]);
  for (const addresses of [["8.8.8.8", "10.0.0.1"], ["::ffff:10.0.0.1", "8.8.8.8"], ["fd00::1"], ["no address"], []])
    expect(() => guard.check("crm.test", addresses)).toThrow("crm.test");
});

test("29: a name is dialled at each of its allowed addresses until one answers", async () => {
  const { port } = await answering(200, "{}");
  const resolve = async (): Promise<readonly string[]> => ["127.0.0.2", "127.0.0.1"];
  const { fetch } = client({ allowed: ["crm.test"], resolve });
  expect((await fetch(`http://crm.test:${port}/`)).status).toBe(200);
});

test("30: a name that resolves otherwise the second time is not dialled there", async () => {
  const { port, sockets } = await answering(200, "{}");
  const answers = [["127.0.0.2"], ["127.0.0.1"]];
  const resolve = async (): Promise<readonly string[]> => answers.shift() ?? [];
  const { fetch } = client({ allowed: ["127.0.0.2"], resolve });
  expect(await failureOf(fetch(`https://crm.test:${port}/`))).toMatchObject({ code: "unreachable", applied: "no" });
  expect(await failureOf(fetch(`https://crm.test:${port}/`))).toMatchObject(refused);
  expect(sockets()).toBe(0);
});

test("31: a redirect is not followed: body and credential go nowhere else", async () => {
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

test("32: no other scheme than https with the outside, neither saved nor dialled", async () => {
  const urls = ["ftp://127.0.0.1/", "file:///etc/passwd", "data:,x", "gopher://x/", "javascript:1"];
  for (const url of ["http://crm.example/", "http://8.8.8.8/", ...urls])
    expect(await failureOf(client().fetch(url))).toMatchObject(refused);
  for (const url of [...urls, "//crm.example", "crm.example", "/x", "", "https:", "https:///", "https://"])
    expect([url, (await toUrl(url)).status]).toEqual([url, 422]);
});

test("33: what looks like a host before an @, a backslash or a hash is not taken for one", async () => {
  const tricks = [
    "good@127.0.0.1",
    "a:b@127.0.0.1",
    "good%2f@127.0.0.1",
    "good.example\\@127.0.0.1",
    "good#@127.0.0.1",
  ];
  for (const trick of tricks) expect([trick, (await toUrl(`https://${trick}/`)).status]).toEqual([trick, 422]);
  for (const url of ["https://good@127.0.0.1/", "https://a:b@127.0.0.1/", "http://good%2f@localhost/"])
    expect(await failureOf(client({ allowed: ["good", "127.0.0.1"] }).fetch(url))).toMatchObject(refused);
  for (const url of ["https://127.0.0.1\\@good.example/", "https://127.0.0.1#@good.example/"])
    expect(await failureOf(client({ allowed: ["good.example"] }).fetch(url))).toMatchObject(refused);
});

test("34: ports of services that are no web servers are not dialled, also where the address is allowed", async () => {
  for (const port of [22, 25, 5432, 6379, 9200, 3306, 11211, 2375, 10250]) {
    for (const host of ["127.0.0.1", "localhost", "[::1]", "8.8.8.8"])
      expect(await failureOf(client({ allowed: ["*"] }).fetch(`https://${host}:${port}/`))).toMatchObject(refused);
  }
  const said = client({ allowed: ["127.0.0.1:9200", "127.0.0.1"] });
  expect(await failureOf(said.fetch("http://127.0.0.1:9200/"))).toMatchObject({ code: "unreachable" });
});

test("35: an account of Snowflake is an identifier and nothing else", async () => {
  for (const account of ["evil.com/#", "a?b", "a/b", "..", "a@b", "a:443", "a b", "a%2fb", "", ".evil", "a\\b", "é"]) {
    const connection = { account, username: "u", password: "p" };
    const { status, text } = await house.ask("PUT", "/v1/sources/attack", { body: { type: "snowflake", connection } });
    expect([account, status]).toEqual([account, 422]);
    expect(JSON.parse(text)).toMatchObject({
      errors: expect.arrayContaining([expect.objectContaining({ pointer: "/connection/account" })]),
    });
  }
});

test("36: where a vendor's host depends on a setting, the setting is one of a list, or a name and nothing else", async () => {
  const { body } = await house.ask("GET", "/v1/destination-types");
  const types = body["data"] as readonly { type: string; connection: { properties: Record<string, object> } }[];
  expect(types.length).toBeGreaterThan(5);
  for (const { type, connection } of types) {
    for (const name of ["domain", "host", "account"])
      expect(Object.keys(connection.properties), type).not.toContain(name);
    const { subdomain, instance, bucket, region, company_domain: company } = connection.properties;
    for (const name of [subdomain, instance, bucket, company]) if (name) expect(name, type).toHaveProperty("pattern");
    if (region && !("enum" in region)) expect(region, type).toHaveProperty("pattern");
  }
  for (const region of ["evil.com/", "x.evil", "a@b", "eu.evil.com#"])
    // oxlint-disable-next-line no-template-curly-in-string -- read by the service
    expect((await put({ access_token: "${env:TOKEN}", region }, "intercom")).status).toBe(422);
  for (const region of ["evil.com/", "x.evil", "a@b", "eu#", ""]) {
    // oxlint-disable-next-line no-template-curly-in-string -- read by the service
    const key = { access_key_id: "AKIA", secret_access_key: "${env:TOKEN}" };
    const objects = { accounts: { fields: { id: "text" } } };
    expect((await put({ ...key, bucket: "exports", region, format: "csv", objects }, "files")).status).toBe(422);
  }
  for (const subdomain of ["evil.com/", "x.evil", "a@b", "acme#", "..", "acme:1", "acme\n", "-acme", ""])
    // oxlint-disable-next-line no-template-curly-in-string -- read by the service
    expect([subdomain, (await put({ access_token: "${env:TOKEN}", subdomain }, "zendesk")).status]).toEqual([
      subdomain,
      422,
    ]);
});

test("37: an address that an answer names gets the token only if it is the vendor's own", async () => {
  async function askedOf(instance: string): Promise<readonly string[]> {
    const asked: string[] = [];
    const config = salesforceSettings.parse({ client_id: "id", client_secret: "s3cret" });
    const connection = salesforce.connect(
      config,
      contextOf(async (url) => {
        asked.push(new URL(String(url)).host);
        return Response.json({ access_token: "t0ken", instance_url: instance });
      }),
    );
    await connection.check().catch(() => undefined);
    return asked;
  }
  for (const instance of [
    "https://evil.example",
    "https://evil.example/.my.salesforce.com",
    "https://evil.example#.salesforce.com",
    "https://salesforce.com.evil.example",
    "https://a@evil.example?.salesforce.com",
    "http://acme.my.salesforce.com",
    "https://acme.my.salesforce.com:8443",
  ])
    expect([instance, await askedOf(instance)]).toEqual([instance, ["login.salesforce.com"]]);
  expect(await askedOf("https://acme.my.salesforce.com")).toContain("acme.my.salesforce.com");
});

test("38: whether a private port is open or closed, the answer is the same, and nothing is dialled", async () => {
  const open = await answering(200, "{}");
  const ports = [open.port, 65_534, 65_535];
  const told = await Promise.all(
    ports.map(async (port) => {
      const { message } = await failureOf(client({ allowed: [] }).fetch(`https://127.0.0.1:${port}/`));
      return message.replaceAll(String(port), "PORT");
    }),
  );
  expect(new Set(told).size).toBe(1);
  expect(open.sockets()).toBe(0);
});

describe("39: an answer is cut at its cap or at its deadline", () => {
  test("39: one that does not come, or does not end", async () => {
    const silent = await serve(() => undefined);
    const dripping = await serve((_request, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write("."), 20);
      response.on("close", () => clearInterval(drip));
    });
    for (const { url } of [silent, dripping]) {
      const error = await failureOf(client({ timeoutMs: 150 }).fetch(url, { method: "POST", body: "{}" }));
      expect(error).toMatchObject({ kind: "unavailable", code: "unreachable", applied: "unknown" });
    }
  });

  test("39: one that is endless, or that would be once it was unpacked", async () => {
    const endless = await serve((_request, response) => {
      const pour = (): void => {
        while (response.write("x".repeat(65_536)));
      };
      response.on("drain", pour);
      pour();
    });
    const before = process.memoryUsage().rss;
    expect(await failureOf(client().fetch(endless.url))).toMatchObject({ kind: "unavailable" });
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
    const packed = await serve((_request, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(bomb),
    );
    const text = await (await client().fetch(packed.url)).text();
    expect(text.length).toBeLessThanOrEqual(bomb.length);
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 2 ** 20);
  });

  test("39: one whose head has no end", async () => {
    const { url } = await serve(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\n`);
      const more = setInterval(() => socket.write(`x-${"y".repeat(4000)}: z\r\n`), 1);
      socket.on("close", () => clearInterval(more)).on("error", () => undefined);
    });
    expect(await failureOf(client({ timeoutMs: 3000 }).fetch(url))).toMatchObject({ kind: "unavailable" });
  });
});

test("40: headers that say where or how a request goes cannot be set, and no row breaks out of one", async () => {
  for (const name of [
    "Host",
    "Content-Length",
    "transfer-encoding",
    "Connection",
    "Content-Type",
    "a b",
    "x:y",
    "x\r\ny",
  ]) {
    const connection = { base_url: "https://svc.test", auth: "none", headers: { [name]: "x" }, ...things({}) };
    expect([name, (await put(connection)).status]).toEqual([name, 422]);
  }
  const { connection, sent } = wired(things({ headers: { "x-row": "{{ match.key }}" } }));
  const rows = ["a\r\nx-admin: 1", "a\nb", "é", "a\0b"].map((key, index) => change(index + 1, { key }));
  const outcomes = await connection.write(batch("things", rows));
  expect(outcomes.map(({ kind }) => kind)).toEqual(["rejected", "rejected", "rejected", "rejected"]);
  expect(sent).toEqual([]);
  const torn = client().fetch("https://svc.test/", { headers: { authorization: "Bearer a\r\nx: b" } });
  expect(await failureOfCall(torn)).toMatchObject({ code: "header_invalid" });
});

test("41: a proxy in the environment is not used", async () => {
  const proxy = await answering(200, "from the proxy");
  const names = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "NODE_USE_ENV_PROXY",
  ];
  const before = { ...process.env };
  for (const name of names) process.env[name] = name === "NODE_USE_ENV_PROXY" ? "1" : proxy.url;
  try {
    const direct = await answering(200, "direct");
    expect(await (await client().fetch(direct.url)).text()).toBe("direct");
    expect(proxy.sockets()).toBe(0);
  } finally {
    for (const name of names) {
      if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before[name];
    }
  }
});
