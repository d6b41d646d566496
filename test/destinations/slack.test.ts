import { describe, expect, test } from "vitest";
import slack from "../../destinations/slack/index.ts";
import createSandbox from "../../destinations/slack/sandbox.ts";
import type { Batch, Change, Connection, DestinationRecord, Outcome } from "../../src/destination.ts";
import { checks, deliver, everyWord, failureOf } from "./checks.ts";
import { type HeldRecord, type ObjectFixture, openPlace, type Place } from "./place.ts";
import fixture from "./slack.fixture.ts";

const token = String(fixture.connection["bot_token"]);
const webhookUrl = "https://hooks.slack.com/services/T0SANDBOX01/B0SANDBOX01/Zy9Xw8Vu7Ts6";
const general = "C0GENERAL01";
const channels = [
  { id: general, name: "general", is_member: true },
  { id: "C0SALES0001", name: "sales" },
  { id: "C0OLD000001", name: "old", is_archived: true },
  { id: "G0SECRET001", name: "secret", is_private: true },
];
const seed = { tokens: [token], channels, webhooks: { [new URL(webhookUrl).pathname]: general } };

interface Posted {
  readonly channel: string;
  readonly ts: string;
  readonly text: string;
  readonly blocks?: unknown;
  readonly thread_ts?: string;
}

/** The lines of all digests, the last one of each row. */
function linesHeld(contents: Parameters<ObjectFixture["held"]>[0]): ReadonlyMap<string, HeldRecord> {
  const messages = Object.entries((contents["messages"] ?? {}) as Record<string, Posted>);
  return new Map(
    messages.flatMap(([id, { text }]) =>
      text.split("\n").map((line): [string, HeldRecord] => [line.split(" ")[0] ?? "", { id, record: { text: line } }]),
    ),
  );
}

const digest: ObjectFixture = {
  name: "message",
  settings: { channel: general, digest: { rows: 40 } },
  match: "id",
  matchValue: (n) => `row-${n}`,
  record: (n, revision) => ({ text: `row-${n} is in revision ${revision}` }),
  bad: { text: "x".repeat(40_001) },
  held: linesHeld,
};

async function workspace(more: Readonly<Record<string, unknown>> = {}): Promise<Place> {
  return openPlace({
    adapter: slack,
    createSandbox,
    fixture: { ...fixture, seed: { ...seed, ...more } },
    object: digest,
  });
}

function change(seq: number, record: DestinationRecord): Change {
  return { seq, match: { id: `row-${seq}` }, record, destinationId: undefined, renamed: false };
}

function batch(records: readonly DestinationRecord[], settings: Batch["settings"] = { channel: general }): Batch {
  const changes = records.map((record, at) => change(at + 1, record));
  const fields = [...new Set(records.flatMap((record) => Object.keys(record)))];
  return { object: "message", settings, operation: "append", fields, match: ["id"], changes, id: "run-1" };
}

const posted = (place: Place): readonly Posted[] => Object.values(place.contents()["messages"] ?? {}) as Posted[];

const section = (text: string): DestinationRecord => ({ type: "section", text: { type: "mrkdwn", text } });

describe("a digest keeps the promises of every destination:", () => {
  // What is appended twice is there twice, and no message is found again: these promises are not made.
  const others = new Set([
    "the same batch twice leaves the same records",
    "a null clears, and nothing else",
    "a renamed row keeps its record",
  ]);
  const appending = (connection: Connection): Connection => ({
    check: (signal) => connection.check(signal),
    objects: (signal) => connection.objects(signal),
    describe: (object, settings, signal) => connection.describe(object, settings, signal),
    write: (given, signal) => connection.write({ ...given, operation: "append" }, signal),
  });
  for (const [promise, check] of Object.entries(checks).filter(([name]) => !others.has(name))) {
    test(promise, async () => {
      await using place = await openPlace({ adapter: slack, createSandbox, fixture, object: digest, spoil: appending });
      await check(place);
    });
  }
});

