/**
 * Finds the adapters and the kinds of mapping: a folder or file that is there is known. Listing reads folders only;
 * an adapter is imported when it is first asked for, so that the vendors' SDKs nobody uses cost nothing.
 */
import type { Dirent } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import type { DestinationAdapter } from "./destination.ts";
import { messageOf, NotFoundError, SluiceError } from "./errors.ts";
import type { MappingKind } from "./mapping.ts";
import { closest } from "./nearest.ts";
import type { CreateListeningSandbox, CreateSandbox } from "./sandbox.ts";
import type { ServeWarehouse, WarehouseAdapter } from "./warehouse.ts";

/** A kind of mapping whose options have been checked by its schema. */
export type AnyMappingKind = MappingKind<Readonly<Record<string, unknown>>>;

/** The kinds of mapping by name. */
export type MappingKinds = ReadonlyMap<string, AnyMappingKind>;

/** What this installation has. Types are the names of folders, kinds the names of files. */
export interface Registry {
  destinationTypes(): readonly string[];
  warehouseTypes(): readonly string[];
  /** Fails with `unknown_type`, naming those there are, or `broken_adapter`, naming what it lacks. */
  loadDestination(type: string): Promise<DestinationAdapter>;
  /** Fails with `unknown_type`, naming those there are, or `broken_adapter`, naming what it lacks. */
  loadWarehouse(type: string): Promise<WarehouseAdapter>;
  /** Fails with `unknown_type`, naming those there are, or `broken_adapter`. */
  loadSandbox(type: string): Promise<CreateSandbox | CreateListeningSandbox>;
  /** Fails with `unknown_type`, naming those there are, or `no_sandbox`. */
  loadWarehouseSandbox(type: string): Promise<ServeWarehouse>;
  /** All kinds, loaded. Fails with `broken_mapping` when one is wrong or two share a required key. */
  mappingKinds(): Promise<MappingKinds>;
}

/** Where to look. */
export interface RegistryFolders {
  readonly destinations: string;
  readonly warehouses: string;
  readonly mappings: string;
}

const ownFolders: RegistryFolders = {
  destinations: fileURLToPath(new URL("../destinations", import.meta.url)),
  warehouses: fileURLToPath(new URL("./warehouses", import.meta.url)),
  mappings: fileURLToPath(new URL("../mappings", import.meta.url)),
};

/** Reads which adapters and kinds there are. */
export async function openRegistry(folders: RegistryFolders = ownFolders): Promise<Registry> {
  const destinations = await foldersWithIndex(folders.destinations);
  const warehouses = await foldersWithIndex(folders.warehouses);
  const mappings = await sourceFiles(folders.mappings);
  let kinds: Promise<MappingKinds> | undefined;
  return {
    destinationTypes: () => destinations,
    warehouseTypes: () => warehouses,
    async loadDestination(type) {
      requireKnown(type, destinations, "destination");
      const adapter = await loadDefault(join(folders.destinations, type, "index.ts"), "broken_adapter");
      requireShape(adapter, isDestinationAdapter, destinationShape, "type", type, `destinations/${type}/index.ts`);
      return adapter;
    },
    async loadWarehouse(type) {
      requireKnown(type, warehouses, "source");
      const adapter = await loadDefault(join(folders.warehouses, type, "index.ts"), "broken_adapter");
      requireShape(adapter, isWarehouseAdapter, warehouseShape, "type", type, `src/warehouses/${type}/index.ts`);
      return adapter;
    },
    async loadSandbox(type) {
      requireKnown(type, destinations, "destination");
      const create = await loadDefault(join(folders.destinations, type, "sandbox.ts"), "broken_adapter");
      if (!isCreateSandbox(create))
        throw new SluiceError(
          "broken_adapter",
          `the default export of destinations/${type}/sandbox.ts is not a function`,
        );
      return create;
    },
    async loadWarehouseSandbox(type) {
      requireKnown(type, warehouses, "source");
      const file = join(folders.warehouses, type, "sandbox", "index.ts");
      const serve = await loadDefault(file, "no_sandbox");
      if (!isServeWarehouse(serve)) throw new SluiceError("no_sandbox", `src/warehouses/${type} has no sandbox`);
      return serve;
    },
    mappingKinds: () => (kinds ??= loadMappings(folders.mappings, mappings)),
  };
}

