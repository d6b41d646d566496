/** The troubles that the suite makes, in the terms of a protocol. */
import type { DestinationError } from "../../src/destination.ts";
import type { Fault } from "../../src/sandbox.ts";

/** What strikes, and which requests. */
export type Trouble = Pick<Fault, "fault"> & Partial<Omit<Fault, "fault">>;

export interface Protocol {
  /** What `base_url` may be. */
  readonly address: string;
  /** Asks to wait; and what the error then says besides. */
  readonly limit: Trouble & { readonly error: Partial<DestinationError> };
  /** What breaks a write, and whether it may have been applied all the same. */
  readonly failures: readonly (Trouble & { readonly applied: "no" | "unknown" })[];
  /** What requests that write are called; empty where none only reads. */
  readonly writes: readonly string[];
  /** Every way to refuse, in words that are given. */
  readonly refusals: (words: string) => readonly Fault["fault"][];
  /** What a run gets over by itself. */
  readonly passing: readonly Trouble[];
  /** Promises of the suite that mean nothing in this protocol, and why. */
  readonly without: Readonly<Record<string, string>>;
}

const statuses = [400, 401, 403, 409, 422, 429, 500];

/** What all but a few destinations speak. */
export const http: Protocol = {
  address: "http://127.0.0.1:1",
  limit: {
    fault: { kind: "status", status: 429, headers: { "retry-after": "7" } },
    error: { retryAfterMs: 7000, status: 429 },
  },
  failures: [
    { fault: { kind: "status", status: 500 }, applied: "unknown" },
    { fault: { kind: "status", status: 503 }, applied: "unknown" },
    { fault: { kind: "drop_before" }, applied: "unknown" },
    { fault: { kind: "drop_after" }, applied: "unknown" },
  ],
  writes: ["POST", "PUT", "PATCH", "DELETE"],
  refusals: (words) =>
    statuses.map((status) => ({ kind: "status", status, body: { message: words, errors: words.split(" ") } })),
  passing: [
    { fault: { kind: "status", status: 429 }, times: 2 },
    { fault: { kind: "drop_after" }, times: 1, after: 2 },
  ],
  without: {},
};
