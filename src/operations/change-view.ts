/** One planned change, as people are shown it. */
import type { FieldChange } from "../sync/differences.ts";
import type { RowMapper } from "../sync/map.ts";
import type { PlannedChange } from "../warehouse.ts";
import type { PlannedChangeView } from "./run-schemas.ts";

/** A planned change, mapped; `changes`: which fields change, where that is known. */
export function changeView(
  planned: PlannedChange,
  map: RowMapper,
  changes: readonly FieldChange[] | null = null,
): PlannedChangeView {
  const shown = {
    row_key: planned.rowKey,
    change: planned.kind,
    destination_id: planned.known?.destinationId ?? null,
    changes: null,
  };
  if (planned.kind === "null_key" || planned.kind === "duplicate_key" || planned.kind === "duplicate_match") {
    return {
      ...shown,
      match: {},
      record: null,
      problem: { code: planned.kind, message: planned.kind.replace("_", " "), field: null },
    };
  }
  const mapped = map(planned);
  if (mapped.kind === "invalid") {
    const { code, message, field = null } = mapped.row;
    return { ...shown, match: {}, record: null, problem: { code, message, field } };
  }
  const { match, record } = mapped.change;
  return { ...shown, match, record: planned.kind === "removed" ? null : record, changes, problem: null };
}
