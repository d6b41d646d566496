/** The part of JSONPath (RFC 9535) that names rows in a payload: names, indexes and wildcards. It runs no code. */

type Step = { readonly name: string } | { readonly index: number } | "every";

const step = /\.([A-Za-z_][\w-]*)|\.\*|\[\*\]|\[(-?\d{1,9})\]|\['((?:[^'\\]|\\['\\])*)'\]|\["((?:[^"\\]|\\["\\])*)"\]/y;

/** The steps of a path such as `$.objects[*].id`; null when it is not one. */
export function parseJsonPath(path: string): readonly Step[] | null {
  if (!path.startsWith("$") || path.length > 500) return null;
  const steps: Step[] = [];
  step.lastIndex = 1;
  while (step.lastIndex < path.length) {
    const [whole, plain, index, single, double] = step.exec(path) ?? [];
    if (whole === undefined) return null;
    const name = plain ?? (single ?? double)?.replaceAll(/\\(.)/g, "$1");
    if (name !== undefined) steps.push({ name });
    else steps.push(index === undefined ? "every" : { index: Number(index) });
  }
  return steps;
}

/** Everything that a path finds, in order. Only a value's own members are looked at. */
export function valuesAt(path: string, value: unknown): readonly unknown[] {
  return (parseJsonPath(path) ?? []).reduce<readonly unknown[]>(
    (found, one) => found.flatMap((each) => take(one, each)),
    [value],
  );
}

function take(one: Step, value: unknown): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [];
  if (one === "every") return Object.values(value);
  if ("name" in one) {
    if (Array.isArray(value) || !Object.hasOwn(value, one.name)) return [];
    return [Reflect.get(value, one.name)];
  }
  const item: unknown = Array.isArray(value) ? value.at(one.index) : undefined;
  return item === undefined ? [] : [item];
}
