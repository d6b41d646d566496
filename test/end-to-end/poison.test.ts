/** A service that refuses a whole batch for one bad row: the others get there, at the price of few requests. */
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { Business, type RunJson } from "./business.ts";

const batch = 100;

const workspace = `kind: source
name: warehouse
type: duckdb
connection: { path: "\${env:WAREHOUSE}" }
---
kind: model
name: accounts
source: warehouse
sql: select id, name from accounts
key: id
---
kind: destination
name: service
type: http
connection:
  base_url: "\${env:SERVICE}"
  auth: none
  objects:
    accounts:
      match: id
      fields: { name: text }
      batch: { records: ${batch} }
      answers:
        - status: 200
          means: results
          lists: [{ at: /results, by: { id: /id }, items: [{ when: { at: /ok, is: true }, means: accepted }] }]
        - { status: 4xx, means: rejected, code: /code, message: /message }
      operations:
        upsert:
          method: POST
          path: /accounts
          per: batch
          item: { id: "{{ match.id }}", name: "{{ record.name }}" }
          body: { records: "{{ items }}" }
---
kind: sync
name: accounts
from: { model: accounts }
to: { destination: service, object: accounts }
mode: upsert
match: { id: id }
fields: { name: name }
gate: { rejected: 100% }
`;

/** Takes batches whole or not at all. */
async function openService() {
  const taken = new Set<string>();
  let requests = 0;
  const server = createServer((asked, answer) => {
    void text(asked).then((body) => {
      requests += 1;
      const { records } = JSON.parse(body) as { records: { id: string; name: string }[] };
      answer.setHeader("content-type", "application/json");
      if (records.some(({ name }) => name === "poison")) {
        answer.statusCode = 400;
        return answer.end(JSON.stringify({ code: "bad_row", message: "a row is not as it should be" }));
      }
      for (const { id } of records) taken.add(id);
      return answer.end(JSON.stringify({ results: records.map(({ id }) => ({ id, ok: true })) }));
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  const url = typeof address === "object" && address ? `http://127.0.0.1:${address.port}` : "";
  return {
    url,
    taken,
    requests: () => requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

test.each([
  [1, "id = 'A137'"],
  [7, "id in ('A1', 'A2', 'A3', 'A400', 'A455', 'A998', 'A1000')"],
  [20, "right(id, 2) = '50' or right(id, 2) = '51'"],
])("of a thousand rows %i are bad: all others are taken, with few requests more", async (bad, which) => {
  await using service = await openService();
  await using business = await Business.open(1000);
  business.write("workspace.yaml", workspace);
  business.environment["SERVICE"] = service.url;
  await business.sql(`update accounts set name = 'poison' where ${which}`);
  const { stdout } = await business.sluice(["--json", "run", "accounts"]);
  const run = JSON.parse(stdout) as RunJson;
  expect(run).toMatchObject({ status: "partial", accepted: 1000 - bad, rejected: bad, in_doubt: 0 });
  expect(service.taken.size).toBe(1000 - bad);
  const extra = service.requests() - 1000 / batch;
  expect(extra).toBeLessThanOrEqual(2 * bad * Math.ceil(Math.log2(batch)));
});
