/** The documents of a workspace as the control store keeps them: as written, each with a version. */
import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import { ConflictError, NotFoundError } from "../errors.ts";
import type { Database, DocumentsTable } from "./tables.ts";
import { storable } from "./text.ts";

/** A document as it was written, `kind` and `name` included. Read it back with the kind's schema. */
export type DocumentBody = Readonly<Record<string, unknown>>;

export interface DocumentKey {
  readonly kind: string;
  readonly name: string;
}

export interface NewDocument extends DocumentKey {
  readonly body: DocumentBody;
}

export interface StoredDocument extends NewDocument {
  /** 1, then one more with every change. */
  readonly version: number;
  /** What owns it, such as a folder of files; null when people edit it here. */
  readonly managedBy: string | null;
  readonly updatedAt: Date;
}

export interface PutOptions {
  /** Only if this is its version now; 0 when there must be none yet. ConflictError `version_conflict` else. */
  readonly ifVersion?: number | undefined;
  readonly managedBy?: string | null | undefined;
  /** Who changes it, for the history. */
  readonly author?: string | undefined;
}

/** What a document was, from then on. */
export interface DocumentVersion {
  readonly version: number;
  /** Null: it was deleted. */
  readonly body: DocumentBody | null;
  readonly author: string;
  readonly at: Date;
}

/** Documents in one transaction, while nobody else writes any. */
export interface DocumentsEdit {
  list(): Promise<readonly StoredDocument[]>;
  put(document: NewDocument, options?: PutOptions): Promise<StoredDocument>;
  delete(key: DocumentKey, options?: Omit<PutOptions, "managedBy">): Promise<void>;
}

export interface ReplaceOptions {
  /** Deletes documents with the same owner that are not among those given. */
  readonly prune: boolean;
  /** Says what would change, and changes nothing. */
  readonly dryRun?: boolean | undefined;
  readonly managedBy?: string | null | undefined;
  readonly author?: string | undefined;
}

export interface DocumentChange extends DocumentKey {
  readonly change: "created" | "replaced" | "deleted";
}

export interface Replacement {
  readonly changes: readonly DocumentChange[];
  readonly unchanged: number;
}

export interface StoredDocuments {
  /** Throws NotFoundError `not_found`. */
  get(key: DocumentKey): Promise<StoredDocument>;
  /** By kind and name. */
  list(kind?: string): Promise<readonly StoredDocument[]>;
  /** Creates or replaces. The same document again is no change: it keeps its version. */
  put(document: NewDocument, options?: PutOptions): Promise<StoredDocument>;
  delete(key: DocumentKey, options?: Omit<PutOptions, "managedBy">): Promise<void>;
  /** Changes documents by what they are now. All or nothing; the work may ask nothing else of the store. */
  edit<Result>(work: (documents: DocumentsEdit) => Promise<Result>): Promise<Result>;
  /** All that a document ever was, newest first. Empty for one that never was. */
  versions(key: DocumentKey): Promise<readonly DocumentVersion[]>;
  /** Makes the store's documents those given. All or nothing. */
  replace(documents: readonly NewDocument[], options: ReplaceOptions): Promise<Replacement>;
}

/** The documents of a control store. */
export function openDocuments(db: Kysely<Database>): StoredDocuments {
  return {
    get: async (key) => (await find(db, key)) ?? notFound(key),
    list: (kind) => list(db, kind),
    put: (document, options) => alone(db, (trx) => editOf(trx).put(document, options)),
    delete: (key, options) => alone(db, (trx) => editOf(trx).delete(key, options)),
    edit: (work) => alone(db, (trx) => work(editOf(trx))),
    versions: (key) => versions(db, key),
    replace: (documents, options) => alone(db, (trx) => replace(trx, documents, options)),
  };
}

function editOf(trx: Transaction<Database>): DocumentsEdit {
  return {
    list: () => list(trx),
    put: async (document, options = {}) => put(trx, document, await find(trx, document), options),
    delete: async (key, { ifVersion, author } = {}) => {
      const present = (await find(trx, key)) ?? notFound(key);
      checkVersion(key, present, ifVersion);
      await remove(trx, present, author);
    },
  };
}

/** One writer at a time, so that what is compared is what is replaced. Readers do not wait. */
function alone<Result>(db: Kysely<Database>, write: (trx: Transaction<Database>) => Promise<Result>): Promise<Result> {
  return db.transaction().execute(async (trx) => {
    await sql`lock table app.documents in share row exclusive mode`.execute(trx);
    return write(trx);
  });
}

async function find(db: Kysely<Database>, { kind, name }: DocumentKey): Promise<StoredDocument | undefined> {
  const row = await db
    .selectFrom("app.documents")
    .selectAll()
    .where("kind", "=", kind)
    .where("name", "=", name)
    .executeTakeFirst();
  return row && toDocument(row);
}

