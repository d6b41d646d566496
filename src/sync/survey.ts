/**
 * Looks through a plan before anything of it is sent: what really goes out, in how many requests, what would be
 * invalid, and, where values are kept, which fields change.
 */
import type { ObjectDescription } from "../destination.ts";
import type { KeptRecords, PlannedChange } from "../warehouse.ts";
import { Batcher } from "./batch.ts";
import { type FieldChange, fieldChanges } from "./differences.ts";
import type { InvalidRow, RowMapper } from "./map.ts";
import type { RunKind, SyncSpec, When } from "./ports.ts";
import { conditionalFields } from "./when.ts";
import { parseRecord } from "./kept-record.ts";
import { type Sorted, whatToSend } from "./sort.ts";

export interface Surveyed {
  readonly spec: SyncSpec;
  readonly kind: RunKind;
  readonly object: ObjectDescription;
  readonly map: RowMapper;
  /** Null where the sync keeps no values. */
  readonly records: KeptRecords | null;
}

/** Why rows will not be sent. */
export interface InvalidCause {
  readonly code: string;
  readonly field: string | null;
  /** Of one of them. */
  readonly message: string;
  readonly count: number;
}

/** One change of the plan: what becomes of it, and which fields change where the old values are known. */
export interface LookedAt {
  readonly planned: PlannedChange;
  readonly becomes: "sent" | "already there" | "invalid";
  readonly changes: readonly FieldChange[] | null;
}

export class Survey {
  readonly #surveyed: Surveyed;
  readonly #batcher: Batcher;
  readonly #conditional: ReadonlyMap<string, When>;
  readonly #causes = new Map<string, InvalidCause>();
  readonly #fields = new Map<string, number>();
  /** Changes that go out. */
  toSend = 0;
  /** Of these, records that the destination has in another form. */
  changed = 0;
  alreadyThere = 0;
  invalid = 0;
  requests = 0;

  constructor(surveyed: Surveyed) {
    this.#surveyed = surveyed;
    this.#conditional = conditionalFields(surveyed.spec);
    this.#batcher = new Batcher(surveyed.object.batch);
  }

  /** Looks at a page of the plan. */
  async add(page: readonly PlannedChange[]): Promise<readonly LookedAt[]> {
    const kept = await this.#keptOf(page);
    return page.map((planned) => {
      const sorted = whatToSend(this.#surveyed, planned);
      if ("invalid" in sorted) this.#countInvalid(sorted.invalid);
      else if ("already" in sorted) this.alreadyThere += 1;
      else return { planned, becomes: "sent", changes: this.#send(planned, sorted, kept.get(planned.rowKey)) };
      return { planned, becomes: "invalid" in sorted ? "invalid" : "already there", changes: null };
    });
  }

  /** After the last page. */
  end(): void {
    if (this.#batcher.take()) this.requests += 1;
  }

  /** Most first. */
  get causes(): readonly InvalidCause[] {
    return [...this.#causes.values()].toSorted((one, other) => other.count - one.count);
  }

  /** How many records change each field, most first; of the records whose old values are known. */
  get fields(): readonly { readonly field: string; readonly changed: number }[] {
    return [...this.#fields]
      .map(([field, changed]) => ({ field, changed }))
      .toSorted((one, other) => other.changed - one.changed);
  }

  #send(
    { kind }: PlannedChange,
    { operation, sendable }: Extract<Sorted, { readonly sendable: unknown }>,
    before: string | undefined,
  ): readonly FieldChange[] | null {
    this.toSend += 1;
    if (kind === "changed") this.changed += 1;
    if (this.#batcher.add(operation, sendable)) this.requests += 1;
    if (kind !== "changed" || before === undefined) return null;
    const always = Object.entries(sendable.change.record).filter(([field]) => !this.#conditional.has(field));
    const changes = fieldChanges(parseRecord(before).record, Object.fromEntries(always));
    for (const { field } of changes) this.#fields.set(field, (this.#fields.get(field) ?? 0) + 1);
    return changes;
  }

  async #keptOf(page: readonly PlannedChange[]): Promise<ReadonlyMap<string, string>> {
    const { records } = this.#surveyed;
    const rowKeys = page.filter(({ kind }) => kind === "changed").map(({ rowKey }) => rowKey);
    return records === null || rowKeys.length === 0 ? new Map() : await records.find(rowKeys);
  }

  #countInvalid({ code, field: at, message }: InvalidRow): void {
    const field = at ?? null;
    const name = JSON.stringify([code, field]);
    const count = (this.#causes.get(name)?.count ?? 0) + 1;
    this.invalid += 1;
    this.#causes.set(name, { code, field, message, count });
  }
}
