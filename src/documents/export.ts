import { stringify } from "yaml";
import { schemas } from "./documents.ts";
import type { NamedDocument } from "./references.ts";

/** A document as YAML, its settings always in the same order, ready to be one of several in a file. */
export function toYaml(document: NamedDocument): string {
  // The schema puts settings in its own order, whatever order a database gave them.
  const ordered: unknown = schemas[document.kind].parse(document);
  return stringify(ordered, { version: "1.2", lineWidth: 100, aliasDuplicateObjects: false });
}