async function loadMappings(folder: string, names: readonly string[]): Promise<MappingKinds> {
  const kinds = new Map<string, AnyMappingKind>();
  const owners = new Map<string, string>();
  for (const name of names) {
    const kind = await loadDefault(join(folder, `${name}.ts`), "broken_mapping");
    requireShape(kind, isMappingKind, mappingShape, "name", name, `mappings/${name}.ts`);
    // The set of required keys tells the kinds apart; any one of them may recur only beside another.
    const signature = requiredKeys(kind).toSorted().join(", ");
    const owner = owners.get(signature);
    if (owner !== undefined || signature === "") {
      const fault =
        owner === undefined ? "requires no key at all" : `requires the same keys as mappings/${owner}.ts: ${signature}`;
      throw new SluiceError("broken_mapping", `mappings/${name}.ts ${fault}`, {
        hint: "The required keys of a mapping tell its kind, so each kind needs one of its own.",
      });
    }
    owners.set(signature, name);
    kinds.set(name, kind);
  }
  return kinds;
}

/** The keys without which a mapping is not of this kind. */
export function requiredKeys(kind: Pick<AnyMappingKind, "options">): readonly string[] {
  const shape: Readonly<Record<string, z.core.$ZodType>> = kind.options.shape;
  return Object.keys(shape).filter((key) => shape[key]?._zod.optin !== "optional");
}

async function foldersWithIndex(folder: string): Promise<readonly string[]> {
  const entries = await entriesOf(folder);
  const names = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory())
      .map(async ({ name }) => {
        const found = await access(join(folder, name, "index.ts")).then(
          () => true,
          () => false,
        );
        return found ? [name] : [];
      }),
  );
  return names.flat().toSorted();
}

async function sourceFiles(folder: string): Promise<readonly string[]> {
  const entries = await entriesOf(folder);
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(".ts"));
  return files.map((entry) => entry.name.slice(0, -".ts".length)).toSorted();
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return await readdir(folder, { withFileTypes: true });
}

function requireKnown(type: string, known: readonly string[], kind: "destination" | "source"): void {
  if (known.includes(type)) return;
  const near = closest(type, known);
  throw new NotFoundError("unknown_type", `there is no ${kind} type ${JSON.stringify(type)}`, {
    hint: `${near === undefined ? "" : `Did you mean "${near}"? `}There are: ${known.join(", ")}.`,
  });
}

async function loadDefault(file: string, code: string): Promise<unknown> {
  try {
    const module: unknown = await import(pathToFileURL(file).href);
    return typeof module === "object" && module !== null && "default" in module ? module.default : undefined;
  } catch (cause) {
    throw new SluiceError(code, `${file} cannot be loaded: ${messageOf(cause)}`, { cause });
  }
}

type Shape = Readonly<Record<string, "string" | "function" | "schema">>;

const destinationShape: Shape = {
  type: "string",
  title: "string",
  connection: "schema",
  limits: "function",
  connect: "function",
};
const warehouseShape: Shape = { type: "string", title: "string", connection: "schema", connect: "function" };
const mappingShape: Shape = {
  name: "string",
  title: "string",
  options: "schema",
  columns: "function",
  compile: "function",
};

const isServeWarehouse = (value: unknown): value is ServeWarehouse => typeof value === "function";
const isCreateSandbox = (value: unknown): value is CreateSandbox | CreateListeningSandbox =>
  typeof value === "function";
const isDestinationAdapter = (value: unknown): value is DestinationAdapter =>
  lacks(value, destinationShape).length === 0;
const isWarehouseAdapter = (value: unknown): value is WarehouseAdapter => lacks(value, warehouseShape).length === 0;
const isMappingKind = (value: unknown): value is AnyMappingKind => lacks(value, mappingShape).length === 0;

/** The members that a default export lacks or has in a wrong form. */
function lacks(value: unknown, shape: Shape): string[] {
  if (typeof value !== "object" || value === null) return Object.keys(shape);
  return Object.entries(shape).flatMap(([member, form]) => {
    const given: unknown = Reflect.get(value, member);
    const fits = form === "schema" ? given instanceof z.ZodObject : typeof given === form;
    return fits ? [] : [form === "schema" ? `${member} (a zod object)` : `${member} (a ${form})`];
  });
}

/** Asserts that a default export is what its contract says, and is named after its folder or file. */
function requireShape<T extends object>(
  value: unknown,
  is: (value: unknown) => value is T,
  shape: Shape,
  nameMember: "type" | "name",
  expectedName: string,
  file: string,
): asserts value is T {
  const code = nameMember === "type" ? "broken_adapter" : "broken_mapping";
  if (!is(value)) {
    throw new SluiceError(code, `the default export of ${file} lacks ${lacks(value, shape).join(", ")}`);
  }
  const given: unknown = Reflect.get(value, nameMember);
  if (given !== expectedName) {
    throw new SluiceError(
      code,
      `${file} says ${nameMember} ${JSON.stringify(given)}, but is found as "${expectedName}"`,
      {
        hint: `Say ${nameMember}: "${expectedName}", or rename it.`,
      },
    );
  }
}
