/** Statuses as a declaration writes them. */
import type { Rule } from "./declaration.ts";

type Declared = Rule["status"];

/** Statuses that mean the same for every destination, so no rule is ever asked about them. */
const settled: ReadonlySet<number> = new Set([401, 403, 408, 423, 425, 429, 477]);

/** Whether a status is among those declared. */
export function includes(declared: Declared, status: number): boolean {
  return [declared].flat().some((one) => {
    const [first, last] = rangeOf(one);
    return first <= status && status <= last;
  });
}

/** Whether any answer with a declared status can ever come to a rule. */
export function mayReach(declared: Declared): boolean {
  return [declared].flat().some((one) => {
    const [first, last] = rangeOf(one);
    for (let status = first; status <= last; status += 1)
      if ((status < 300 || status >= 400) && !settled.has(status)) return true;
    return false;
  });
}

function rangeOf(declared: string | number): readonly [number, number] {
  const written = String(declared);
  if (written.endsWith("xx")) return [Number(written[0]) * 100, Number(written[0]) * 100 + 99];
  const [first, last = first] = written.split("-").map(Number);
  return [first ?? 0, last ?? 0];
}
