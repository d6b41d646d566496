/** `sluice suggest`: fields to map, by their names. */
import type { Command } from "commander";
import { stringify } from "yaml";
import type { AddCommand } from "./command.ts";
import type { GlobalOptions } from "./face.ts";
import { writeJson, writeLine } from "./output.ts";

export const suggestCommand: AddCommand = (program, face) => {
  program
    .command("suggest")
    .argument("<sync>", "the sync's name")
    .description("print fields of the destination and columns of the model that have the same name, as YAML")
    .action(async (sync: string, _: object, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const found = await session.operations.suggestMapping(sync);
      if (global.json) return writeJson(face.terminal, found);
      const { stdout, stderr } = face.terminal;
      const { fields, columns_left: columns, required_left: required } = found;
      if (Object.keys(fields).length > 0) writeLine(stdout, stringify({ fields }).trimEnd());
      else writeLine(stderr, "No other field is named like a column.");
      if (columns.length > 0) writeLine(stderr, `Columns that no field is named like: ${columns.join(", ")}.`);
      if (required.length > 0) writeLine(stderr, `Fields that a record needs: ${required.join(", ")}.`);
    });
};
