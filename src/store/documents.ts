/** The documents of a workspace as the control store keeps them: as written, each with a version. */
import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import { ConflictError, NotFoundError } from "../errors.ts";
import type { Database, DocumentsTable } from "./tables.ts";

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
}

export interface ReplaceOptions {
  /** Deletes documents that are not among those given. */
  readonly prune: boolean;
  /** Says what would change, and changes nothing. */
  readonly dryRun?: boolean | undefined;
  readonly managedBy?: string | null | undefined;
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
  delete(key: DocumentKey, options?: Pick<PutOptions, "ifVersion">): Promise<void>;
  /** Makes the store's documents those given. All or nothing. */
  replace(documents: readonly NewDocument[], options: ReplaceOptions): Promise<Replacement>;
}

/** The documents of a control store. */
export function openDocuments(db: Kysely<Database>): StoredDocuments {
  return {
    get: async (key) => (await find(db, key)) ?? notFound(key),
    list: (kind) => list(db, kind),
    put: (document, options = {}) => alone(db, async (trx) => put(trx, document, await find(trx, document), options)),
    delete: (key, { ifVersion } = {}) =>
      alone(db, async (trx) => {
        const present = (await find(trx, key)) ?? notFound(key);
        checkVersion(key, present, ifVersion);
        await remove(trx, key);
      }),
    replace: (documents, options) => alone(db, (trx) => replace(trx, documents, options)),
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
  { ifVersion, managedBy = null }: PutOptions,
): Promise<StoredDocument> {
  checkVersion(document, present, ifVersion);
  if (present && isSame(present, document, managedBy)) return present;
  const { kind, name } = document;
  const written = {
    body: JSON.stringify(document.body),
    version: (present?.version ?? 0) + 1,
    managed_by: managedBy,
    updated_at: sql<Date>`now()`,
  };
  const row = await trx
    .insertInto("app.documents")
    .values({ kind, name, ...written })
    .onConflict((conflict) => conflict.columns(["kind", "name"]).doUpdateSet(written))
    .returningAll()
    .executeTakeFirstOrThrow();
  return toDocument(row);
}

async function remove(trx: Transaction<Database>, { kind, name }: DocumentKey): Promise<void> {
  await trx.deleteFrom("app.documents").where("kind", "=", kind).where("name", "=", name).execute();
}

async function replace(
  trx: Transaction<Database>,
  documents: readonly NewDocument[],
  { prune, dryRun = false, managedBy = null }: ReplaceOptions,
): Promise<Replacement> {
  const present = new Map((await list(trx)).map((document) => [keyOf(document), document]));
  const changes: DocumentChange[] = [];
  for (const document of documents) {
    const before = present.get(keyOf(document));
    present.delete(keyOf(document));
    if (before && isSame(before, document, managedBy)) continue;
    changes.push({ kind: document.kind, name: document.name, change: before ? "replaced" : "created" });
    if (!dryRun) await put(trx, document, before, { managedBy });
  }
  const unchanged = documents.length - changes.length;
  if (!prune) return { changes, unchanged };
  for (const { kind, name } of present.values()) {
    changes.push({ kind, name, change: "deleted" });
    if (!dryRun) await remove(trx, { kind, name });
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
