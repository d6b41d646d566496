/** `sluice export`: what a service holds, as a folder. */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { kinds } from "../documents/documents.ts";
import { toYaml } from "../documents/export.ts";
import { hiddenSecrets } from "../documents/secrets.ts";
import { UsageError } from "../errors.ts";
import type { DocumentView } from "../operations/schemas.ts";
import type { GlobalOptions } from "./face.ts";
import { plural, styled, writeJson, writeLine } from "./output.ts";
import type { AddCommand } from "./command.ts";

export const exportCommand: AddCommand = (program, face) => {
  program
    .command("export")
    .argument("<folder>", "where to write")
    .option("--force", "overwrite files that are there")
    .description("write all documents as YAML, one file for each kind")
    .action(async (folder: string, { force }: { force?: boolean }, command: Command) => {
      const { dir, url, json } = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: dir, url });
      const documents = await session.operations.workspace();
      const files = filesOf(documents);
      if (force !== true) requireFree(resolve(folder), [...files.keys()]);
      await mkdir(resolve(folder), { recursive: true });
      for (const [file, text] of files) await writeFile(join(resolve(folder), file), text);
      const hidden = documents.filter(({ document }) => hiddenSecrets(document));
      if (json) return writeJson(face.terminal, { files: [...files.keys()], documents: documents.length });
      const { stdout, stderr } = face.terminal;
      writeLine(stdout, `Wrote ${plural(documents.length, "document")} to ${folder}: ${[...files.keys()].join(", ")}.`);
      for (const { kind, name } of hidden) {
        const what = `${kind} "${name}" has a secret that was written out, and is not exported: name a variable, "\${env:NAME}".`;
        writeLine(stderr, `${styled(stderr, "yellow", "look")}  ${what}`);
      }
    });
};

/** `syncs.yaml` and so on, for the kinds that there are. */
function filesOf(documents: readonly DocumentView[]): ReadonlyMap<string, string> {
  return new Map(
    kinds.flatMap((kind): [string, string][] => {
      const ofKind = documents.filter((one) => one.kind === kind);
      if (ofKind.length === 0) return [];
      const texts = ofKind.map(({ name, document }) => toYaml({ kind, name, ...document }));
      return [[`${kind}s.yaml`, texts.join("---\n")]];
    }),
  );
}

function requireFree(folder: string, files: readonly string[]): void {
  const taken = files.filter((file) => existsSync(join(folder, file)));
  if (taken.length === 0) return;
  throw new UsageError("files_there", `${folder} has ${taken.join(", ")} already.`, {
    hint: "Choose another folder, or overwrite them with --force.",
  });
}
