/** Any service that takes requests over HTTP: n8n, in-house services, tools without an adapter of their own. */
import {
  type Batch,
  type Connection,
  type DestinationAdapter,
  DestinationError,
  type ObjectDescription,
  type ObjectSettings,
  type ObjectSummary,
  type Outcome,
  type RateLimit,
} from "../../src/destination.ts";
import { compileReading, outcomesOf, type Reading } from "./answers.ts";
import { failureOf, type HttpApi, openApi } from "./api.ts";
import type { DeclaredObject } from "./declaration.ts";
import { batchLimit, describeObject, ignoresCase, matchNames, operationsOf } from "./objects.ts";
import { textAt } from "./pointer.ts";
import { type Redact, redactor } from "./redact.ts";
import { compileRequests, type Draft, referenceOf, type ToDrafts } from "./requests.ts";
import { connection, type HttpConfig } from "./settings.ts";

const http: DestinationAdapter<HttpConfig> = {
  type: "http",
  title: "HTTP service",
  connection,
  limits: ({ rate_limits: limits }): readonly RateLimit[] =>
    limits.map(({ requests, per_seconds: seconds }) => ({
      name: `${requests} in ${seconds} s`,
      requests,
      perMs: seconds * 1000,
    })),
  failure: failureOf,
  connect: (config, context) => {
    const redact = redactor(config);
    return new HttpConnection(config, openApi(config, context, { redact }), redact);
  },
};

export default http;

/** An operation, ready to send. */
interface CompiledOperation {
  readonly toDrafts: ToDrafts;
  readonly reading: Reading;
}

interface CompiledObject {
  readonly declared: DeclaredObject;
  readonly operations: ReadonlyMap<string, CompiledOperation>;
}

class HttpConnection implements Connection {
  readonly #config: HttpConfig;
  readonly #api: HttpApi;
  readonly #redact: Redact;
  readonly #objects: ReadonlyMap<string, CompiledObject>;

  constructor(config: HttpConfig, api: HttpApi, redact: Redact) {
    this.#config = config;
    this.#api = api;
    this.#redact = redact;
    this.#objects = new Map(Object.entries(config.objects).map(([name, declared]) => [name, compile(declared)]));
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const { base_url: base, check } = this.#config;
    const { host } = new URL(base);
    if (!check) {
      const status = await this.#api.knock(signal);
      return {
        account: `${host}, which answered ${status}. No \`check\` is declared, so the credential was not tried`,
      };
    }
    const { status, body } = await this.#api.read(check.path, signal);
    if (status < 200 || status >= 300) throw checkFailed(status, check.path);
    const account = check.account === undefined ? undefined : textAt(body, check.account);
    return { account: account === undefined ? host : `${this.#redact.text(account)} at ${host}` };
  }

  async objects(): Promise<readonly ObjectSummary[]> {
    return [...this.#objects].map(([name, { declared }]) => ({ name, title: declared.title ?? name }));
  }

  async describe(object: string, settings: ObjectSettings): Promise<ObjectDescription> {
    const { declared } = this.#objectOf(object);
    const [setting] = Object.keys(settings);
    if (setting === undefined) return describeObject(object, declared);
    const message = `${object} has no settings, so to.settings.${setting} would do nothing. Declare another object instead.`;
    throw new DestinationError("refused", message, { code: "settings_invalid", applied: "no" });
  }

  ignoresCase(object: string, _settings: ObjectSettings, field: string): boolean {
    const found = this.#objects.get(object);
    return found !== undefined && ignoresCase(found.declared, field);
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const { declared, operations } = this.#objectOf(batch.object);
    const operation = operations.get(batch.operation);
    if (!operation) throw unsupported(batch, [...operations.keys()]);
    requireWholeMatch(batch, matchNames(declared));
    const { drafts, rejected } = operation.toDrafts(batch);
    try {
      const outcomes = await this.#sendAll(drafts, batch, operation.reading, signal);
      return [...rejected, ...outcomes].map((outcome) => this.#redact.outcome(outcome));
    } catch (error) {
      throw this.#redact.error(error);
    }
  }

  /** In order, one request after the other. */
  async #sendAll(
    drafts: readonly Draft[],
    batch: Batch,
    reading: Reading,
    signal: AbortSignal | undefined,
  ): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const [at, { changes, request }] of drafts.entries()) {
      try {
        const answer = await this.#api.send(request, keyOf(batch, changes), signal);
        outcomes.push(...outcomesOf(answer, changes, reading));
      } catch (error) {
        if (at === 0 || !(error instanceof DestinationError)) throw error;
        if (batch.operation !== "insert" && batch.operation !== "append") throw partlyApplied(error);
        // What was inserted must not be inserted again, so its outcomes are not lost with this error.
        return [...outcomes, ...drafts.slice(at).flatMap((draft) => draft.changes.map(inDoubt(error)))];
      }
    }
    return outcomes;
  }

  #objectOf(name: string): CompiledObject {
    const found = this.#objects.get(name);
    if (found) return found;
    const message = `The connection declares no object "${name}". There are: ${[...this.#objects.keys()].join(", ")}.`;
    throw new DestinationError("refused", message, { code: "unknown_object", applied: "no" });
  }
}

function compile(declared: DeclaredObject): CompiledObject {
  const { bytes } = batchLimit(declared);
  const operations = operationsOf(declared).map(([name, operation]) => {
    const rules = operation.answers ?? declared.answers ?? [];
    const reading = compileReading(rules, (field) => ignoresCase(declared, field));
    return [name, { toDrafts: compileRequests(operation, bytes), reading }] as const;
  });
  return { declared, operations: new Map(operations) };
}

/** The same for every attempt at a request, and no other request's. */
function keyOf({ id, changes }: Batch, carried: Draft["changes"]): string {
  const [only, ...others] = carried;
  return only && others.length === 0 && changes.length > 1 ? `${id}-${referenceOf(only)}` : id;
}

/** A request after one that was applied failed: the batch as a whole may have been applied. */
function partlyApplied(error: DestinationError): DestinationError {
  const { kind, message, code, status, retryAfterMs, field, cause } = error;
  return new DestinationError(kind, message, { code, applied: "unknown", status, retryAfterMs, field, cause });
}

function inDoubt({ message }: DestinationError): (change: Draft["changes"][number]) => Outcome {
  return ({ seq }) => ({ seq, kind: "in_doubt", message });
}

/** A request without a part of what finds the record would be about another record, or about all. */
function requireWholeMatch({ object, match }: Batch, declared: readonly string[]): void {
  if (match.length === declared.length && declared.every((name) => match.includes(name))) return;
  const message = `${object} is found by ${declared.join(" and ")} together, and the sync matches by ${match.join(" and ")}.`;
  // No smaller batch would do better.
  throw new DestinationError("unauthorized", message, { code: "match_incomplete", applied: "no" });
}

function unsupported({ object, operation }: Batch, able: readonly string[]): DestinationError {
  const message = `${object} declares no operation "${operation}"; it has ${able.join(", ")}.`;
  return new DestinationError("refused", message, { code: "operation_unsupported", applied: "no" });
}

function checkFailed(status: number, path: string): DestinationError {
  const message = `The service answered ${status} to the check at ${path === "" ? "its base_url" : path}. Look at base_url and at check.path.`;
  return new DestinationError("unauthorized", message, { code: "check_failed", applied: "no", status });
}
