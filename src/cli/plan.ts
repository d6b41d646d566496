/** `sluice plan`: what a run would do, before it does it. */
import type { Command } from "commander";
import type { PlannedChangeView, PlanView } from "../operations/run-schemas.ts";
import type { GlobalOptions } from "./face.ts";
import { brief, count, duration, plural, styled, type Terminal, writeJson, writeLine } from "./output.ts";
import { wholeNumber } from "./number.ts";
import { type AddCommand, exitCodes } from "./command.ts";

export const planCommand: AddCommand = (program, face, end) => {
  program
    .command("plan")
    .argument("<sync>", "the sync's name")
    .option("--full", "plan every row, also those that did not change")
    .option("--limit <rows>", "how many changes to show", wholeNumber(0, 100), 5)
    .description("show what a run would do; sends nothing")
    .action(async (sync: string, options: { full?: boolean; limit: number }, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const plan = await session.operations.plan(sync, { full: options.full === true, limit: options.limit });
      if (global.json) writeJson(face.terminal, plan);
      else tellPlan(plan, face.terminal);
      end(plan.gate ? exitCodes.held : exitCodes.done);
    });
};

/** Prints a plan the way a version control prints a difference. */
export function tellPlan(plan: PlanView, { stdout }: Terminal): void {
  const { added, changed, removed, faulty_keys } = plan.planned;
  const parts = [
    styled(stdout, "green", `+ ${count(added)} added`),
    styled(stdout, "yellow", `~ ${count(changed)} changed`),
    styled(stdout, "red", `- ${count(removed)} removed`),
  ];
  if (faulty_keys > 0) parts.push(`! ${count(faulty_keys)} with a faulty key`);
  const waiting = plan.waiting > 0 ? `, ${count(plan.waiting)} waiting after a rejection` : "";
  writeLine(stdout, `${plan.sync}  ${parts.join("  ")}  (${count(plan.unchanged)} unchanged${waiting})`);
  for (const change of plan.sample) tellChange(change, stdout);
  if (plan.to_send > plan.sample.length) writeLine(stdout, `  … ${count(plan.to_send)} to send in all`);
  tellTotals(plan, stdout);
}

function tellTotals(plan: PlanView, stdout: NodeJS.WriteStream): void {
  if (plan.fields && plan.fields.length > 0) {
    const fields = plan.fields.map(({ field, changed }) => `${field} ${count(changed)}`);
    writeLine(stdout, `Fields that change: ${fields.join(", ")}.`);
  }
  if (plan.already_there > 0)
    writeLine(stdout, `${plural(plan.already_there, "record")} as the destination has it already: not sent.`);
  for (const { code, field, message, count: rows } of plan.causes) {
    const where = field === null ? code : `${code} (${field})`;
    writeLine(stdout, `${styled(stdout, "magenta", `${plural(rows, "row")} not sent`)}  ${where}: ${brief(message)}`);
  }
  for (const reason of plan.gate?.reasons ?? [])
    writeLine(stdout, `${styled(stdout, "yellow", "would be held")}: ${reason.message}`);
  const time = plan.seconds_at_pace > 0 ? `, ${duration(plan.seconds_at_pace)} at the pace` : "";
  writeLine(
    stdout,
    plan.to_send === 0 ? "Nothing to send." : `Needs ${plural(plan.requests, "request")}${time}. Nothing was sent.`,
  );
}

const signs: Readonly<Record<string, readonly [string, Parameters<typeof styled>[1]]>> = {
  added: ["+", "green"],
  changed: ["~", "yellow"],
  removed: ["-", "red"],
};

/** Prints one change: which fields change, or the whole record where that is not known. */
export function tellChange(change: PlannedChangeView, stdout: NodeJS.WriteStream): void {
  const [sign, colour] = signs[change.change] ?? ["!", "magenta"];
  const head = `  ${styled(stdout, colour, `${sign} ${brief(change.row_key, 40)}`)}`;
  if (change.problem) {
    const where = change.problem.field ? `${change.problem.field}: ` : "";
    writeLine(stdout, `${head}  ${styled(stdout, "magenta", `${where}${brief(change.problem.message, 120)}`)}`);
  } else if (change.changes) {
    writeLine(stdout, head);
    for (const { field, before, after } of change.changes) {
      const old = before === undefined ? "(unknown)" : brief(JSON.stringify(before), 60);
      writeLine(stdout, `      ${field}: ${old} → ${brief(JSON.stringify(after), 60)}`);
    }
  } else {
    const fields = Object.entries({ ...change.match, ...change.record }).map(
      ([name, value]) => `${name}=${JSON.stringify(value)}`,
    );
    writeLine(stdout, `${head}  ${brief(fields.join(" "), 160)}`);
  }
}
