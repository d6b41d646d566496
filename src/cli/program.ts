/** The `sluice` command: its commands, and how an error becomes a message and an exit code. */
import { Command, CommanderError } from "commander";
import packageFile from "../../package.json" with { type: "json" };
import { DestinationError } from "../destination.ts";
import { messageOf, NotFoundError, SluiceError, UsageError } from "../errors.ts";
import { applyCommand } from "./apply.ts";
import { checkCommand } from "./check.ts";
import { type AddCommand, exitCodes } from "./command.ts";
import { demoCommand } from "./demo.ts";
import { describeCommand } from "./describe.ts";
import { exportCommand } from "./export.ts";
import type { Face } from "./face.ts";
import { dbtCommand } from "./dbt.ts";
import { grantsCommand } from "./grants.ts";
import { initCommand } from "./init.ts";
import { styled, type Terminal, writeJson, writeLine } from "./output.ts";
import { keysCommand } from "./keys.ts";
import { pauseCommand, resumeCommand } from "./pause.ts";
import { planCommand } from "./plan.ts";
import { rejectionsCommand } from "./rejections.ts";
import { requestsCommand } from "./requests.ts";
import { revertCommand } from "./revert.ts";
import { baselineCommand, cancelCommand, releaseCommand, runCommand } from "./run.ts";
import { runsCommand } from "./runs.ts";
import { sandboxCommand } from "./sandbox.ts";
import { secretsCommand } from "./secrets.ts";
import { startCommand } from "./start.ts";
import { statusCommand } from "./status.ts";
import { suggestCommand } from "./suggest.ts";
import { validateCommand } from "./validate.ts";

/** Runs one command line. Returns the exit code. */
export async function runProgram(argv: readonly string[], face: Face): Promise<number> {
  let exitCode: number = exitCodes.done;
  const program = new Command("sluice")
    .description("Reverse ETL: modelled warehouse rows, diffed and delivered, with an outcome for every row.")
    .option("--dir <folder>", "the workspace: a folder of YAML documents", ".")
    .option(
      "--url <address>",
      "ask a running service instead of working in place (also SLUICE_URL)",
      face.environment["SLUICE_URL"],
    )
    .option("--json", "one JSON document on standard output")
    .version(packageFile.version, "--version", "tell the version")
    .configureOutput({
      writeOut: (text) => face.terminal.stdout.write(text),
      writeErr: (text) => face.terminal.stderr.write(text),
    })
    .showHelpAfterError('("sluice --help" lists the commands)')
    .exitOverride();
  const end = (code: number): void => {
    exitCode = code;
  };
  for (const add of commands) add(program, face, end);
  for (const command of program.commands) command.exitOverride().configureOutput(program.configureOutput());
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    tellError(error, face.terminal, program.opts().json === true);
    return error instanceof UsageError || error instanceof NotFoundError ? exitCodes.usage : exitCodes.failed;
  }
}

const commands: readonly AddCommand[] = [
  demoCommand,
  initCommand,
  validateCommand,
  applyCommand,
  exportCommand,
  suggestCommand,
  planCommand,
  runCommand,
  baselineCommand,
  pauseCommand,
  resumeCommand,
  statusCommand,
  runsCommand,
  rejectionsCommand,
  requestsCommand,
  releaseCommand,
  cancelCommand,
  revertCommand,
  checkCommand,
  grantsCommand,
  dbtCommand,
  describeCommand,
  startCommand,
  keysCommand,
  secretsCommand,
  sandboxCommand,
];

function tellError(error: unknown, terminal: Terminal, json: boolean): void {
  const known = error instanceof SluiceError || error instanceof DestinationError;
  const message = messageOf(error);
  const hint = error instanceof SluiceError ? error.hint : undefined;
  if (json) writeJson(terminal, { error: { code: known ? error.code : "internal_error", message, hint } });
  writeLine(terminal.stderr, `${styled(terminal.stderr, "red", "error")}: ${message}`);
  if (hint) writeLine(terminal.stderr, hint);
  // Only an error that nobody foresaw is worth its stack.
  if (!known && error instanceof Error && error.stack) writeLine(terminal.stderr, error.stack);
}
