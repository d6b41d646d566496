/** Sluice's folders on the user's own stage, each there for one unload or load. */
import type { Session } from "../dialect.ts";
import type { LoginOptions } from "./protocol.ts";

/** What work with the stage needs of a session. */
export interface StageSession extends Pick<Session, "query" | "execute"> {
  /** Executes also when the session's signal was aborted. */
  settled(sql: string): Promise<void>;
}

/** A place on the stage that nobody else has. */
export function newPlace(): string {
  return `@~/sluice/${crypto.randomUUID()}`;
}

/** Whoever used a place leaves nothing there, also when it failed or was stopped. */
export async function clear(place: string, session: StageSession): Promise<void> {
  await session.settled(`remove ${place}/`).catch(() => undefined);
}

const dayMs = 24 * 3_600_000;

/** When this process last looked for leftovers, by login. */
const looked = new Map<string, number>();

/** True once a day for each user: what was left is rarely there, and in nobody's way. */
export function isTimeToLook({ account, username, accessUrl }: LoginOptions): boolean {
  const login = JSON.stringify([account, username, accessUrl]);
  if (Date.now() - (looked.get(login) ?? 0) < dayMs) return false;
  looked.set(login, Date.now());
  return true;
}

/**
 * Removes what workers left that were killed before they could clear their place: places whose newest file is, by
 * Snowflake's own clock, more than a day older than any statement may take. Never of a name that is not ours.
 */
export async function removeLeftovers(session: StageSession, statementTimeoutSeconds: number): Promise<void> {
  const newest = newestByPlace(await session.query("list @~/sluice/"));
  if (newest.size === 0) return;
  const [[seconds] = []] = await session.query("select date_part(epoch_second, sysdate())");
  const limit = (Number(seconds) - statementTimeoutSeconds) * 1000 - dayMs;
  // A moment that cannot be read is no number, and keeps its place.
  for (const [place, written] of newest) if (written < limit) await clear(place, session);
}

/** From rows of LIST: name, size, md5, last_modified. */
function newestByPlace(files: readonly (readonly (string | null)[])[]): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const [name, , , modified] of files) {
    const [, id] = /^(?:@~\/)?sluice\/([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\//.exec(name ?? "") ?? [];
    if (id === undefined) continue;
    const place = `@~/sluice/${id}`;
    newest.set(place, Math.max(newest.get(place) ?? -Infinity, Date.parse(modified ?? "")));
  }
  return newest;
}
