/** An adapter in another process or language, which speaks a small JSON protocol. */
import {
  type Batch,
  type Connection,
  type DestinationAdapter,
  DestinationError,
  type DestinationRecord,
  type ObjectDescription,
  type ObjectSettings,
  type ObjectSummary,
  type Outcome,
} from "../../src/destination.ts";
import { type Answer, openApi, type RemoteApi } from "./api.ts";
import { parseAnswer, refusalOf, remoteFailure } from "./errors.ts";
import { endOfJob } from "./jobs.ts";
import {
  aboutSchema,
  descriptionSchema,
  objectsSchema,
  recordsSchema,
  startedSchema,
  toDescription,
} from "./protocol.ts";
import { inDoubt, outcomesOf, resultsOf } from "./results.ts";
import { connection, type RemoteConfig } from "./settings.ts";

const remote: DestinationAdapter<RemoteConfig> = {
  type: "remote",
  title: "Remote adapter",
  connection,
  limits: ({ rate_limits }) =>
    rate_limits.map(({ requests, per_seconds }) => ({
      name: `${requests} requests in ${per_seconds} s`,
      requests,
      perMs: per_seconds * 1000,
    })),
  failure: remoteFailure,
  connect: (config, context) => new RemoteConnection(config, openApi(config, context)),
};

export default remote;

class RemoteConnection implements Connection {
  readonly #config: RemoteConfig;
  readonly #api: RemoteApi;

  constructor(config: RemoteConfig, api: RemoteApi) {
    this.#config = config;
    this.#api = api;
  }

  async check(signal?: AbortSignal): Promise<{ readonly account: string }> {
    const answer = await this.#api.call({ method: "GET", path: "/", asked: "to look", signal });
    return parseAnswer(aboutSchema, bodyOf(answer), "GET /", "to look");
  }

  async objects(signal?: AbortSignal): Promise<readonly ObjectSummary[]> {
    const answer = await this.#api.call({ method: "GET", path: "/objects", asked: "to look", signal });
    return parseAnswer(objectsSchema, bodyOf(answer), "GET /objects", "to look").objects;
  }

  async describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription> {
    const body = { object, settings };
    const answer = await this.#api.call({ method: "POST", path: "/describe", body, asked: "to look", signal });
    if (answer.status === 404) throw unknownObject(object, await this.objects(signal));
    const what = `POST /describe of "${object}"`;
    const said = toDescription(parseAnswer(descriptionSchema, bodyOf(answer), what, "to look"));
    if (said.name !== object)
      throw new DestinationError("refused", `The adapter was asked for "${object}" and described "${said.name}".`, {
        code: "answer_invalid",
        applied: "no",
      });
    this.#requireSameCase(said);
    return said;
  }

  async write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const { object, settings, operation, fields, match } = batch;
    const body = { batch: batch.id, object, settings, operation, fields, match, changes: changesOf(batch) };
    const answer = await this.#api.call({ method: "POST", path: "/write", body, asked: "to write", signal });
    if (answer.status === 202) return this.#endOf(answer, batch, signal);
    const results = resultsOf(bodyOf(answer), "POST /write", "to write");
    return outcomesOf(
      batch.changes.map(({ seq }) => seq),
      results,
    );
  }

  async #endOf(answer: Answer, { changes, onJob }: Batch, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const { job } = parseAnswer(startedSchema, answer.body, "POST /write (202)", "to write");
    const seqs = changes.map(({ seq }) => seq);
    await onJob?.({ handle: job, seqs });
    const ended = await endOfJob(this.#api, job, signal);
    return "lost" in ended ? seqs.map((seq) => inDoubt(seq, ended.lost)) : outcomesOf(seqs, ended.results);
  }

  async resume(handle: string, signal?: AbortSignal): Promise<readonly Outcome[]> {
    const ended = await endOfJob(this.#api, handle, signal);
    if ("lost" in ended) return [];
    return outcomesOf([...ended.results.bySeq.keys()], ended.results).filter(({ kind }) => kind !== "in_doubt");
  }

  async read(
    batch: Batch,
    fields: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, DestinationRecord | null>> {
    const { object, settings, match } = batch;
    const changes = changesOf(batch).map(({ record: _record, renamed: _renamed, ...sought }) => sought);
    const body = { object, settings, fields, match, changes };
    const answer = await this.#api.call({ method: "POST", path: "/read", body, asked: "to look", signal });
    const { records } = parseAnswer(recordsSchema, bodyOf(answer), "POST /read", "to look");
    const asked = new Set(changes.map(({ seq }) => seq));
    const bySeq = Map.groupBy(records, ({ seq }) => seq);
    // What is told twice, or of what nobody asked, cannot be told.
    return new Map(
      [...bySeq.values()].flatMap(([one, ...others]) =>
        one !== undefined && others.length === 0 && asked.has(one.seq) ? [[one.seq, one.record]] : [],
      ),
    );
  }

  ignoresCase(object: string, _settings: ObjectSettings, field: string): boolean {
    const { ignores_case: known } = this.#config;
    return Object.hasOwn(known, object) && known[object]?.includes(field) === true;
  }

  /** Twins are found before the adapter is asked, so its word on case has to stand in the settings as well. */
  #requireSameCase({ name, fields }: ObjectDescription): void {
    const said = fields.filter(({ matches, matching }) => matches && matching === "case_insensitive");
    const [differs] = fields.filter((field) => said.includes(field) !== this.ignoresCase(name, {}, field.name));
    if (!differs) return;
    const setting =
      said.length > 0 ? `{ ${name}: [${said.map((field) => field.name).join(", ")}] }` : `nothing of ${name}`;
    const message = `The adapter says of ${name} that "${differs.name}" is ${differs.matching ?? "exact"}, and the destination's connection.ignores_case says otherwise. It should have ${setting}.`;
    throw new DestinationError("refused", message, { code: "ignores_case_differs", applied: "no" });
  }
}

/** The body of a success; throws what a refusal says. */
function bodyOf(answer: Answer): unknown {
  if (answer.status >= 400) throw refusalOf(answer);
  return answer.body;
}

interface SentChange {
  readonly seq: number;
  readonly match: DestinationRecord;
  readonly record: DestinationRecord;
  readonly id?: string;
  readonly renamed: boolean;
}

function changesOf({ changes }: Batch): readonly SentChange[] {
  return changes.map(({ seq, match, record, destinationId, renamed }) => ({
    seq,
    match,
    record,
    ...(destinationId === undefined ? {} : { id: destinationId }),
    renamed,
  }));
}

function unknownObject(object: string, there: readonly ObjectSummary[]): DestinationError {
  const names = there.map(({ name }) => name).join(", ");
  const message = `The adapter has no object "${object}". There are: ${names}.`;
  return new DestinationError("refused", message, { code: "unknown_object", applied: "no" });
}
