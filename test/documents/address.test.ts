/** Addresses in a connection: which schemes they may have, and when they are judged. */
import { expect, test } from "vitest";
import { parseDocument } from "../../src/documents/parse.ts";
import { openRegistry } from "../../src/registry.ts";

const registry = await openRegistry();

async function faultsOf(type: string, connection: object): Promise<readonly string[]> {
  const checked = await parseDocument("destination", "tried", { type, connection }, registry);
  return checked.ok ? [] : checked.problems.map(({ pointer, expected }) => `${pointer} ${expected}`);
}

test("an address has the schemes of its destination, and no others", async () => {
  const login = { user: "u", password: "${env:PASSWORD}" };
  expect(
    await faultsOf("postgres", { base_url: "postgres://db.example.com:5432/crm?sslmode=disable", ...login }),
  ).toEqual([]);
  for (const base_url of [
    "https://db.example.com/crm",
    "postgres://u:p@db.example.com/crm",
    "mysql://db/crm",
    "postgres:///crm",
  ])
    expect(await faultsOf("postgres", { base_url, ...login })).toContainEqual(expect.stringContaining("postgres://"));
  const token = { access_token: "${env:TOKEN}" };
  expect(await faultsOf("hubspot", { base_url: "https://api.example.com", ...token })).toEqual([]);
  for (const base_url of ["postgres://db.example.com/crm", "ftp://api.example.com"])
    expect(await faultsOf("hubspot", { base_url, ...token })).toEqual([
      expect.stringContaining("an address such as https://api.example.com"),
    ]);
});

test.each(["${env:DATABASE_URL}", "${secret:database_url}"])(
  "an address that %s holds is judged when it is dialled",
  async (url) => {
    expect(await faultsOf("postgres", { url })).toEqual([]);
  },
);
