/** Runs as people and triggers see them: asked for, listed, cancelled, released. What a worker writes is in run-store.ts. */
import { type Kysely, sql, type Transaction } from "kysely";
import type { ResolvedSync } from "../documents/resolve.ts";
import { ConflictError, NotFoundError } from "../errors.ts";
import type { RunCounts, RunKind, RunStatus } from "../sync/ports.ts";
import type { RowKey } from "../warehouse.ts";
import { askedOnce, type Once } from "./asked-once.ts";
import { newId } from "./ids.ts";
import { noteAftermath } from "./aftermath.ts";
import { type Run, runColumns, toRun } from "./run.ts";
import { addKeys, forgetKeys } from "./run-keys.ts";
import type { Database } from "./tables.ts";

export type { Run } from "./run.ts";

export interface RunRequest {
  readonly sync: string;
  readonly kind: RunKind;
  /** What asked for it, such as `schedule` or `api`. */
  readonly trigger: string;
  readonly spec: ResolvedSync;
  /** Rows to send even if nothing about them changed. */
  readonly keys?: readonly RowKey[];
  /** Of a revert: the run that it undoes. */
  readonly reverts?: string | undefined;
  /** Wait behind a run that is held, where nobody is there to release it. */
  readonly behindHeld?: boolean;
}

export interface RunFilter {
  readonly sync?: string | undefined;
  readonly status?: RunStatus | undefined;
  readonly limit: number;
  /** The `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface Page<Item> {
  readonly data: readonly Item[];
  readonly nextCursor: string | null;
}

export interface Runs {
  /**
   * Asks for a run. While one of the sync waits to begin, it is that one, with the newest documents; `full` wins over
   * `changes`, that over `keys`, and every key that was named is in it: too many for one statement make it a full one.
   * Throws ConflictError `run_held` while a run of the sync is held at the gate. With `once`, a repeated ask is the run
   * that it was.
   */
  create(request: RunRequest, once?: Once): Promise<Run>;
  /** Throws NotFoundError `run_not_found`. */
  get(id: string): Promise<Run>;
  /** What the run was made of: the documents as they were when it was asked for last. */
  specOf(id: string): Promise<ResolvedSync>;
  /** Newest first. */
  list(filter: RunFilter): Promise<Page<Run>>;
  /** The newest run of each sync. */
  last(): Promise<readonly Run[]>;
  /** The run of a sync that has not ended: the one that is under way or held, else the one that waits. */
  active(sync: string): Promise<Run | null>;
  /** Ends a run that waits or is held; one under way is told at its next renewal. ConflictError `run_ended` else. */
  requestCancel(id: string): Promise<Run>;
  /** Lets a held run go on with its plan: it waits for a worker again. ConflictError `run_not_held` else. */
  release(id: string): Promise<Run>;
  /** Runs that could begin now: their sync has no run under way, and none held. Oldest first. */
  queued(): Promise<readonly Run[]>;
  /** The name of the destination that a run is to send to. Throws `run_not_found`. */
  destination(id: string): Promise<string>;
  /** Runs that were under way when their worker was lost: their lease has run out. */
  orphaned(): Promise<readonly Run[]>;
}

/** A worker holds the sync of `runs` now, or others have not left its last run. */
const syncIsBusy = sql<boolean>`exists (
  select from app.leases where leases.sync = runs.sync and leases.expires_at > now())`;

/** Another run of the sync has a plan that waits for a person, or is to go on: a new plan would throw it away. */
export const planIsKept = sql<boolean>`exists (
  select from app.runs other where other.sync = runs.sync and other.id <> runs.id
    and (other.status = 'held' or other.status = 'queued' and other.released))`;

const underWay = ["planning", "sending", "committing"] as const;

const noCounts: RunCounts = {
  plan: null,
  accepted: 0,
  rejected: 0,
  invalid: 0,
  inDoubt: 0,
  unsent: 0,
  alreadyThere: 0,
  requests: 0,
};