describe("a message", () => {
  test("is posted to the row's channel, else to that of the settings, with its thread and blocks", async () => {
    await using place = await workspace();
    const [first] = await place.connection.write(batch([{ text: "one" }]));
    const parent = posted(place)[0]?.ts ?? "";
    const blocks = [section("*two*"), { type: "divider" }];
    await place.connection.write(batch([{ text: "two", channel: "#sales", blocks }]));
    await place.connection.write(batch([{ text: "three", thread_ts: parent }]));
    expect(first).toEqual({ seq: 1, kind: "accepted", destinationId: `${general}:${parent}` });
    expect(posted(place)).toMatchObject([
      { channel: general, text: "one" },
      { channel: "C0SALES0001", text: "two", blocks },
      { channel: general, text: "three", thread_ts: parent },
    ]);
  });

  test("is one request each: two rows are never half sent", async () => {
    await using place = await workspace();
    expect((await place.connection.describe("message", { channel: general })).batch).toEqual({ records: 1 });
    const two = batch([{ text: "one" }, { text: "two" }]);
    expect(await failureOf(place.connection.write(two))).toMatchObject({ kind: "refused", applied: "no" });
    expect(posted(place)).toEqual([]);
    expect(await deliver(place, two)).toMatchObject([{ kind: "accepted" }, { kind: "accepted" }]);
  });

  test("whose answer was lost is in doubt, and posted again when it is sent again", async () => {
    await using place = await workspace();
    await place.strike({ kind: "drop_after" }, { times: 1 });
    const once = batch([{ text: "paid" }]);
    expect(await failureOf(place.connection.write(once))).toMatchObject({ kind: "unavailable", applied: "unknown" });
    await place.connection.write(once);
    expect(posted(place).map(({ text }) => text)).toEqual(["paid", "paid"]);
  });

  test("of which the answer says ok but not where it is, is in doubt", async () => {
    await using place = await workspace();
    await place.strike({ kind: "silent" });
    expect(await place.connection.write(batch([{ text: "paid" }]))).toMatchObject([{ seq: 1, kind: "in_doubt" }]);
  });

  test("can only be appended", async () => {
    await using place = await workspace();
    const described = await place.connection.describe("message", { channel: general });
    expect(described).toMatchObject({ modes: ["append"], removals: [], idempotent: { append: false } });
    for (const operation of ["upsert", "update", "insert", "archive", "delete", "clear"] as const) {
      const error = await failureOf(place.connection.write({ ...batch([{ text: "one" }]), operation }));
      expect(error).toMatchObject({ kind: "refused", code: "operation_unsupported", applied: "no" });
    }
  });
});

describe("a row that Slack would refuse or cut is rejected before it is sent:", () => {
  const sections = Array.from({ length: 51 }, () => section("one"));
  const twice = [1, 2].map(() => ({ type: "divider", block_id: "same" }));
  const cases: readonly (readonly [of: string, code: string, record: DestinationRecord, field: string])[] = [
    ["a text over 40,000 characters", "text_too_long", { text: "x".repeat(40_001) }, "text"],
    ["no text", "no_text", {}, "text"],
    ["a text of blanks", "no_text", { text: " \n" }, "text"],
    ["a text that is none", "not_text", { text: 5 }, "text"],
    ["blocks that are none", "invalid_blocks", { blocks: "hello" }, "blocks"],
    ["no block", "invalid_blocks", { text: "one", blocks: [] }, "blocks"],
    ["51 blocks", "invalid_blocks", { blocks: sections }, "blocks"],
    ["a section over 3,000 characters", "invalid_blocks", { blocks: [section("x".repeat(3001))] }, "blocks"],
    ["an empty section", "invalid_blocks", { blocks: [{ type: "section" }] }, "blocks"],
    [
      "a header in mrkdwn",
      "invalid_blocks",
      { blocks: [{ type: "header", text: { type: "mrkdwn", text: "a" } }] },
      "blocks",
    ],
    [
      "a picture without words",
      "invalid_blocks",
      { blocks: [{ type: "image", image_url: "https://a.test/b.png" }] },
      "blocks",
    ],
    ["two blocks of one ID", "invalid_blocks", { blocks: twice }, "blocks"],
    ["a channel with a blank", "channel_invalid", { text: "one", channel: "our sales" }, "channel"],
    ["a thread that lost its digits", "thread_invalid", { text: "one", thread_ts: "1700000000.1" }, "thread_ts"],
  ];
  test.each(cases)("%s: %s", async (_of, code, record, field) => {
    await using place = await workspace();
    expect(await place.connection.write(batch([record]))).toMatchObject([{ seq: 1, kind: "rejected", code, field }]);
    expect(await place.asked()).toEqual([]);
  });

  test("no channel, neither its own nor the settings'", async () => {
    await using place = await workspace();
    const outcomes = await place.connection.write(batch([{ text: "one" }], {}));
    expect(outcomes).toMatchObject([{ kind: "rejected", code: "channel_missing" }]);
    const { fields } = await place.connection.describe("message", {});
    expect(fields.find(({ name }) => name === "channel")).toMatchObject({ required: true });
  });
});

