/** `sluice init`: a workspace to start from. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import type { GlobalOptions } from "./face.ts";
import { writeLine } from "./output.ts";
import type { AddCommand } from "./command.ts";

export const initCommand: AddCommand = (program, face) => {
  program
    .command("init")
    .argument("[folder]", "where to make it")
    .description("make a workspace with one source, model, destination and sync to edit")
    .action(async (folder: string | undefined, _options: unknown, command: Command) => {
      const target = resolve(folder ?? command.optsWithGlobals<GlobalOptions>().dir);
      await mkdir(target, { recursive: true });
      const taken = (await readdir(target)).filter((name) => Object.hasOwn(files, name));
      if (taken.length > 0) {
        throw new UsageError("workspace_exists", `${target} already has ${taken.join(", ")}`, {
          hint: "Name another folder; nothing was written.",
        });
      }
      for (const [name, text] of Object.entries(files)) await writeFile(join(target, name), text, { flag: "wx" });
      const { stdout } = face.terminal;
      writeLine(stdout, `Wrote ${Object.keys(files).join(", ")} to ${target}.`);
      writeLine(
        stdout,
        'Edit them, set the variables that they name, then: "sluice validate", "sluice check warehouse", "sluice plan hubspot-companies".',
      );
    });
};

const files: Readonly<Record<string, string>> = {
  "warehouse.yaml": `# Where the modelled rows are. Secrets stay in the environment.
kind: source
name: warehouse
type: postgres
connection:
  url: "\${env:WAREHOUSE_URL}"
planner: { in: warehouse, schema: sluice_planner } # plan and state live here; made if it is missing
---
kind: model
name: accounts
source: warehouse
sql: select account_id, name, domain, plan, mrr_usd from analytics.accounts
key: account_id
---
kind: segment
name: paying
model: accounts
filter: { column: mrr_usd, is: ">", value: 0 }
`,
  "hubspot.yaml": `kind: destination
name: hubspot
type: hubspot
connection:
  access_token: "\${env:HUBSPOT_TOKEN}"
---
kind: sync
name: hubspot-companies
from: { model: accounts, segment: paying }
to: { destination: hubspot, object: companies }
mode: upsert
match: { account_id: account_id } # a custom property of HubSpot with unique values: model column
fields: # property of HubSpot: model column; "sluice describe hubspot companies" lists the properties
  name: name
  domain: domain
  plan: plan
  mrr: { column: mrr_usd, when_null: clear }
schedule: { every: 15m }
`,
  ".gitignore": `.sluice/
.env
`,
};
