/** Where in a document: the names and positions that lead there. */
export type Path = readonly (string | number)[];

/** The value at a path of a document as written, or undefined where there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  let here = value;
  for (const part of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, part)) return undefined;
    here = Reflect.get(here, part);
  }
  return here;
}

/** The map at a path of a document as written; an empty one where there is something else. */
export function recordAt(value: unknown, path: Path): Readonly<Record<string, unknown>> {
  const here = valueAt(value, path);
  return isRecord(here) ? here : {};
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
