/** Looks at both ends of a sync and compiles what lies between, before anything is planned. */
import type { ObjectDescription } from "../destination.ts";
import { MisfitError, misfits, readColumns } from "./fit.ts";
import { compileMapper, type RowMapper } from "./map.ts";
import type { SyncSpec } from "./ports.ts";
import type { Column } from "../warehouse.ts";
import type { World } from "./run.ts";

export interface Prepared {
  /** The model's columns that are planned and read, in order. */
  readonly columns: readonly Column[];
  readonly object: ObjectDescription;
  readonly map: RowMapper;
}

/** Throws what is wrong with the model, the destination or the mapping: nothing has been planned or sent then. */
export async function prepare(spec: SyncSpec, world: Ends, signal: AbortSignal): Promise<Prepared> {
  const modelColumns = await world.warehouse.columns(spec.model, signal);
  const object = await world.connection.describe(spec.object, spec.settings, signal);
  const found = misfits(spec, modelColumns, object, world.kinds);
  if (found.length > 0) throw new MisfitError(spec.name, found);
  const columns = readColumns(spec, modelColumns, world.kinds);
  return { columns, object, map: compileMapper(spec, columns, object, world.kinds) };
}

export type Ends = Pick<World, "warehouse" | "connection" | "kinds">;
