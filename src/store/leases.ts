/** Who may run a sync. One run at a time, under a fence that only ever rises; times are the database's. */
import { type Kysely, type RawBuilder, sql, type Transaction } from "kysely";
import type { ResolvedSync } from "../documents/resolve.ts";
import { FencedError, type RunIdentity, type RunKind, type RunStatus } from "../sync/ports.ts";
import type { RowKey } from "../warehouse.ts";
import { adoptKeys, keysOf } from "./run-keys.ts";
import { comesTooSoon, isPaused, planIsKept } from "./runs.ts";
import type { Database } from "./tables.ts";

/** A run that a worker may do now. */
export interface Claim {
  readonly identity: RunIdentity;
  readonly kind: RunKind;
  /** Rows to send even if nothing about them changed; also those of lost runs of the sync, which this one settles. */
  readonly keys: readonly RowKey[];
  /** `new` is planned first; `released` goes on with the plan that the gate held; `lost` is only settled. */
  readonly stage: "new" | "released" | "lost";
  readonly spec: ResolvedSync;
  /** Of a revert: the run that it undoes. */
  readonly reverts: string | null;
}

export interface Leases {
  /**
   * Takes the sync's lease for a run that waits, or that lost its worker. Null when there is nothing to do: the run
   * has ended or is held, another run of the sync is under way, or one that is held goes first.
   */
  claim(runId: string, options: { readonly worker: string; readonly leaseMs: number }): Promise<Claim | null>;
  /** Gives the lease back without an end, so that the run counts as lost at once. For a worker that failed. */
  abandon(run: RunIdentity): Promise<void>;
  /** Makes every lease count as run out. For the only process of a store, when it starts: no other is alive. */
  abandonAll(): Promise<void>;
}

/** The leases of a control store. */
export function openLeases(db: Kysely<Database>): Leases {
  return {
    claim: (runId, options) => db.transaction().execute((trx) => claim(trx, runId, options)),
    abandon: (run) => abandon(db, run),
    abandonAll: async () => {
      await db
        .updateTable("app.leases")
        .set({ expires_at: sql<Date>`now()` })
        .where("run_id", "is not", null)
        .execute();
    },
  };
}

async function abandon(db: Kysely<Database>, run: RunIdentity): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const { rows } = await heldLease(run).execute(trx);
    if (rows.length === 0) return;
    await trx
      .updateTable("app.leases")
      .set({ expires_at: sql<Date>`greatest(now(), ${lastToLeave(run)})` })
      .where("sync", "=", run.sync)
      .execute();
  });
}

/** Until when others may still send parts of a run; null when nobody may. Asked by who has the lease locked. */
function lastToLeave({ id }: RunIdentity): RawBuilder<Date | null> {
  return sql`(select max(expires_at) from app.parts
    where run_id = ${id} and not ended and isfinite(expires_at) and expires_at > now())`;
}

async function claim(
  trx: Transaction<Database>,
  runId: string,
  { worker, leaseMs }: { worker: string; leaseMs: number },
): Promise<Claim | null> {
  const seen = await trx
    .selectFrom("app.runs")
    .select(["sync", "status", "released"])
    .where("id", "=", runId)
    .executeTakeFirst();
  const stage = seen && stageOf(seen);
  if (!seen || !stage) return null;
  // The lease first, then the run: the order in which a worker's own writes lock them.
  const fence = await takeLease(trx, { sync: seen.sync, run_id: runId, worker, lease_ms: leaseMs });
  if (fence === null) return null;
  const identity = { id: runId, sync: seen.sync, fence };
  const run = await trx
    .updateTable("app.runs")
    .set({
      status: stage === "new" ? "planning" : stage === "released" ? "sending" : seen.status,
      fence,
      worker,
      started_at: sql<Date>`coalesce(started_at, now())`,
    })
    .where("id", "=", runId)
    .where("status", "=", seen.status)
    .where("released", "=", seen.released)
    .$if(stage === "new", (query) =>
      query.where(sql<boolean>`not ${planIsKept} and not ${comesTooSoon} and not ${isPaused}`),
    )
    .returning(["kind", "spec", "reverts"])
    .executeTakeFirst();
  if (run) return await withKeys(trx, { identity, stage, ...run });
  await endLease(trx, identity);
  return null;
}

