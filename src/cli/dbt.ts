/** `sluice dbt exposures`: where do dbt's models go? */
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { exposuresYaml } from "../documents/dbt/exposures.ts";
import { UsageError } from "../errors.ts";
import type { GlobalOptions } from "./face.ts";
import { writeJson, writeLine } from "./output.ts";
import { type AddCommand, exitCodes } from "./command.ts";
import { exitCodeOf, tellRun, watch } from "./run.ts";
import type { RunView } from "../operations/run-schemas.ts";

interface ExposuresOptions {
  readonly ownerName?: string;
  readonly ownerEmail?: string;
  readonly out?: string;
}

const runResults = z.object({
  results: z.array(z.object({ unique_id: z.string(), status: z.string(), relation_name: z.string().nullish() })),
});

export const dbtCommand: AddCommand = (program, face, end) => {
  const dbt = program.command("dbt").description("what a dbt project is told, and what it tells");
  dbt
    .command("ran")
    .option("--run-results <file>", "what dbt wrote", "target/run_results.json")
    .description("run the syncs whose models dbt has rebuilt")
    .action(async ({ runResults: file }: { runResults: string }, command: Command) => {
      const { dir, url, json } = command.optsWithGlobals<GlobalOptions>();
      const { results } = await readRunResults(file);
      await using session = await face.openSession({ folder: dir, url });
      const told = await session.operations.dbtRan(results);
      // In place nobody else does the runs; of a service one wants to know how they end.
      const runs: RunView[] = [];
      for (const { run } of told) if (run !== null) runs.push(await watch(session.operations, run, face.terminal));
      end(Math.max(exitCodes.done, ...runs.map(exitCodeOf)));
      if (json) return writeJson(face.terminal, { syncs: told, runs });
      for (const { sync, run, reason } of told) {
        if (run === null) writeLine(face.terminal.stdout, `${sync} does not run: ${reason}`);
      }
      for (const run of runs) await tellRun(run, session.operations, face.terminal, false);
    });
  dbt
    .command("exposures")
    .option("--owner-name <name>", "who answers for the syncs; dbt wants a name or an e-mail address")
    .option("--owner-email <address>", "their e-mail address")
    .option("--out <file>", "write it there, such as models/sluice_exposures.yml")
    .description("write the workspace's syncs as dbt exposures, for dbt's lineage")
    .action(async ({ ownerName, ownerEmail, out }: ExposuresOptions, command: Command) => {
      const { dir, json } = command.optsWithGlobals<GlobalOptions>();
      if (ownerName === undefined && ownerEmail === undefined)
        throw new UsageError("no_owner", "dbt wants an owner for each exposure.", {
          hint: "Give --owner-name or --owner-email.",
        });
      const { documents } = await face.loadWorkspace(resolve(dir));
      const yaml = exposuresYaml(documents, { name: ownerName, email: ownerEmail });
      if (out !== undefined) await writeFile(resolve(out), yaml);
      if (json) writeJson(face.terminal, { yaml, out: out ?? null });
      else if (out === undefined) face.terminal.stdout.write(yaml);
      else writeLine(face.terminal.stdout, `Wrote ${out}.`);
    });
};

async function readRunResults(file: string): Promise<z.output<typeof runResults>> {
  try {
    return runResults.parse(JSON.parse(await readFile(resolve(file), "utf8")));
  } catch (cause) {
    throw new UsageError("run_results_unreadable", `${file} is not what dbt writes as run_results.json.`, {
      hint: "Run dbt first, or name the file with --run-results target/run_results.json.",
      cause,
    });
  }
}
