import { describe, expect, test } from "vitest";
import type { Change } from "../../src/destination.ts";
import { failureOf } from "./checks.ts";
import { ada, asked, bo, change, gone, heldContacts, into, seed, workspace, write } from "./intercom.workspace.ts";

describe("contacts by external id", () => {
  test("are made in one request, as users, without what is null", async () => {
    await using place = await workspace();
    const record = { name: "Cy", phone: null, "custom_attributes.plan": "pro", "custom_attributes.seats": null };
    const outcome = await write(place, change({ external_id: "cy" }, record));
    expect(outcome).toMatchObject({ kind: "accepted", destinationId: expect.stringMatching(/^6762/) });
    expect(await asked(place)).toEqual(["POST /contacts"]);
    expect((await place.asked()).at(-1)?.requestBody).toEqual({
      role: "user",
      external_id: "cy",
      name: "Cy",
      custom_attributes: { plan: "pro" },
    });
  });

  test("that were sent before are found and changed; what is not mapped stays", async () => {
    await using place = await workspace();
    const outcome = await write(place, change({ external_id: "ada" }, { name: "Ada L" }, { destinationId: ada }));
    expect(outcome).toEqual({ seq: 1, kind: "accepted", destinationId: ada });
    expect(await asked(place)).toEqual(["GET /contacts/find_by_external_id/ada", "PUT /contacts/…"]);
    expect(heldContacts(place)[ada]).toMatchObject({ standard: { name: "Ada L" }, custom: { plan: "free" } });
  });

  test("that are there already are changed, never made twice", async () => {
    await using place = await workspace();
    const outcome = await write(place, change({ external_id: "ada" }, { "custom_attributes.plan": null }));
    expect(outcome).toEqual({ seq: 1, kind: "accepted", destinationId: ada });
    expect(await asked(place)).toEqual(["POST /contacts", "GET /contacts/find_by_external_id/ada", "PUT /contacts/…"]);
    expect(heldContacts(place)[ada]?.custom).toEqual({});
    expect(Object.keys(heldContacts(place))).toHaveLength(4);
  });

  test("that clash with another contact's e-mail address are rejected, and that contact is left alone", async () => {
    await using place = await workspace();
    const before = heldContacts(place);
    const outcome = await write(place, change({ external_id: "new" }, { email: "ADA@example.com", name: "Eve" }));
    expect(outcome).toMatchObject({ kind: "rejected", code: "conflict", message: expect.stringContaining(ada) });
    expect(heldContacts(place)).toEqual(before);
  });

  test("whose id could be read as a part of the address are asked for by exactly that id", async () => {
    await using place = await workspace();
    const strange = "a/b?c=d&e#100% é";
    const made = await write(place, change({ external_id: strange }, { name: "One" }));
    const again = await write(place, change({ external_id: strange }, { name: "Two" }));
    expect(again).toEqual(made);
    const blanks = await write(place, change({ external_id: " a " }, { name: "One" }));
    expect(await write(place, change({ external_id: " a " }, { name: "Two" }))).toEqual(blanks);
    for (const external_id of [".", "..", " "])
      expect(await write(place, change({ external_id }))).toMatchObject({ kind: "rejected", field: "external_id" });
  });

  test("are refused to an insert when they are there", async () => {
    await using place = await workspace();
    const outcome = await write(place, change({ external_id: "ada" }, { name: "Eve" }), { operation: "insert" });
    expect(outcome).toMatchObject({ kind: "rejected", code: "conflict" });
    expect(heldContacts(place)[ada]?.standard["name"]).toBe("Ada");
  });

  test("are accepted unchanged when nothing but the match is mapped", async () => {
    await using place = await workspace();
    const outcome = await write(place, change({ external_id: "ada" }), { operation: "update" });
    expect(outcome).toEqual({ seq: 1, kind: "accepted", destinationId: ada });
    expect(await asked(place)).toEqual(["GET /contacts/find_by_external_id/ada"]);
  });

  test("keep their contact when the id changes, or are told when Intercom keeps the former id", async () => {
    const renamed = change({ external_id: "countess" }, { name: "Ada" }, { destinationId: ada, renamed: true });
    await using place = await workspace();
    expect(await write(place, renamed)).toEqual({ seq: 1, kind: "accepted", destinationId: ada });
    expect(heldContacts(place)[ada]?.external_id).toBe("countess");
    await using fixed = await workspace({ fixed_fields: ["external_id"] });
    expect(await write(fixed, renamed)).toMatchObject({ kind: "rejected", code: "not_kept", field: "external_id" });
  });

  test("are made anew when the contact that was to be renamed is gone", async () => {
    await using place = await workspace();
    const lost = { destinationId: "6762f0dd1bb69f9f2fffffff", renamed: true };
    expect(await write(place, change({ external_id: "cy" }, { name: "Cy" }, lost))).toMatchObject({ kind: "accepted" });
    expect(Object.keys(heldContacts(place))).toHaveLength(5);
  });
});

