/** JSON pointers (RFC 6901): where in an answer something stands. */

/** A pointer: empty for the whole answer, else steps that each begin with a slash. */
export const pointerPattern = /^(?:\/(?:[^~/]|~[01])*)*$/;

/** What stands at a pointer; undefined where nothing does. */
export function valueAt(document: unknown, pointer: string): unknown {
  const steps = pointer.split("/").slice(1);
  return steps.reduce<unknown>((value, step) => {
    if (typeof value !== "object" || value === null) return undefined;
    const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
    return Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
  }, document);
}

/** What stands at a pointer as text; undefined for nothing, null, empty text, lists and maps. */
export function textAt(document: unknown, pointer: string): string | undefined {
  const value = valueAt(document, pointer);
  if (typeof value === "string") return value === "" ? undefined : value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}
