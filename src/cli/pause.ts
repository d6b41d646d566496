/** `sluice pause` and `sluice resume`: whether runs of a sync begin. */
import type { Command } from "commander";
import type { GlobalOptions } from "./face.ts";
import { writeJson, writeLine } from "./output.ts";
import type { AddCommand } from "./command.ts";

export const pauseCommand: AddCommand = (program, face) => {
  program
    .command("pause")
    .argument("<sync>", "the sync")
    .description("let no run of a sync begin until it is resumed")
    .action(async (sync: string, _options: unknown, command: Command) => {
      const { dir, url, json } = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: dir, url });
      const status = await session.operations.pause(sync, "command");
      if (json) return writeJson(face.terminal, status);
      writeLine(face.terminal.stdout, `${sync} is paused. "sluice resume ${sync}" lets it run again.`);
    });
};

export const resumeCommand: AddCommand = (program, face) => {
  program
    .command("resume")
    .argument("<sync>", "the sync")
    .description("let runs of a sync begin again")
    .action(async (sync: string, _options: unknown, command: Command) => {
      const { dir, url, json } = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: dir, url });
      const status = await session.operations.resume(sync);
      if (json) return writeJson(face.terminal, status);
      const next = status.next_run === null ? "" : ` Its next run is due at ${status.next_run}.`;
      writeLine(face.terminal.stdout, `${sync} runs again.${next}`);
    });
};
