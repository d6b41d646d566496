/** `sluice dbt exposures`: where do dbt's models go? */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { exposuresYaml } from "../documents/dbt/exposures.ts";
import { UsageError } from "../errors.ts";
import type { GlobalOptions } from "./face.ts";
import { writeJson, writeLine } from "./output.ts";
import type { AddCommand } from "./command.ts";

interface ExposuresOptions {
  readonly ownerName?: string;
  readonly ownerEmail?: string;
  readonly out?: string;
}

export const dbtCommand: AddCommand = (program, face) => {
  const dbt = program.command("dbt").description("what a dbt project is told");
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