describe("contacts by e-mail address", () => {
  test("are one whatever the case, and are looked for before they are made", async () => {
    await using place = await workspace();
    const outcome = await write(place, change({ email: " ADA@Example.com" }, { name: "Ada L" }));
    expect(outcome).toEqual({ seq: 1, kind: "accepted", destinationId: ada });
    expect(await asked(place)).toEqual(["POST /contacts/search", "PUT /contacts/…"]);
    expect(place.connection.ignoresCase?.("contacts", {}, "email")).toBe(true);
    expect(place.connection.ignoresCase?.("contacts", {}, "external_id")).toBe(false);
  });

  test("that are none are refused before anything is sent", async () => {
    await using place = await workspace();
    const outcome = await write(place, change({ email: "ada" }, { name: "Ada" }));
    expect(outcome).toMatchObject({ kind: "rejected", code: "not_an_email", field: "email" });
    expect(await asked(place)).toEqual([]);
  });

  test("are not made twice while a search does not see them yet", async () => {
    await using place = await workspace({ search_delay_ms: 180_000 });
    const first = await write(place, change({ email: "cy@example.com" }, { name: "Cy" }));
    const again = await write(place, change({ email: "cy@example.com" }, { name: "Cyd" }));
    expect(again).toEqual(first);
    expect((await asked(place)).slice(2)).toEqual([
      "POST /contacts/search",
      "POST /contacts",
      "GET /contacts/…",
      "PUT /contacts/…",
    ]);
    const sent = { destinationId: first?.kind === "accepted" ? first.destinationId : undefined };
    expect(await write(place, change({ email: "cy@example.com" }, { name: "Cyn" }, sent))).toEqual(first);
    expect((await asked(place)).slice(6)).toEqual(["GET /contacts/…", "PUT /contacts/…"]);
    expect(Object.keys(heldContacts(place))).toHaveLength(5);
  });

  test("are the user's before a lead's; of several, none is guessed", async () => {
    const lead = (n: number, email: string): object => ({ id: `6762f0dd1bb69f9f4000000${n}`, role: "lead", email });
    const leads = [
      lead(1, "ada@example.com"),
      lead(2, "two@example.com"),
      lead(3, "two@example.com"),
      lead(4, "x@y.z"),
    ];
    await using place = await workspace({ contacts: [...seed.contacts, ...leads] });
    const named = (email: string): Change => change({ email }, { name: "Named" });
    expect(await write(place, named("ada@example.com"))).toMatchObject({ destinationId: ada });
    expect(await write(place, named("x@y.z"))).toMatchObject({ destinationId: "6762f0dd1bb69f9f40000004" });
    const several = { kind: "rejected", code: "ambiguous_match", field: "email" };
    expect(await write(place, named("two@example.com"))).toMatchObject(several);
    expect(await write(place, named("two@example.com"), { operation: "archive" })).toMatchObject(several);
  });

  test("that no longer are the sent contact's are looked for again", async () => {
    await using place = await workspace();
    const outcome = await write(place, change({ email: "into@example.com" }, { name: "I" }, { destinationId: ada }));
    expect(outcome).toMatchObject({ kind: "accepted", destinationId: into });
    expect(heldContacts(place)[ada]?.standard["name"]).toBe("Ada");
  });
});

