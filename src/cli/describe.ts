/** `sluice describe`: what a destination holds, and what can be written to it. */
import { type Command, InvalidArgumentError } from "commander";
import type { Field } from "../destination.ts";
import type { DescribeView } from "../operations/schemas.ts";
import type { GlobalOptions } from "./face.ts";
import { brief, table, writeJson, writeLine } from "./output.ts";
import type { AddCommand } from "./command.ts";

export const describeCommand: AddCommand = (program, face) => {
  program
    .command("describe")
    .argument("<destination>", "the destination's name")
    .argument("[object]", "one of its objects")
    .option("--settings <json>", "the sync's `to.settings`, where the object needs any", parseSettings, {})
    .description("list a destination's objects, or one object's fields")
    .action(
      async (
        destination: string,
        object: string | undefined,
        options: { settings: Record<string, unknown> },
        command: Command,
      ) => {
        const global = command.optsWithGlobals<GlobalOptions>();
        await using session = await face.openSession({ folder: global.dir, url: global.url });
        const view = await session.operations.describe(destination, object, options.settings);
        if (global.json) return writeJson(face.terminal, view);
        const { stdout } = face.terminal;
        if ("objects" in view)
          return writeLine(
            stdout,
            table(
              ["object", "title"],
              view.objects.map(({ name, title }) => [name, title]),
            ),
          );
        writeLine(stdout, `${view.object} (${view.title})`);
        writeLine(stdout, abilities(view));
        writeLine(stdout, table(["field", "type", "match", "write", "title", "options"], view.fields.map(fieldRow)));
      },
    );
};

type ObjectView = Exclude<DescribeView, { objects: unknown }>;

function abilities({ modes, removals, batch, idempotent, matchFields, reads }: ObjectView): string {
  const others = Object.entries(batch.recordsOf ?? {}).map(([operation, records]) => `${operation} ${records}`);
  const bytes = batch.bytes === undefined ? "" : `, at most ${batch.bytes} bytes`;
  return [
    `modes ${modes.join(", ")}; removed rows: ${[...removals, "ignore"].join(", ")}`,
    `batches of ${[batch.records, ...others].join(", ")}${bytes}`,
    `safe to send again: ${idempotent.join(", ") || "no mode"}`,
    ...(matchFields === undefined
      ? []
      : [`a match has at most ${matchFields} ${matchFields === 1 ? "field" : "fields"}`]),
    ...(reads ? ["records can be read before they are written (when)"] : []),
  ].join("; ");
}

function fieldRow(field: Field): readonly string[] {
  const options = field.options?.map(({ value }) => value).join(", ") ?? "";
  const write = field.writable ? (field.required ? "required" : "yes") : "no";
  return [field.name, field.type, field.matches ? "yes" : "", write, brief(field.title, 40), brief(options, 60)];
}

function parseSettings(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Told below, like any other text that is not an object.
  }
  throw new InvalidArgumentError('It must be a JSON object, such as {"list": "Churn risk", "of": "contacts"}.');
}