/** The runs of a control store. */
export function openRuns(db: Kysely<Database>): Runs {
  return {
    create: (request, once) =>
      db.transaction().execute(async (trx) => {
        if (once === undefined) return await createRun(trx, request);
        const { sync, kind, trigger, keys = [] } = request;
        return await get(trx, await askedOnce(trx, once, [sync, kind, trigger, keys], () => createRun(trx, request)));
      }),
    get: (id) => get(db, id),
    specOf: async (id) => {
      const row = await db.selectFrom("app.runs").select("spec").where("id", "=", id).executeTakeFirst();
      if (!row) throw notFound(id);
      return row.spec;
    },
    list: (filter) => list(db, filter),
    last: () => last(db),
    active: (sync) => active(db, sync),
    requestCancel: (id) => db.transaction().execute((trx) => requestCancel(trx, id)),
    release: (id) => release(db, id),
    queued: () => queued(db),
    destination: async (id) => {
      const row = await db
        .selectFrom("app.runs")
        .select(sql<string>`spec #>> '{destination,name}'`.as("name"))
        .where("id", "=", id)
        .executeTakeFirst();
      if (!row) throw notFound(id);
      return row.name;
    },
    orphaned: () => orphaned(db),
  };
}

/** `Runs.create`, as a part of a larger transaction. */
export async function createRun(trx: Transaction<Database>, request: RunRequest): Promise<Run> {
  const { sync, kind, trigger, spec, keys = [] } = request;
  const held = await trx
    .selectFrom("app.runs")
    .select("id")
    .where("sync", "=", sync)
    .where("status", "=", "held")
    .executeTakeFirst();
  if (held && request.behindHeld !== true) {
    throw new ConflictError("run_held", `Run ${held.id} of sync "${sync}" is held at the gate.`, {
      hint: "Release or cancel it first.",
    });
  }
  await requireAlone(trx, request);
  const row = await trx
    .insertInto("app.runs")
    .values({
      id: newId("run"),
      sync,
      kind,
      trigger,
      status: "queued",
      counts: JSON.stringify(noCounts),
      spec: JSON.stringify(spec),
      reverts: request.reverts ?? null,
    })
    .onConflict((conflict) =>
      conflict
        .column("sync")
        .where("status", "=", "queued")
        .where("released", "=", false)
        .doUpdateSet((eb) => ({
          spec: eb.ref("excluded.spec"),
          asks: sql<number>`runs.asks + 1`,
          kind: sql<RunKind>`case when excluded.kind = 'baseline' then 'baseline'
            when 'full' in (excluded.kind, runs.kind) then 'full'
            when 'changes' in (excluded.kind, runs.kind) then 'changes' else 'keys' end`,
        })),
    )
    .returning(runColumns)
    .executeTakeFirstOrThrow();
  // A full run sends every row anyway.
  if (row.kind === "full" || keys.length === 0) return toRun(row);
  const fits = await addKeys(trx, row.id, keys);
  return toRun(fits ? row : { ...row, kind: "full" });
}

/** A baseline sends nothing, and a revert what the model does not say: neither can be a part of another run. */
async function requireAlone(trx: Transaction<Database>, { sync, kind }: RunRequest): Promise<void> {
  const waiting = await trx
    .selectFrom("app.runs")
    .select(["id", "kind"])
    .where("sync", "=", sync)
    .where("status", "=", "queued")
    .where("released", "=", false)
    .forUpdate()
    .executeTakeFirst();
  if (!waiting || (kind !== "revert" && standsAlone(kind) === standsAlone(waiting.kind))) return;
  throw new ConflictError("run_waiting", `Run ${waiting.id} of sync "${sync}" waits already: ${waiting.kind}.`, {
    hint: "Let it end, or cancel it, and ask again.",
  });
}

function standsAlone(kind: RunKind): kind is "baseline" | "revert" {
  return kind === "baseline" || kind === "revert";
}

async function get(db: Kysely<Database>, id: string): Promise<Run> {
  const row = await db.selectFrom("app.runs").select(runColumns).where("id", "=", id).executeTakeFirst();
  if (!row) throw notFound(id);
  return toRun(row);
}

function notFound(id: string): NotFoundError {
  return new NotFoundError("run_not_found", `There is no run ${id}.`);
}