describe("archived and merged contacts", () => {
  test("that were archived come back with their history when their row does", async () => {
    await using place = await workspace();
    expect(await write(place, change({ external_id: "bo" }, { name: "Bob" }))).toMatchObject({ destinationId: bo });
    expect(heldContacts(place)[bo]).toMatchObject({ archived: false, standard: { name: "Bob" } });
    expect(await asked(place)).toContain("POST /contacts/…/unarchive");
  });

  test("are only brought back if they are the row's; another's stays as it is, and nothing is left behind", async () => {
    await using place = await workspace();
    const before = structuredClone(heldContacts(place));
    const stranger = change({ external_id: "stranger" }, { email: "bo@example.com" });
    expect(await write(place, stranger)).toMatchObject({ kind: "rejected", code: "conflict" });
    const other = change({ email: "stranger@example.com" }, { external_id: "bo" });
    expect(await write(place, other)).toMatchObject({ kind: "rejected", code: "conflict" });
    expect(heldContacts(place)).toEqual(before);
    const own = change({ external_id: "bo" }, { email: "bo@example.com", name: "Bob" });
    expect(await write(place, own)).toMatchObject({ kind: "accepted", destinationId: bo });
    expect(heldContacts(place)[bo]).toMatchObject({ archived: false, standard: { name: "Bob" } });
    expect(Object.keys(heldContacts(place))).toHaveLength(4);
  });

  test("whose owner cannot be told leave the row in doubt", async () => {
    await using place = await workspace();
    await place.connection.describe("contacts", {});
    const stranger = change({ external_id: "stranger" }, { email: "bo@example.com" });
    await place.strike({ kind: "silent" }, { method: "DELETE" });
    expect(await write(place, stranger)).toMatchObject({ kind: "in_doubt" });
  });

  test("that were archived by another than the sync come back by the id that the row was sent to", async () => {
    await using place = await workspace();
    const sent = change({ email: "bo@example.com" }, { external_id: "bo", name: "Bob" }, { destinationId: bo });
    expect(await write(place, sent)).toMatchObject({ kind: "accepted", destinationId: bo });
    expect((await asked(place)).filter((one) => one === "POST /contacts")).toHaveLength(1);
    expect(heldContacts(place)[bo]?.archived).toBe(false);
  });

  test("once something was applied, no failure says that nothing was", async () => {
    await using place = await workspace();
    await place.connection.describe("contacts", {});
    await place.strike({ kind: "failure", name: "rate_limit" }, { method: "PUT" });
    const failed = await failureOf(write(place, change({ external_id: "bo" }, { name: "Bob" })));
    expect(failed).toMatchObject({ kind: "busy", applied: "unknown" });
  });

  test("that were merged are not changed through the contact that they were merged into", async () => {
    await using place = await workspace();
    const sent = change({ external_id: "gone" }, { name: "X" }, { destinationId: gone });
    for (const operation of ["upsert", "update"] as const)
      expect(await write(place, sent, { operation })).toMatchObject({ kind: "rejected", code: "contact_merged" });
    for (const operation of ["archive", "delete", "clear"] as const)
      expect(await write(place, change({ external_id: "gone" }), { operation })).toMatchObject({ kind: "accepted" });
    expect(heldContacts(place)[into]).toMatchObject({ archived: false, standard: { name: "Into" } });
  });

  test("are archived to be brought back, or deleted for good, or cleared but for what identifies them", async () => {
    await using place = await workspace();
    const nulls = { name: null, email: null, "custom_attributes.plan": null };
    expect(await write(place, change({ external_id: "ada" }, nulls), { operation: "clear" })).toMatchObject({
      kind: "accepted",
    });
    expect(heldContacts(place)[ada]).toMatchObject({ email: "ada@example.com", standard: {}, custom: {} });
    await write(place, change({ external_id: "ada" }), { operation: "archive" });
    expect(heldContacts(place)[ada]?.archived).toBe(true);
    await write(place, change({ external_id: "into" }), { operation: "delete" });
    expect(heldContacts(place)[into]).toBe(undefined);
  });
});
