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
  /** Lets others who may read the folder know where its service answers, and with which key. */
  publish(address: ServiceAddress): void;
  /** Frees the folder. Safe to call twice. */
  release(): void;
}

/** Where a service answers, and a key that it takes while it lives. */
export interface ServiceAddress {
  readonly url: string;
  readonly key: string;
}

/** Another process holds the folder. `service` is where it answers, if it is a service. */
export class FolderLocked extends ConflictError {
  readonly service: ServiceAddress | undefined;
  constructor(folder: string, service: ServiceAddress | undefined) {
    const url = service?.url;
    const where = url === undefined ? "" : `, the service at ${url}`;
    super("folder_locked", `The data folder ${folder} is in use by another process${where}.`, {
      hint: url === undefined ? "Wait until it has ended, or stop it." : `Use --url ${url}, or stop that service.`,
    });
    this.service = service;
  }
}

/** Locks a data folder, making it if it is missing. Throws FolderLocked while another process holds it. */
export function lockFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = new DatabaseSync(join(folder, "lock.sqlite"), { timeout: 0 });
  try {
    lock.exec("pragma locking_mode = exclusive; begin exclusive");
  } catch (error) {
    lock.close();
    if (isBusy(error)) throw new FolderLocked(folder, readAddress(folder));
    throw error;
  }
  // What a process that was killed has left behind.
  rmSync(addressFile(folder), { force: true });
  return {
    publish: (service) => writeAddress(folder, service),
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

const address = z.object({ url: z.string(), key: z.string() });

function readAddress(folder: string): ServiceAddress | undefined {
  try {
    return address.parse(JSON.parse(readFileSync(addressFile(folder), "utf8")));
  } catch {
    // Not published yet, or not any more.
    return undefined;
  }
}

function writeAddress(folder: string, service: ServiceAddress): void {
  const draft = `${addressFile(folder)}.new`;
  writeFileSync(draft, JSON.stringify(service), { mode: 0o600 });
  renameSync(draft, addressFile(folder));
}
