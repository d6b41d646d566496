/** The documents of the store, as the rest works with them. */
import { collect, type Documents, type WorkspaceDocument, listOf } from "../documents/documents.ts";
import { checkDocument } from "../documents/parse.ts";
import { InvalidDocument } from "../documents/problem.ts";
import { parseDocuments } from "../documents/together.ts";
import type { ApplyView } from "./operations.ts";
import type { Service } from "./service.ts";

/** All documents that the store holds. */
export async function storedDocuments({ store, registry }: Service): Promise<Documents> {
  const stored = await store.documents.list();
  const read = await Promise.all(
    stored.map(async ({ body }): Promise<WorkspaceDocument> => {
      const checked = await checkDocument(body, registry);
      if (!checked.ok) throw new InvalidDocument(checked.problems);
      return checked.value;
    }),
  );
  return collect(read);
}

/**
 * Makes the store hold these documents, all or nothing. With `prune` it holds no others; without, they are checked
 * together with those that stay.
 */
export async function applyDocuments(
  written: readonly unknown[],
  { prune, dryRun }: { prune: boolean; dryRun: boolean },
  service: Service,
): Promise<ApplyView> {
  const kept = prune ? [] : listOf(await storedDocuments(service));
  const given = new Set(written.map(identityOf));
  const staying = kept.filter((document) => !given.has(identityOf(document)));
  // Those that were written come first: problems say which of them by its number.
  const documents = await parseDocuments([...written, ...staying], service.registry);
  const all = listOf(documents).filter((document) => given.has(identityOf(document)));
  const { changes, unchanged } = await service.store.documents.replace(
    all.map((document) => ({ kind: document.kind, name: document.name, body: { ...document } })),
    { prune, dryRun },
  );
  return { changes, unchanged, dry_run: dryRun };
}

function identityOf(document: unknown): string {
  if (typeof document !== "object" || document === null) return "";
  const { kind, name } = document as { kind?: unknown; name?: unknown };
  return `${String(kind)} ${String(name)}`;
}