/** Only a run that is not planned yet can take over what lost ones were to send. */
async function withKeys(trx: Transaction<Database>, claim: Omit<Claim, "keys">): Promise<Claim> {
  const { id } = claim.identity;
  if (claim.stage === "new" && claim.kind !== "full") await adoptKeys(trx, claim.identity);
  const { kind } = await trx.selectFrom("app.runs").select("kind").where("id", "=", id).executeTakeFirstOrThrow();
  return { ...claim, kind, keys: kind === "full" ? [] : await keysOf(trx, id) };
}

function stageOf({ status, released }: { status: RunStatus; released: boolean }): Claim["stage"] | null {
  if (status === "queued") return released ? "released" : "new";
  return status === "planning" || status === "sending" || status === "committing" ? "lost" : null;
}

type NewLease = { sync: string; run_id: string; worker: string; lease_ms: number };

/** Takes the lease if it is free or has run out. Gives the new fence. */
async function takeLease(trx: Transaction<Database>, lease: NewLease): Promise<number | null> {
  const { sync, ...terms } = { ...lease, expires_at: after(lease.lease_ms) };
  const taken = await trx
    .insertInto("app.leases")
    .values({ sync, fence: 1, ...terms })
    .onConflict((conflict) =>
      conflict
        .column("sync")
        .doUpdateSet({ fence: sql<string>`leases.fence + 1`, ...terms })
        .where(sql<boolean>`leases.expires_at is null or leases.expires_at <= now()`),
    )
    .returning("fence")
    .executeTakeFirst();
  return taken ? Number(taken.fence) : null;
}

/** So long after now, by the database's clock. */
function after(ms: number): RawBuilder<Date> {
  return sql<Date>`now() + ${ms} * interval '1 millisecond'`;
}

/** Does a write in one transaction with the proof that the run still holds its sync. Throws FencedError if not. */
export async function fenced<Result>(
  db: Kysely<Database>,
  run: RunIdentity,
  write: (trx: Transaction<Database>) => Promise<Result>,
): Promise<Result> {
  return db.transaction().execute(async (trx) => {
    const { rows } = await heldLease(run).execute(trx);
    if (rows.length === 0) throw new FencedError(run.id);
    return write(trx);
  });
}

/**
 * A query for the lease that a run holds; without a row when it holds none any more. Whoever takes over waits for the
 * statement or transaction that this is in, or this one waits and then finds that it was taken over. `shared`: others who
 * work for the run need not wait.
 */
export function heldLease(
  { id, sync: name, fence }: RunIdentity,
  mode: "alone" | "shared" = "alone",
): RawBuilder<unknown> {
  return sql`select sync, expires_at from app.leases
    where sync = ${name} and run_id = ${id} and fence = ${String(fence)} ${mode === "alone" ? sql`for update` : sql`for share`}`;
}

/** Extends a lease by its length, from now on. Throws FencedError when it was lost. */
export async function renewLease(db: Kysely<Database>, run: RunIdentity): Promise<void> {
  const renewed = await db
    .updateTable("app.leases")
    .set({ expires_at: sql<Date>`now() + lease_ms * interval '1 millisecond'` })
    .where("sync", "=", run.sync)
    .where("run_id", "=", run.id)
    .where("fence", "=", String(run.fence))
    .executeTakeFirst();
  if (renewed.numUpdatedRows === 0n) throw new FencedError(run.id);
}

/**
 * Gives the lease back, in the transaction that ends or holds the run. While others may still send parts of it, nobody
 * has the sync.
 */
export async function endLease(trx: Transaction<Database>, run: RunIdentity): Promise<void> {
  await trx
    .updateTable("app.leases")
    .set({ run_id: null, worker: null, lease_ms: null, expires_at: lastToLeave(run) })
    .where("sync", "=", run.sync)
    .where("fence", "=", String(run.fence))
    .execute();
}
