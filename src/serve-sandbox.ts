/**
 * Puts a sandbox on loopback, with a record of what it was asked, and faults on request. Of a vendor that is asked over
 * another protocol than HTTP, only record and faults are HTTP.
 */
import { createServer } from "node:net";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { z } from "zod";
import {
  type ActiveFault,
  type AskedOf,
  type FaultKind,
  faultSchema,
  type ListeningSandbox,
  type SandboxExchange,
  type SandboxRequest,
  type SandboxResponse,
  type Servable,
  type ServableSandbox,
} from "./sandbox.ts";

/** What HTTP has: its failures have a status. */
const faultsOfHttp: readonly FaultKind[] = faultSchema.shape.fault.options
  .map(({ shape }) => shape.kind.value)
  .filter((kind) => kind !== "error");

export interface ServedSandbox<One extends Servable = Servable> {
  /** What `base_url` takes. */
  readonly url: string;
  /** Where its `/_sandbox` paths are. */
  readonly control: string;
  readonly sandbox: One;
  close(): Promise<void>;
}

const keptExchanges = 200;

interface Where {
  readonly port?: number;
  readonly host?: string;
}

/** Serves a sandbox on loopback. Port 0 takes any that is free. */
export async function serveSandbox<One extends Servable>(
  sandbox: One,
  { port = 0, host = "127.0.0.1" }: Where = {},
): Promise<ServedSandbox<One>> {
  if ("listen" in sandbox) return { ...(await serveListening(sandbox, { port, host })), sandbox };
  return { ...(await serveHttp(sandbox, { port, host })), sandbox };
}

/** Beside what it listens on itself, record and faults over HTTP: on the next port, or on any that is free. */
async function serveListening(
  sandbox: ListeningSandbox,
  { port, host }: Required<Where>,
): Promise<Omit<ServedSandbox, "sandbox">> {
  const { server, requests, faults } = controlServer(sandbox, sandbox.faults);
  const listening = await sandbox.listen(
    { port, host },
    { strike: (asked) => faults.strike(asked), note: (exchange) => requests.keep(exchange) },
  );
  const control = await server.listen({ port: port === 0 ? 0 : await freeFrom(port + 1, host), host });
  const close = async (): Promise<void> => {
    await listening.close();
    await server.close();
  };
  return { url: listening.url, control, close };
}

/** The first port from here on that nobody has. */
async function freeFrom(port: number, host: string): Promise<number> {
  const isFree = await new Promise<boolean>((resolve) => {
    const trial = createServer()
      .once("error", () => resolve(false))
      .listen(port, host, () => trial.close(() => resolve(true)));
  });
  return isFree || port >= 65_535 ? port : freeFrom(port + 1, host);
}

interface ControlServer extends Controlled {
  readonly server: FastifyInstance;
}

function controlServer(sandbox: Controlled["sandbox"], kinds: readonly FaultKind[]): ControlServer {
  const server = Fastify({ bodyLimit: 20 * 1024 * 1024, forceCloseConnections: true });
  const controlled = { sandbox, requests: new RequestLog(), faults: new Faults() };
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  controlRoutes(server, controlled, kinds);
  return { server, ...controlled };
}

async function serveHttp(sandbox: ServableSandbox, where: Required<Where>): Promise<Omit<ServedSandbox, "sandbox">> {
  const { server, requests, faults } = controlServer(sandbox, faultsOfHttp);
  server.all("/*", async (request, reply) => {
    const asked = toRequest(request);
    const response = await answer(asked, { sandbox, faults, reply });
    requests.note(asked, response);
    if (response === null) return reply;
    return reply
      .code(response.status)
      .headers({ "content-type": "application/json", ...response.headers })
      .send(response.text ?? (response.body === undefined ? "" : JSON.stringify(response.body)));
  });
  const url = await server.listen(where);
  return { url, control: url, close: () => server.close() };
}

interface Controlled {
  readonly sandbox: { contents(): unknown; reset(): void | Promise<void> };
  readonly requests: RequestLog;
  readonly faults: Faults;
}

function controlRoutes(
  server: FastifyInstance,
  { sandbox, requests, faults }: Controlled,
  kinds: readonly FaultKind[],
): void {
  server.get("/_sandbox/contents", () => sandbox.contents());
  server.get("/_sandbox/requests", () => requests.report());
  server.post("/_sandbox/faults", (request, reply) => {
    const body = parseBody(bytesOf(request));
    const parsed = z.array(faultSchema).safeParse(Array.isArray(body) ? body : [body]);
    if (!parsed.success) return reply.code(422).send({ error: z.prettifyError(parsed.error) });
    const foreign = parsed.data.find(({ fault }) => !kinds.includes(fault.kind));
    if (foreign) {
      const error = `The fault "${foreign.fault.kind}" means nothing here; there are ${kinds.join(", ")}.`;
      return reply.code(422).send({ error });
    }
    faults.add(parsed.data);
    return reply.code(204).send();
  });
  server.delete("/_sandbox/faults", (_request, reply) => {
    faults.clear();
    return reply.code(204).send();
  });
  server.post("/_sandbox/reset", async (_request, reply) => {
    await sandbox.reset();
    requests.clear();
    faults.clear();
    return reply.code(204).send();
  });
}

