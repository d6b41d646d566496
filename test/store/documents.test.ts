import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StoredDocuments } from "../../src/store/documents.ts";
import { kindsOfStore, startStore, type TestStore } from "./stores.ts";

describe.each(kindsOfStore)("documents in the %s store", (kind) => {
  let started: TestStore;
  let documents: StoredDocuments;

  beforeAll(async () => {
    started = await startStore(kind);
    ({ documents } = started.store);
  });
  afterAll(() => started.stop());

  const model = (name: string, table: string) => ({
    kind: "model",
    name,
    body: { kind: "model", name, zeta: 1, table, alpha: { b: 1, a: 2 } },
  });

  test("a document comes back as it was written, fields in their order", async () => {
    await documents.put(model("order", "t"));
    const { body } = await documents.get({ kind: "model", name: "order" });
    expect(JSON.stringify(body)).toBe(JSON.stringify(model("order", "t").body));
  });

  test("each change is a version, and the same document again is none", async () => {
    expect(await documents.put(model("versions", "a"))).toMatchObject({ version: 1, managedBy: null });
    expect(await documents.put(model("versions", "a"))).toMatchObject({ version: 1 });
    expect(await documents.put(model("versions", "b"), { managedBy: "git" })).toMatchObject({
      version: 2,
      managedBy: "git",
    });
    await documents.delete({ kind: "model", name: "versions" });
  });

  test("a change of a version that is no longer the newest is refused", async () => {
    const key = { kind: "model", name: "stale" };
    await documents.put(model("stale", "a"), { ifVersion: 0 });
    await documents.put(model("stale", "b"), { ifVersion: 1 });
    await expect(documents.put(model("stale", "c"), { ifVersion: 1 })).rejects.toMatchObject({
      code: "version_conflict",
    });
    await expect(documents.put(model("stale", "c"), { ifVersion: 0 })).rejects.toMatchObject({
      code: "version_conflict",
    });
    await expect(documents.delete(key, { ifVersion: 1 })).rejects.toMatchObject({ code: "version_conflict" });
    await documents.delete(key, { ifVersion: 2 });
    await expect(documents.get(key)).rejects.toMatchObject({ code: "not_found" });
    await expect(documents.delete(key)).rejects.toMatchObject({ code: "not_found" });
  });

  test("of many who change one version at once, one succeeds", async () => {
    await documents.put(model("race", "start"));
    const puts = Array.from({ length: 6 }, (_, n) => documents.put(model("race", `t${n}`), { ifVersion: 1 }));
    const settled = await Promise.allSettled(puts);
    expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await documents.get({ kind: "model", name: "race" })).toMatchObject({ version: 2 });
  });

  test("a workspace replaces the documents, and with prune what it lacks is deleted", async () => {
    await documents.replace([], { prune: true });
    await documents.replace([model("a", "1"), model("b", "1")], { prune: false });
    const change = [model("b", "2"), model("c", "1")];
    const expected = [
      { kind: "model", name: "b", change: "replaced" },
      { kind: "model", name: "c", change: "created" },
      { kind: "model", name: "a", change: "deleted" },
    ];
    expect(await documents.replace(change, { prune: true, dryRun: true })).toEqual({ changes: expected, unchanged: 0 });
    expect((await documents.list("model")).map(({ name }) => name)).toEqual(["a", "b"]);
    expect(await documents.replace(change, { prune: true })).toEqual({ changes: expected, unchanged: 0 });
    expect((await documents.list("model")).map(({ name, version }) => [name, version])).toEqual([
      ["b", 2],
      ["c", 1],
    ]);
    expect(await documents.replace(change, { prune: true })).toEqual({ changes: [], unchanged: 2 });
  });

  test("to prune is to delete what one wrote oneself, never what another did", async () => {
    await documents.put(model("of-another", "1"), { managedBy: "git" });
    expect(await documents.replace([], { prune: true })).not.toMatchObject({ changes: [{ name: "of-another" }] });
    expect(await documents.get({ kind: "model", name: "of-another" })).toMatchObject({ version: 1 });
    const pruned = await documents.replace([], { prune: true, managedBy: "git" });
    expect(pruned.changes).toEqual([{ kind: "model", name: "of-another", change: "deleted" }]);
  });

  test("a replacement that fails half-way changes nothing", async () => {
    await documents.replace([model("kept", "1")], { prune: true });
    // Postgres refuses the name's NUL after the first document was written.
    const broken = [model("written", "1"), model("bad\0name", "1")];
    await expect(documents.replace(broken, { prune: true })).rejects.toThrow();
    expect((await documents.list("model")).map(({ name }) => name)).toEqual(["kept"]);
  });
});
