/** `sluice status`: every sync at a glance. */
import type { Command } from "commander";
import type { StatusView } from "../operations/run-schemas.ts";
import type { GlobalOptions } from "./face.ts";
import { count, table, writeJson, writeLine } from "./output.ts";
import type { AddCommand } from "./command.ts";

export const statusCommand: AddCommand = (program, face) => {
  program
    .command("status")
    .description("show every sync and how its last run ended")
    .action(async (_options: unknown, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const syncs = await session.operations.status();
      if (global.json) return writeJson(face.terminal, syncs);
      if (syncs.length === 0)
        return writeLine(face.terminal.stdout, 'No syncs here. "sluice init" makes a workspace to start from.');
      writeLine(
        face.terminal.stdout,
        table(
          ["sync", "from", "to", "schedule", "next run", "last run", "ended", "accepted", "not taken", "in doubt"],
          syncs.map(row),
        ),
      );
    });
};

function row(status: StatusView): readonly string[] {
  const { sync, from, to, schedule, after, paused, next_run: next, last_run: run } = status;
  const when = [schedule, after && `after ${after}`].filter((one) => one !== null && one !== "").join(", ");
  const first = [sync, from, to, when || "–", paused ? "paused" : next === null ? "–" : minute(next)];
  if (run === null) return [...first, "never", "", "", "", ""];
  const ended = run.ended_at === null ? "" : run.ended_at.slice(0, 19).replace("T", " ");
  return [...first, run.status, ended, count(run.accepted), count(run.rejected + run.invalid), count(run.in_doubt)];
}

function minute(time: string): string {
  return `${time.slice(0, 16).replace("T", " ")} UTC`;
}
