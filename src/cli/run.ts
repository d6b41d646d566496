/** `sluice run`, and what can be done about a run that is held or under way. */
import { type Command, Option } from "commander";
import type { Operations } from "../operations/operations.ts";
import type { RunView } from "../operations/run-schemas.ts";
import type { GlobalOptions } from "./face.ts";
import { brief, count, duration, plural, styled, type Terminal, writeJson, writeLine } from "./output.ts";
import { type AddCommand, exitCodes } from "./command.ts";
import { ProgressBar } from "./progress.ts";

export const runCommand: AddCommand = (program, face, end) => {
  program
    .command("run")
    .argument("<sync>", "the sync's name")
    .addOption(new Option("--full", "send every row, also those that did not change").conflicts("key"))
    .option("--key <key...>", "read and send only these rows, also if they did not change")
    .description("send what changed since the last run")
    .action(async (sync: string, { full, key }: { full?: boolean; key?: string[] }, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const started = await session.operations.startRun(sync, {
        kind: key ? "keys" : full ? "full" : "changes",
        trigger: "command",
        keys: key,
      });
      const run = await watch(session.operations, started.run, face.terminal);
      await tellRun(run, session.operations, face.terminal, global.json === true);
      end(exitCodeOf(run));
    });
};

export const baselineCommand: AddCommand = (program, face, end) => {
  program
    .command("baseline")
    .argument("<sync>", "the sync's name")
    .description("take every row as sent, and send none: the destination holds them already")
    .action(async (sync: string, _options: unknown, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const started = await session.operations.startRun(sync, { kind: "baseline", trigger: "command" });
      const run = await watch(session.operations, started.run, face.terminal);
      await tellRun(run, session.operations, face.terminal, global.json === true);
      end(exitCodeOf(run));
    });
};

export const releaseCommand: AddCommand = (program, face, end) => {
  program
    .command("release")
    .argument("<run>", "the held run")
    .description("let a held run go on with the plan that it has")
    .action(async (id: string, _options: unknown, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      await session.operations.release(id);
      const run = await watch(session.operations, id, face.terminal);
      await tellRun(run, session.operations, face.terminal, global.json === true);
      end(exitCodeOf(run));
    });
};

export const cancelCommand: AddCommand = (program, face) => {
  program
    .command("cancel")
    .argument("<run>", "the run")
    .description("stop a run, or drop one that is queued or held")
    .action(async (id: string, _options: unknown, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const run = await session.operations.cancel(id);
      if (global.json) return writeJson(face.terminal, run);
      const done = run.status === "cancelled" ? "is cancelled" : "stops at its next batch";
      writeLine(face.terminal.stdout, `Run ${run.run} of ${run.sync} ${done}.`);
    });
};

/** Waits for a run with a progress bar. Ctrl-C cancels the run, whose outcomes so far are kept. */
export async function watch(operations: Operations, id: string, terminal: Terminal): Promise<RunView> {
  const bar = new ProgressBar(terminal.stderr);
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    return await operations.waitForRun(id, { onProgress: (run) => bar.show(run), signal: interrupted.signal });
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    bar.clear();
  }
}

export function exitCodeOf(run: RunView): number {
  switch (run.status) {
    case "succeeded":
      return exitCodes.done;
    case "partial":
      return exitCodes.rejections;
    case "held":
      return exitCodes.held;
    default:
      return exitCodes.failed;
  }
}

/** Prints what became of a run: the counts, why it is held or failed, and the causes of what was not taken. */
export async function tellRun(run: RunView, operations: Operations, terminal: Terminal, json: boolean): Promise<void> {
  if (json) return writeJson(terminal, run);
  const out = terminal.stdout;
  writeLine(
    out,
    `${styled(out, colours[run.status] ?? "bold", run.status)}  ${run.sync}  ${styled(out, "dim", run.run)}`,
  );
  for (const line of countLines(run)) writeLine(out, `  ${line}`);
  if (run.failure) {
    writeLine(out, `  ${styled(out, "red", "why")}       ${run.failure.message}`);
    if (run.failure.hint) writeLine(out, `            ${run.failure.hint}`);
  }
  for (const reason of run.gate?.reasons ?? [])
    writeLine(out, `  ${styled(out, "yellow", "held")}      ${reason.message}`);
  if (run.status === "held") {
    writeLine(
      out,
      `            Nothing was sent. "sluice release ${run.run}" sends it, "sluice cancel ${run.run}" drops it.`,
    );
  }
  if (run.rejected + run.invalid > 0) await tellCauses(run, operations, terminal);
}

const colours: Readonly<Partial<Record<RunView["status"], Parameters<typeof styled>[1]>>> = {
  succeeded: "green",
  partial: "yellow",
  held: "yellow",
  failed: "red",
  cancelled: "red",
};

function countLines(run: RunView): readonly string[] {
  const lines = [];
  if (run.planned) {
    const { added, changed, removed, faulty_keys } = run.planned;
    const parts = [`${count(added)} added`, `${count(changed)} changed`, `${count(removed)} removed`];
    if (faulty_keys > 0) parts.push(`${count(faulty_keys)} with a faulty key`);
    if (run.not_found > 0) parts.push(`${count(run.not_found)} not found`);
    const waiting = run.waiting > 0 ? `, ${count(run.waiting)} waiting after a rejection` : "";
    lines.push(`planned   ${parts.join(", ")}  (${count(run.unchanged)} unchanged${waiting})`);
  }
  const already = run.already_there > 0 ? ` (${count(run.already_there)} were there already)` : "";
  const outcomes = [
    `${count(run.accepted)} accepted${already}`,
    `${count(run.rejected)} rejected`,
    `${count(run.invalid)} invalid`,
  ];
  const unsent = run.unsent > 0 ? ` (${count(run.unsent)} of them never sent)` : "";
  lines.push(`outcomes  ${outcomes.join(", ")}, ${count(run.in_doubt)} in doubt${unsent}`);
  lines.push(`took      ${duration(run.seconds)}, ${plural(run.requests, "request")}`);
  return lines;
}

async function tellCauses(run: RunView, operations: Operations, { stdout }: Terminal): Promise<void> {
  const { causes } = await operations.rejections(run.run, { limit: 1 });
  for (const cause of causes.slice(0, 8)) {
    const where = cause.field ? `${cause.code} (${cause.field})` : cause.code;
    writeLine(
      stdout,
      `  ${styled(stdout, "yellow", String(cause.count).padStart(8))}  ${where}: ${brief(cause.message)}`,
    );
  }
  writeLine(
    stdout,
    `            "sluice rejections ${run.run}" lists them. They are tried again with growing pauses, or once they change.`,
  );
}
