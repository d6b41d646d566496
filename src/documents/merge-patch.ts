import { isRecord } from "./value-at.ts";

/** What a JSON merge patch (RFC 7396) makes of a value: null deletes, a map is merged, anything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    // A name such as __proto__ is kept as a key, to be refused with the document.
    const next = value === null ? undefined : mergePatch(Object.hasOwn(result, key) ? result[key] : undefined, value);
    if (next === undefined) delete result[key];
    else Object.defineProperty(result, key, { value: next, enumerable: true, configurable: true, writable: true });
  }
  return result;
}
