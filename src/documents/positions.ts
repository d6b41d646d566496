/** Where in a YAML file the parts of a document stand. */
import { isAlias, isMap, isNode, isPair, isScalar, isSeq } from "yaml";
import type { Document, LineCounter, Node, Pair } from "yaml";
import type { Problem } from "./problem.ts";
import type { Path } from "./value-at.ts";

export interface Position {
  readonly line: number;
  readonly column: number;
}

/**
 * Where a problem shows: at an unknown key, at a wrong value, or, for something missing, at the key of what lacks it.
 */
export function positionOf(one: Problem, document: Document, lines: LineCounter): Position {
  const atKey = ["unknown_key", "unsafe_key", "invalid_name", "missing"].includes(one.code);
  return toPosition(offsetOf(one.at, document, atKey), lines);
}

export function toPosition(offset: number, lines: LineCounter): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function offsetOf(at: Path, document: Document, atKey: boolean): number {
  let node = resolved(document.contents, document);
  let offset = startOf(node) ?? document.range?.[0] ?? 0;
  for (const [index, part] of at.entries()) {
    const pair = isMap(node)
      ? node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part))
      : undefined;
    const inner = pair?.value ?? (isSeq(node) ? node.items[Number(part)] : undefined);
    if (pair === undefined && inner === undefined) return offset;
    const isLast = index === at.length - 1;
    const key = pair === undefined ? undefined : startOf(pair.key);
    const value = startOf(inner);
    const wanted = isLast && !atKey ? (value ?? key) : (key ?? value);
    offset = wanted ?? offset;
    node = resolved(inner, document);
  }
  return offset;
}

function startOf(part: unknown): number | undefined {
  if (isPair(part)) return startOf((part satisfies Pair).key);
  return isNode(part) ? part.range?.[0] : undefined;
}

function resolved(part: unknown, document: Document): Node | undefined {
  if (isAlias(part)) return part.resolve(document);
  return isNode(part) ? part : undefined;
}
