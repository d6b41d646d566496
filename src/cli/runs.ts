/** `sluice runs`: what ran lately, and how it ended. */
import type { Command } from "commander";
import type { RunView } from "../operations/run-schemas.ts";
import type { GlobalOptions } from "./face.ts";
import { count, duration, table, writeJson, writeLine } from "./output.ts";
import { wholeNumber } from "./number.ts";
import type { AddCommand } from "./command.ts";

export const runsCommand: AddCommand = (program, face) => {
  program
    .command("runs")
    .argument("[sync]", "only the runs of this sync")
    .option("--limit <runs>", "how many", wholeNumber(1, 500), 20)
    .description("list runs, newest first")
    .action(async (sync: string | undefined, options: { limit: number }, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const { data } = await session.operations.runs({ sync, limit: options.limit });
      if (global.json) return writeJson(face.terminal, data);
      if (data.length === 0) return writeLine(face.terminal.stdout, 'No runs yet. "sluice run SYNC" starts one.');
      writeLine(face.terminal.stdout, runTable(data));
    });
};

/** Runs as a table. */
export function runTable(runs: readonly RunView[]): string {
  const header = [
    "run",
    "sync",
    "status",
    "started",
    "added",
    "changed",
    "removed",
    "accepted",
    "rejected",
    "invalid",
    "in doubt",
    "took",
  ];
  return table(header, runs.map(row));
}

function row(run: RunView): readonly string[] {
  const planned = run.planned ?? { added: 0, changed: 0, removed: 0 };
  const numbers = [
    planned.added,
    planned.changed,
    planned.removed,
    run.accepted,
    run.rejected,
    run.invalid,
    run.in_doubt,
  ];
  const started = (run.started_at ?? run.created_at).slice(0, 19).replace("T", " ");
  return [run.run, run.sync, run.status, started, ...numbers.map(count), duration(run.seconds)];
}
