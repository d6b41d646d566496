/** What an adapter is given, over any fetch: tokens are kept in memory, and no other server is dialled. */
import { openBearer } from "../../src/connection/bearer.ts";
import { TokenKeeper, tokenInMemory } from "../../src/connection/tokens.ts";
import type { Context } from "../../src/destination.ts";

export function contextOf(fetch: Context["fetch"], clock: { now(): Date } = { now: () => new Date() }): Context {
  return {
    fetch,
    dial: ({ host }) => Promise.reject(new Error(`${host} is not dialled`)),
    request: (_told, work, signal) => work(signal ?? new AbortController().signal),
    folder: "/nowhere",
    bearer: (grant) =>
      openBearer(grant, {
        fetch,
        tokenFetch: fetch,
        keeper: new TokenKeeper(tokenInMemory(), clock),
        clock,
        learn: () => undefined,
        title: "The vendor",
      }),
  };
}
