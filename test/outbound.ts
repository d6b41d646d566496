/** The outbound client of the tests, and servers on loopback for it to ask. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach } from "vitest";
import { DestinationError } from "../src/destination.ts";
import { createFetch, type FetchOptions, type OutboundClient } from "../src/fetch.ts";

export const now = new Date("2026-11-23T12:00:00Z");
const loopback = ["127.0.0.0/8", "::1/128"];
export const secret = "pat-na1-very-secret";
/** What is closed after each test. */
export const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** The real client, which may reach loopback. */
export function client(options: Partial<FetchOptions> = {}): OutboundClient {
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
export async function serve(
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

/** A server that always gives this answer. */
export const answering = (status: number, body = "", headers: Record<string, string> = {}): ReturnType<typeof serve> =>
  serve((_request, response) => response.writeHead(status, headers).end(body));

/** What it failed with. Throws if it did not, or otherwise. */
export async function failureOf(answer: Promise<unknown>): Promise<DestinationError> {
  const error: unknown = await answer.then(
    () => new Error("it was answered"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof DestinationError) return error;
  throw error;
}
