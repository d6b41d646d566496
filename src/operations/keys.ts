/** API keys as people are shown them. */
import { makeKey } from "../security/key.ts";
import type { StoredKey } from "../store/keys.ts";
import type { NewKeyRequest, Page } from "./operations.ts";
import type { AuditView, KeyView, MadeKeyView } from "./schemas.ts";
import type { Service } from "./service.ts";

const dayMs = 86_400_000;

/** Makes a key. This answer is the only place where it ever stands. */
export async function createKey(
  { name, scope, days, createdBy }: NewKeyRequest,
  { store }: Service,
): Promise<MadeKeyView> {
  const { id, text, hash } = makeKey();
  const lifeMs = days === null ? null : days * dayMs;
  return { ...keyView(await store.keys.add({ id, name, scope, hash, createdBy, lifeMs })), key: text };
}

export function keyView(key: StoredKey): KeyView {
  return {
    id: key.id,
    name: key.name,
    scope: key.scope,
    valid: key.valid,
    created_by: key.createdBy,
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
  };
}

export async function auditPage(
  filter: { limit: number; cursor?: string | undefined },
  { store }: Service,
): Promise<Page<AuditView>> {
  const { data, nextCursor } = await store.audit.list(filter);
  return { data: data.map(({ at, ...entry }) => ({ at: at.toISOString(), ...entry })), next_cursor: nextCursor };
}
