/** `sluice apply`: make a store's documents those of a folder. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { listOf } from "../documents/documents.ts";
import type { GlobalOptions } from "./face.ts";
import { brief, plural, styled, writeJson, writeLine } from "./output.ts";
import type { AddCommand } from "./command.ts";

const shown = (value: unknown): string => (value === null ? "(none)" : brief(JSON.stringify(value), 80));

export const applyCommand: AddCommand = (program, face) => {
  program
    .command("apply")
    .argument("[folder]", "the workspace")
    .option("--prune", "delete what the folder does not have")
    .option("--dry-run", "only say what would change")
    .description("make the service's documents those of a folder, all or nothing")
    .action(async (folder: string | undefined, options: { prune?: boolean; dryRun?: boolean }, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      const { documents } = await face.loadWorkspace(resolve(folder ?? global.dir));
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const result = await session.operations.apply(listOf(documents), {
        prune: options.prune === true,
        dryRun: options.dryRun === true,
        author: "command",
      });
      if (global.json) return writeJson(face.terminal, result);
      const { stdout } = face.terminal;
      const signs = { created: "green", replaced: "yellow", deleted: "red" } as const;
      for (const { kind, name, change, edited_over_api: edited, settings } of result.changes) {
        const drift = edited ? "  (was edited over the API)" : "";
        writeLine(stdout, `${styled(stdout, signs[change], change.padEnd(8))}  ${kind} ${name}${drift}`);
        for (const { pointer, before, after } of settings)
          writeLine(stdout, `            ${pointer}: ${shown(before)} → ${shown(after)}`);
      }
      const made = result.dry_run ? "would change" : "changed";
      writeLine(stdout, `${plural(result.changes.length, "document")} ${made}, ${result.unchanged} unchanged.`);
    });
};
