/** Connections in other protocols than HTTP: the same guard, TLS that is proven, nothing left open. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates, TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { askForTls } from "../destinations/postgres/tls.ts";
import { openRequest } from "../src/connection/request.ts";
import type { Exchange } from "../src/connection/trace.ts";
import { DestinationError, type Server } from "../src/destination.ts";
import { createDial, type DialOptions } from "../src/dial.ts";
import { failureOf } from "./destinations/checks.ts";
import { unlimited } from "./memory-ledger.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A server on loopback, and the connections that are open to it. */
async function serve(greet: (socket: Socket) => void = () => undefined): Promise<{ port: number; open: Set<Socket> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined).on("close", () => open.delete(socket));
    greet(socket);
    // Whoever does not read does not learn of the end either.
    if (socket.listenerCount("data") === 0) socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, open };
}

const dialOf = (options: Partial<DialOptions> = {}): ReturnType<typeof createDial> =>
  createDial({ adapter: { title: "Base" }, name: "db", secrets: [], allowed: ["127.0.0.0/8"], ...options });
const at = (host: string, port: number, more: Partial<Server> = {}): Server => ({
  host,
  port,
  usualPort: 5432,
  ...more,
});
const refused = { kind: "unauthorized", code: "address_refused", applied: "no" };
const tls = { before: askForTls };

describe("an address", () => {
  test.each(["127.0.0.1", "localhost", "10.0.0.1", "::1", "169.254.169.254", "0x7f000001", "::ffff:127.0.0.1"])(
    "that is private is not dialled unless it is allowed: %s",
    async (host) => {
      expect(await failureOf(dialOf({ allowed: [] })(at(host, 5432, { tls })))).toMatchObject(refused);
    },
  );

  test("is the one that was checked, whatever the name leads to afterwards", async () => {
    const { port } = await serve();
    let asked = 0;
    const resolve = async (): Promise<readonly string[]> => [(asked += 1) > 1 ? "10.0.0.1" : "127.0.0.1"];
    const dial = dialOf({ allowed: ["db.test"], resolve });
    expect((await dial(at("db.test", port))).destroy().destroyed).toBe(true);
    const mixed = dialOf({ resolve: async () => ["8.8.8.8", "10.0.0.1"] });
    expect(await failureOf(mixed(at("db.test", 5432, { tls })))).toMatchObject(refused);
  });

  test("with the port of another kind of service is refused, and its protocol's own is not", async () => {
    for (const port of [6379, 22, 3306])
      expect(await failureOf(dialOf()(at("127.0.0.1", port)))).toMatchObject(refused);
    expect(await failureOf(dialOf()(at("127.0.0.1", 5432, { usualPort: 1 })))).toMatchObject(refused);
    for (const dialled of [
      dialOf({ resolve: async () => ["127.0.0.2"] })(at("localhost", 5432)),
      dialOf({ allowed: ["127.0.0.0/8", "127.0.0.2:9200"] })(at("127.0.0.2", 9200)),
    ])
      await dialled.then(
        (stream) => stream.destroy(),
        (error: unknown) => expect(error).toMatchObject({ kind: "unavailable", applied: "no" }),
      );
  });

  test("beyond this machine is not asked without TLS, unless its host is allowed by name", async () => {
    const { port } = await serve();
    const resolve = async (): Promise<readonly string[]> => ["127.0.0.1"];
    expect(await failureOf(dialOf({ resolve })(at("db.test", port)))).toMatchObject(refused);
    (await dialOf({ resolve, allowed: ["DB.test"] })(at("db.test", port))).destroy();
  });
});

describe("a server", () => {
  test("that is not there, or does not answer in time, was sent nothing, and nothing stays open", async () => {
    const silent = await serve();
    const gone = { kind: "unavailable", code: "unreachable", applied: "no" };
    expect(await failureOf(dialOf()(at("127.0.0.1", 1)))).toMatchObject(refused);
    expect(await failureOf(dialOf({ timeoutMs: 50 })(at("127.0.0.1", silent.port, { tls })))).toMatchObject(gone);
    await expect.poll(() => silent.open.size).toBe(0);
    const stop = AbortSignal.abort(new Error("stopped"));
    await expect(dialOf()(at("127.0.0.1", silent.port), stop)).rejects.toThrow("stopped");
    await expect.poll(() => silent.open.size).toBe(0);
  });

  test.each([
    ["N", "no TLS"],
    ["SE", "something else than TLS"],
    ["E", "something else than TLS"],
  ])("that says %j when it is asked for TLS gets nothing", async (answer, words) => {
    const heard: string[] = [];
    const { port } = await serve((socket) => {
      socket.on("data", (data) => {
        heard.push(data.toString("hex"));
        socket.write(answer);
      });
    });
    const error = await failureOf(dialOf()(at("127.0.0.1", port, { tls })));
    expect(error.message).toContain(words);
    expect(heard).toEqual(["0000000804d2162f"]);
  });
});

