import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

test("a refusal of the control store is logged without the row that it repeats", () => {
  const script = `
    import pg from "pg";
    import { createLog } from "./src/log.ts";
    const error = new pg.DatabaseError("violates check constraint", 1, "error");
    const row = { detail: "Failing row contains (K-secret).", where: "JSON data, line 1: K-secret" };
    createLog("info").error(Object.assign(error, { code: "23514", ...row, internalQuery: "select K-secret" }));
  `;
  const root = join(import.meta.dirname, "..");
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: root,
    encoding: "utf8",
  });
  expect(JSON.parse(stdout)).toMatchObject({ err: { message: "violates check constraint", code: "23514" } });
  expect(stdout).not.toContain("K-secret");
});
