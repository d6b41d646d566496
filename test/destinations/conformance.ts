/** The suite that is called for every folder of `destinations/`. */
import { describe, expect, test } from "vitest";
import type { DestinationAdapter } from "../../src/destination.ts";
import { batchOf, changesOf, type DestinationFixture, openPlace, type PlaceOptions, protocolOf } from "./place.ts";
import { checks, keepsRenamed } from "./checks.ts";

export interface DestinationUnderTest {
  /** The name of its folder. */
  readonly folder: string;
  readonly adapter: DestinationAdapter;
  readonly createSandbox: PlaceOptions["createSandbox"];
  readonly fixture: DestinationFixture;
}

/** What every destination must do, bare and with all around it that a run has. */
export function conformance({ folder, adapter, createSandbox, fixture }: DestinationUnderTest): void {
  const { without, passing } = protocolOf(fixture);
  describe(folder, () => {
    settings({ folder, adapter, createSandbox, fixture });
    test("what means nothing in its protocol is a promise of the suite", () => {
      expect(Object.keys(without).filter((promise) => !(promise in checks))).toEqual([]);
    });
    for (const object of fixture.objects) {
      for (const wrapped of [false, true]) {
        describe(`${object.name}${wrapped ? ", paced, traced and retried" : ""}`, () => {
          for (const [promise, check] of Object.entries(checks)) {
            const reason = without[promise] ?? (promise === keepsRenamed ? object.tellsNoIds : undefined);
            test.skipIf(reason !== undefined)(reason ? `${promise}: not here, for ${reason}` : promise, async () => {
              await using place = await openPlace({ adapter, createSandbox, fixture, object, wrapped });
              await check(place);
            });
          }
        });
      }
      test(`${object.name}: a run gets over a limit and a failure that pass`, async () => {
        await using place = await openPlace({ adapter, createSandbox, fixture, object, wrapped: true });
        for (const trouble of passing) await place.trouble(trouble);
        const outcomes = await place.connection.write(batchOf(object, changesOf(object, [0, 1])));
        expect(outcomes.map(({ kind }) => kind)).toEqual(["accepted", "accepted"]);
        expect([...place.held().keys()].toSorted()).toEqual([object.matchValue(0), object.matchValue(1)]);
      });
    }
  });
}

function settings({ folder, adapter, fixture }: DestinationUnderTest): void {
  test("is found by the name of its folder, and has a title", () => {
    expect(adapter.type).toBe(folder);
    expect(adapter.title).not.toBe("");
  });

  test("takes base_url, and describes every setting", () => {
    expect(Object.keys(adapter.connection.shape)).toContain("base_url");
    const whole = { base_url: protocolOf(fixture).address, ...fixture.connection };
    expect(adapter.connection.safeParse(whole).error).toBe(undefined);
    for (const setting of Object.values(adapter.connection.shape))
      expect(setting.meta?.()).toMatchObject({ description: expect.stringMatching(/.+/) });
  });

  test("refuses a connection that lacks a required setting, or has one that it does not know", () => {
    for (const name of Object.keys(fixture.connection)) {
      const { [name]: _left, ...others } = fixture.connection;
      expect([name, adapter.connection.safeParse(others).success]).toEqual([name, false]);
    }
    expect(adapter.connection.safeParse({ ...fixture.connection, no_such_setting: 1 }).success).toBe(false);
  });

  test("publishes limits that can be kept", () => {
    for (const { requests, perMs } of adapter.limits(
      adapter.connection.parse({ base_url: protocolOf(fixture).address, ...fixture.connection }),
    )) {
      expect(requests).toBeGreaterThan(0);
      expect(perMs).toBeGreaterThan(0);
    }
  });
}
