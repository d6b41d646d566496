/** Single documents over REST: read, changed and undone, each change checked with all that refer to it. */
import type { Kind } from "../documents/documents.ts";
import { isKind } from "../documents/documents.ts";
import { mergePatch } from "../documents/merge-patch.ts";
import { parseDocument } from "../documents/parse.ts";
import { InvalidDocument, problem } from "../documents/problem.ts";
import { checkReferences, dependents, type NamedDocument } from "../documents/references.ts";
import { literalSecrets, referenceForms } from "../documents/secrets.ts";
import { ConflictError, NotFoundError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { DocumentBody, StoredDocument } from "../store/documents.ts";
import { requireMayConnect } from "./connecting.ts";
import { connectionSchema, documentChanges, masked } from "./document-changes.ts";
import { files, stopRuns } from "./documents.ts";
import type { ChangeOptions, DocumentOperations } from "./operations.ts";
import type { DocumentVersionView, DocumentView } from "./schemas.ts";
import type { Service } from "./service.ts";

/** The operations on single documents. */
export function documentOperations(service: Service): DocumentOperations {
  return {
    list: (kind) => listDocuments(kind, service),
    get: (kind, name) => getDocument(kind, name, service),
    put: (kind, name, body, options) => change(kind, name, () => body, options, service),
    patch: (kind, name, patch, options) => patchDocument(kind, name, patch, options, service),
    delete: (kind, name, options) => deleteDocument(kind, name, options, service),
    versions: (kind, name) => documentVersions(kind, name, service),
    restore: (kind, name, version, options) => restoreDocument(kind, name, version, options, service),
  };
}

/** The documents of one kind, by name. */
export async function listDocuments(kind: Kind, service: Service): Promise<readonly DocumentView[]> {
  const stored = await service.store.documents.list(kind);
  return await Promise.all(stored.map((document) => documentView(document, service)));
}

export async function getDocument(kind: Kind, name: string, service: Service): Promise<DocumentView> {
  const stored = await service.store.documents.list(kind);
  const found = stored.find((document) => document.name === name);
  if (found === undefined) throw noDocument(kind, name, stored);
  return await documentView(found, service);
}

async function patchDocument(
  kind: Kind,
  name: string,
  patch: unknown,
  options: ChangeOptions,
  service: Service,
): Promise<DocumentView> {
  const patched = (present: StoredDocument | undefined, all: readonly StoredDocument[]): unknown => {
    if (present === undefined) throw noDocument(kind, name, all);
    return mergePatch(present.body, patch);
  };
  return await change(kind, name, patched, options, service);
}

async function restoreDocument(
  kind: Kind,
  name: string,
  version: number,
  options: ChangeOptions,
  service: Service,
): Promise<DocumentView> {
  const body = await bodyAt(kind, name, version, service);
  return await change(kind, name, () => body, options, service);
}

/** What a document was at a version. */
export async function bodyAt(kind: Kind, name: string, version: number, { store }: Service): Promise<DocumentBody> {
  const versions = await store.documents.versions({ kind, name });
  const body = versions.find((one) => one.version === version)?.body ?? null;
  if (body !== null) return body;
  throw new NotFoundError("version_not_found", `The ${kind} "${name}" has no version ${version} to go back to.`, {
    hint: `GET /v1/${kind}s/${name}/versions lists them.`,
  });
}

async function deleteDocument(kind: Kind, name: string, options: ChangeOptions, service: Service): Promise<void> {
  await service.store.documents.edit(async (documents) => {
    const all = await documents.list();
    const present = all.find((document) => document.kind === kind && document.name === name);
    if (present === undefined)
      throw noDocument(
        kind,
        name,
        all.filter((document) => document.kind === kind),
      );
    requireOurs(present, options);
    const needed = dependents(all.flatMap(named), kind, name).map((one) => `${one.kind} "${one.name}"`);
    if (needed.length > 0) {
      throw new ConflictError("in_use", `The ${kind} "${name}" is needed by ${needed.join(", ")}.`, {
        hint: "Delete or change these first.",
      });
    }
    await documents.delete({ kind, name }, options);
  });
  if (kind === "sync") await stopRuns(name, service);
}

export async function documentVersions(
  kind: Kind,
  name: string,
  service: Service,
): Promise<readonly DocumentVersionView[]> {
  const found = await service.store.documents.versions({ kind, name });
  if (found.length === 0) throw noDocument(kind, name, await service.store.documents.list(kind));
  const bodies = await Promise.all(found.map(async ({ body }) => (body === null ? null : masked(kind, body, service))));
  return found.map(({ version, author, at, body }, index) => ({
    version,
    author,
    at: at.toISOString(),
    deleted: body === null,
    changes: documentChanges(bodies[index + 1] ?? {}, bodies[index] ?? {}),
  }));
}

type NewBody = (present: StoredDocument | undefined, ofKind: readonly StoredDocument[]) => unknown;

/** Checks what a document is to be, by itself and with all others, and stores it; nobody else writes meanwhile. */
export async function change(
  kind: Kind,
  name: string,
  bodyOf: NewBody,
  options: ChangeOptions,
  service: Service,
): Promise<DocumentView> {
  const stored = await service.store.documents.edit(async (documents) => {
    const all = await documents.list();
    const present = all.find((document) => document.kind === kind && document.name === name);
    if (present !== undefined) requireOurs(present, options);
    const written = bodyOf(
      present,
      all.filter((document) => document.kind === kind),
    );
    const checked = await parseDocument(kind, name, written, service.registry);
    if (!checked.ok) throw new InvalidDocument(checked.problems);
    const body: DocumentBody = { ...checked.value };
    await requireNoSecrets(kind, body, service);
    await requireMayConnect([{ kind, body }], all, options, service);
    const others = all.filter((document) => document !== present).flatMap(named);
    const changed: NamedDocument = { ...body, kind, name };
    const broken = checkReferences([...others, changed]).filter(({ document }) => document === changed);
    if (broken.length > 0) throw new InvalidDocument(broken.map((one) => one.problem));
    return await documents.put({ kind, name, body }, options);
  });
  return await documentView(stored, service);
}

/** A document that is kept in files would be overwritten by the next apply. */
function requireOurs({ kind, name, managedBy }: StoredDocument, { override = false }: ChangeOptions): void {
  if (managedBy !== files || override) return;
  throw new ConflictError(
    "kept_in_files",
    `The ${kind} "${name}" is kept in files, which the next apply would bring back.`,
    {
      hint: "Edit it there; or say ?override=true, and bring the change to the files.",
    },
  );
}

async function requireNoSecrets(kind: Kind, body: DocumentBody, service: Service): Promise<void> {
  const schema = await connectionSchema(kind, body, service);
  const found = schema === null ? [] : literalSecrets(body["connection"], schema);
  if (found.length === 0) return;
  const message = "a secret is never written into a document: name where it is read from";
  throw new InvalidDocument(
    found.map((one) => problem("literal_secret", one.at, message, { expected: referenceForms })),
  );
}

async function documentView(stored: StoredDocument, service: Service): Promise<DocumentView> {
  const { name, version, managedBy, updatedAt } = stored;
  const kind = stored.kind as Kind;
  const { kind: _kind, name: _name, ...document } = await masked(kind, stored.body, service);
  const managed_by = managedBy === files ? "files" : "api";
  return { kind, name, version, managed_by, updated_at: updatedAt.toISOString(), document };
}

function named({ kind, name, body }: StoredDocument): readonly NamedDocument[] {
  return isKind(kind) ? [{ ...body, kind, name }] : [];
}

function noDocument(kind: Kind, name: string, ofKind: readonly StoredDocument[]): NotFoundError {
  const names = ofKind.map((document) => document.name);
  return new NotFoundError("not_found", `There is no ${kind} "${name}"${nearest(name, names)}`);
}
