/**
 * CONTRACT: what a `sandbox.ts` in a folder of `destinations/` is: a vendor's API, stateful, in memory, which fails on
 * request. `serve-sandbox.ts` puts it on loopback. A vendor that is asked over another protocol than HTTP listens by itself.
 */
import { z } from "zod";

export interface SandboxRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON; null when there is none. */
  readonly body: unknown;
  /** The fields of a form, as token endpoints take them. Never kept: they hold credentials. */
  readonly form?: Readonly<Record<string, string>>;
  /** A body that is sent as text, such as CSV. */
  readonly text?: string;
  /** The body as it was sent, whatever it is. */
  readonly bytes?: Buffer;
}

export interface SandboxResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** In place of a body, as it is; its type stands in the headers. */
  readonly text?: string;
}

export interface Sandbox {
  handle(request: SandboxRequest): SandboxResponse;
  /** What the account holds: object → id → record. */
  contents(): Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Forgets everything but what it was made with. */
  reset(): void;
  /** An answer in the vendor's form that says nothing of any record, leaves some out, or has another order. */
  distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse;
  /** Ready-made failures in the vendor's own words, by name. */
  readonly failures: Readonly<Record<string, SandboxResponse>>;
}

/** A sandbox that may take its time, such as another process that answers in its place. */
export interface ServableSandbox extends Omit<Sandbox, "handle"> {
  handle(request: SandboxRequest): SandboxResponse | Promise<SandboxResponse>;
}

export interface SandboxOptions {
  /** False: the vendor's rate limits do not apply. Default true. */
  readonly limits?: boolean;
  /** What the account has from the start, in the vendor's terms. */
  readonly seed?: unknown;
  /** Milliseconds; the clock of its rate windows. */
  readonly now?: () => number;
}

/** What a `sandbox.ts` exports as `default`. */
export type CreateSandbox = (options?: SandboxOptions) => Sandbox;

/** The sandbox of a vendor that is not asked over HTTP. */
export interface ListeningSandbox {
  /** What the account holds: object → id → record. */
  contents(): Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Forgets everything but what it was made with. */
  reset(): Promise<void>;
  /** The kinds of faults that mean something in its protocol. */
  readonly faults: readonly FaultKind[];
  listen(where: { readonly port: number; readonly host: string }, listener: SandboxListener): Promise<Listening>;
}

export type Servable = ServableSandbox | ListeningSandbox;

/** Who is told of each request, and may strike it. */
export interface SandboxListener {
  /** The fault that strikes this request, if any. */
  strike(asked: AskedOf): ActiveFault["fault"] | undefined;
  note(exchange: SandboxExchange): void;
}

/** A request as faults find it: what it does, and to what. */
export interface AskedOf {
  readonly method: string;
  readonly path: string;
}

export interface Listening {
  /** What `base_url` takes. */
  readonly url: string;
  close(): Promise<void>;
}

/** What the `sandbox.ts` of such a vendor exports as `default`. */
export type CreateListeningSandbox = (options?: SandboxOptions) => ListeningSandbox;

/**
 * A fault for requests that match: `after` lets so many pass first, `times` is how often it strikes (null: always).
 *
 * `status` answers with it and applies nothing; `failure` does so in the vendor's words; `drop_before` cuts the
 * connection and applies nothing; `drop_after` applies, then cuts without an answer; `delay` waits; `hang` never
 * answers; `silent` answers 2xx for no record and applies nothing; `partial` applies all but mentions only some;
 * `shuffle` answers in another order; `error` is refused in the words of a protocol that has no status, and `cut` then
 * ends the connection.
 */
export const faultSchema = z.strictObject({
  method: z.string().optional(),
  /** Part of the path. */
  path: z.string().optional(),
  after: z.int().min(0).default(0),
  times: z.int().min(1).nullable().default(1),
  fault: z.discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("status"),
      status: z.int().min(200).max(599),
      body: z.unknown().optional(),
      headers: z.record(z.string(), z.string()).optional(),
    }),
    z.strictObject({ kind: z.literal("failure"), name: z.string() }),
    z.strictObject({ kind: z.literal("drop_before") }),
    z.strictObject({ kind: z.literal("drop_after") }),
    z.strictObject({ kind: z.literal("delay"), ms: z.int().min(0) }),
    z.strictObject({ kind: z.literal("hang") }),
    z.strictObject({ kind: z.literal("silent") }),
    z.strictObject({ kind: z.literal("partial") }),
    z.strictObject({ kind: z.literal("shuffle") }),
    z.strictObject({
      kind: z.literal("error"),
      code: z.string(),
      message: z.string().default("The sandbox was told to fail."),
      cut: z.boolean().default(false),
    }),
  ]),
});

export type Fault = z.input<typeof faultSchema>;
export type ActiveFault = z.output<typeof faultSchema>;
export type FaultKind = ActiveFault["fault"]["kind"];

export interface SandboxExchange {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly requestBody: unknown;
  readonly status: number | null;
  readonly responseBody: unknown;
}
