/** Who decides where a secret is sent to. */
import { isDeepStrictEqual } from "node:util";
import { references } from "../documents/secrets.ts";
import { requireScope } from "../security/access.ts";
import type { DocumentBody, StoredDocument } from "../store/documents.ts";
import type { ChangeOptions } from "./operations.ts";

/**
 * An admin: who may write, but was never told the secret, could otherwise name it beside an address of their own. What
 * is connected in just this way already may be written by anybody who writes.
 */
export function requireMayConnect(
  written: readonly DocumentBody[],
  stored: readonly StoredDocument[],
  { author, scope = "admin" }: Pick<ChangeOptions, "author" | "scope">,
): void {
  const known = stored.map(({ body }) => connecting(body));
  for (const body of written) {
    const settings = connecting(body);
    if (references(settings).length === 0 || known.some((one) => isDeepStrictEqual(one, settings))) continue;
    requireScope({ actor: author, scope }, "admin");
  }
}

/** All of a document by which it is known where its secrets go. */
function connecting({ type, connection, planner, url }: DocumentBody): unknown {
  return { type, connection, planner, url };
}
