/** JSON pointers (RFC 6901): where in an answer something stands. */

/** A pointer: empty for the whole answer, else steps that each begin with a slash. */
export const pointerPattern = /^(?:\/(?:[^~/]|~[01])*)*$/;

/** What stands at a pointer; undefined where nothing does. */
export function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const step of stepsOf(pointer)) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}

/** The steps of pointers that were followed before: a declaration's few are followed for every record. */
const known = new Map<string, readonly string[]>();
const mostKnown = 1000;

function stepsOf(pointer: string): readonly string[] {
  const found = known.get(pointer);
  if (found) return found;
  const steps = pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (known.size >= mostKnown) known.clear();
  known.set(pointer, steps);
  return steps;
}

/** What stands at a pointer as text; undefined for nothing, null, empty text, lists and maps. */
export function textAt(document: unknown, pointer: string): string | undefined {
  return textOf(valueAt(document, pointer));
}

/** A value as text, likewise. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value === "" ? undefined : value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}
