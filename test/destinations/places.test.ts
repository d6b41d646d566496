/** What is known of one account is not held of another, and a new credential for the same one forgets nothing. */
import { describe, expect, test } from "vitest";
import { openRegistry } from "../../src/registry.ts";
import { type DestinationFixture, protocolOf } from "./place.ts";

const registry = await openRegistry();

/** Settings of two accounts, and of the first with another credential. */
const accounts: Readonly<Record<string, readonly [one: object, other: object, renewed: object]>> = {
  zendesk: [
    { subdomain: "acme", email: "a@b.example", api_token: "one" },
    { subdomain: "globex", email: "a@b.example", api_token: "one" },
    { subdomain: "acme", email: "c@d.example", api_token: "two" },
  ],
  pipedrive: [
    { company_domain: "acme", api_token: "one" },
    { company_domain: "globex", api_token: "one" },
    { company_domain: "acme", api_token: "two" },
  ],
  braze: [
    { instance: "iad-05", api_key: "one" },
    { instance: "fra-01", api_key: "one" },
    { instance: "iad-05", api_key: "two" },
  ],
  mailchimp: [{ api_key: "one-us21" }, { api_key: "one-us6" }, { api_key: "two-us21" }],
  intercom: [
    { region: "eu", access_token: "one" },
    { region: "us", access_token: "one" },
    { region: "eu", access_token: "two" },
  ],
  customerio: [
    { site_id: "a", track_api_key: "one" },
    { site_id: "b", track_api_key: "one" },
    { site_id: "a", track_api_key: "two" },
  ],
  googlesheets: [
    { spreadsheet_id: "a".repeat(44), client_email: "a@p.iam.gserviceaccount.com", private_key: "one" },
    { spreadsheet_id: "b".repeat(44), client_email: "a@p.iam.gserviceaccount.com", private_key: "one" },
    { spreadsheet_id: "a".repeat(44), client_email: "b@p.iam.gserviceaccount.com", private_key: "two" },
  ],
  salesforce: [
    { client_id: "app", private_key: "one", username: "sync@acme.example" },
    { client_id: "app", private_key: "one", username: "sync@globex.example" },
    { client_id: "app", private_key: "two", username: "sync@acme.example" },
  ],
};

async function placeOf(type: string, settings: object): Promise<string> {
  const adapter = await registry.loadDestination(type);
  const config = adapter.connection.parse(settings);
  return adapter.place?.(config) ?? String(config["base_url"]);
}

describe.each(Object.entries(accounts))("%s", (type, [one, other, renewed]) => {
  test("tells one account from another by its settings, whoever logs in", async () => {
    expect(await placeOf(type, other)).not.toBe(await placeOf(type, one));
    expect(await placeOf(type, renewed)).toBe(await placeOf(type, one));
  });
});

test.each(registry.destinationTypes())("the place of %s has no secret in it, and is one", async (type) => {
  const { default: fixture } = (await import(`./${type}.fixture.ts`)) as { default: DestinationFixture };
  const place = await placeOf(type, { base_url: protocolOf(fixture).address, ...fixture.connection });
  expect(place).not.toMatch(/undefined|^$/);
  const adapter = await registry.loadDestination(type);
  for (const [name, value] of Object.entries(fixture.connection))
    if (adapter.connection.shape[name]?.meta?.()?.["secret"] === true) expect(place).not.toContain(String(value));
});
