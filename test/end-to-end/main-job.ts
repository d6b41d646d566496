import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Business, type BusinessOptions, isAccountedFor } from "./business.ts";

/** The main job from its first run on, over one kind of warehouse. */
export function mainJob(name: string, options: BusinessOptions = {}): void {
  describe(`the main job over ${name}`, () => {
    let business: Business;
    beforeAll(async () => {
      business = await Business.open(1000, options);
    });
    afterAll(() => business[Symbol.asyncDispose]());

    test("the first run puts every row of the segment into HubSpot", async () => {
      const run = await business.run();
      expect(run).toMatchObject({
        status: "succeeded",
        planned: { added: 800, changed: 0, removed: 0 },
        accepted: 800,
        in_doubt: 0,
      });
      expect(business.held()).toEqual(await business.expected());
      expect(await business.falseClaims()).toEqual([]);
    });

    test("a second run without changes plans nothing and asks HubSpot nothing", async () => {
      const before = await business.requests();
      expect(await business.run()).toMatchObject({
        status: "succeeded",
        planned: { added: 0, changed: 0, removed: 0 },
        unchanged: 800,
        requests: 0,
      });
      expect(await business.requests()).toBe(before);
    });

    test("after changing seven rows exactly seven are planned", async () => {
      await business.sql("update accounts set mrr = mrr + 1 where id in ('A1','A2','A3','A4','A6','A7','A8')");
      const run = await business.run();
      expect(run).toMatchObject({ planned: { added: 0, changed: 7, removed: 0 }, accepted: 7, unchanged: 793 });
      expect(business.held()).toEqual(await business.expected());
    });

    test("a wider type upstream sends nothing again", async () => {
      await business.sql("alter table accounts alter mrr type decimal(18, 4)");
      expect(await business.run()).toMatchObject({ planned: { added: 0, changed: 0, removed: 0 }, unchanged: 800 });
    });

    test("rows that leave the segment are planned as removed, and their records archived", async () => {
      await business.sql("update accounts set mrr = 0 where id in ('A11','A12','A13')");
      expect(await business.run()).toMatchObject({ planned: { added: 0, changed: 0, removed: 3 }, accepted: 3 });
      expect(business.held()).toEqual(await business.expected());
    });

    test("records that this sync did not put there are never removed", async () => {
      const body = {
        inputs: [
          { properties: { name: "By hand", account_id: "A99999" }, associations: [] },
          { properties: { name: "Prospect" }, associations: [] },
        ],
      };
      const headers = { authorization: "Bearer right-token", "content-type": "application/json" };
      await fetch(`${business.sandbox.url}/crm/objects/2026-09/companies/batch/create`, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      await business.sql("update accounts set mrr = 0 where id in ('A14','A16')");
      expect(await business.run()).toMatchObject({ planned: { added: 0, changed: 0, removed: 2 }, accepted: 2 });
      const companies = Object.values(business.sandbox.sandbox.contents()["companies"] ?? {}) as Record<
        string,
        string
      >[];
      expect(companies.map(({ name }) => name)).toEqual(expect.arrayContaining(["By hand", "Prospect"]));
      const [byHand] = Object.entries(business.sandbox.sandbox.contents()["companies"] ?? {}).filter(
        ([, one]) => (one as { name: string }).name === "By hand",
      );
      await fetch(`${business.sandbox.url}/crm/objects/2026-09/companies/batch/archive`, {
        method: "POST",
        headers,
        body: JSON.stringify({ inputs: [{ id: byHand?.[0] }] }),
      });
    });

    test("bad rows are refused with field and reason; all others arrive", async () => {
      await business.sql(`update accounts set plan = 'platinum' where id = 'A21';
      update accounts set name = repeat('n', 70000) where id = 'A22';
      insert into accounts values (null, 'No key', 5, 'pro'), ('A23', 'Twin', 5, 'pro');`);
      const run = await business.run();
      expect(run).toMatchObject({ status: "partial", planned: { changed: 2, faulty_keys: 3 }, invalid: 5 });
      expect(isAccountedFor(run)).toBe(true);
      const refused = await business.rejectedKeys(run.run);
      expect(refused).toEqual(expect.arrayContaining(["A21", "A22", "A23"]));
      const settled = (lines: readonly string[]): readonly string[] =>
        lines.filter((line) => !refused.includes(line.split("|")[0] ?? ""));
      expect(settled(business.held())).toEqual(await business.expected(refused));
      expect(await business.run()).toMatchObject({
        status: "succeeded",
        planned: { added: 0, changed: 0, removed: 0 },
        requests: 0,
      });
    });

    test("after a mapping edit every row is mapped again, but only records that differ are sent", async () => {
      await business.sql(
        "delete from accounts where id is null or name in ('Twin'); update accounts set plan = 'pro', name = 'ok' where id in ('A21', 'A22')",
      );
      await business.run();
      const before = await business.requests();
      const edited = business
        .read("workspace.yaml")
        .replace("name: name, mrr: mrr", 'name: { template: "{{ name }}" }, mrr: mrr');
      business.write("workspace.yaml", edited);
      const run = await business.run();
      expect(run.planned?.changed).toBeGreaterThan(700);
      expect(run).toMatchObject({ status: "succeeded", rejected: 0, in_doubt: 0 });
      // One request to learn the fields; none to write, since every record is what HubSpot holds.
      expect((await business.requests()) - before).toBe(1);
    });

    test("--full sends every record again", async () => {
      const run = await business.run("--full");
      expect(run.accepted).toBeGreaterThan(700);
      expect(run.requests).toBeGreaterThan(7);
      expect(business.held()).toEqual(await business.expected());
    });

    test("more removals than the gate allows hold the run, and nothing is sent until it is released", async () => {
      const before = business.held();
      await business.sql("update accounts set mrr = 0 where id < 'A8'");
      const held = await business.sluice(["--json", "run", "companies"]);
      expect(held.code).toBe(4);
      const run = JSON.parse(held.stdout) as { run: string; status: string };
      expect(run.status).toBe("held");
      expect(business.held()).toEqual(before);
      expect((await business.sluice(["run", "companies"])).code).not.toBe(0);
      const released = await business.sluice(["--json", "release", run.run]);
      expect(released.code).toBe(0);
      expect(business.held()).toEqual(await business.expected());
    });

    test("a plan shows what a run would do and changes nothing", async () => {
      const before = business.held();
      await business.sql("update accounts set mrr = 77 where id = 'A9'");
      const { stdout, code } = await business.sluice(["--json", "plan", "companies"]);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        planned: { added: 0, changed: 1, removed: 0 },
        sample: [{ row_key: "A9", record: { mrr: "77" } }],
      });
      expect(business.held()).toEqual(before);
      expect(await business.run()).toMatchObject({ planned: { changed: 1 }, accepted: 1 });
    });
  });
}
