/** The planner's protocol over tables in memory, with a row's cells as its fingerprint, so that state can be read. */
import { WarehouseError } from "../../src/errors.ts";
import type {
  BackOff,
  Cell,
  OutcomeRow,
  PlanCounts,
  PlannedChange,
  Planner,
  PlanRequest,
  ReadOptions,
  RunRef,
  StateRow,
} from "../../src/warehouse.ts";
import type { Model, Person } from "./model.ts";

export interface KeptRow {
  readonly fingerprint: string | null;
  readonly recordHash: string | null;
  readonly destinationId: string | null;
  readonly match: readonly Cell[];
  readonly runId: string;
}

interface PlanRow extends Omit<PlannedChange, "seq"> {
  readonly fingerprint: string | null;
  readonly match: readonly Cell[];
}

interface Waiting {
  readonly attempts: number;
  readonly nextAt: number;
}

/** What the warehouse keeps of one sync; shared by all workers. */
export class PlannerTables {
  readonly state = new Map<string, KeptRow>();
  readonly failed = new Map<string, Waiting>();
  readonly runs = new Map<string, { fence: number; status: "open" | "committed" | "discarded" }>();
  plan: { readonly run: string; readonly rows: readonly (PlanRow & { seq: number })[] } | null = null;
  outcomes: (OutcomeRow & { readonly run: string; readonly fence: number })[] = [];
}

const kinds = ["removed", "null_key", "duplicate_key", "duplicate_match", "changed", "added"] as const;

export class SimulatedPlanner implements Planner {
  readonly shared = true;
  readonly #tables: PlannerTables;
  readonly #model: Model;

  constructor(tables: PlannerTables, model: Model) {
    this.#tables = tables;
    this.#model = model;
  }

  async plan(request: PlanRequest): Promise<PlanCounts> {
    const { run, now } = request;
    const tables = this.#tables;
    for (const [id, { fence, status }] of tables.runs)
      if (status === "open" && (id !== run.id || fence > run.fence))
        throw new WarehouseError("plan_open", "a plan is open");
    const compared = this.#compare(request).toSorted(
      (a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || (a.rowKey < b.rowKey ? -1 : 1),
    );
    const waits = (row: PlanRow): boolean =>
      request.scope !== "full" && !row.named && (tables.failed.get(failedKey(row))?.nextAt ?? 0) > now.getTime();
    const rows = compared.filter((row) => !waits(row)).map((row, index) => ({ ...row, seq: index + 1 }));
    const { people } = this.#model;
    const keys = new Set((request.keys ?? []).map(([key = ""]) => key));
    const isRead = ({ key }: Person): boolean => request.scope !== "keys" || (key !== null && keys.has(key));
    const notFound = [...keys].filter((key) => !tables.state.has(key) && !people.some((one) => one.key === key)).length;
    const stateRows = tables.state.size;
    tables.plan = { run: run.id, rows };
    tables.outcomes = [];
    tables.runs.set(run.id, { fence: run.fence, status: "open" });
    const count = (kind: string): number => rows.filter((row) => row.kind === kind).length;
    const modelRows = people.filter(isRead).length;
    return {
      added: count("added"),
      changed: count("changed"),
      removed: count("removed"),
      nullKeys: count("null_key"),
      duplicateKeys: count("duplicate_key"),
      duplicateMatches: count("duplicate_match"),
      unchanged: modelRows - compared.filter(({ kind }) => kind !== "removed").length,
      waiting: compared.length - rows.length,
      modelRows,
      stateRows,
      notFound: request.scope === "full" ? 0 : notFound,
    };
  }

