/** Who decides where a secret is sent to, and what the service reads with its own rights. */
import { isDeepStrictEqual } from "node:util";
import { isKind } from "../documents/documents.ts";
import { literalSecrets, references } from "../documents/secrets.ts";
import { requireScope } from "../security/access.ts";
import type { DocumentBody, StoredDocument } from "../store/documents.ts";
import { connectionSchema } from "./document-changes.ts";
import type { ChangeOptions } from "./operations.ts";
import type { Service } from "./service.ts";

/**
 * An admin: who may write, but was never told the secret, could otherwise name it beside an address of their own; and a
 * server that trusts this machine takes any that is written out. A source is read with what the service may reach, such as a
 * file or a database of this machine, so where one leads is an admin's word in any case. What is connected in just this way already may be
 * written by anybody who writes.
 */
export async function requireMayConnect(
  written: readonly { readonly kind: string; readonly body: DocumentBody }[],
  stored: readonly StoredDocument[],
  { author, scope = "admin" }: Pick<ChangeOptions, "author" | "scope">,
  service: Service,
): Promise<void> {
  const known = stored.map(({ body }) => connecting(body));
  for (const { kind, body } of written) {
    const settings = connecting(body);
    if (known.some((one) => isDeepStrictEqual(one, settings))) continue;
    if (kind === "source" || references(settings).length > 0 || (await writesSecret(kind, body, service)))
      requireScope({ actor: author, scope }, "admin");
  }
}

async function writesSecret(kind: string, body: DocumentBody, service: Service): Promise<boolean> {
  const schema = isKind(kind) ? await connectionSchema(kind, body, service).catch(() => null) : null;
  return schema !== null && literalSecrets(body["connection"], schema).length > 0;
}

/** All of a document by which it is known where its secrets go. */
function connecting({ type, connection, planner, url }: DocumentBody): unknown {
  return { type, connection, planner, url };
}
