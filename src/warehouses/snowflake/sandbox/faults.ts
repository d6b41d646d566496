/** Failures on request, for who wants to see what a client does about them. */
import { z } from "zod";

/** What a request is for. */
export const requestKinds = ["login", "renew", "query", "result", "monitor", "abort", "chunk", "stage"] as const;
export type RequestKind = (typeof requestKinds)[number];

/**
 * A fault for the requests that match: `after` lets so many pass first, `times` is how often it strikes (null: always).
 *
 * `session_expired` wants the token renewed; `session_gone` knows the session no more; `status` answers with it and does
 * nothing; `drop_before` cuts the connection and does nothing; `drop_after` does what is asked, then cuts without an
 * answer; `refused` says that the role lacks a privilege; `slow` makes a statement take longer; `hang` lets it run until it is aborted.
 */
export const faultSchema = z.strictObject({
  /** What the request is for. */
  on: z.enum(requestKinds).optional(),
  /** Part of the path. */
  path: z.string().optional(),
  /** Part of the statement, whatever the case. */
  statement: z.string().optional(),
  after: z.int().min(0).default(0),
  times: z.int().min(1).nullable().default(1),
  fault: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("session_expired") }),
    z.strictObject({ kind: z.literal("session_gone") }),
    z.strictObject({ kind: z.literal("status"), status: z.int().min(200).max(599) }),
    z.strictObject({ kind: z.literal("drop_before") }),
    z.strictObject({ kind: z.literal("drop_after") }),
    z.strictObject({ kind: z.literal("refused") }),
    z.strictObject({ kind: z.literal("slow"), ms: z.int().min(0) }),
    z.strictObject({ kind: z.literal("hang") }),
  ]),
});

export type SnowflakeFault = z.input<typeof faultSchema>;
type ActiveFault = z.output<typeof faultSchema>;

export interface AskedFor {
  readonly kind: RequestKind;
  readonly path: string;
  readonly statement?: string | undefined;
}

/** The faults that wait for their requests. */
export class Faults {
  #active: { readonly spec: ActiveFault; seen: number }[] = [];

  /** Adds faults. Throws a ZodError for what is none. */
  add(...faults: readonly SnowflakeFault[]): void {
    this.#active.push(...faults.map((fault) => ({ spec: faultSchema.parse(fault), seen: 0 })));
  }

  clear(): void {
    this.#active = [];
  }

  /** The fault that strikes this request, if any: the first that matches and whose turn it is. */
  strike({ kind, path, statement = "" }: AskedFor): ActiveFault["fault"] | undefined {
    for (const one of this.#active) {
      const { spec } = one;
      if ((spec.on ?? kind) !== kind || !path.includes(spec.path ?? "")) continue;
      if (!statement.toLowerCase().includes((spec.statement ?? "").toLowerCase())) continue;
      one.seen += 1;
      if (one.seen <= spec.after) continue;
      if (spec.times === null || one.seen <= spec.after + spec.times) return spec.fault;
    }
    return undefined;
  }
}
