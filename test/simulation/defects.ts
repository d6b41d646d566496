/** Defects as other sync services have them, each planted in one port of the engine: the simulation must find every one. */
import { type Batch, DestinationError, type Outcome } from "../../src/destination.ts";
import type { LeaseTerm } from "../../src/sync/lease.ts";
import type { JournalEntry, PartStore, RunEnd, RunIdentity, RunStore } from "../../src/sync/ports.ts";
import type { OutcomePages, OutcomeRow, Planner, RunRef } from "../../src/warehouse.ts";
import type { Defect, Ports } from "./history.ts";

/** A port with some of its methods replaced. */
function but<T extends object>(port: T, changed: Partial<T>): T {
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(name in changed ? changed : target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const inStore = ({ store }: Ports, changed: Partial<RunStore>): Partial<Ports> => ({ store: but(store, changed) });
const inParts = ({ parts }: Ports, changed: Partial<PartStore>): Partial<Ports> => ({ parts: but(parts, changed) });
const inPlanner = ({ planner }: Ports, changed: Partial<Planner>): Partial<Ports> => ({
  planner: but(planner, changed),
});

function inAppend(ports: Ports, change: (entry: JournalEntry) => JournalEntry): Partial<Ports> {
  return inStore(ports, { append: (run, entry) => ports.store.append(run, change(entry)) });
}

function inWrite(
  ports: Ports,
  change: (batch: Batch, answer: readonly Outcome[]) => readonly Outcome[],
): Partial<Ports> {
  const { connection } = ports;
  return {
    connection: but(connection, {
      write: async (batch, signal) => change(batch, await connection.write(batch, signal)),
    }),
  };
}

function onLostAnswer(ports: Ports, answer: (batch: Batch) => readonly Outcome[]): Partial<Ports> {
  const { connection } = ports;
  return {
    connection: but(connection, {
      write: async (batch, signal) => {
        try {
          return await connection.write(batch, signal);
        } catch (error) {
          if (error instanceof DestinationError && error.applied === "unknown") return answer(batch);
          throw error;
        }
      },
    }),
  };
}

function inRecord(ports: Ports, change: (outcome: OutcomeRow) => OutcomeRow | null): Partial<Ports> {
  async function* changed(pages: OutcomePages): AsyncIterable<readonly OutcomeRow[]> {
    for await (const page of pages) yield page.map(change).filter((outcome) => outcome !== null);
  }
  return inPlanner(ports, { record: (run, pages) => ports.planner.record(run, changed(pages)) });
}

const accepted = ({ seq }: { readonly seq: number }): { readonly seq: number; readonly kind: "accepted" } => ({
  seq,
  kind: "accepted",
});
const numbers = ([from, to]: readonly [number, number]): readonly { seq: number }[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ seq: from + index }));

function resumedAsAccepted({ store }: Ports): RunStore["appendLost"] {
  return (lostRunId, by, { outcomes }) =>
    store.appendLost(lostRunId, by, { sending: [], outcomes: outcomes.map(accepted), rejections: [] });
}

