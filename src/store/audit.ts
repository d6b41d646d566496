/** What was changed, or refused, over the API: who, when, from where. */
import { type Kysely, sql } from "kysely";
import type { Page } from "./runs.ts";
import type { Database } from "./tables.ts";
import { storable, storableJson } from "./text.ts";

export interface AuditEntry {
  readonly actor: string;
  readonly address: string;
  readonly action: string;
  readonly status: number;
  readonly detail: unknown;
}

export interface Audit {
  write(entry: AuditEntry): Promise<void>;
  /** Newest first. */
  list(filter: { limit: number; cursor?: string | undefined }): Promise<Page<AuditEntry & { readonly at: Date }>>;
}

const keepDays = 400;

/** The audit log of a control store. Entries are kept for 400 days. */
export function openAudit(db: Kysely<Database>): Audit {
  return {
    async write({ actor, address, action, status, detail }) {
      const told = detail === undefined ? null : storableJson(detail);
      const row = {
        actor: storable(actor),
        address: storable(address),
        action: storable(action).slice(0, 500),
        status,
      };
      await db
        .insertInto("app.audit")
        .values({ ...row, detail: told })
        .execute();
      await sql`delete from app.audit where at < now() - ${keepDays} * interval '1 day'`.execute(db);
    },
    async list({ limit, cursor }) {
      let query = db
        .selectFrom("app.audit")
        .select(["entry_no", "at", "actor", "address", "action", "status", "detail"])
        .orderBy("entry_no", "desc")
        .limit(limit + 1);
      // A cursor is an entry's number; any other text finds nothing more.
      if (cursor !== undefined) query = query.where("entry_no", "<", /^\d{1,15}$/.test(cursor) ? cursor : "0");
      const rows = await query.execute();
      const found = rows.slice(0, limit);
      const last = found.at(-1);
      return {
        data: found.map(({ at, actor, address, action, status, detail }) => ({
          at,
          actor,
          address,
          action,
          status,
          detail,
        })),
        nextCursor: rows.length > limit && last ? last.entry_no : null,
      };
    },
  };
}
