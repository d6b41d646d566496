/** `sluice init`: a workspace to start from. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { AddCommand } from "./command.ts";
import type { GlobalOptions } from "./face.ts";
import { writeLine } from "./output.ts";

const presets = join(import.meta.dirname, "../../mappings/presets");
/** What every workspace begins with: the source and its models. */
const warehouse = "warehouse.yaml";

export const initCommand: AddCommand = (program, face) => {
  program
    .command("init")
    .argument("[folder]", "where to make it")
    .option("--preset <destination...>", "which destinations to begin with", ["hubspot"])
    .description("make a workspace to edit: a source, its models, and the usual syncs to a destination")
    .action(async (folder: string | undefined, { preset }: { preset: string[] }, command: Command) => {
      const target = resolve(folder ?? command.optsWithGlobals<GlobalOptions>().dir);
      const files = await filesOf(preset);
      await mkdir(target, { recursive: true });
      const taken = (await readdir(target)).filter((name) => files.has(name));
      if (taken.length > 0) {
        throw new UsageError("workspace_exists", `${target} already has ${taken.join(", ")}`, {
          hint: "Name another folder; nothing was written.",
        });
      }
      for (const [name, text] of files) await writeFile(join(target, name), text, { flag: "wx" });
      const { stdout } = face.terminal;
      writeLine(stdout, `Wrote ${[...files.keys()].join(", ")} to ${target}.`);
      writeLine(
        stdout,
        'Edit them, set the variables that they name, then: "sluice validate", "sluice check warehouse", "sluice plan" and a sync\'s name.',
      );
    });
};

/** The files of a workspace, by name. */
async function filesOf(wanted: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const there = (await readdir(presets)).filter((name) => name.endsWith(".yaml") && name !== warehouse);
  const names = there.map((name) => name.replace(/\.yaml$/, "")).toSorted();
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new UsageError("unknown_preset", `There is no preset "${unknown}"${nearest(unknown, names)}`, {
      hint: `There are ${names.join(", ")}. Any other destination is written by hand: destinations/README.md lists them.`,
    });
  }
  const files = [warehouse, ...new Set(wanted.map((name) => `${name}.yaml`))];
  const texts = await Promise.all(
    files.map(async (file) => [file, await readFile(join(presets, file), "utf8")] as const),
  );
  return new Map([...texts, [".gitignore", ".sluice/\n.env\n"]]);
}
