/** The secrets that documents name: set and deleted by people, read by whatever opens a connection. */
import { listOf } from "../documents/documents.ts";
import { type Known, secretNames } from "../documents/secrets.ts";
import { ConflictError, UsageError } from "../errors.ts";
import type { Rewrap } from "../store/sealed-rows.ts";
import type { StoredSecret } from "../store/secrets.ts";
import { storedDocuments } from "./documents.ts";
import type { SecretView } from "./schemas.ts";
import type { Service } from "./service.ts";
import { purposeOfToken } from "./tokens.ts";

/** What the references of these settings stand for. */
export async function knownTo(settings: unknown, { store, sealer, environment }: Service): Promise<Known> {
  const found = await store.secrets.find(secretNames(settings));
  const secrets = found.map(
    ({ name, version, sealed }) => [name, sealer.open(sealed, purposeOf(name, version))] as const,
  );
  return { environment, secrets: new Map(secrets) };
}

/** Goes into a secret: it opens under no other name, and not as an older version of itself. */
function purposeOf(name: string, version: number): string {
  return `secret ${version} ${name}`;
}

export async function setSecret(name: string, value: string, author: string, service: Service): Promise<SecretView> {
  if (!/^[A-Za-z_][A-Za-z0-9_-]{0,99}$/.test(name)) {
    throw new UsageError("name_invalid", `"${name}" cannot be the name of a secret.`, {
      hint: "Letters, digits, hyphens and underscores, beginning with a letter.",
    });
  }
  const { store, sealer } = service;
  const stored = await store.secrets.put(name, author, (version) => sealer.seal(value, purposeOf(name, version)));
  return secretView(stored, await usersBySecret(service));
}

export async function listSecrets(service: Service): Promise<readonly SecretView[]> {
  const users = await usersBySecret(service);
  return (await service.store.secrets.list()).map((stored) => secretView(stored, users));
}

/** Throws ConflictError `in_use` while a document names it. */
export async function deleteSecret(name: string, service: Service): Promise<void> {
  const users = (await usersBySecret(service)).get(name) ?? [];
  if (users.length > 0) {
    throw new ConflictError("in_use", `The secret "${name}" is named by ${users.join(", ")}.`, {
      hint: "Change these first.",
    });
  }
  await service.store.secrets.delete(name);
}

/** Seals every secret and every token under the first key. What cannot be read stays as it is, and is told. */
export async function rotateSecrets({ store, sealer }: Service): Promise<number> {
  const [first] = sealer.keyIds;
  if (first === undefined) return 0;
  const under =
    (purpose: (name: string, version: number) => string): Rewrap =>
    (name, version, sealed) =>
      sealer.keyIds.includes(sealed.keyId) ? sealer.rewrap(sealed, purpose(name, version)) : null;
  const tokens = await store.tokens.rewrap(first, under(purposeOfToken));
  return tokens + (await store.secrets.rewrap(first, under(purposeOf)));
}

/** Throws where secrets are stored under a key that this process does not have: it would fail sync by sync. */
export async function requireReadable({ store, sealer }: Service): Promise<void> {
  const missing = (await store.secrets.keys()).filter(({ keyId }) => !sealer.keyIds.includes(keyId));
  if (missing.length === 0) return;
  const names = missing.map(({ name, keyId }) => `"${name}" under key ${keyId}`).join(", ");
  const given = sealer.keyIds.length === 0 ? "is not set" : `has ${sealer.keyIds.join(", ")}`;
  throw new UsageError(
    "secret_key_wrong",
    `Secrets are stored under another key: ${names}. SLUICE_SECRET_KEY ${given}.`,
    {
      hint: "Give the service the key that they were stored under; to change it, the new one and the old one by a comma.",
    },
  );
}

/** The documents that name each secret. */
async function usersBySecret(service: Service): Promise<ReadonlyMap<string, readonly string[]>> {
  const users = new Map<string, string[]>();
  for (const document of listOf(await storedDocuments(service))) {
    for (const name of secretNames(document)) {
      users.set(name, [...(users.get(name) ?? []), `${document.kind} "${document.name}"`]);
    }
  }
  return users;
}

function secretView(
  { name, version, author, updatedAt }: StoredSecret,
  users: ReadonlyMap<string, readonly string[]>,
): SecretView {
  return { name, version, author, updated_at: updatedAt.toISOString(), used_by: [...(users.get(name) ?? [])] };
}
