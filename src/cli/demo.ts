/** `sluice demo`: the main job on a small business, from its warehouse to what HubSpot holds, with nothing to set up. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Command, Option } from "commander";
import type { Operations } from "../operations/operations.ts";
import type { RunView } from "../operations/run-schemas.ts";
import type { ServedSandbox } from "../serve-sandbox.ts";
import type { Face } from "./face.ts";
import type { DemoSource, OpenWarehouse } from "./demo-warehouse.ts";
import { count, plural, styled, type Terminal, writeLine } from "./output.ts";
import { tellPlan } from "./plan.ts";
import { type AddCommand, exitCodes } from "./command.ts";
import { tellRun, watch } from "./run.ts";

const demo = fileURLToPath(new URL("../../mappings/demo", import.meta.url));
const syncs = ["hubspot-companies", "hubspot-contacts", "hubspot-churn-risk"] as const;

interface DemoOptions {
  readonly source: DemoSource;
  readonly planner: "warehouse" | "local";
}

export const demoCommand: AddCommand = (program, face, end) => {
  program
    .command("demo")
    .argument("[folder]", "keep the demo's workspace and warehouse there")
    .addOption(new Option("--source <type>", "the warehouse").choices(["duckdb", "snowflake"]).default("duckdb"))
    .addOption(
      new Option("--planner <place>", "where plan and state live").choices(["warehouse", "local"]).default("warehouse"),
    )
    .description("see the main job done, with a sandbox for HubSpot; needs no account")
    .action(async (folder: string | undefined, options: DemoOptions, _command: Command) => {
      const place = folder === undefined ? await mkdtemp(join(tmpdir(), "sluice-demo-")) : resolve(folder);
      await mkdir(place, { recursive: true });
      try {
        end((await runDemo(place, options, face)) ? exitCodes.done : exitCodes.failed);
      } finally {
        if (folder === undefined) await rm(place, { recursive: true, force: true });
      }
    });
};

/** True when everything came out as it must. */
async function runDemo(place: string, options: DemoOptions, face: Face): Promise<boolean> {
  const { terminal } = face;
  const say = (text: string): void => writeLine(terminal.stdout, text);
  const title = (text: string): void => say(`\n${styled(terminal.stdout, "bold", text)}`);
  await using stack = new AsyncDisposableStack();

  title("1  A warehouse");
  await writeWorkspace(place, options);
  // Imported late: no other command of a workspace without DuckDB is to load it.
  const { openWarehouse } = await import("./demo-warehouse.ts");
  const warehouse = stack.use(await openWarehouse(options.source, join(place, "warehouse.duckdb"), face));
  const files = (await readdir(join(demo, "warehouse"))).toSorted();
  for (const file of files) await warehouse.execute(await readFile(join(demo, "warehouse", file), "utf8"));
  say(`Built in ${warehouse.title}: ${await sizesOf(warehouse)}. Some rows are bad on purpose.`);

  title("2  A HubSpot");
  const seed: unknown = JSON.parse(await readFile(join(demo, "hubspot.json"), "utf8"));
  const sandbox = stack.adopt(await face.serveSandbox("hubspot", { port: 0, limits: true, seed }), (one) =>
    one.close(),
  );
  say(`A sandbox with HubSpot's fields, limits and errors listens on ${sandbox.url}. It is empty.`);
  const variables = { HUBSPOT_TOKEN: "demo-token", HUBSPOT_URL: sandbox.url, ...warehouse.variables };
  const { operations } = stack.use(await face.openSession({ folder: place, url: undefined, variables }));

  title("3  The first runs send everything");
  const first = await runAll(operations, terminal);
  tellContents(sandbox, terminal);

  title("4  Run again: nothing changed, nothing is sent");
  const again = await runAll(operations, terminal);

  title("5  The business changes");
  say(
    "120 accounts pay more, 35 churn, 40 start to pay; 60 people get a new title, 25 a new address, 30 are new; one bad row is mended.",
  );
  await warehouse.execute(await readFile(join(demo, "changes.sql"), "utf8"));

  title("6  What would be sent");
  for (const sync of syncs) tellPlan(await operations.plan(sync, { full: false, limit: 2 }), terminal);

  title("7  Send it");
  const second = await runAll(operations, terminal);
  tellContents(sandbox, terminal);

  title("8  Does it hold?");
  const checks = await verdicts({ operations, sandbox, warehouse, first, again, second });
  for (const { text, holds } of checks)
    say(`${holds ? styled(terminal.stdout, "green", "yes") : styled(terminal.stdout, "red", "NO ")}  ${text}`);
  return checks.every(({ holds }) => holds);
}