describe("a row's data", () => {
  const calls = "<!channel> <!here|here> <!everyone> <!subteam^S01|team> <@U01> <https://a.test|a>";

  test("notifies nobody but who is named, unless the settings allow it", async () => {
    await using place = await workspace();
    const blocks = [section(calls)];
    await place.connection.write(batch([{ text: calls, blocks }]));
    await place.connection.write(batch([{ text: calls, blocks }], { channel: general, broadcasts: true }));
    const kept = "&lt;!channel> &lt;!here|here> &lt;!everyone> &lt;!subteam^S01|team> <@U01> <https://a.test|a>";
    expect(posted(place)).toMatchObject([
      { text: kept, blocks: [section(kept)] },
      { text: calls, blocks },
    ]);
  });

  test("calls no channel by an element of rich text", async () => {
    await using place = await workspace();
    const elements = [{ type: "rich_text_section", elements: [{ type: "broadcast", range: "channel" }] }];
    const outcomes = await place.connection.write(batch([{ blocks: [{ type: "rich_text", elements }] }]));
    expect(outcomes).toMatchObject([{ kind: "rejected", code: "broadcast_forbidden" }]);
  });

  test("is shown as it is where markup is off", async () => {
    await using place = await workspace();
    await place.connection.write(batch([{ text: "a < b & <c>" }], { channel: general, markup: false }));
    expect(posted(place)[0]?.text).toBe("a &lt; b &amp; &lt;c&gt;");
    expect((await place.asked())[0]?.requestBody).toMatchObject({ mrkdwn: false });
  });
});

describe("a refusal with 200", () => {
  const cases: readonly (readonly [error: string, kind: string, applied: string])[] = [
    ["invalid_auth", "unauthorized", "no"],
    ["token_revoked", "unauthorized", "no"],
    ["missing_scope", "unauthorized", "no"],
    ["ratelimited", "busy", "no"],
    ["internal_error", "unavailable", "unknown"],
    ["fatal_error", "unavailable", "unknown"],
    ["invalid_blocks", "refused", "no"],
    ["something_new", "refused", "no"],
  ];
  test.each(cases)("%s is %s", async (error, kind, applied) => {
    await using place = await workspace();
    const headers = { "retry-after": "9" };
    await place.strike({ kind: "status", status: 200, headers, body: { ok: false, error } });
    const failure = await failureOf(place.connection.write(batch([{ text: "one" }])));
    expect(failure).toMatchObject({ kind, applied, code: error });
    expect(failure.retryAfterMs).toBe(kind === "busy" ? 9000 : undefined);
  });

  test("of a channel that the row names is the row's", async () => {
    await using place = await workspace();
    const wrong = { nowhere: "channel_not_found", old: "is_archived", secret: "channel_not_found" };
    for (const [channel, code] of Object.entries(wrong)) {
      const outcomes = await deliver(place, batch([{ text: "one", channel }]));
      expect(outcomes).toMatchObject([{ kind: "rejected", code, field: "channel" }]);
    }
  });

  test("of the channel of the settings stops the run, and not row after row", async () => {
    await using place = await workspace({ scopes: ["chat:write"] });
    for (const [channel, code] of [
      ["old", "is_archived"],
      ["sales", "not_in_channel"],
    ] as const) {
      for (const more of [{}, { digest: {} }]) {
        const error = await failureOf(place.connection.write(batch([{ text: "one" }], { channel, ...more })));
        expect(error).toMatchObject({ kind: "unauthorized", code, applied: "no", field: "channel" });
      }
    }
  });

  test("of a thread that is gone is about the thread", async () => {
    await using place = await workspace();
    const gone = { thread_ts: "1700000000.000001" };
    const [outcome] = await deliver(place, batch([{ text: "one", ...gone }]));
    expect(outcome).toMatchObject({ kind: "rejected", code: "thread_not_found", field: "thread_ts" });
    const error = await failureOf(place.connection.write(batch([{ text: "one" }], { channel: general, ...gone })));
    expect(error).toMatchObject({ kind: "unauthorized", field: "thread_ts" });
  });

  test("names the scope that the token lacks", async () => {
    await using place = await workspace({ scopes: [] });
    const error = await failureOf(place.connection.write(batch([{ text: "one" }])));
    expect(error.message).toContain("chat:write");
  });
});

