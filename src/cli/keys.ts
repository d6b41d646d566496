/** `sluice keys`: who may use the API. */
import { type Command, Option } from "commander";
import { scopes } from "../security/key.ts";
import type { Scope } from "../security/key.ts";
import type { AddCommand } from "./command.ts";
import type { GlobalOptions } from "./face.ts";
import { wholeNumber } from "./number.ts";
import { table, writeJson, writeLine } from "./output.ts";

export const keysCommand: AddCommand = (program, face) => {
  const keys = program.command("keys").description("make, list and revoke keys of the API");

  keys
    .command("create")
    .argument("<name>", "what it is for, for people")
    .addOption(new Option("--scope <scope>", "what it may do").choices(scopes).default("read"))
    .option("--days <days>", "when it expires; without it, never", wholeNumber(1, 3650))
    .description("make a key and print it, this once")
    .action(async (name: string, { scope, days }: { scope: Scope; days?: number }, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const made = await session.operations.createKey({ name, scope, days: days ?? null, createdBy: "command" });
      if (global.json) return writeJson(face.terminal, made);
      writeLine(face.terminal.stdout, made.key);
      writeLine(face.terminal.stderr, `Key ${made.id} of scope ${made.scope}. Keep it now: it is not shown again.`);
    });

  keys
    .command("list")
    .description("list keys, newest first")
    .action(async (_: object, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const found = await session.operations.keys();
      if (global.json) return writeJson(face.terminal, found);
      if (found.length === 0)
        return writeLine(face.terminal.stdout, 'No keys yet. "sluice keys create NAME" makes one.');
      const rows = found.map((key) => {
        const state = key.valid ? "valid" : key.revoked_at === null ? "expired" : "revoked";
        const days = [key.created_at, key.expires_at, key.last_used_at].map((at) => at?.slice(0, 10) ?? "never");
        return [key.id, key.name, key.scope, state, ...days, key.created_by];
      });
      const header = ["id", "name", "scope", "state", "created", "expires", "last used", "created by"];
      writeLine(face.terminal.stdout, table(header, rows));
    });

  keys
    .command("revoke")
    .argument("<id>", "the key's id")
    .description("end a key's life at once")
    .action(async (id: string, _: object, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const revoked = await session.operations.revokeKey(id);
      if (global.json) return writeJson(face.terminal, revoked);
      writeLine(face.terminal.stdout, `Key ${revoked.id} (${revoked.name}) is revoked.`);
    });
};