describe("TLS", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-dial-"));
  const file = (name: string): Buffer => readFileSync(join(folder, name));
  const trusted = getCACertificates("default");
  beforeAll(() => {
    for (const name of ["db", "stranger"]) {
      const made = ["-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", `/CN=${name}.test`, "-days", "2"];
      const names = ["-addext", `subjectAltName=DNS:${name}.test`];
      const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", ...made, ...names];
      execFileSync("openssl", request, { cwd: folder, stdio: "pipe" });
    }
    setDefaultCACertificates([...trusted, file("db.pem").toString()]);
  });
  afterAll(() => {
    setDefaultCACertificates(trusted);
    rmSync(folder, { recursive: true });
  });

  const secured = (name: string, heard: string[]): ReturnType<typeof serve> =>
    serve((socket) => {
      socket.once("data", () => {
        socket.write("S");
        const inner = new TLSSocket(socket, { isServer: true, key: file(`${name}.key`), cert: file(`${name}.pem`) });
        inner.on("data", (data) => heard.push(data.toString())).on("error", () => undefined);
      });
    });
  const dial = dialOf({ resolve: async () => ["127.0.0.1"] });

  test("is begun after it was asked for, with a server that proves its name", async () => {
    const heard: string[] = [];
    const { port } = await secured("db", heard);
    const stream = await dial(at("db.test", port, { tls }));
    stream.write("password");
    await expect.poll(() => heard).toEqual(["password"]);
    stream.destroy();
  });

  test.each([
    ["stranger", "stranger.test"],
    ["db", "other.test"],
  ])("is refused with the certificate of %s at %s, and nothing is said", async (name, host) => {
    const heard: string[] = [];
    const { port, open } = await secured(name, heard);
    expect(await failureOf(dial(at(host, port, { tls })))).toMatchObject({ kind: "unavailable", applied: "no" });
    await expect.poll(() => open.size).toBe(0);
    expect(heard).toEqual([]);
  });
});

describe("a request", () => {
  const clock = { now: () => new Date(0), sleep: () => Promise.resolve() };
  const told = { method: "insert", path: "public.accounts" };
  const never = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

  test("waits for its turn, is told of, and is masked where it fails", async () => {
    const order: string[] = [];
    const exchanges: Exchange[] = [];
    const turns = {
      ...unlimited,
      enter: async () => void order.push("turn"),
      failed: async () => void order.push("failed"),
    };
    const mayGo = (): void => void order.push("may go");
    const request = openRequest({ turns, clock, secrets: ["hush"], mayGo, onExchange: (one) => exchanges.push(one) });
    expect(await request(told, async () => order.push("work"))).toBe(3);
    const work = async (): Promise<never> => {
      throw new DestinationError("refused", "what hush\nsaid", { code: "x", applied: "no", cause: new Error("hush") });
    };
    const error = await failureOf(request(told, work));
    expect([error.message, error.cause]).toEqual(["what [redacted] said", undefined]);
    expect(order).toEqual(["turn", "may go", "work", "turn", "may go", "failed"]);
    expect(exchanges).toMatchObject([
      { ...told, status: null, failure: null },
      { ...told, status: null, failure: "what [redacted] said" },
    ]);
  });

  test("is not begun when it may not go any more, and ends when its time is over or when it is stopped", async () => {
    const common = { turns: unlimited, clock, secrets: [], onExchange: () => undefined };
    const mayGo = (): void => {
      throw new Error("taken over");
    };
    const begun = { ...common, mayGo };
    await expect(openRequest(begun)(told, () => Promise.reject(new Error("begun")))).rejects.toThrow("taken over");
    await expect(openRequest({ ...common, timeoutMs: 10 })(told, never)).rejects.toThrow("timeout");
    const stop = new AbortController();
    const asked = openRequest(common)(told, never, stop.signal);
    stop.abort(new Error("stopped"));
    await expect(asked).rejects.toThrow("stopped");
  });
});
