/** The documents of the store, as the rest works with them. */
import { collect, type Documents, isKind, type WorkspaceDocument, listOf } from "../documents/documents.ts";
import { checkDocument } from "../documents/parse.ts";
import { InvalidDocument } from "../documents/problem.ts";
import { parseDocuments } from "../documents/together.ts";
import { requireMayConnect } from "./connecting.ts";
import { documentChanges, masked } from "./document-changes.ts";
import type { ApplyOptions } from "./operations.ts";
import type { ApplyView } from "./schemas.ts";
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
 * Makes the store hold these documents, all or nothing, as those that are kept in files. With `prune` it holds no others
 * of files; all are checked together with those that stay.
 */
export async function applyDocuments(
  written: readonly unknown[],
  { prune, dryRun, author, scope }: ApplyOptions,
  service: Service,
): Promise<ApplyView> {
  const present = await service.store.documents.list();
  const stored = present.filter(({ managedBy }) => !prune || managedBy !== files);
  const given = new Set(written.map(identityOf));
  const staying = stored.map(({ body }) => body).filter((body) => !given.has(identityOf(body)));
  // Those that were written come first: problems say which of them by its number.
  const documents = await parseDocuments([...written, ...staying], service.registry);
  const all = listOf(documents).filter((document) => given.has(identityOf(document)));
  const bodies = all.map((document) => ({ kind: document.kind, name: document.name, body: { ...document } }));
  await requireMayConnect(bodies, present, { author, scope }, service);
  const { changes, unchanged } = await service.store.documents.replace(bodies, {
    prune,
    dryRun,
    managedBy: files,
    author,
  });
  if (!dryRun)
    for (const { kind, name, change } of changes)
      if (kind === "sync" && change === "deleted") await stopRuns(name, service);
  const told = changes.map(async ({ kind, name, change }) => {
    const before = present.find((one) => one.kind === kind && one.name === name);
    const after = bodies.find((one) => one.kind === kind && one.name === name);
    const settings =
      before && after && isKind(kind)
        ? documentChanges(await masked(kind, before.body, service), await masked(kind, after.body, service))
        : [];
    return { kind, name, change, edited_over_api: before !== undefined && before.managedBy !== files, settings };
  });
  return { changes: await Promise.all(told), unchanged, dry_run: dryRun };
}

/** Nothing more is sent for a sync that is no longer there: its runs are cancelled, the one under way too. */
export async function stopRuns(sync: string, { store }: Pick<Service, "store">): Promise<void> {
  // At most one is under way or held, one waits, and both are among the newest.
  const { data } = await store.runs.list({ sync, limit: 20 });
  for (const run of data) if (run.endedAt === null) await store.runs.requestCancel(run.id);
}

/** The owner of documents that came with `sluice apply`. */
export const files = "files";

function identityOf(document: unknown): string {
  if (typeof document !== "object" || document === null) return "";
  const { kind, name } = document as { kind?: unknown; name?: unknown };
  return `${String(kind)} ${String(name)}`;
}
