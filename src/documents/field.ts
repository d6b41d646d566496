/** Which kind of mapping a field's mapping is, and whether its options are right. */
import { InvalidMapping } from "../mapping.ts";
import { requiredKeys } from "../registry.ts";
import type { AnyMappingKind, MappingKinds } from "../registry.ts";
import type { When, WhenNull } from "../sync/ports.ts";
import { check, oneOf, unknownKey } from "./explain.ts";
import type { Checked } from "./explain.ts";
import { problem } from "./problem.ts";
import { when, whenNull } from "./sync.ts";
import { isRecord } from "./value-at.ts";
import type { Path } from "./value-at.ts";

/** A field's mapping, read: its kind, the kind's options, and what becomes of null. */
export interface FieldMapping {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly whenNull: WhenNull;
  readonly when: When | "always";
  /** The model columns that it reads. */
  readonly columns: readonly string[];
}

/** Reads one field's mapping as a document writes it; a text alone is the name of a column. */
export function readField(written: unknown, kinds: MappingKinds, at: Path = []): Checked<FieldMapping> {
  const {
    when_null: nulls,
    when: writtenWhen,
    ...given
  }: Record<string, unknown> = isRecord(written) ? written : { column: written };
  const kind = kindOf(given, kinds, at);
  if (!kind.ok) return kind;
  const options = check(kind.value.options.strict(), given, at);
  if (!options.ok) return options;
  const nullRule = check(whenNull.default(kind.value.whenNull ?? "clear"), nulls, [...at, "when_null"]);
  if (!nullRule.ok) return nullRule;
  const whenRule = check(when.default("always"), writtenWhen, [...at, "when"]);
  if (!whenRule.ok) return whenRule;
  try {
    const columns = kind.value.columns(options.value);
    const { name } = kind.value;
    const rules = { whenNull: nullRule.value, when: whenRule.value };
    return { ok: true, value: { kind: name, options: options.value, ...rules, columns } };
  } catch (error) {
    if (!(error instanceof InvalidMapping)) throw error;
    return { ok: false, problems: [problem("invalid_mapping", at, error.message)] };
  }
}

/** A mapping is of the kind whose required keys it has. */
function kindOf(given: Readonly<Record<string, unknown>>, kinds: MappingKinds, at: Path): Checked<AnyMappingKind> {
  const all = [...kinds.values()];
  const complete = all.filter((kind) => requiredKeys(kind).every((key) => Object.hasOwn(given, key)));
  // Of two kinds whose required keys are there, one may only ask for more than the other: { lookup, column } and { column }.
  const most = Math.max(...complete.map((kind) => requiredKeys(kind).length));
  const [kind, other] = complete.filter((one) => requiredKeys(one).length === most);
  if (kind !== undefined && other === undefined) return { ok: true, value: kind };
  const starts = all.flatMap((one) => requiredKeys(one).slice(0, 1));
  if (kind !== undefined && other !== undefined) {
    const message = `the field is mapped twice, as ${kind.name} and as ${other.name}`;
    return { ok: false, problems: [problem("conflict", at, message, { expected: oneOf(starts) })] };
  }
  const begun = all.find((one) => requiredKeys(one).some((key) => Object.hasOwn(given, key)));
  if (begun !== undefined) return { ok: true, value: begun };
  const known = all.flatMap((one) => Object.keys(one.options.shape));
  const stray = Object.keys(given).find((key) => !known.includes(key));
  if (stray !== undefined) return { ok: false, problems: [unknownKey([...at, stray], known, given)] };
  const message = "the mapping does not say where the value comes from";
  return { ok: false, problems: [problem("missing", at, message, { expected: oneOf(starts) })] };
}
