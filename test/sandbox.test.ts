/** The server that puts a sandbox on loopback, over HTTP. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CreateSandbox, Fault } from "../src/sandbox.ts";
import { type ServedSandbox, serveSandbox } from "../src/serve-sandbox.ts";

/** Keeps what is posted to /notes. */
const createNotes: CreateSandbox = () => {
  let notes: string[] = [];
  return {
    failures: { full: { status: 507, body: { error: "no room" } } },
    handle: ({ method, path, body }) => {
      if (path !== "/notes") return { status: 404, body: { error: "unknown" } };
      if (method === "POST") notes.push(String((body as { text: string }).text));
      return { status: 200, body: { notes } };
    },
    contents: () => ({ notes: Object.fromEntries(notes.map((note, at) => [at, note])) }),
    reset: () => {
      notes = [];
    },
    distort: (kind, { status }) => ({ status, body: { distorted: kind } }),
  };
};

let served: ServedSandbox;
beforeEach(async () => {
  served = await serveSandbox(createNotes());
});
afterEach(async () => served.close());

const post = (text: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${served.url}/notes`, { method: "POST", body: JSON.stringify({ text }), ...init });
const strike = async (...faults: readonly Fault[]): Promise<void> => {
  const answer = await fetch(`${served.url}/_sandbox/faults`, { method: "POST", body: JSON.stringify(faults) });
  expect(answer.status).toBe(204);
};
const contents = async (): Promise<unknown> => (await fetch(`${served.url}/_sandbox/contents`)).json();
const held = async (): Promise<number> => Object.keys(((await contents()) as { notes: object }).notes).length;

test("listens on loopback only", () => {
  expect(new URL(served.url).hostname).toBe("127.0.0.1");
});

test("tells what it holds, and forgets it when it is reset", async () => {
  await post("one");
  expect(await contents()).toEqual({ notes: { 0: "one" } });
  await strike({ fault: { kind: "status", status: 500 } });
  await fetch(`${served.url}/_sandbox/reset`, { method: "POST" });
  expect(await contents()).toEqual({ notes: {} });
  expect((await post("two")).status).toBe(200);
});

test("tells what it was asked, without any header", async () => {
  await post("one", { headers: { authorization: "Bearer secret-token" } });
  const told = await (await fetch(`${served.url}/_sandbox/requests`)).text();
  expect(JSON.parse(told)).toMatchObject({
    total: 1,
    byPath: { "POST /notes": 1 },
    last: [
      { method: "POST", path: "/notes", requestBody: { text: "one" }, status: 200, responseBody: { notes: ["one"] } },
    ],
  });
  expect(told).not.toContain("secret-token");
});

test("a fault that it does not know is refused by name, and none is set", async () => {
  const body = JSON.stringify([{ fault: { kind: "status", status: 500 } }, { fault: { kind: "explode" } }]);
  const answer = await fetch(`${served.url}/_sandbox/faults`, { method: "POST", body });
  expect(answer.status).toBe(422);
  expect(await answer.text()).toMatch(/kind/);
  expect((await post("one")).status).toBe(200);
});

describe("faults", () => {
  test.each([
    [{ kind: "status", status: 503, body: { busy: true } }, 503, { busy: true }, 0],
    [{ kind: "failure", name: "full" }, 507, { error: "no room" }, 0],
    [{ kind: "silent" }, 200, { distorted: "silent" }, 0],
    [{ kind: "partial" }, 200, { distorted: "partial" }, 1],
    [{ kind: "shuffle" }, 200, { distorted: "shuffle" }, 1],
    [{ kind: "delay", ms: 5 }, 200, { notes: ["one"] }, 1],
  ] as const)("%j", async (fault, status, body, notes) => {
    await strike({ fault });
    const answer = await post("one");
    expect([answer.status, await answer.json()]).toEqual([status, body]);
    expect(await held()).toBe(notes);
  });

  test.each([
    ["drop_before", 0],
    ["drop_after", 1],
  ] as const)("%s cuts the connection, with %i applied", async (kind, notes) => {
    await strike({ fault: { kind } });
    await expect(post("one")).rejects.toThrow();
    expect(await held()).toBe(notes);
  });

  test("hang never answers and applies nothing", async () => {
    await strike({ fault: { kind: "hang" } });
    await expect(post("one", { signal: AbortSignal.timeout(50) })).rejects.toThrow();
    expect(await held()).toBe(0);
  });

  test("strike once, after so many, so many times, always, by path and by method", async () => {
    const statuses = async (count: number): Promise<number[]> => {
      const found: number[] = [];
      for (let asked = 0; asked < count; asked += 1) found.push((await post("x")).status);
      return found;
    };
    const fault = { kind: "status", status: 500 } as const;
    const end = (): Promise<Response> => fetch(`${served.url}/_sandbox/faults`, { method: "DELETE" });
    await strike({ fault });
    expect(await statuses(2)).toEqual([500, 200]);
    await end();
    await strike({ fault, after: 1, times: 2 });
    expect(await statuses(4)).toEqual([200, 500, 500, 200]);
    await end();
    await strike({ fault, times: null, path: "/notes", method: "POST" });
    expect(await statuses(3)).toEqual([500, 500, 500]);
    expect((await fetch(`${served.url}/notes`)).status).toBe(200);
    await end();
    expect(await statuses(1)).toEqual([200]);
  });
});