export const defects: Readonly<Record<string, Defect>> = {
  "rows are marked as accepted before they are sent": (ports) =>
    inAppend(ports, (entry) => ({
      ...entry,
      outcomes: [...entry.outcomes, ...entry.sending.flatMap(numbers).map(accepted)],
    })),
  "an answer that forgets rows is success": (ports) =>
    inWrite(ports, ({ changes }, answer) => [
      ...answer,
      ...changes.filter(({ seq }) => !answer.some((one) => one.seq === seq)).map(accepted),
    ]),
  "outcomes are told apart by their position": (ports) =>
    inWrite(ports, ({ changes }, answer) =>
      changes.flatMap(({ seq }, index) => (answer[index] ? [{ ...answer[index], seq }] : [])),
    ),
  "a lost answer is success": (ports) => onLostAnswer(ports, ({ changes }) => changes.map(accepted)),
  "a lost answer is a rejection": (ports) =>
    onLostAnswer(ports, ({ changes }) =>
      changes.map(({ seq }) => ({ seq, kind: "rejected", code: "lost", message: "lost" })),
    ),
  "a job that a dead worker waited for is success": (ports) => inStore(ports, { appendLost: resumedAsAccepted(ports) }),
  "nothing is noted before a request goes out": (ports) => inAppend(ports, (entry) => ({ ...entry, sending: [] })),
  "the journal is not read": (ports) => inStore(ports, { journal: () => pagesOf<JournalEntry>() }),
  "the journal goes with every end of a run": (ports) =>
    inStore(ports, { end: (run, end) => ports.store.end(run, end, { keepJournal: false }) }),
  "an end that could not settle forgets the plan": (ports) =>
    inStore(ports, {
      end: (run: RunIdentity, end: RunEnd, options) =>
        ports.store.end(run, options.keepJournal ? { ...end, counts: { ...end.counts, plan: null } } : end, options),
    }),
  "progress is not stored": (ports) => inStore(ports, { progress: () => Promise.resolve() }),
  "counts of a lost run are not known": (ports) => inStore(ports, { counts: () => Promise.resolve(null) }),
  "the store takes any fence": (ports, { store }) => {
    const any = (run: RunIdentity): RunIdentity => ({ ...run, fence: store.fence });
    return inStore(ports, {
      append: (run, entry) => store.append(any(run), entry),
      progress: (run, progress) => store.progress(any(run), progress),
      renew: (run) => store.renew(any(run)),
      end: (run, end, options) => store.end(any(run), end, options),
    });
  },
  "the planner takes any fence": (ports, { tables }) => {
    const any = (run: RunRef): RunRef => ({ ...run, fence: tables.runs.get(run.id)?.fence ?? run.fence });
    return inPlanner(ports, {
      record: (run, pages) => ports.planner.record(any(run), pages),
      commit: (run, options) => ports.planner.commit(any(run), options),
    });
  },
  "a worker that stood still sends what it was about to send": ({ term }) => ({
    term: but(term, { require: () => undefined }) satisfies LeaseTerm,
  }),
  "a change in doubt is forgotten": (ports) =>
    inRecord(ports, (outcome) => (outcome.kind === "in_doubt" ? null : outcome)),
  "a change in doubt is taken for done": (ports) =>
    inRecord(ports, (outcome) => (outcome.kind === "in_doubt" ? { ...outcome, kind: "accepted" } : outcome)),
  "a rejection is taken for done": (ports) =>
    inRecord(ports, (outcome) => (outcome.kind === "rejected" ? { ...outcome, kind: "accepted" } : outcome)),
  "the destination's ids are not kept": (ports) =>
    inRecord(ports, (outcome) => ({ ...outcome, destinationId: undefined })),
  "a run is committed while others send parts of it": (ports) =>
    inParts(ports, { look: async (run) => ({ ...(await ports.parts.look(run)), joined: 0 }) }),
  "parts are begun after the run was stopped": (ports) => inParts(ports, { stop: () => Promise.resolve() }),
  "who has joined notes nothing before a request goes out": (ports) =>
    inParts(ports, { append: (part, entry) => ports.parts.append(part, { ...entry, sending: [] }) }),
  "nobody looks for plans that were left open": (ports) => inPlanner(ports, { openRuns: () => Promise.resolve([]) }),
  "a plan that was left open is thrown away": (ports) =>
    inPlanner(ports, {
      takeOver: async (run) => {
        await ports.planner.discard(run);
        return false;
      },
    }),
  "taking a run over leaves its fence": (ports, { tables }) =>
    inPlanner(ports, { takeOver: (run) => Promise.resolve(tables.runs.get(run.id)?.status === "open") }),
  "a removed row is forgotten when it is planned": (ports, { tables }) =>
    inPlanner(ports, {
      plan: async (request) => {
        const counts = await ports.planner.plan(request);
        for (const { kind, rowKey } of tables.plan?.rows ?? []) if (kind === "removed") tables.state.delete(rowKey);
        return counts;
      },
    }),
  "the last row of a page is left out": (ports) =>
    inPlanner(ports, {
      read: async function* (run, options, signal) {
        for await (const page of ports.planner.read(run, options, signal)) yield page.slice(0, -1);
      },
    }),
};

async function* pagesOf<Page>(): AsyncIterable<Page> {
  // None.
}
