/** What vendors say with each answer is left of their limits is read, in their own forms, and only where it is one. */
import { describe, expect, test } from "vitest";
import { type Context, type Quota } from "../../src/destination.ts";
import { createFetch } from "../../src/fetch.ts";
import { openRegistry } from "../../src/registry.ts";
import { serveSandbox } from "../../src/serve-sandbox.ts";
import { contextOf } from "./context.ts";
import type { DestinationFixture } from "./place.ts";

const registry = await openRegistry();

/** Headers as the vendor's documentation has them, and what they say. */
const documented: Readonly<
  Record<string, readonly (readonly [headers: Readonly<Record<string, string>>, quotas: readonly Partial<Quota>[]])[]>
> = {
  hubspot: [
    [
      { "x-hubspot-ratelimit-daily": "625000", "x-hubspot-ratelimit-daily-remaining": "124" },
      [{ limit: 625_000, remaining: 124 }],
    ],
    // An app that was authorized by OAuth is told of ten seconds only.
    [{ "x-hubspot-ratelimit-max": "110", "x-hubspot-ratelimit-remaining": "0" }, []],
  ],
  zendesk: [
    [
      { "ratelimit-limit": "700", "ratelimit-remaining": "0", "ratelimit-reset": "41" },
      [{ limit: 700, remaining: 0, resetsInMs: 41_000 }],
    ],
    [{ "ratelimit-limit": "700", "ratelimit-remaining": "many", "ratelimit-reset": "41" }, []],
  ],
  intercom: [
    [
      {
        date: "Mon, 30 Nov 2026 12:00:00 GMT",
        "x-ratelimit-limit": "1667",
        "x-ratelimit-remaining": "3",
        "x-ratelimit-reset": String(Date.UTC(2026, 10, 30, 12, 0, 7) / 1000),
      },
      [{ limit: 1667, remaining: 3, resetsInMs: 7000 }],
    ],
    // Without its own time, ours would have to be right.
    [{ "x-ratelimit-limit": "1667", "x-ratelimit-remaining": "3", "x-ratelimit-reset": "1796040007" }, []],
  ],
  livestorm: [
    [{ "ratelimit-monthly-limit": "10000", "ratelimit-monthly-remaining": "12" }, [{ limit: 10_000, remaining: 12 }]],
  ],
  salesforce: [
    [{ "sforce-limit-info": "api-usage=18/5000" }, [{ limit: 5000, remaining: 4982 }]],
    [{ "sforce-limit-info": "api-usage=5002/5000; per-app-api-usage=17/250(appName=sluice)" }, [{ remaining: 0 }]],
    [{ "sforce-limit-info": "api-usage=/5000" }, []],
  ],
};

describe.each(Object.entries(documented))("what %s says is left", (type, examples) => {
  test("is read from its documented headers", async () => {
    const adapter = await registry.loadDestination(type);
    for (const [headers, quotas] of examples) expect(adapter.quotas?.(new Headers(headers))).toMatchObject(quotas);
    expect(adapter.quotas?.(new Headers())).toEqual([]);
  });

  test("is told with each answer, and gets less", async () => {
    const adapter = await registry.loadDestination(type);
    const { default: fixture } = (await import(`./${type}.fixture.ts`)) as { default: DestinationFixture };
    const createSandbox = await registry.loadSandbox(type);
    const served = await serveSandbox(createSandbox({ limits: true, seed: fixture.seed }));
    const outbound = createFetch({
      adapter,
      name: type,
      secrets: [],
      allowed: ["127.0.0.1"],
      clock: { now: () => new Date() },
    });
    const heard: (readonly Quota[])[] = [];
    const listening: Context["fetch"] = async (url, init) => {
      const answer = await outbound.fetch(url, init);
      const quotas = adapter.quotas?.(answer.headers) ?? [];
      if (quotas.length > 0) heard.push(quotas);
      return answer;
    };
    const config = adapter.connection.parse({ base_url: served.url, ...fixture.connection });
    const connection = adapter.connect(config, contextOf(listening));
    try {
      await connection.check();
      await connection.check();
    } finally {
      await connection.close?.();
      await outbound.close();
      await served.close();
    }
    const [[first] = [], [second] = []] = heard;
    expect(first?.remaining).toBeLessThan(first?.limit ?? 0);
    expect(second?.remaining).toBe((first?.remaining ?? 0) - 1);
  });
});