  #compare(request: PlanRequest): readonly PlanRow[] {
    const { salt, columns, removals, scope } = request;
    const named = new Set((request.keys ?? []).map(([key = ""]) => key));
    const isAsked = (key: string | null): boolean => scope !== "keys" || (key !== null && named.has(key));
    const people = this.#model.people;
    const copies = (of: (person: Person) => string | null): Map<string | null, number> => {
      const counts = new Map<string | null, number>();
      for (const person of people) counts.set(of(person), (counts.get(of(person)) ?? 0) + 1);
      return counts;
    };
    const [keys, emails] = [copies(({ key }) => key), copies(({ email }) => email)];
    const rows = people.flatMap((person): readonly PlanRow[] => {
      if (!isAsked(person.key)) return [];
      const isNamed = person.key !== null && named.has(person.key);
      const cells = columns.map(({ name }) => cellOf(person, name));
      const fingerprint = JSON.stringify({
        salt,
        ...Object.fromEntries(columns.map(({ name }, index) => [name, cells[index]])),
      });
      const before = person.key === null ? undefined : this.#tables.state.get(person.key);
      const kind = faultOf(person, keys, emails) ?? (before ? "changed" : "added");
      if (scope !== "full" && !isNamed && kind === "changed" && before?.fingerprint === fingerprint) return [];
      const rowKey = person.key ?? `null key ${fingerprint}`;
      return [
        {
          kind,
          rowKey,
          cells,
          known: knownOf(before),
          named: isNamed,
          reclaimed: false,
          fingerprint,
          match: [person.email],
        },
      ];
    });
    if (!removals) return rows;
    const gone = [...this.#tables.state].filter(([key]) => !keys.has(key) && isAsked(key));
    return [
      ...gone.map(([rowKey, before]): PlanRow => {
        const reclaimed = emails.has(before.match[0] ?? null);
        return {
          kind: "removed",
          rowKey,
          cells: null,
          known: knownOf(before),
          named: named.has(rowKey),
          reclaimed,
          fingerprint: null,
          match: [],
        };
      }),
      ...rows,
    ];
  }

  async *read(
    run: RunRef,
    { pageRows, afterSeq = 0, limit = Infinity }: ReadOptions,
  ): AsyncIterable<readonly PlannedChange[]> {
    const rows = this.#planOf(run).filter(({ seq }) => seq > afterSeq && seq <= afterSeq + limit);
    for (let from = 0; from < rows.length; from += pageRows)
      yield rows.slice(from, from + pageRows).map(({ seq, kind, rowKey, cells, known, named, reclaimed }) => ({
        seq,
        kind,
        rowKey,
        cells,
        known,
        named,
        reclaimed,
      }));
  }

  async record(
    run: RunRef,
    pages: AsyncIterable<readonly OutcomeRow[]> | Iterable<readonly OutcomeRow[]>,
  ): Promise<void> {
    const gathered: OutcomeRow[] = [];
    for await (const page of pages) gathered.push(...page);
    const open = this.#tables.runs.get(run.id);
    if (open?.status !== "open" || open.fence !== run.fence) return;
    this.#tables.outcomes.push(...gathered.map((outcome) => ({ ...outcome, run: run.id, fence: run.fence })));
  }

  async commit(
    run: RunRef,
    { now, backOff }: { now: Date; backOff: BackOff },
  ): Promise<"committed" | "already_done" | "fenced"> {
    const { runs, outcomes } = this.#tables;
    const known = runs.get(run.id);
    if (known?.status === "committed") return "already_done";
    if (known?.status !== "open" || known.fence !== run.fence) return "fenced";
    const latest = new Map(outcomes.filter((one) => one.run === run.id).map((one) => [one.seq, one]));
    const plan = this.#planOf(run);
    for (const row of plan.filter(({ reclaimed }) => !reclaimed))
      this.#settle(row, latest.get(row.seq), run.id, { now, backOff });
    for (const row of plan.filter(({ reclaimed }) => reclaimed))
      if (this.#isHeldByAnother(row)) this.#tables.state.delete(row.rowKey);
    runs.set(run.id, { fence: run.fence, status: "committed" });
    this.#clear();
    return "committed";
  }

  /** Whether the record of a row that left is another row's now. */
  #isHeldByAnother({ rowKey, known }: PlanRow): boolean {
    return [...this.#tables.state].some(
      ([key, { fingerprint, match }]) => key !== rowKey && fingerprint !== null && match[0] === known?.match[0],
    );
  }