async function writeWorkspace(place: string, { source, planner }: DemoOptions): Promise<void> {
  await cp(join(demo, "workspace"), place, { recursive: true });
  const text = await readFile(join(demo, "sources", `${source}.yaml`), "utf8");
  // Beside the models, or in the workspace's own folder where the role may only read.
  const where = planner === "local" ? "{ in: local }" : "{ in: warehouse, schema: sluice }";
  await writeFile(join(place, "warehouse.yaml"), `${text}planner: ${where} # where plan and state live\n`);
}

async function sizesOf(warehouse: OpenWarehouse): Promise<string> {
  const tables = ["marts.account_metrics", "marts.people", "raw.monthly_metrics"];
  const counts = tables.map((table) => `(select count(*) from ${table})`);
  const [sizes = []] = await warehouse.query(`select ${counts.join(", ")}`);
  const [accounts = "", people = "", months = ""] = sizes.map((size) => count(Number(size)));
  return `${accounts} accounts, ${people} people, ${months} monthly metrics`;
}

async function runAll(operations: Operations, terminal: Terminal): Promise<readonly RunView[]> {
  const runs: RunView[] = [];
  for (const sync of syncs) {
    const { run } = await operations.startRun(sync, { kind: "changes", trigger: "demo" });
    const ended = await watch(operations, run, terminal);
    await tellRun(ended, operations, terminal, false);
    runs.push(ended);
  }
  return runs;
}

function tellContents({ sandbox }: ServedSandbox, { stdout }: Terminal): void {
  const { companies = {}, contacts = {}, lists = {} } = sandbox.contents();
  const members = Object.values(lists).flatMap((list) => membersOf(list));
  writeLine(
    stdout,
    `HubSpot now holds ${plural(Object.keys(companies).length, "company", "companies")}, ${plural(Object.keys(contacts).length, "contact")}, and ${count(members.length)} of them on a list.`,
  );
}

function membersOf(list: unknown): readonly string[] {
  return typeof list === "object" && list !== null && "members" in list && Array.isArray(list.members)
    ? list.members.map(String)
    : [];
}

interface Evidence {
  readonly operations: Operations;
  readonly sandbox: ServedSandbox;
  readonly warehouse: OpenWarehouse;
  readonly first: readonly RunView[];
  readonly again: readonly RunView[];
  readonly second: readonly RunView[];
}

interface Verdict {
  readonly text: string;
  readonly holds: boolean;
}

async function verdicts({
  operations,
  sandbox,
  warehouse,
  first,
  again,
  second,
}: Evidence): Promise<readonly Verdict[]> {
  const accounted = [...first, ...again, ...second].every(
    (run) => run.accepted + run.rejected + run.invalid + run.in_doubt === total(run),
  );
  const [companies] = second;
  const contents = sandbox.sandbox.contents();
  const paying = (
    await warehouse.query(
      "select distinct account_id from marts.account_metrics where mrr_usd > 0 and account_id is not null",
    )
  ).map(([id]) => String(id));
  const refused = new Set([...(await refusedKeys(operations, first)), ...(await refusedKeys(operations, second))]);
  const there = new Set(Object.values(contents["companies"] ?? {}).map((record) => property(record, "account_id")));
  const missing = paying.filter((id) => !there.has(id));
  return [
    { text: "Every run: accepted + rejected + invalid + in doubt = planned.", holds: accounted },
    {
      text: "The repeated runs planned 0 changes and made 0 requests.",
      holds: again.every((run) => total(run) + run.requests === 0),
    },
    {
      text: `Companies that left the segment were archived: ${companies?.planned?.removed ?? 0}.`,
      holds: companies?.planned?.removed === 35,
    },
    {
      text: `Of ${count(paying.length)} paying accounts, HubSpot lacks ${missing.length}; each is listed in rejections.`,
      holds: missing.every((id) => refused.has(id)) && there.size === paying.length - missing.length,
    },
  ];
}

function total({ planned }: RunView): number {
  return planned === null ? 0 : planned.added + planned.changed + planned.removed + planned.faulty_keys;
}

function property(record: unknown, name: string): string {
  return typeof record === "object" && record !== null && name in record
    ? String((record as Record<string, unknown>)[name])
    : "";
}

async function refusedKeys(operations: Operations, runs: readonly RunView[]): Promise<readonly string[]> {
  const keys: string[] = [];
  for (const { run } of runs) {
    let cursor: string | undefined;
    do {
      const page = await operations.rejections(run, { limit: 500, cursor });
      keys.push(...page.data.map(({ row_key }) => row_key));
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
  }
  return keys;
}
