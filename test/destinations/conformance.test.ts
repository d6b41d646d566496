import { describe, expect, test } from "vitest";
import { type Connection, DestinationError, type Outcome } from "../../src/destination.ts";
import { openRegistry } from "../../src/registry.ts";
import { checks, keepsRenamed } from "./checks.ts";
import { conformance } from "./conformance.ts";
import { type DestinationFixture, openPlace } from "./place.ts";

const registry = await openRegistry();

for (const folder of registry.destinationTypes()) {
  const { default: fixture } = (await import(`./${folder}.fixture.ts`)) as { default: DestinationFixture };
  const adapter = await registry.loadDestination(folder);
  conformance({ folder, adapter, createSandbox: await registry.loadSandbox(folder), fixture });
}

/** A connection whose answers to a write are changed. */
function answering(change: (outcomes: readonly Outcome[]) => readonly Outcome[]): Spoil {
  return (connection) => ({
    ...sound(connection),
    write: async (batch, signal) => change(await connection.write(batch, signal)),
  });
}

/** A connection whose failures are changed. */
function failing(change: (error: DestinationError, secrets: readonly string[]) => DestinationError): Spoil {
  return (connection, secrets) => {
    const spoilt = (error: unknown): never => {
      throw error instanceof DestinationError ? change(error, secrets) : error;
    };
    return {
      ...sound(connection),
      check: (signal) => connection.check(signal).catch(spoilt),
      write: (batch, signal) => connection.write(batch, signal).catch(spoilt),
    };
  };
}

function sound(connection: Connection): Connection {
  return {
    check: (signal) => connection.check(signal),
    objects: (signal) => connection.objects(signal),
    describe: (object, settings, signal) => connection.describe(object, settings, signal),
    write: (batch, signal) => connection.write(batch, signal),
    ignoresCase: (object, settings, field) => connection.ignoresCase?.(object, settings, field) ?? false,
  };
}

type Spoil = (connection: Connection, secrets: readonly string[]) => Connection;

const accepted = ({ seq }: { readonly seq: number }): Outcome => ({ seq, kind: "accepted" });
const again = ({ message }: DestinationError, detail: Partial<DestinationError>): DestinationError =>
  new DestinationError(detail.kind ?? "refused", message, { code: "code", applied: detail.applied ?? "no" });

/** Defects that an adapter could have, and the promise that each breaks. */
const defects: readonly (readonly [defect: string, broken: string, spoil: Spoil])[] = [
  [
    "outcomes by position",
    "an answer in another order is understood",
    answering((outcomes) => outcomes.map((outcome, at) => ({ ...(outcomes[at + 1] ?? outcome), seq: outcome.seq }))),
  ],
  [
    "ids by position",
    "a full batch is written, exactly it",
    answering((outcomes) => {
      const ids = outcomes.map((outcome) => (outcome.kind === "accepted" ? outcome.destinationId : undefined));
      return outcomes.map((outcome, at) =>
        outcome.kind === "accepted" ? { ...outcome, destinationId: ids.at(at - 1) } : outcome,
      );
    }),
  ],
  [
    "ids kept to itself",
    keepsRenamed,
    answering((all) => all.map((one) => (one.kind === "accepted" ? accepted(one) : one))),
  ],
  ["all accepted", "a bad record is rejected alone, wherever it stands", answering((all) => all.map(accepted))],
  ["outcomes dropped", "a full batch is written, exactly it", answering((outcomes) => outcomes.slice(1))],
  [
    "silence taken for success",
    "an answer that says nothing leaves all in doubt",
    answering((outcomes) => outcomes.map((one) => (one.kind === "in_doubt" ? accepted(one) : one))),
  ],
  [
    "half an answer taken for the whole",
    "what an answer leaves out is in doubt",
    answering((outcomes) => outcomes.map((one) => (one.kind === "in_doubt" ? accepted(one) : one))),
  ],
  [
    "doubt taken for refusal",
    "what an answer leaves out is in doubt",
    answering((outcomes) =>
      outcomes.map((one) => (one.kind === "in_doubt" ? { ...one, kind: "rejected", code: "UNKNOWN" } : one)),
    ),
  ],
  [
    "errors swallowed",
    "a destination that fails may have applied the batch",
    (connection) => ({
      ...sound(connection),
      write: (batch, signal) => connection.write(batch, signal).catch(() => batch.changes.map(accepted)),
    }),
  ],
  [
    "a secret in an error",
    "no error and no rejection tells a secret",
    failing((error, secrets) => new DestinationError(error.kind, `with ${secrets.join()}`, error)),
  ],
  [
    "a secret in the cause of an error",
    "no error and no rejection tells a secret",
    failing(
      ({ kind, code, applied }, secrets) =>
        new DestinationError(kind, "failed", { code, applied, cause: new Error(secrets.join()) }),
    ),
  ],
  [
    "a limit taken for a failure",
    "a limit is busy, with the wait that was asked for",
    failing((error) => again(error, { kind: "unavailable" })),
  ],
  [
    "certainty where there is none",
    "a destination that fails may have applied the batch",
    failing((error) => again(error, { kind: error.kind })),
  ],
  [
    "doubt where there is none",
    "a destination that is not there has applied nothing",
    failing((error) => again(error, { kind: error.kind, applied: "unknown" })),
  ],
  [
    "a check that never looks",
    "a refused credential is unauthorized",
    (connection) => ({ ...sound(connection), check: async () => ({ account: "ours" }) }),
  ],
  [
    "a signal ignored",
    "who stops waits for no answer",
    (connection) => ({ ...sound(connection), write: (batch) => connection.write(batch) }),
  ],
  [
    "a record left out and called accepted",
    "a full batch is written, exactly it",
    (connection) => ({
      ...sound(connection),
      write: async ({ changes, ...batch }, signal) => {
        await connection.write({ ...batch, changes: changes.slice(1) }, signal);
        return changes.map(accepted);
      },
    }),
  ],
  [
    "a removal that does nothing",
    "every removal that it declares works, with and without an id, and again",
    (connection) => ({
      ...sound(connection),
      write: async (batch, signal) =>
        batch.operation === "archive" ? batch.changes.map(accepted) : connection.write(batch, signal),
    }),
  ],
];

/** Those that a protocol can have that refuses whole batches, has no answers to spoil, and no archives. */
const anywhere = defects.filter(([defect]) =>
  [
    "outcomes dropped",
    "errors swallowed",
    "a secret in an error",
    "a limit taken for a failure",
    "certainty where there is none",
    "doubt where there is none",
    "a check that never looks",
    "a signal ignored",
    "a record left out and called accepted",
  ].includes(defect),
);

describe.each([
  ["hubspot", defects],
  ["postgres", anywhere],
] as const)("the suite finds a planted defect, of %s:", async (folder, planted) => {
  const { default: fixture } = (await import(`./${folder}.fixture.ts`)) as { default: DestinationFixture };
  const adapter = await registry.loadDestination(folder);
  const createSandbox = await registry.loadSandbox(folder);
  const [object] = fixture.objects;
  test.each(planted)("%s", async (_defect, broken, spoil) => {
    if (!object) throw new Error("the fixture has no object");
    await using place = await openPlace({ adapter, createSandbox, fixture, object, spoil });
    await expect(checks[broken]?.(place)).rejects.toThrow();
  });
});
