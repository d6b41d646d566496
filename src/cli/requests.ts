/** `sluice requests`: a few of the requests that a run made. */
import type { Command } from "commander";
import type { AddCommand } from "./command.ts";
import type { GlobalOptions } from "./face.ts";
import { wholeNumber } from "./number.ts";
import { brief, writeJson, writeLine } from "./output.ts";

export const requestsCommand: AddCommand = (program, face) => {
  program
    .command("requests")
    .argument("<run>", "the run")
    .option("--limit <requests>", "how many", wholeNumber(1, 500), 50)
    .option("--cursor <cursor>", "go on after an earlier page")
    .description(
      "show a few of a run's requests and answers, without values: the first, one of each hundred, all failures",
    )
    .action(async (run: string, options: { limit: number; cursor?: string }, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const page = await session.operations.requests(run, options);
      if (global.json) return writeJson(face.terminal, page);
      const { stdout } = face.terminal;
      if (page.data.length === 0) return writeLine(stdout, "This run made no request, or it is two weeks ago.");
      for (const { at, method, path, status, ms, request, answer } of page.data) {
        writeLine(
          stdout,
          `${at.slice(11, 23)}  ${method} ${path}  ${status ?? (answer === null ? "done" : "no answer")}  ${ms} ms`,
        );
        if (request !== null) writeLine(stdout, `    > ${brief(request, 200)}`);
        if (answer !== null) writeLine(stdout, `    < ${brief(answer, 200)}`);
      }
      if (page.next_cursor) writeLine(stdout, `… more: --cursor ${page.next_cursor}`);
    });
};