describe("a digest", () => {
  test("is one message with a title and a line for each row; a row without a line is rejected alone", async () => {
    await using place = await workspace();
    const settings = { channel: general, digest: { title: "New orders" } };
    const outcomes = await place.connection.write(
      batch([{ text: "one" }, { text: null }, { text: "three" }], settings),
    );
    expect(outcomes.toSorted((one, other) => one.seq - other.seq).map(({ kind }) => kind)).toEqual([
      "accepted",
      "rejected",
      "accepted",
    ]);
    expect(posted(place).map(({ text }) => text)).toEqual(["New orders\none\nthree"]);
  });

  test("of rows without a line is no message", async () => {
    await using place = await workspace();
    const settings = { channel: general, digest: { title: "New orders" } };
    const outcomes: readonly Outcome[] = await place.connection.write(batch([{ text: "" }], settings));
    expect(outcomes).toMatchObject([{ kind: "rejected", code: "no_text" }]);
    expect(posted(place)).toEqual([]);
  });

  test("that is too long is sent as several, and no character is cut", async () => {
    await using place = await workspace();
    const rows = Array.from({ length: 5 }, (_, at) => ({ text: `${at}`.repeat(15_000) }));
    const settings = { channel: general, digest: {} };
    const error = await failureOf(place.connection.write(batch(rows, settings)));
    expect(error).toMatchObject({ kind: "refused", code: "text_too_long", applied: "no" });
    expect((await deliver(place, batch(rows, settings))).every(({ kind }) => kind === "accepted")).toBe(true);
    expect(posted(place).flatMap(({ text }) => text.split("\n"))).toEqual(rows.map(({ text }) => text));
  });

  test("needs one channel, and takes the number of rows that the settings say", async () => {
    await using place = await workspace();
    const error = await failureOf(place.connection.describe("message", { digest: {} }));
    expect(error).toMatchObject({ kind: "refused", code: "settings_invalid" });
    const described = await place.connection.describe("message", { channel: general, digest: { rows: 7 } });
    expect(described.batch.records).toBe(7);
    expect(described.fields.map(({ name }) => name)).toEqual(["id", "text"]);
  });
});

describe("channels", () => {
  test("that the bot can see are told, over all pages; archived and hidden ones are not", async () => {
    const many = Array.from({ length: 1500 }, (_, at) => ({ id: `C0MANY${at}`, name: `many-${at}` }));
    await using place = await workspace({ channels: [...channels, ...many] });
    const { fields } = await place.connection.describe("message", {});
    const options = fields.find(({ name }) => name === "channel")?.options ?? [];
    expect(options).toHaveLength(1502);
    expect(options[1]).toEqual({ value: "C0SALES0001", title: "#sales" });
  });

  test("are known before anything is sent: a name that none has is refused", async () => {
    await using place = await workspace();
    for (const channel of ["#general", "sales", general, "U0123456789"])
      await place.connection.describe("message", { channel });
    const error = await failureOf(place.connection.describe("message", { channel: "#slaes" }));
    expect(error).toMatchObject({ kind: "refused", code: "channel_unknown" });
    expect(error.message).toContain("#sales");
  });

  test("need not be seen to be posted to", async () => {
    for (const scopes of [["chat:write"], ["chat:write", "channels:read"]]) {
      await using place = await workspace({ scopes });
      expect((await place.connection.describe("message", { channel: "secret" })).name).toBe("message");
      expect(await place.connection.write(batch([{ text: "one" }]))).toMatchObject([{ kind: "accepted" }]);
    }
  });
});

