/** `sluice status`: every sync at a glance. */
import type { Command } from "commander";
import type { StatusView } from "../operations/schemas.ts";
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
          ["sync", "from", "to", "schedule", "last run", "ended", "accepted", "not taken", "in doubt"],
          syncs.map(row),
        ),
      );
    });
};

function row({ sync, from, to, schedule, last_run: run }: StatusView): readonly string[] {
  if (run === null) return [sync, from, to, schedule ?? "–", "never", "", "", "", ""];
  const ended = run.ended_at?.slice(0, 19).replace("T", " ") ?? "";
  return [
    sync,
    from,
    to,
    schedule ?? "–",
    run.status,
    ended,
    count(run.accepted),
    count(run.rejected + run.invalid),
    count(run.in_doubt),
  ];
}
