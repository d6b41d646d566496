/** The one form of SOQL that the sandbox reads: `SELECT a, b FROM object WHERE field IN ('…', …)`. */
import type { SandboxResponse } from "../../../src/sandbox.ts";
import type { ObjectStore } from "./objects.ts";

export function select(soql: string, objects: ReadonlyMap<string, ObjectStore>): SandboxResponse {
  const parts = /^SELECT ([\w, ]+) FROM (\w+) WHERE (\w+) IN \((.*)\)$/s.exec(soql);
  const object = objects.get((parts?.[2] ?? "").toLowerCase());
  if (!parts || !object) return { status: 400, body: [{ errorCode: "MALFORMED_QUERY", message: "unexpected token" }] };
  const [, columns = "", , field = "", list = ""] = parts;
  const values = [...list.matchAll(/'((?:[^'\\]|\\.)*)'|(-?[\d.]+)/gs)].map(([, quoted, number]) =>
    (quoted ?? number ?? "").replaceAll(/\\(.)/gs, (_, one: string) => ({ n: "\n", r: "\r" })[one] ?? one),
  );
  const ids = new Set(values.flatMap((value) => object.find(field, value)));
  const records = [...ids].map((id) =>
    Object.fromEntries(columns.split(", ").map((name) => [name, object.records.get(id)?.[name] ?? null])),
  );
  return { status: 200, body: { totalSize: records.length, done: true, records } };
}
