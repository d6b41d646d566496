import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Business, type Finished } from "./business.ts";

let business: Business;
beforeAll(async () => {
  business = await Business.open(50);
});
afterAll(() => business[Symbol.asyncDispose]());

/** Runs with one change to the workspace, and puts it back. */
async function runWith(find: string, put: string, environment: Record<string, string> = {}): Promise<Finished> {
  const good = business.read("workspace.yaml");
  expect(good).toContain(find);
  business.write("workspace.yaml", good.replace(find, put));
  try {
    return await business.sluice(["--json", "run", "companies"], { environment });
  } finally {
    business.write("workspace.yaml", good);
  }
}

function failureOf({ stdout }: Finished): { code: string; message: string; hint?: string } {
  const answer = JSON.parse(stdout) as {
    failure?: { code: string; message: string };
    error?: { code: string; message: string };
  };
  return answer.failure ?? answer.error ?? { code: "none", message: stdout };
}

describe("one clear message each, the right exit code, nothing lost", () => {
  test("a refused credential", async () => {
    const done = await business.sluice(["--json", "run", "companies"], { environment: { TOKEN: "wrong-token" } });
    expect(done.code).toBe(1);
    expect(failureOf(done)).toMatchObject({
      code: "INVALID_AUTHENTICATION",
      message: expect.stringContaining('destination "hubspot"'),
    });
    expect(done.stdout + done.stderr).not.toContain("wrong-token");
  });

  test("a variable that is not set", async () => {
    const done = await business.sluice(["--json", "run", "companies"], { environment: { TOKEN: "" } });
    expect(done.code).toBe(1);
    expect(failureOf(done)).toMatchObject({ code: "missing_variable", message: expect.stringContaining("TOKEN") });
  });

  test("a destination that is down", async () => {
    const done = await business.sluice(["--json", "check", "hubspot"], {
      environment: { HUBSPOT: "http://127.0.0.1:2" },
    });
    expect(done.code).toBe(1);
    expect(failureOf(done)).toMatchObject({ code: "unreachable" });
  });

  test("a table that is not there", async () => {
    const done = await runWith("table: accounts", "table: acounts");
    expect(done.code).toBe(1);
    expect(failureOf(done)).toMatchObject({ code: "table_not_found", message: expect.stringContaining("acounts") });
  });

  test("SQL that is wrong", async () => {
    const done = await runWith("table: accounts", "sql: selec id from accounts");
    expect(done.code).toBe(1);
    expect(failureOf(done).code).toBe("sql_error");
  });

  test("a model without its key", async () => {
    const done = await runWith("key: id", "key: account_number");
    expect(done.code).toBe(1);
    expect(failureOf(done)).toMatchObject({
      code: "key_column_missing",
      message: expect.stringContaining("account_number"),
    });
  });

  test("a field that HubSpot does not have, with the one that was probably meant", async () => {
    const done = await runWith("plan_name: plan", "plan_nam: plan");
    expect(done.code).toBe(1);
    expect(failureOf(done)).toMatchObject({
      code: "unknown_field",
      message: expect.stringContaining('Did you mean "plan_name"?'),
    });
  });

  test("a column that the model does not have", async () => {
    const done = await runWith("mrr: mrr", "mrr: mr");
    expect(done.code).toBe(1);
    expect(failureOf(done)).toMatchObject({
      code: "unknown_column",
      message: expect.stringContaining('Did you mean "mrr"?'),
    });
  });

  test("several misfits at once are all told", async () => {
    const done = await runWith(
      "fields: { name: name, mrr: mrr, plan_name: plan }",
      "fields: { nam: name, createdate: name, plan_name: pla }",
    );
    const { message } = failureOf(done);
    expect(message).toContain("fields.nam");
    expect(message).toContain("fields.createdate");
    expect(message).toContain("fields.plan_name");
  });

  test("a document that is wrong: exit 2, with file, line and column", async () => {
    const done = await runWith("mode: mirror", "mode: miror");
    expect(done.code).toBe(2);
    expect(done.stderr).toMatch(/workspace\.yaml:\d+:\d+/);
    expect(done.stderr).toContain("mirror");
  });

  test("a sync that does not exist: exit 2", async () => {
    const done = await business.sluice(["run", "companie"]);
    expect(done.code).toBe(2);
    expect(done.stderr).toContain('Did you mean "companies"?');
  });

  test("an unknown command or option: exit 2", async () => {
    expect((await business.sluice(["rum"])).code).toBe(2);
    expect((await business.sluice(["run", "companies", "--ful"])).code).toBe(2);
  });

  test("after all of it the sync runs as if nothing had been", async () => {
    expect(business.held()).toEqual([]);
    expect(await business.run()).toMatchObject({ status: "succeeded", planned: { added: 40 }, accepted: 40 });
    expect(business.held()).toEqual(await business.expected());
  });
});

test("a Node.js that is too old is told so in one line, or the project's own is used", async () => {
  const { readFileSync } = await import("node:fs");
  const entry = readFileSync(new URL("../../src/cli/sluice.js", import.meta.url), "utf8");
  // The entry must parse on old versions: no syntax that came after Node.js 18.
  expect(entry).not.toMatch(/\bimport\s+type\b|: string\b/);
  expect(entry).toContain("needs Node.js");
});
