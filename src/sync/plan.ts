/** Asks the warehouse to freeze what a run will send. */
import { hash } from "node:crypto";
import type { Connection } from "../destination.ts";
import type { Column, PlanRequest, RowKey, RunRef } from "../warehouse.ts";
import type { RunKind, SyncSpec } from "./ports.ts";

/** What to plan. The spec's mapping is part of every fingerprint: after an edit every row is mapped again. */
export function planRequest(
  spec: SyncSpec,
  run: RunRef & { readonly kind: RunKind; readonly keys: readonly RowKey[] },
  columns: readonly Column[],
  { connection, now }: { readonly connection: Pick<Connection, "ignoresCase">; readonly now: Date },
): PlanRequest {
  return {
    run: { id: run.id, fence: run.fence },
    model: spec.model,
    columns,
    match: Object.values(spec.match),
    matchIgnoresCase: Object.keys(spec.match).every(
      (field) => connection.ignoresCase?.(spec.object, spec.settings, field) ?? false,
    ),
    salt: mappingSalt(spec),
    scope: run.kind === "full" || run.kind === "keys" ? run.kind : "changes",
    // A model whose key was changed since has other columns, and no row of that name.
    keys: run.keys.filter((key) => key.length === spec.model.key.length),
    removals: spec.mode === "mirror" && spec.removed !== "ignore",
    now,
  };
}

/** Changes when, and only when, the same row might be mapped to another record than before. */
export function mappingSalt({ object, settings, match, fields }: SyncSpec): string {
  return hash("sha256", JSON.stringify([1, object, settings, match, fields]), "hex").slice(0, 16);
}
