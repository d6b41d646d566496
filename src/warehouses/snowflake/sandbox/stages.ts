/** Stages as folders: the user's own one, `@~`, and those that have names. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { notFound, unknownToSandbox } from "./failure.ts";
import { database, nameParts } from "./sql/names.ts";

/** A place on a stage: `@~/a/b` is `a/b` on the stage of the user. */
export interface StagePlace {
  /** The stage's folder, by its name under the root. */
  readonly stage: string;
  readonly path: string;
  readonly own: boolean;
}

export interface StagedFile {
  /** Within the stage. */
  readonly path: string;
  readonly size: number;
  readonly modified: Date;
}

export class Stages {
  readonly root: string;
  readonly #named = new Set<string>();

  constructor(root: string) {
    this.root = root;
  }

  create(name: string, schema: string): void {
    this.#named.add(stageId(name, schema));
  }

  has(name: string, schema: string): boolean {
    return this.#named.has(stageId(name, schema));
  }

  async drop(name: string, schema: string): Promise<boolean> {
    const id = stageId(name, schema);
    await rm(join(this.root, id), { recursive: true, force: true });
    return this.#named.delete(id);
  }

  /** What a name with its @ means to a user in a schema. Throws when there is no such stage. */
  place(written: string, { user, schema }: { user: string; schema: string }): StagePlace {
    const location = written.replace(/^'(.*)'$/, "$1");
    const own = /^@~(?:\/(.*))?$/.exec(location);
    if (own !== null) return { stage: `user-${encodeURIComponent(user)}`, path: withinStage(own[1] ?? ""), own: true };
    const found = /^@((?:"(?:[^"]|"")*"|[\w$.])+)(?:\/(.*))?$/.exec(location);
    if (found === null) throw unknownToSandbox(`the stage ${location}`);
    const [, name = "", path = ""] = found;
    const id = stageId(name, schema);
    if (!this.#named.has(id)) throw notFound("Stage", nameParts(name).join("."));
    return { stage: id, path: withinStage(path), own: false };
  }

  /** The folder of a stage, which is there when this resolves. */
  async folder(stage: string): Promise<string> {
    const folder = join(this.root, stage);
    await mkdir(folder, { recursive: true });
    return folder;
  }

  /** The files whose path begins as the place's, in order of their names. */
  files({ stage, path }: StagePlace): readonly StagedFile[] {
    const folder = join(this.root, stage);
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .filter((file) => file.startsWith(path))
      .toSorted()
      .map((file) => {
        const { size, mtime } = statSync(join(folder, file));
        return { path: file, size, modified: mtime };
      });
  }

  fullPath(place: StagePlace, file: StagedFile): string {
    return join(this.root, place.stage, file.path);
  }

  async clear(): Promise<void> {
    this.#named.clear();
    await rm(this.root, { recursive: true, force: true });
  }
}

/** Never a path that leads out of the stage. */
function withinStage(path: string): string {
  if (path.split("/").includes("..")) throw unknownToSandbox("'..' in the path of a stage");
  return path;
}

function stageId(name: string, schema: string): string {
  const parts = [database, schema, ...nameParts(name)].slice(-3);
  return `stage-${encodeURIComponent(parts.length > 2 ? parts.slice(-2).join(".") : parts.join("."))}`;
}
