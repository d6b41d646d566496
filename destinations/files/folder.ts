/** A folder of this machine, below the only one in which destinations may write. */
import { access, constants, mkdir, open, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { type Context, DestinationError } from "../../src/destination.ts";
import type { FileStore } from "./store.ts";

export class FolderStore implements FileStore {
  readonly #folder: string;
  readonly #context: Context;

  constructor(folder: string, context: Context) {
    this.#folder = folder;
    this.#context = context;
  }

  check(signal?: AbortSignal): Promise<string> {
    return this.#told(
      "check",
      this.#folder,
      async () => {
        // It is made when the first file is.
        let present = this.#path;
        while (!(await isThere(present)) && dirname(present) !== present) present = dirname(present);
        await access(present, constants.W_OK);
        return `folder ${this.#path}`;
      },
      signal,
    );
  }

  put(name: string, bytes: Uint8Array, _type: string, signal?: AbortSignal): Promise<boolean> {
    return this.#told(
      "put",
      name,
      async () => {
        const path = join(this.#path, name);
        await this.#make(dirname(path));
        const draft = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}`);
        try {
          await writeDurably(draft, bytes);
          // Whoever lists the folder sees the whole file or none.
          await rename(draft, path);
        } catch (error) {
          await rm(draft, { force: true });
          throw error;
        }
        await syncFolder(dirname(path));
        return true;
      },
      signal,
    );
  }

  get #path(): string {
    return join(this.#context.folder, this.#folder);
  }

  /** Where a link leads is looked at after it was made: nothing is written that would be somewhere else. */
  async #make(folder: string): Promise<void> {
    await mkdir(this.#context.folder, { recursive: true });
    const root = await realpath(this.#context.folder);
    let present = folder;
    while (!(await isThere(present))) present = dirname(present);
    requireBelow(await realpath(present), root);
    await mkdir(folder, { recursive: true });
    requireBelow(await realpath(folder), root);
  }

  #told<Result>(method: string, path: string, work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    return this.#context.request(
      { method, path },
      async () => {
        try {
          return await work();
        } catch (error) {
          throw error instanceof DestinationError ? error : told(error, this.#path);
        }
      },
      signal,
    );
  }
}

function requireBelow(path: string, root: string): void {
  if (path === root || path.startsWith(root + sep)) return;
  const message = `A link leads out of the folder in which destinations may write: ${path} is not in ${root}.`;
  throw new DestinationError("unauthorized", message, { code: "folder_refused", applied: "no" });
}

/** What the disk says. A file that could not be written whole is not there. */
function told(error: unknown, folder: string): DestinationError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const words = error instanceof Error ? error.message : String(error);
  const message = `Files cannot be put into ${folder}: ${words}`;
  if (/^(EACCES|EPERM|EROFS|ENOTDIR|EEXIST|EISDIR|ELOOP|ENAMETOOLONG)$/.test(code))
    return new DestinationError("unauthorized", message, { code: "folder_not_writable", applied: "no" });
  return new DestinationError("unavailable", message, { code: "disk_failed", applied: "unknown" });
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, "wx");
  await file.writeFile(bytes);
  await file.sync();
}

/** Makes what was renamed in a folder survive a loss of power. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}
