/** What the warehouse tests share: a warehouse with a database of its own, and how its pages are read. */
import { join } from "node:path";
import type { PlannerPlace, Warehouse } from "../../src/warehouse.ts";

/** One warehouse with a database of its own. */
export interface Place {
  readonly warehouse: Warehouse;
  /** Runs SQL as the owner of the models. */
  sql(statement: string): Promise<void>;
  close(): Promise<void>;
}

export const backOff = { firstMs: 60_000, maxMs: 600_000 };

export async function all<T>(pages: AsyncIterable<readonly T[]>): Promise<readonly T[]> {
  return (await eachPage(pages)).flat();
}

export async function eachPage<T>(pages: AsyncIterable<readonly T[]>): Promise<readonly (readonly T[])[]> {
  const found: (readonly T[])[] = [];
  for await (const page of pages) found.push(page);
  return found;
}

/** Plan and state in a folder, outside the source. */
export function localPlace(folder: string): PlannerPlace & { in: "local" } {
  return {
    in: "local",
    store: { folder: join(folder, "state") },
    scratch: join(folder, "scratch"),
    memoryLimit: "128MB",
  };
}
