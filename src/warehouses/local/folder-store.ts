/** A folder as the place of plan and state: on the service's own disk, or one that all its processes share. */
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, WarehouseError } from "../../errors.ts";
import type { LedgerText, StateStore, StoredFile } from "./store.ts";

/** For so long a number that was in use cannot be taken again. */
const keptMs = 10 * 60_000;

/** Who took longer to take a number than this cannot tell whether it was free all the while. */
const promptMs = 5 * 60_000;

/**
 * The ledger's versions are files with growing numbers, and the highest one counts. A version is written whole and then
 * linked to its name, which fails if another process was first; no lock is held that a killed process could leave.
 * Versions that others have replaced stay for a while, so that who comes late finds the number taken.
 */
export class FolderStore implements StateStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async check(): Promise<void> {
    const trial = join(this.#folder, `check-${crypto.randomUUID()}`);
    await this.#told(async () => {
      await mkdir(this.#folder, { recursive: true });
      await writeDurably(trial, "");
      await rm(trial);
    });
  }

  async readLedger(sync: string): Promise<LedgerText | null> {
    return await this.#told(async () => {
      for (;;) {
        const [version] = await this.#versions(sync);
        if (version === undefined) return null;
        try {
          return { text: await readFile(join(this.#of(sync), ledgerFile(version)), "utf8"), version: String(version) };
        } catch (error) {
          // Another process has just written a newer one, and removed this one.
          if (!isCode(error, "ENOENT")) throw error;
        }
      }
    });
  }

  async replaceLedger(sync: string, text: string, before: LedgerText | null): Promise<boolean> {
    return await this.#told(async () => {
      const folder = this.#of(sync);
      await mkdir(folder, { recursive: true });
      const version = Number(before?.version ?? 0) + 1;
      const draft = join(folder, `draft-${crypto.randomUUID()}`);
      await writeDurably(draft, text);
      try {
        const lookedAt = performance.now();
        const [highest = 0] = await this.#versions(sync);
        if (highest >= version) return false;
        await link(draft, join(folder, ledgerFile(version)));
        if (performance.now() - lookedAt > promptMs && !(await this.#isHighest(sync, version))) return false;
      } catch (error) {
        if (isCode(error, "EEXIST")) return false;
        throw error;
      } finally {
        await rm(draft, { force: true });
      }
      await syncFolder(folder);
      await this.#forgetOld(sync);
      return true;
    });
  }

  /** Whoever stood still for long takes back what it wrote, unless it counts. */
  async #isHighest(sync: string, version: number): Promise<boolean> {
    const [highest = 0] = await this.#versions(sync);
    if (highest === version) return true;
    await rm(join(this.#of(sync), ledgerFile(version)), { force: true });
    return false;
  }

  async #forgetOld(sync: string): Promise<void> {
    const [newest, ...older] = await this.#versions(sync);
    if (newest === undefined) return;
    const writtenAt = async (version: number): Promise<number> =>
      (await stat(join(this.#of(sync), ledgerFile(version))).catch(() => null))?.mtimeMs ?? Number.NaN;
    // By the clock of the disk alone: the folder's processes may have clocks that differ.
    const now = await writtenAt(newest);
    for (const version of older) {
      if (now - (await writtenAt(version)) > keptMs)
        await rm(join(this.#of(sync), ledgerFile(version)), { force: true });
    }
  }

  async put(sync: string, file: string, path: string): Promise<void> {
    await this.#told(async () => {
      const folder = this.#of(sync);
      await mkdir(folder, { recursive: true });
      const near = join(folder, `draft-${file}`);
      try {
        await rename(path, near);
      } catch (error) {
        if (!isCode(error, "EXDEV")) throw error;
        await copyFile(path, near);
      }
      await syncFile(near);
      await rename(near, join(folder, file));
      await syncFolder(folder);
    });
  }

  async fetch(sync: string, file: string): Promise<string> {
    const path = join(this.#of(sync), file);
    await this.#told(() => stat(path));
    return path;
  }

  async list(sync: string): Promise<readonly StoredFile[]> {
    return await this.#told(async () => {
      const found: StoredFile[] = [];
      for (const file of await filesOf(this.#of(sync))) {
        if (versionOf(file) !== undefined) continue;
        const { mtimeMs } = await stat(join(this.#of(sync), file));
        found.push({ file, ageMs: Date.now() - mtimeMs });
      }
      return found;
    });
  }

  async remove(sync: string, file: string): Promise<void> {
    await this.#told(() => rm(join(this.#of(sync), file), { force: true }));
  }

  #of(sync: string): string {
    return join(this.#folder, encodeURIComponent(sync));
  }

  /** The numbers of the ledger's versions, the one that counts first. */
  async #versions(sync: string): Promise<readonly number[]> {
    const versions = (await filesOf(this.#of(sync))).map(versionOf);
    return versions.filter((version) => version !== undefined).toSorted((a, b) => b - a);
  }

  async #told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const missing = isCode(error, "ENOENT");
      throw new WarehouseError(
        missing ? "state_file_missing" : "state_not_writable",
        `Plan and state in ${this.#folder} cannot be ${missing ? "read" : "used"}: ${messageOf(error)}`,
        {
          hint: missing
            ? "Bring the folder back as it was. Without it, delete what is left: the next run then sends every row again."
            : "Let the process read and write the folder, and give it room.",
          cause: error,
        },
      );
    }
  }
}

const ledgerFile = (version: number): string => `ledger-${version}.json`;

function versionOf(file: string): number | undefined {
  const found = /^ledger-(\d+)\.json$/.exec(file);
  return found === null ? undefined : Number(found[1]);
}

async function filesOf(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isCode(error, "ENOENT")) return [];
    throw error;
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  await using file = await open(path, "wx");
  await file.writeFile(text);
  await file.sync();
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path, "r+");
  await file.sync();
}

/** Makes what was made, renamed or linked in a folder survive a loss of power. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
