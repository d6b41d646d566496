/** Google Sheets for the suite: a tab as a table, and a service account whose key signs. */
import { generateKeyPairSync } from "node:crypto";
import type { DestinationFixture, HeldRecord, ObjectFixture } from "./place.ts";

const { publicKey, privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});

export const email = "sluice@suite.iam.gserviceaccount.com";
export const accounts = [{ client_email: email, public_key: publicKey }];

/** The rows of a tab under its header, as records by their headers; empty cells are left out. */
export function rowsOf(contents: Readonly<Record<string, unknown>>, tab: string): Record<string, unknown>[] {
  const [header = [], ...rows] = Object.values((contents[tab] ?? {}) as Record<string, unknown[]>);
  return rows.map((row) =>
    Object.fromEntries(row.flatMap((cell, at) => (cell === "" ? [] : [[String(header[at]), cell]]))),
  );
}

const held: ObjectFixture["held"] = (contents) =>
  new Map(
    rowsOf(contents, "Key accounts").map(({ account_id, ...record }, at): [string, HeldRecord] => [
      String(account_id),
      { id: String(at), record: record as HeldRecord["record"] },
    ]),
  );

const fixture: DestinationFixture = {
  connection: { spreadsheet_id: "1AbC", client_email: email, private_key: privateKey },
  refusedCredential: { client_email: "stranger@suite.iam.gserviceaccount.com" },
  seed: { accounts, tabs: [{ title: "Key accounts", rows: [["plan", "account_id", "name", "mrr"]] }] },
  objects: [
    {
      name: "Key accounts",
      settings: { types: { mrr: "number" } },
      tellsNoIds: "a row of a tab has none",
      match: "account_id",
      matchValue: (n) => `00${n}`,
      record: (n, revision) => ({
        name: `=Name ${n}.${revision}`,
        plan: `plan ${n}.${revision}`,
        mrr: n * 10 + revision,
      }),
      bad: { name: "x".repeat(50_001) },
      held,
    },
  ],
};

export default fixture;