  #settle(
    row: PlanRow,
    outcome: OutcomeRow | undefined,
    runId: string,
    { now, backOff }: { now: Date; backOff: BackOff },
  ): void {
    const { state, failed } = this.#tables;
    const before = state.get(row.rowKey);
    const isChange = row.kind === "added" || row.kind === "changed" || row.kind === "removed";
    const key = failedKey(row);
    if (outcome?.kind === "rejected" || outcome?.kind === "invalid") {
      const attempts = failed.get(key)?.attempts ?? 0;
      const wait = Math.min(backOff.maxMs, backOff.firstMs * 2 ** Math.min(attempts, 40));
      failed.set(key, { attempts: attempts + 1, nextAt: now.getTime() + wait });
    }
    if (!isChange) return;
    if (outcome?.kind === "accepted" && row.kind === "removed") state.delete(row.rowKey);
    else if (outcome?.kind === "accepted")
      state.set(row.rowKey, {
        fingerprint: row.fingerprint,
        recordHash: outcome.recordHash ?? null,
        destinationId: outcome.destinationId ?? before?.destinationId ?? null,
        match: row.match,
        runId,
      });
    else if (outcome?.kind === "in_doubt" && before)
      state.set(row.rowKey, { ...before, fingerprint: null, recordHash: null, runId });
    else if (outcome?.kind === "in_doubt" && row.kind !== "removed")
      state.set(row.rowKey, { fingerprint: null, recordHash: null, destinationId: null, match: row.match, runId });
    if (outcome?.kind === "accepted" || outcome?.kind === "in_doubt") failed.delete(key);
  }

  async openRuns(): Promise<readonly RunRef[]> {
    return [...this.#tables.runs]
      .filter(([, { status }]) => status === "open")
      .map(([id, { fence }]) => ({ id, fence }));
  }

  async takeOver(run: RunRef): Promise<boolean> {
    const known = this.#tables.runs.get(run.id);
    if (known?.status !== "open" || known.fence >= run.fence) return false;
    known.fence = run.fence;
    return true;
  }

  async discard(run: RunRef): Promise<void> {
    const known = this.#tables.runs.get(run.id);
    if (known?.status !== "open" || known.fence > run.fence) return;
    known.status = "discarded";
    this.#clear();
  }

  async *state(): AsyncIterable<readonly StateRow[]> {
    yield [...this.#tables.state].map(([rowKey, { fingerprint, ...row }]) => ({
      rowKey,
      inDoubt: fingerprint === null,
      ...row,
    }));
  }

  async drop(): Promise<void> {
    this.#tables.state.clear();
    this.#tables.failed.clear();
    this.#tables.runs.clear();
    this.#clear();
  }

  #planOf({ id }: RunRef): readonly (PlanRow & { seq: number })[] {
    const { plan } = this.#tables;
    if (plan?.run !== id) throw new WarehouseError("plan_gone", "the plan is gone");
    return plan.rows;
  }

  #clear(): void {
    this.#tables.plan = null;
    this.#tables.outcomes = [];
  }
}

function faultOf(
  { key, email }: Person,
  keys: ReadonlyMap<string | null, number>,
  emails: ReadonlyMap<string | null, number>,
): "null_key" | "duplicate_key" | "duplicate_match" | undefined {
  if (key === null) return "null_key";
  if ((keys.get(key) ?? 0) > 1) return "duplicate_key";
  return email !== null && (emails.get(email) ?? 0) > 1 ? "duplicate_match" : undefined;
}

function cellOf(person: Person, name: string): Cell {
  switch (name) {
    case "key":
      return person.key;
    case "email":
      return person.email;
    case "name":
      return person.name;
    default:
      return String(person.version);
  }
}

function knownOf(before: KeptRow | undefined): PlannedChange["known"] {
  return before ? { recordHash: before.recordHash, destinationId: before.destinationId, match: before.match } : null;
}

function failedKey({ rowKey, kind, fingerprint }: PlanRow): string {
  return JSON.stringify([rowKey, kind, fingerprint]);
}
