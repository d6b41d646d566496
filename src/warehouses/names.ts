/** How tables and columns are named in SQL, and what the planner's own tables are called. */
import { hash } from "node:crypto";
import { WarehouseError } from "../errors.ts";

/** A name as SQL, whatever is in it. */
export function quote(name: string): string {
  if (name === "" || name.includes("\0")) {
    throw new WarehouseError("name_invalid", `${JSON.stringify(name)} cannot be the name of a table or column.`);
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * The parts of a name such as `analytics.marts."My accounts"`. A part without quotes is folded as the warehouse would.
 */
export function parseName(path: string, fold: (part: string) => string): readonly string[] {
  const parts: string[] = [];
  const part = /(?:"((?:[^"]|"")+)"|([^".\s]+))(\.|$)/uy;
  let ended = false;
  while (!ended) {
    const found = part.exec(path);
    if (found === null) {
      throw new WarehouseError("name_invalid", `${JSON.stringify(path)} is not the name of a table.`, {
        hint: 'Write schema.table; a part with dots or spaces in it stands in double quotes: marts."My accounts".',
      });
    }
    const [, quoted, plain = "", separator] = found;
    parts.push(quoted === undefined ? fold(plain) : quoted.replaceAll('""', '"'));
    ended = separator === "";
  }
  return parts;
}

/** The planner's tables of one sync, as SQL. `runs` is shared by all syncs. */
export interface PlannerTables {
  readonly runs: string;
  readonly plan: string;
  readonly preview: string;
  readonly state: string;
  readonly failed: string;
  readonly outcomes: string;
  /** The records that are kept: those last accepted, those that a run replaced, and those of the run under way. */
  readonly kept: string;
  readonly past: string;
  readonly staged: string;
}

/** The names of a sync's tables: always the same, never the same for two syncs. */
export function plannerTables(schema: readonly string[], sync: string): PlannerTables {
  const prefix = schema.map(quote).join(".");
  const table = (name: string): string => `${prefix}.${quote(shortName(name))}`;
  return {
    runs: table("runs"),
    plan: table(`plan_${sync}`),
    preview: table(`preview_${sync}`),
    state: table(`state_${sync}`),
    failed: table(`failed_${sync}`),
    outcomes: table(`outcomes_${sync}`),
    kept: table(`kept_${sync}`),
    past: table(`past_${sync}`),
    staged: table(`staged_${sync}`),
  };
}

/** What every warehouse takes whole: Postgres cuts longer names silently. */
const maxNameBytes = 63;

/** Sync names have no `~`, so a shortened name is never that of another sync. */
function shortName(name: string): string {
  if (Buffer.byteLength(name) <= maxNameBytes) return name;
  const start = Buffer.from(name).subarray(0, 40).toString("utf8").replaceAll("\uFFFD", "");
  return `${start}~${hash("sha256", name, "hex").slice(0, 20)}`;
}