/** Null: the connection was cut or is left hanging. */
async function answer(
  request: SandboxRequest,
  { sandbox, faults, reply }: { sandbox: ServableSandbox; faults: Faults; reply: FastifyReply },
): Promise<SandboxResponse | null> {
  const fault = faults.strike(request);
  switch (fault?.kind) {
    case undefined:
      return sandbox.handle(request);
    case "status":
      return { status: fault.status, body: fault.body, ...(fault.headers ? { headers: fault.headers } : {}) };
    case "failure":
      return (
        sandbox.failures[fault.name] ?? {
          status: 500,
          body: { message: `The sandbox knows no failure "${fault.name}".` },
        }
      );
    case "drop_before":
      return cut(reply);
    case "drop_after":
      await sandbox.handle(request);
      return cut(reply);
    case "hang":
      reply.hijack();
      return null;
    case "delay":
      await new Promise((resolve) => setTimeout(resolve, fault.ms));
      return sandbox.handle(request);
    case "silent":
      return sandbox.distort("silent", { status: 200, body: {} });
    case "partial":
    case "shuffle":
      return sandbox.distort(fault.kind, await sandbox.handle(request));
    case "error":
      throw new Error("HTTP has a status for it");
  }
}

function cut(reply: FastifyReply): null {
  reply.hijack();
  reply.raw.destroy();
  return null;
}

function toRequest(request: FastifyRequest): SandboxRequest {
  const { pathname, searchParams } = new URL(request.url, "http://sandbox");
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  const bytes = bytesOf(request);
  return {
    method: request.method,
    path: decodeURI(pathname),
    query: Object.fromEntries(searchParams),
    headers,
    body: parseBody(bytes),
    ...written(headers["content-type"] ?? "", bytes),
    bytes,
  };
}

const bytesOf = ({ body }: FastifyRequest): Buffer => (body instanceof Buffer ? body : Buffer.alloc(0));

/** A body that is not JSON. */
function written(type: string, bytes: Buffer): Pick<SandboxRequest, "form" | "text"> {
  if (bytes.length === 0) return {};
  if (type.startsWith("application/x-www-form-urlencoded"))
    return { form: Object.fromEntries(new URLSearchParams(bytes.toString())) };
  return type.startsWith("text/") ? { text: bytes.toString() } : {};
}

function parseBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return null;
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return null;
  }
}

class Faults {
  #active: { spec: ActiveFault; seen: number }[] = [];

  add(specs: readonly ActiveFault[]): void {
    this.#active.push(...specs.map((spec) => ({ spec, seen: 0 })));
  }

  clear(): void {
    this.#active = [];
  }

  /** The fault that strikes this request, if any: the first that matches and whose turn it is. */
  strike({ method, path }: AskedOf): ActiveFault["fault"] | undefined {
    for (const one of this.#active) {
      const { spec } = one;
      if ((spec.method ?? method) !== method || !path.includes(spec.path ?? "")) continue;
      one.seen += 1;
      if (one.seen <= spec.after) continue;
      if (spec.times === null || one.seen <= spec.after + spec.times) return spec.fault;
    }
    return undefined;
  }
}

/** What was asked, without headers: no credential is ever kept. */
class RequestLog {
  #total = 0;
  #byPath: Record<string, number> = {};
  #last: SandboxExchange[] = [];

  note({ method, path, query, body }: SandboxRequest, response: SandboxResponse | null): void {
    const answered = { status: response?.status ?? null, responseBody: response?.body ?? null };
    this.keep({ method, path, query, requestBody: body, ...answered });
  }

  keep(exchange: SandboxExchange): void {
    this.#total += 1;
    const route = `${exchange.method} ${exchange.path}`;
    this.#byPath[route] = (this.#byPath[route] ?? 0) + 1;
    this.#last.push(exchange);
    if (this.#last.length > keptExchanges) this.#last.shift();
  }

  report(): {
    readonly total: number;
    readonly byPath: Readonly<Record<string, number>>;
    readonly last: readonly SandboxExchange[];
  } {
    return { total: this.#total, byPath: this.#byPath, last: this.#last };
  }

  clear(): void {
    this.#total = 0;
    this.#byPath = {};
    this.#last = [];
  }
}
