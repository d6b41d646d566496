/** A plan that was unloaded is read in its order, however Snowflake's threads have written it. */
import { existsSync, readdirSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { DuckDBInstance } from "@duckdb/node-api";
import type { StageSession } from "../../src/warehouses/snowflake/stage.ts";
import { UnloadedPlan } from "../../src/warehouses/snowflake/unloaded.ts";

const duckdb = await DuckDBInstance.create(":memory:");
afterAll(() => duckdb.closeSync());

/** A session whose GET brings files with these rows of a range, each file in the order that it names. */
function bringing(files: readonly string[], brought: { folder: string }, text = "i"): StageSession {
  return {
    execute: () => Promise.resolve(0),
    settled: () => Promise.resolve(),
    async query(sql) {
      brought.folder = /'file:\/\/(.*)\/'/.exec(sql)?.[1] ?? "";
      const connection = await duckdb.connect();
      for (const [index, rows] of files.entries()) {
        await connection.run(`copy (select i as seq, '[' || ${text} || ']' as change from range(1, 200001) r(i) ${rows})
          to '${brought.folder}/data_0_${index}_0.snappy.parquet' (format parquet, row_group_size ${text === "i" ? 10_000 : 2048})`);
      }
      connection.closeSync();
      return [];
    },
  };
}

const query = { plan: "", change: "", after: 0, until: 200_000, pageRows: 1000 };

async function seqsOf(plan: UnloadedPlan): Promise<readonly number[]> {
  const seqs: number[] = [];
  for await (const page of plan.pages(query)) seqs.push(...(JSON.parse(page) as number[][]).flat());
  return seqs;
}

test.each([
  ["file by file in order", ["where i <= 90000 order by i", "where i > 90000 order by i"]],
  ["files in another order than their names", ["where i > 90000 order by i", "where i <= 90000 order by i"]],
  ["stretches that take turns", ["where i // 10000 % 2 = 0 order by i", "where i // 10000 % 2 = 1 order by i"]],
  ["stretches of one file in the wrong order", ["order by i // 10000 % 3, i"]],
  [
    "rows of other stretches in the middle of one",
    ["order by case when i <= 20 then 0 else 1 end, (i - 11) // 10 <> 0, i"],
  ],
  ["every other row", ["where i % 2 = 0 order by i", "where i % 2 = 1 order by i"]],
  ["no order at all", ["where hash(i) % 3 = 0 order by hash(i)", "where hash(i) % 3 > 0 order by hash(i)"]],
])("%s", async (_, files) => {
  const brought = { folder: "" };
  const plan = await UnloadedPlan.from("select", bringing(files, brought));
  const seqs = await seqsOf(plan);
  expect(seqs).toHaveLength(200_000);
  expect(seqs.findIndex((seq, index) => seq !== index + 1)).toBe(-1);
  expect(existsSync(brought.folder)).toBe(false);
});

test("who stops reading leaves no file behind; what was read is gone before the end", async () => {
  const brought = { folder: "" };
  const files = ["where i <= 90000 order by i", "where i > 90000 order by i"];
  const plan = await UnloadedPlan.from("select", bringing(files, brought));
  let seen = 0;
  for await (const page of plan.pages(query)) {
    seen += (JSON.parse(page) as unknown[]).length;
    if (seen > 100_000) break;
  }
  expect(seen).toBeLessThan(200_000);
  expect(existsSync(brought.folder)).toBe(false);
  const other = await UnloadedPlan.from("select", bringing(files, brought));
  const left: string[] = [];
  for await (const _page of other.pages(query))
    left.push(
      readdirSync(brought.folder)
        .filter((name) => name.startsWith("data"))
        .join(" "),
    );
  expect(new Set(left).size).toBe(2);
  expect(existsSync(brought.folder)).toBe(false);
});

test.each([
  ["no file", []],
  ["a file fewer than was unloaded", ["where i <= 90000 order by i"]],
])("%s is told before a row is read, and leaves nothing behind", async (_, files) => {
  const brought = { folder: "" };
  const plan = await UnloadedPlan.from("select", bringing(files, brought));
  await expect(seqsOf(plan)).rejects.toMatchObject({ code: "unload_incomplete" });
  expect(existsSync(brought.folder)).toBe(false);
});

test("rows that together are larger than DuckDB's memory are read in it, a few at a time", async () => {
  const brought = { folder: "" };
  const large = "i || ',\"' || repeat('x', 5000) || '\"'";
  const plan = await UnloadedPlan.from("select", bringing(["where i <= 30000 order by i"], brought, large));
  let rows = 0;
  let longest = 0;
  for await (const page of plan.pages({ ...query, until: 30_000 })) {
    rows += (JSON.parse(page) as unknown[]).length;
    longest = Math.max(longest, page.length);
  }
  expect(rows).toBe(30_000);
  expect(longest).toBeLessThan(200_000);
});

test("a file that wants more memory than there is says so, and what to do", async () => {
  const brought = { folder: "" };
  const files = ["where i <= 100 order by i"];
  const plan = await UnloadedPlan.from("select", bringing(files, brought, "repeat('x', 2000000) || i"));
  const read = async (): Promise<void> => {
    for await (const _page of plan.pages({ ...query, until: 100 }));
  };
  await expect(read()).rejects.toMatchObject({ code: "out_of_memory", hint: expect.stringContaining("unload_rows") });
  expect(existsSync(brought.folder)).toBe(false);
});
