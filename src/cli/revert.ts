/** `sluice revert`: makes a run undone. */
import type { Command } from "commander";
import type { RevertView } from "../operations/run-schemas.ts";
import { type AddCommand, exitCodes } from "./command.ts";
import type { GlobalOptions } from "./face.ts";
import { wholeNumber } from "./number.ts";
import { count, plural, type Terminal, writeJson, writeLine } from "./output.ts";
import { tellChange } from "./plan.ts";
import { exitCodeOf, tellRun, watch } from "./run.ts";

export const revertCommand: AddCommand = (program, face, end) => {
  program
    .command("revert")
    .argument("<run>", "the run to undo; its sync keeps values")
    .option("--dry-run", "show what would go back; send nothing")
    .option("--limit <rows>", "how many changes to show", wholeNumber(0, 100), 5)
    .description("put records back to what they were before a run, and pause its sync")
    .action(async (id: string, options: { dryRun?: boolean; limit: number }, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      if (options.dryRun === true) {
        const plan = await session.operations.previewRevert(id, { limit: options.limit });
        if (global.json) writeJson(face.terminal, plan);
        else tellRevert(plan, face.terminal);
        return end(exitCodes.done);
      }
      const { run: started } = await session.operations.revert(id, "command");
      const run = await watch(session.operations, started, face.terminal);
      await tellRun(run, session.operations, face.terminal, global.json === true);
      if (!global.json)
        writeLine(face.terminal.stdout, `Sync ${run.sync} is paused. "sluice resume ${run.sync}" lets it run again.`);
      end(exitCodeOf(run));
    });
};

function tellRevert(plan: RevertView, { stdout }: Terminal): void {
  writeLine(
    stdout,
    `${plan.sync}  ${count(plan.changed)} would go back, ${count(plan.restored)} would be made again  (run ${plan.reverts})`,
  );
  for (const change of plan.sample) tellChange(change, stdout);
  const left = [
    [plan.first, "were new with that run; what was there before is not known"],
    [plan.overtaken, "were sent again or removed since"],
    [plan.unknown, "have no earlier record that was kept"],
  ] as const;
  for (const [rows, why] of left) if (rows > 0) writeLine(stdout, `${plural(rows, "row")} stay: they ${why}.`);
  writeLine(stdout, "Nothing was sent.");
}