async function list(db: Kysely<Database>, { sync, status, limit, cursor }: RunFilter): Promise<Page<Run>> {
  let query = db
    .selectFrom("app.runs")
    .select(runColumns)
    .orderBy("id", "desc")
    .limit(limit + 1);
  if (sync !== undefined) query = query.where("sync", "=", sync);
  if (status !== undefined) query = query.where("status", "=", status);
  if (cursor !== undefined) query = query.where("id", "<", cursor);
  const rows = (await query.execute()).map(toRun);
  const data = rows.slice(0, limit);
  return { data, nextCursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null };
}

async function last(db: Kysely<Database>): Promise<readonly Run[]> {
  const rows = await db
    .selectFrom("app.runs")
    .select(runColumns)
    .distinctOn("sync")
    .orderBy("sync")
    .orderBy("id", "desc")
    .execute();
  return rows.map(toRun);
}

async function active(db: Kysely<Database>, sync: string): Promise<Run | null> {
  const row = await db
    .selectFrom("app.runs")
    .select(runColumns)
    .where("sync", "=", sync)
    .where("ended_at", "is", null)
    .orderBy(sql`status = 'queued'`)
    .orderBy("released", "desc")
    .orderBy("id")
    .limit(1)
    .executeTakeFirst();
  return row ? toRun(row) : null;
}

async function requestCancel(trx: Transaction<Database>, id: string): Promise<Run> {
  const row = await trx
    .updateTable("app.runs")
    .set({
      cancel_requested: true,
      status: sql<RunStatus>`case when status in ('queued', 'held') then 'cancelled' else status end`,
      ended_at: sql<Date | null>`case when status in ('queued', 'held') then now() end`,
    })
    .where("id", "=", id)
    .where("ended_at", "is", null)
    .returning(runColumns)
    .executeTakeFirst();
  if (row?.status === "cancelled") {
    await noteAftermath(trx, id);
    await forgetKeys(trx, id);
  }
  if (row) return toRun(row);
  const run = await get(trx, id);
  throw new ConflictError("run_ended", `Run ${id} has ended already: ${run.status}.`);
}

async function release(db: Kysely<Database>, id: string): Promise<Run> {
  const row = await db
    .updateTable("app.runs")
    .set({ status: "queued", released: true })
    .where("id", "=", id)
    .where("status", "=", "held")
    .returning(runColumns)
    .executeTakeFirst();
  if (row) return toRun(row);
  const run = await get(db, id);
  throw new ConflictError("run_not_held", `Run ${id} is not held at the gate: it is ${run.status}.`);
}

/** Whoever asks so often within ten seconds is a program. */
const burst = 20;

/**
 * A run that a webhook asked for, or a burst of other asks, begins ten seconds after the last one of its sync at the
 * earliest: thousands of asks are then two runs, however short each of them is.
 */
export const comesTooSoon = sql<boolean>`(
  not runs.released and exists (
    select from app.runs earlier
    where earlier.sync = runs.sync and earlier.id <> runs.id and earlier.started_at > now() - interval '10 seconds'
    having count(*) > 0 and (runs.trigger like 'webhook %' or sum(earlier.asks) + runs.asks >= ${burst})
  )
)`;

/** No run of a paused sync begins, but a revert, and one that a person let pass the gate. */
export const isPaused = sql<boolean>`(not runs.released and runs.kind <> 'revert' and exists (
  select from app.paused where paused.sync = runs.sync))`;

async function queued(db: Kysely<Database>): Promise<readonly Run[]> {
  const rows = await db
    .selectFrom("app.runs")
    .select(runColumns)
    .where("status", "=", "queued")
    .where(sql<boolean>`not ${syncIsBusy}`)
    .where(sql<boolean>`(released or not ${planIsKept})`)
    .where(sql<boolean>`not ${comesTooSoon}`)
    .where(sql<boolean>`not ${isPaused}`)
    .orderBy("id")
    .execute();
  return rows.map(toRun);
}

async function orphaned(db: Kysely<Database>): Promise<readonly Run[]> {
  const rows = await db
    .selectFrom("app.runs")
    .select(runColumns)
    .where("status", "in", underWay)
    .where(sql<boolean>`not ${syncIsBusy}`)
    .orderBy("id")
    .execute();
  return rows.map(toRun);
}
