/** Looks at both ends of a sync and compiles what lies between. */
import type { ObjectDescription } from "../destination.ts";
import type { Column } from "../warehouse.ts";
import { columnMisfits, type Misfit, MisfitError, misfits, readColumns } from "./fit.ts";
import { compileMapper, compileRestorer, type RowMapper } from "./map.ts";
import type { RunKind, SyncSpec } from "./ports.ts";
import type { World } from "./world.ts";

/** What a plan needs to know of the model. */
export interface PreparedModel {
  /** All columns of the model. */
  readonly modelColumns: readonly Column[];
  /** Those that are planned and read, in order. */
  readonly columns: readonly Column[];
}

/** What sending needs to know of the destination. */
export interface PreparedDestination {
  readonly object: ObjectDescription;
  readonly map: RowMapper;
}

/** Reads the model's columns. Throws where the model is wrong, or the mapping reads a column that it lacks. */
export async function prepareModel(
  spec: SyncSpec,
  world: Pick<World, "warehouse" | "connection" | "kinds" | "stateOf">,
  signal: AbortSignal,
): Promise<PreparedModel> {
  const ownColumns = await world.warehouse.columns(spec.model, signal);
  const modelColumns = [...ownColumns, ...lookedUp(spec, ownColumns, world)];
  const found = columnMisfits(spec, modelColumns, world.kinds);
  if (found.length > 0) throw new MisfitError(spec.name, await allMisfits(spec, modelColumns, found, world, signal));
  return { modelColumns, columns: readColumns(spec, modelColumns, world.kinds) };
}

/** The columns that are looked up elsewhere. One whose key the model lacks is told with the others that it lacks. */
function lookedUp(
  { lookups = [] }: SyncSpec,
  columns: readonly Column[],
  { stateOf }: Pick<World, "stateOf">,
): readonly Column[] {
  return lookups.flatMap(({ column: name, by: key, of }): Column[] => {
    const by = columns.find((column) => column.name === key);
    return by ? [{ name, type: "text", native: "lookup", lookup: { state: stateOf(of), by } }] : [];
  });
}

/** A sync that cannot run is not planned, so the destination is asked at once: a person mends everything in one go. */
async function allMisfits(
  spec: SyncSpec,
  columns: readonly Column[],
  found: readonly Misfit[],
  { connection, kinds }: Pick<World, "connection" | "kinds">,
  signal: AbortSignal,
): Promise<readonly Misfit[]> {
  try {
    return misfits(spec, columns, await connection.describe(spec.object, spec.settings, signal), kinds);
  } catch {
    return found;
  }
}

/** Asks the destination for its fields and compiles the mapping. Throws with everything that does not fit. */
export async function prepareDestination(
  spec: SyncSpec,
  { modelColumns, columns }: PreparedModel,
  world: Pick<World, "connection" | "kinds">,
  signal: AbortSignal,
): Promise<PreparedDestination> {
  const object = await world.connection.describe(spec.object, spec.settings, signal);
  const found = misfits(spec, modelColumns, object, world.kinds);
  if (found.length > 0) throw new MisfitError(spec.name, found);
  return { object, map: compileMapper(spec, columns, object, world.kinds) };
}

/** The same for a worker that joins a run, whose own worker has seen that everything fits. */
export async function prepareJoined(
  { spec, kind, columns }: { readonly spec: SyncSpec; readonly kind: RunKind; readonly columns: readonly Column[] },
  { connection, kinds }: Pick<World, "connection" | "kinds">,
  signal: AbortSignal,
): Promise<PreparedDestination> {
  if (kind === "revert") return prepareRevert(spec, { connection }, signal);
  const object = await connection.describe(spec.object, spec.settings, signal);
  return { object, map: compileMapper(spec, columns, object, kinds) };
}

/** What sending a plan needs that undoes a run: its records are as they were sent once, and fitted then. */
export async function prepareRevert(
  { object, settings }: SyncSpec,
  { connection }: Pick<World, "connection">,
  signal: AbortSignal,
): Promise<PreparedDestination> {
  return { object: await connection.describe(object, settings, signal), map: compileRestorer() };
}
