/** How documents differ, as people are shown it. */
import { isDeepStrictEqual } from "node:util";
import type { Kind } from "../documents/documents.ts";
import type { literalSecrets } from "../documents/secrets.ts";
import { withoutSecrets } from "../documents/secrets.ts";
import { isRecord } from "../documents/value-at.ts";
import type { DocumentBody } from "../store/documents.ts";
import type { DocumentVersionView } from "./schemas.ts";
import type { Service } from "./service.ts";

/** The schema of a document's connection; null where it has none. */
export async function connectionSchema(
  kind: Kind,
  { type }: DocumentBody,
  { registry }: Service,
): Promise<Parameters<typeof literalSecrets>[1] | null> {
  if (typeof type !== "string") return null;
  if (kind === "source") return (await registry.loadWarehouse(type)).connection;
  return kind === "destination" ? (await registry.loadDestination(type)).connection : null;
}

/** A document as it may be shown: without secrets that were written out. */
export async function masked(kind: Kind, body: DocumentBody, service: Service): Promise<DocumentBody> {
  const schema = await connectionSchema(kind, body, service).catch(() => null);
  const { connection } = body;
  if (schema === null || !isRecord(connection)) return body;
  return { ...body, connection: withoutSecrets(connection as Parameters<typeof withoutSecrets>[0], schema) };
}

/** Where two documents differ, as deep as both are maps, by JSON pointer; null stands for what is not there. */
export function documentChanges(before: unknown, after: unknown): DocumentVersionView["changes"] {
  return differences(before, after, "");
}

function differences(before: unknown, after: unknown, at: string): DocumentVersionView["changes"] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isRecord(before) || !isRecord(after)) return [{ pointer: at, before: before ?? null, after: after ?? null }];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  // A document's own kind and name never change.
  if (at === "") for (const key of ["kind", "name"]) keys.delete(key);
  return [...keys].flatMap((key) =>
    differences(before[key], after[key], `${at}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`),
  );
}
