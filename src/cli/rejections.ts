/** `sluice rejections`: which rows a run could not deliver, and why. */
import type { Command } from "commander";
import type { GlobalOptions } from "./face.ts";
import { brief, table, writeJson, writeLine } from "./output.ts";
import { wholeNumber } from "./number.ts";
import type { AddCommand } from "./command.ts";

export const rejectionsCommand: AddCommand = (program, face) => {
  program
    .command("rejections")
    .argument("<run>", "the run")
    .option("--limit <rows>", "how many", wholeNumber(1, 500), 50)
    .option("--cursor <cursor>", "go on after an earlier page")
    .description("list a run's rejected and invalid rows, with the destination's own words")
    .action(async (run: string, options: { limit: number; cursor?: string }, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const page = await session.operations.rejections(run, options);
      if (global.json) return writeJson(face.terminal, page);
      const { stdout } = face.terminal;
      if (page.data.length === 0)
        return writeLine(stdout, "None: every change of this run that was sent was accepted, or has no answer.");
      const rows = page.data.map((one) => [
        brief(one.row_key, 40),
        one.kind,
        one.code,
        one.field ?? "",
        brief(one.message, 120),
      ]);
      writeLine(stdout, table(["row", "kind", "code", "field", "message"], rows));
      if (page.next_cursor) writeLine(stdout, `… more: --cursor ${page.next_cursor}`);
    });
};
