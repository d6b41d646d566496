/** Files for the suite: CSV in a bucket, read as whoever has them would, the last row of a key being the one that counts. */
import { parse } from "csv-parse/sync";
import type { DestinationFixture, HeldRecord, ObjectFixture } from "./place.ts";
import { http } from "./protocol.ts";

export const key = { access_key_id: "AKIASUITE", secret_access_key: "files-suite-5f2b8c" };

const oneFile =
  "an answer tells of one file, whole or not at all: it has no parts to leave out or to bring into another order";

/** The rows of files in the order in which they were written, as the log that they are. */
export function rowsOf(contents: Readonly<Record<string, unknown>>): Record<string, string>[] {
  const files = Object.values((contents["exports"] ?? {}) as Record<string, string>);
  return files.flatMap((text) => parse(text, { columns: true, bom: true }) as Record<string, string>[]);
}

const held: ObjectFixture["held"] = (contents) => {
  const records = new Map<string, HeldRecord>();
  for (const { _operation, _batch, account_id = "", ...cells } of rowsOf(contents)) {
    if (_operation === "delete") records.delete(account_id);
    else {
      const present = Object.entries(cells).filter(([, cell]) => cell !== "");
      records.set(account_id, { id: account_id, record: Object.fromEntries(present) });
    }
  }
  return records;
};

const fixture: DestinationFixture = {
  connection: {
    bucket: "exports",
    ...key,
    format: "csv",
    objects: { accounts: { fields: { account_id: "text", name: "text", mrr: "number", seats: "integer" } } },
  },
  refusedCredential: { secret_access_key: "files-another-77d1" },
  seed: { bucket: "exports", keys: [{ id: key.access_key_id, secret: key.secret_access_key }] },
  protocol: {
    ...http,
    without: { "an answer in another order is understood": oneFile, "what an answer leaves out is in doubt": oneFile },
  },
  objects: [
    {
      name: "accounts",
      settings: {},
      tellsNoIds: "a row of a file has none",
      match: "account_id",
      matchValue: (n) => `A "${n}", x`,
      record: (n, revision) => ({ name: `Name\r\n${n}.${revision}`, mrr: `${n * 10 + revision}.5` }),
      bad: { seats: 1.5 },
      held,
    },
  ],
};

export default fixture;
