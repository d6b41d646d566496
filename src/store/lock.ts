/**
 * The lock of a data folder. Two processes on one embedded database lose data without a word, so one holds a lock that
 * the kernel frees when the process dies. The lock alone decides; the address beside it only says whom to ask.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { ConflictError } from "../errors.ts";

export interface FolderLock {
  /** Lets others know where the service of this folder answers. */
  publish(url: string): void;
  /** Frees the folder. Safe to call twice. */
  release(): void;
}

/** Another process holds the folder. `url` is where it answers, if it is a service. */
export class FolderLocked extends ConflictError {
  readonly url: string | undefined;
  constructor(folder: string, url: string | undefined) {
    const where = url === undefined ? "" : `, the service at ${url}`;
    super("folder_locked", `The data folder ${folder} is in use by another process${where}.`, {
      hint: url === undefined ? "Wait until it has ended, or stop it." : `Use --url ${url}, or stop that service.`,
    });
    this.url = url;
  }
}

/** Locks a data folder, making it if it is missing. Throws FolderLocked while another process holds it. */
export function lockFolder(folder: string, options: { url?: string } = {}): FolderLock {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = new DatabaseSync(join(folder, "lock.sqlite"), { timeout: 0 });
  try {
    lock.exec("pragma locking_mode = exclusive; begin exclusive");
  } catch (error) {
    lock.close();
    if (isBusy(error)) throw new FolderLocked(folder, readUrl(folder));
    throw error;
  }
  // What a process that was killed has left behind.
  rmSync(addressFile(folder), { force: true });
  if (options.url !== undefined) writeUrl(folder, options.url);
  return {
    publish: (url) => writeUrl(folder, url),
    release: () => {
      if (!lock.isOpen) return;
      rmSync(addressFile(folder), { force: true });
      lock.close();
    },
  };
}

const sqliteBusy = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === sqliteBusy;
}

function addressFile(folder: string): string {
  return join(folder, "service.json");
}

const address = z.object({ url: z.string() });

function readUrl(folder: string): string | undefined {
  try {
    return address.parse(JSON.parse(readFileSync(addressFile(folder), "utf8"))).url;
  } catch {
    // Not published yet, or not any more.
    return undefined;
  }
}

function writeUrl(folder: string, url: string): void {
  const draft = `${addressFile(folder)}.new`;
  writeFileSync(draft, JSON.stringify({ url }), { mode: 0o600 });
  renameSync(draft, addressFile(folder));
}
