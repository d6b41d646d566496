/** `sluice secrets`: what documents name as `${secret:NAME}`. */
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import type { AddCommand } from "./command.ts";
import type { GlobalOptions } from "./face.ts";
import { table, writeJson, writeLine } from "./output.ts";

export const secretsCommand: AddCommand = (program, face) => {
  const secrets = program.command("secrets").description("store, list and delete secrets that documents name");

  secrets
    .command("set")
    .argument("<name>", "documents name it as ${secret:NAME}")
    .description("store a secret, or replace it; it is read from standard input")
    .action(async (name: string, _: object, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      const value = await readSecret(face.terminal.stderr);
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const stored = await session.operations.setSecret(name, value, "command");
      if (global.json) return writeJson(face.terminal, stored);
      const done = stored.version === 1 ? "is stored" : `is replaced (version ${stored.version})`;
      writeLine(face.terminal.stdout, `Secret ${name} ${done}. Documents name it as \${secret:${name}}.`);
    });

  secrets
    .command("list")
    .description("list secrets, and the documents that name them")
    .action(async (_: object, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const found = await session.operations.secrets();
      if (global.json) return writeJson(face.terminal, found);
      if (found.length === 0)
        return writeLine(face.terminal.stdout, 'No secrets yet. "sluice secrets set NAME" stores one.');
      const rows = found.map((one) => [
        one.name,
        String(one.version),
        one.updated_at.slice(0, 16).replace("T", " "),
        one.author,
        one.used_by.join(", "),
      ]);
      writeLine(face.terminal.stdout, table(["name", "version", "set at (UTC)", "by", "used by"], rows));
    });

  secrets
    .command("delete")
    .argument("<name>", "the secret")
    .description("delete a secret that no document names")
    .action(async (name: string, _: object, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      await session.operations.deleteSecret(name);
      if (global.json) return writeJson(face.terminal, { deleted: name });
      writeLine(face.terminal.stdout, `Secret ${name} is deleted.`);
    });
};

/** Never an argument: those are seen by every process of the machine, and kept in the shell's history. */
async function readSecret(stderr: NodeJS.WriteStream): Promise<string> {
  if (process.stdin.isTTY) writeLine(stderr, "Type or paste the secret, then Enter and Ctrl-D:");
  const value = (await text(process.stdin)).replace(/\r?\n$/, "");
  if (value !== "") return value;
  throw new UsageError("secret_empty", "Nothing came on standard input.", {
    hint: 'Pipe the secret in: printf %s "$TOKEN" | sluice secrets set NAME',
  });
}
