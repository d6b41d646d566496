/** How documents refer to each other, and whether what they refer to is there. */
import { closest } from "../nearest.ts";
import type { Kind } from "./documents.ts";
import { oneOf } from "./explain.ts";
import { problem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { recordAt, valueAt } from "./value-at.ts";
import type { Path } from "./value-at.ts";

/** Any document with a kind and a name; the rest of it may still be wrong. */
export interface NamedDocument {
  readonly kind: Kind;
  readonly name: string;
}

export interface ReferenceProblem<D extends NamedDocument> {
  readonly document: D;
  readonly problem: Problem;
}

const references: Readonly<Record<Kind, readonly { readonly at: Path; readonly to: Kind }[]>> = {
  source: [],
  model: [{ at: ["source"], to: "source" }],
  segment: [{ at: ["model"], to: "model" }],
  destination: [],
  sync: [
    { at: ["from", "model"], to: "model" },
    { at: ["from", "segment"], to: "segment" },
    { at: ["to", "destination"], to: "destination" },
    { at: ["after", "sync"], to: "sync" },
  ],
  trigger: [{ at: ["sync"], to: "sync" }],
  notification: [{ at: ["syncs"], to: "sync" }],
};

/** Every reference among the documents that leads nowhere, and every sync whose segment is of another model. */
export function checkReferences<D extends NamedDocument>(documents: Iterable<D>): ReferenceProblem<D>[] {
  const all = [...documents];
  return all.flatMap((document) => {
    const missing = namesIn(document).flatMap(({ name, at, to }): Problem[] => {
      const names = all.filter((other) => other.kind === to).map((other) => other.name);
      if (names.includes(name)) return [];
      const expected = names.length === 0 ? `a ${to}; there is none yet` : oneOf(names);
      const found = JSON.stringify(name);
      return [
        problem("unknown_reference", at, `there is no ${to} ${found}`, {
          found,
          expected,
          suggestion: closest(name.slice(0, 80), names),
        }),
      ];
    });
    return [...missing, ...foreignSegment(document, all), ...circle(document, all)].map((one) => ({
      document,
      problem: one,
    }));
  });
}

/** Every name by which a document refers to others. What is absent or no name at all is the schema's to report. */
function namesIn(document: NamedDocument): readonly { readonly name: string; readonly at: Path; readonly to: Kind }[] {
  return [...references[document.kind], ...lookupsIn(document)].flatMap(({ at, to }) => {
    const written = valueAt(document, at);
    const places = Array.isArray(written) ? written.map((_, index) => [...at, index]) : [at];
    return places.flatMap((place) => {
      const name = valueAt(document, place);
      return typeof name === "string" && name !== "" ? [{ name, at: place, to }] : [];
    });
  });
}

/** The syncs into which a sync's fields look. */
function lookupsIn(document: NamedDocument): readonly { readonly at: Path; readonly to: Kind }[] {
  if (document.kind !== "sync") return [];
  return Object.keys(recordAt(document, ["fields"])).map((target) => ({
    at: ["fields", target, "lookup"],
    to: "sync",
  }));
}

function foreignSegment(document: NamedDocument, all: readonly NamedDocument[]): Problem[] {
  if (document.kind !== "sync") return [];
  const model = valueAt(document, ["from", "model"]);
  const name = valueAt(document, ["from", "segment"]);
  const segment = all.find((other) => other.kind === "segment" && other.name === name);
  const itsModel = valueAt(segment, ["model"]);
  if (typeof model !== "string" || typeof itsModel !== "string" || itsModel === model) return [];
  // A model that does not exist is reported once, where it is named.
  if (!all.some((other) => other.kind === "model" && other.name === model)) return [];
  const siblings = all.filter((other) => other.kind === "segment" && valueAt(other, ["model"]) === model);
  const expected =
    siblings.length === 0 ? `no segment: "${model}" has none` : oneOf(siblings.map((other) => other.name));
  const message = `the segment "${String(name)}" is of model "${itsModel}", not of "${model}"`;
  return [problem("other_model", ["from", "segment"], message, { found: JSON.stringify(name), expected })];
}

/** A sync that waits, by way of others, for itself. */
function circle(document: NamedDocument, all: readonly NamedDocument[]): Problem[] {
  if (document.kind !== "sync") return [];
  const path = [document.name];
  for (let last: NamedDocument | undefined = document; last !== undefined;) {
    const before = valueAt(last, ["after", "sync"]);
    if (typeof before !== "string") return [];
    path.push(before);
    if (before === document.name) {
      const message = `the syncs wait for each other in a circle: ${path.join(" after ")}`;
      return [problem("cycle", ["after", "sync"], message, { found: JSON.stringify(path[1]) })];
    }
    // A circle that it only leads into is the others' to report.
    if (path.indexOf(before) < path.length - 1) return [];
    last = all.find((other) => other.kind === "sync" && other.name === before);
  }
  return [];
}

/** The documents that refer to the named one, and so would break without it. */
export function dependents<D extends NamedDocument>(documents: Iterable<D>, kind: Kind, name: string): D[] {
  return [...documents].filter((document) =>
    namesIn(document).some((reference) => reference.to === kind && reference.name === name),
  );
}