describe("an incoming webhook", () => {
  const bot = { bot_token: undefined };

  test("is looked at without a message, and posts to its own channel", async () => {
    await using place = await workspace();
    const webhook = place.connect({ ...bot, webhook_url: webhookUrl });
    expect(await webhook.check()).toEqual({ account: "Slack incoming webhook" });
    expect(posted(place)).toEqual([]);
    expect(await webhook.write(batch([{ text: "one" }], {}))).toEqual([{ seq: 1, kind: "accepted" }]);
    expect(posted(place)).toMatchObject([{ channel: general, text: "one" }]);
  });

  test("that is gone stops the run, when looked at and when posted to", async () => {
    await using place = await workspace();
    const gone = place.connect({ ...bot, webhook_url: "https://hooks.slack.com/services/T0/B0/gone" });
    const expected = { kind: "unauthorized", code: "no_service", applied: "no" };
    expect(await failureOf(gone.check())).toMatchObject(expected);
    expect(await failureOf(gone.write(batch([{ text: "one" }], {})))).toMatchObject(expected);
  });

  test.each([
    ["webhook_archived", "unauthorized", "channel_is_archived"],
    ["webhook_prohibited", "unauthorized", "action_prohibited"],
  ])("answers %s: %s", async (name, kind, code) => {
    await using place = await workspace();
    const webhook = place.connect({ ...bot, webhook_url: webhookUrl });
    await place.strike({ kind: "failure", name });
    const error = await failureOf(webhook.write(batch([{ text: "one" }], {})));
    expect(error).toMatchObject({ kind, code, applied: "no" });
  });

  test("that answers with anything but ok leaves the row in doubt", async () => {
    await using place = await workspace();
    const webhook = place.connect({ ...bot, webhook_url: webhookUrl });
    await place.strike({ kind: "status", status: 200, body: "queued" });
    expect(await webhook.write(batch([{ text: "one" }], {}))).toMatchObject([{ kind: "in_doubt" }]);
  });

  test("is a secret: no error tells its address", async () => {
    await using place = await openPlace({
      adapter: slack,
      createSandbox,
      fixture: { ...fixture, connection: { webhook_url: webhookUrl }, seed },
      object: digest,
    });
    for (const status of [400, 403, 404, 410, 429, 500]) {
      await place.strike({ kind: "status", status, body: `no_service ${webhookUrl}` });
      for (const ask of [() => place.connection.check(), () => place.connection.write(batch([{ text: "one" }], {}))])
        expect(everyWord(await failureOf(ask()))).not.toContain("Zy9Xw8Vu7Ts6");
      await place.calm();
    }
    await place.shut();
    expect(everyWord(await failureOf(place.connection.check()))).not.toContain("Zy9Xw8Vu7Ts6");
  });

  test("takes no channel", async () => {
    await using place = await workspace();
    const webhook = place.connect({ ...bot, webhook_url: webhookUrl });
    const { fields } = await webhook.describe("message", {});
    expect(fields.map(({ name }) => name)).not.toContain("channel");
    const error = await failureOf(webhook.describe("message", { channel: general }));
    expect(error).toMatchObject({ kind: "refused", code: "settings_invalid" });
  });
});

test("a connection has a token or a webhook, and not both", () => {
  const both = { bot_token: token, webhook_url: webhookUrl };
  expect(slack.connection.safeParse(both).success).toBe(false);
  expect(slack.connection.safeParse({}).success).toBe(false);
  expect(slack.connection.safeParse({ webhook_url: webhookUrl }).success).toBe(true);
  expect(slack.connection.safeParse({ webhook_url: "https://hooks.slack.com/triggers/T0/1/a" }).success).toBe(false);
});

test("the sandbox takes one message a second for a channel, as Slack does", async () => {
  let now = 1_700_000_000_000;
  await using place = await openPlace({
    adapter: slack,
    createSandbox,
    fixture: { ...fixture, seed },
    object: digest,
    sandbox: { limits: true, now: () => now },
  });
  const send = (channel: string): Promise<readonly Outcome[]> =>
    place.connection.write(batch([{ text: "one", channel }]));
  await send("general");
  await send("sales");
  expect(await failureOf(send("general"))).toMatchObject({ kind: "busy", code: "ratelimited", retryAfterMs: 1000 });
  now += 1001;
  expect(await send("general")).toMatchObject([{ kind: "accepted" }]);
});