async function list(db: Kysely<Database>, kind?: string): Promise<readonly StoredDocument[]> {
  let query = db.selectFrom("app.documents").selectAll().orderBy("kind").orderBy("name");
  if (kind !== undefined) query = query.where("kind", "=", kind);
  return (await query.execute()).map(toDocument);
}

async function put(
  trx: Transaction<Database>,
  document: NewDocument,
  present: StoredDocument | undefined,
  { ifVersion, managedBy = null, author }: PutOptions,
): Promise<StoredDocument> {
  checkVersion(document, present, ifVersion);
  if (present && isSame(present, document, managedBy)) return present;
  const { kind, name } = document;
  const body = JSON.stringify(document.body);
  const version = await addVersion(trx, document, { body, managedBy, author });
  const written = { body, version, managed_by: managedBy, updated_at: sql<Date>`now()` };
  const row = await trx
    .insertInto("app.documents")
    .values({ kind, name, ...written })
    .onConflict((conflict) => conflict.columns(["kind", "name"]).doUpdateSet(written))
    .returningAll()
    .executeTakeFirstOrThrow();
  return toDocument(row);
}

async function remove(
  trx: Transaction<Database>,
  { kind, name, managedBy }: DocumentKey & Pick<StoredDocument, "managedBy">,
  author: string | undefined,
): Promise<void> {
  await addVersion(trx, { kind, name }, { body: null, managedBy, author });
  await trx.deleteFrom("app.documents").where("kind", "=", kind).where("name", "=", name).execute();
}

/** Writes to the history. A document that was deleted and made anew goes on counting. */
async function addVersion(
  trx: Transaction<Database>,
  { kind, name }: DocumentKey,
  {
    body,
    managedBy,
    author = "unknown",
  }: { body: string | null; managedBy: string | null; author?: string | undefined },
): Promise<number> {
  const { rows } = await sql<{ version: string }>`
    insert into app.document_versions (kind, name, version, body, managed_by, author)
    select ${kind}, ${name}, coalesce(max(version), 0) + 1, ${body}::json, ${managedBy}, ${storable(author)}
    from app.document_versions where kind = ${kind} and name = ${name}
    returning version`.execute(trx);
  return Number(rows[0]?.version);
}

async function versions(db: Kysely<Database>, { kind, name }: DocumentKey): Promise<readonly DocumentVersion[]> {
  const rows = await db
    .selectFrom("app.document_versions")
    .select(["version", "body", "author", "at"])
    .where("kind", "=", kind)
    .where("name", "=", name)
    .orderBy("version", "desc")
    .limit(500)
    .execute();
  return rows.map((row) => ({ ...row, version: Number(row.version) }));
}

async function replace(
  trx: Transaction<Database>,
  documents: readonly NewDocument[],
  { prune, dryRun = false, managedBy = null, author }: ReplaceOptions,
): Promise<Replacement> {
  const present = new Map((await list(trx)).map((document) => [keyOf(document), document]));
  const changes: DocumentChange[] = [];
  for (const document of documents) {
    const before = present.get(keyOf(document));
    present.delete(keyOf(document));
    if (before && isSame(before, document, managedBy)) continue;
    changes.push({ kind: document.kind, name: document.name, change: before ? "replaced" : "created" });
    if (!dryRun) await put(trx, document, before, { managedBy, author });
  }
  const unchanged = documents.length - changes.length;
  if (!prune) return { changes, unchanged };
  for (const document of present.values()) {
    // What somebody else owns is not missing here.
    if (document.managedBy !== managedBy) continue;
    changes.push({ kind: document.kind, name: document.name, change: "deleted" });
    if (!dryRun) await remove(trx, document, author);
  }
  return { changes, unchanged };
}

function checkVersion(key: DocumentKey, present: StoredDocument | undefined, expected: number | undefined): void {
  const version = present?.version ?? 0;
  if (expected === undefined || expected === version) return;
  const now = present ? `is at version ${version} now` : "does not exist";
  throw new ConflictError(
    "version_conflict",
    `The ${key.kind} "${key.name}" ${now}; you changed version ${expected}.`,
    {
      hint: "Read it again and repeat your change.",
    },
  );
}

function isSame(present: StoredDocument, { body }: NewDocument, managedBy: string | null): boolean {
  return present.managedBy === managedBy && JSON.stringify(present.body) === JSON.stringify(body);
}

function keyOf({ kind, name }: DocumentKey): string {
  return `${kind}/${name}`;
}

function notFound({ kind, name }: DocumentKey): never {
  throw new NotFoundError("not_found", `There is no ${kind} "${name}".`);
}

function toDocument(row: Selectable<DocumentsTable>): StoredDocument {
  const { kind, name, body, version, managed_by, updated_at } = row;
  return { kind, name, body, version: Number(version), managedBy: managed_by, updatedAt: updated_at };
}
