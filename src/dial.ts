/**
 * Connections to servers that are not asked over HTTP: to checked addresses only, in bounded time, with TLS whose server
 * is proven. What `fetch.ts` is for HTTP.
 */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { AddressGuard, RefusedAddress } from "./address-guard.ts";
import { type Context, DestinationError, type Server, type ServerTls } from "./destination.ts";
import { messageOf } from "./errors.ts";
import { called, type FetchOptions, legible, refusedAddress, resolveAddresses } from "./fetch.ts";

export type DialOptions = Pick<FetchOptions, "name" | "secrets" | "allowed" | "resolve"> & {
  readonly adapter: { readonly title: string };
  /** Until the connection stands, TLS included. */
  readonly timeoutMs?: number;
};

/** Dials for one destination. */
export function createDial(options: DialOptions): Context["dial"] {
  const guard = new AddressGuard(options.allowed);
  return async (server, stop) => {
    const refusal = guard.refusalOfServer(server);
    if (refusal) throw refusedAddress(refusal, options);
    const deadline = AbortSignal.timeout(options.timeoutMs ?? 10_000);
    const signal = stop ? AbortSignal.any([stop, deadline]) : deadline;
    try {
      const addresses = guard.check(server.host, await (options.resolve ?? resolveAddresses)(server.host));
      const plain = await dialFirst(addresses, server.port, signal);
      return server.tls === undefined ? plain : await secured(plain, server.host, server.tls, signal);
    } catch (error) {
      stop?.throwIfAborted();
      if (error instanceof RefusedAddress) throw refusedAddress(error, options);
      throw error instanceof DestinationError ? error : unreachable(error, server, options);
    }
  };
}

/** The first address may be one that this machine has no way to, such as IPv6. */
async function dialFirst(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Socket> {
  let failure: unknown;
  for (const host of addresses) {
    try {
      return await opened(connectTcp({ host, port, noDelay: true, keepAlive: true }), "connect", signal);
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  throw failure;
}

async function secured(plain: Socket, host: string, { before }: ServerTls, signal: AbortSignal): Promise<Socket> {
  try {
    await before?.(plain, signal);
    // Said here, so that no setting of the process lets an unproven server have the credential.
    const proof = { rejectUnauthorized: true, minVersion: "TLSv1.2" } as const;
    const servername = isIP(host) === 0 ? { servername: host } : {};
    return await opened(connectTls({ socket: plain, host, ...servername, ...proof }), "secureConnect", signal);
  } catch (error) {
    plain.destroy();
    throw error;
  }
}

/** Resolves when the socket says so; one that fails or comes too late is let go of. */
async function opened<One extends Socket>(
  socket: One,
  event: "connect" | "secureConnect",
  signal: AbortSignal,
): Promise<One> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = (): void => reject(signal.reason);
  const cut = (): void => reject(new Error("the server closed the connection"));
  socket.once(event, resolve).once("error", reject).once("close", cut);
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (signal.aborted) stop();
    await promise;
    return socket;
  } catch (error) {
    // What it still says of its end nobody waits for.
    socket.on("error", () => undefined).destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    socket.off(event, resolve).off("error", reject).off("close", cut);
  }
}

function unreachable(error: unknown, { host, port }: Server, options: DialOptions): DestinationError {
  const late = error instanceof Error && error.name === "TimeoutError";
  const words = late ? "no answer in time" : legible(messageOf(error), options.secrets).slice(0, 500);
  const message = `${options.adapter.title} (${called(options)}) could not be reached at ${host}:${port}: ${words}`;
  return new DestinationError("unavailable", message, { code: "unreachable", applied: "no" });
}
