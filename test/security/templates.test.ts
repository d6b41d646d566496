/** Attacks 52–61: templates that people write, and values that templates are filled with. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import template from "../../mappings/template.ts";
import { batch, bodyOf, change, things, wired } from "../destinations/http.service.ts";
import { failure, liquid, type Row } from "../templates.ts";
import { House } from "./house.ts";

let house: House;
beforeAll(async () => {
  house = await House.open();
});
afterAll(() => house?.[Symbol.asyncDispose]());

/** Saves a sync with these fields, and gives the answer's status. */
async function saved(fields: object, match: object = { account_id: "id" }): Promise<number> {
  const { body } = await house.ask("GET", "/v1/documents?kind=sync");
  const [{ document }] = body["data"] as readonly [{ document: object }];
  const answer = await house.ask("PUT", "/v1/syncs/attack", { body: { ...document, fields, match } });
  return answer.status;
}

const row: Row = { a: ["text", "aaaaaaaaaaaaaaaa"], big: ["text", "x".repeat(20_000)] };

const loops: Readonly<Record<string, string>> = {
  "a loop of 1e8": "{% for i in (1..100000000) %}x{% endfor %}",
  "nested loops":
    "{% for i in (1..90000) %}{% for j in (1..90000) %}{% for k in (1..90000) %}x{% endfor %}{% endfor %}{% endfor %}",
  "loops of loops":
    "{% for i in (1..700) %}{% for j in (1..700) %}{% for k in (1..2) %}{{ a | upcase }}{% endfor %}{% endfor %}{% endfor %}",
  "sorting again and again":
    "{% assign l = big | split: '' %}{% for i in (1..10000) %}{% assign m = l | sort %}{% endfor %}",
};

const growth: Readonly<Record<string, string>> = {
  "doubling by append": `{% assign s = a %}${"{% assign s = s | append: s %}".repeat(40)}{{ s }}`,
  "doubling by capture": `{% assign s = a %}${"{% capture s %}{{ s }}{{ s }}{% endcapture %}".repeat(40)}{{ s | size }}`,
  "a replacement that explodes": "{{ big | replace: 'x', big }}",
  "a padded date": "{{ '2026-01-01' | date: '%1000000000d' }}",
  "a huge list": "{{ big | split: '' | join: big }}",
  "output without end": "{% for i in (1..100000) %}{{ big }}{% endfor %}",
};

function isCutOff(_what: string, attack: string): void {
  const before = process.memoryUsage().rss;
  const { code, ms } = failure(() => liquid(attack, row));
  expect(code).toBe("template_failed");
  expect(ms).toBeLessThan(250);
  expect(process.memoryUsage().rss - before).toBeLessThan(128 * 2 ** 20);
}

test.each(Object.entries(loops))("52: is cut off within 250 ms: %s", isCutOff);
test.each(Object.entries(growth))("54: is cut off in little memory: %s", isCutOff);

test("55: sees nothing but its columns, by whatever way", () => {
  const hostile: Row = { a: ["text", "x"], doc: ["json", '{"__proto__":{"polluted":1}}'] };
  for (const probe of [
    "{{ a.constructor.constructor }}",
    "{{ a.__proto__ }}",
    "{{ a.toString }}",
    "{{ doc.constructor }}",
    "{{ doc.polluted }}",
    "{{ doc.hasOwnProperty }}",
    "{{ a | map: 'constructor' }}",
    "{{ a['constructor']['constructor'] }}",
    "{% assign c = 'constructor' %}{{ a[c][c] }}",
  ])
    expect(liquid(probe, hostile), probe).toBe(null);
  for (const attempt of ["{{ constructor.constructor('return process')() }}", "{{ a.constructor('return 1')() }}"])
    expect(failure(() => liquid(attempt, hostile)).code, attempt).toBe("invalid_mapping");
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
});

test("55: a column with the name of a JavaScript object's own workings is only data", () => {
  const named = JSON.parse('{"constructor":["text","x"],"__proto__":["text","y"],"a":["text","z"]}') as Row;
  expect(liquid("{{ constructor }}{{ a }}{{ __proto__ }}", named)).toBe("xzy");
});

test("56: reads no file, in a mapping or in a declared request, and is not even saved", async () => {
  const files = ["/etc/passwd", "../../.env", "file:///etc/passwd", "package.json"];
  for (const tag of ["include", "render", "layout", "block", "extends", "import"]) {
    for (const file of files) {
      const source = `{% ${tag} '${file}' %}`;
      expect(failure(() => template.columns({ template: source })).code, source).toBe("invalid_mapping");
      expect([source, await saved({ name: { template: source } })]).toEqual([source, 422]);
      const declared = { base_url: "https://svc.test", auth: "none", ...things({ text: source }) };
      const answer = await house.ask("PUT", "/v1/destinations/attack", {
        body: { type: "http", connection: declared },
      });
      expect([source, answer.status]).toEqual([source, 422]);
    }
  }
});

test("57: knows neither the environment nor a credential", () => {
  for (const name of ["env", "process", "credential", "secrets", "constructor", "__proto__", "globalThis", "require"])
    expect(failure(() => liquid(`{{ ${name} }}`, { a: ["text", "x"] })).code, name).toBe("invalid_mapping");
});

test("58: a field whose name leads into JavaScript's own workings is refused", async () => {
  expect(await saved({ "name.first": "name" })).toBeLessThan(300);
  const names = ["constructor.prototype.x", "a.constructor", "a[1e9]", "a[0]", "a..b", ".a", "a.", "prototype", "a\nb"];
  for (const name of names) {
    expect([name, await saved({ [name]: "name" })]).toEqual([name, 422]);
    expect([name, await saved({ name: "name" }, { [name]: "id" })]).toEqual([name, 422]);
  }
  const poisoned = JSON.parse('{"__proto__.x":"name"}') as object;
  expect(await saved(poisoned)).toBe(422);
  expect(Reflect.get({}, "x")).toBeUndefined();
});

describe("59: a row's value stays in its place", () => {
  const values = ['","admin":true,"x":"', "/../", "../../admin", "a/b?c=d#e", "a&admin=1", "é%2f", "{}[]\\", "\u2028"];

  test("59: in a body", async () => {
    const { connection, sent } = wired(things({ body: { name: "{{ match.key }}", data: "{{ record }}" } }));
    for (const [index, value] of [...values, "a\r\nb", "a\0b"].entries()) {
      await connection.write(batch("things", [change(index, { key: value }, { data: { v: value } })]));
      expect(bodyOf(sent, index)).toEqual({ name: value, data: { key: value, data: { v: value } } });
    }
  });

  test("59: in an address", async () => {
    const { connection, sent } = wired(things({ path: "/things/{{ match.key }}", query: { q: "{{ match.key }}" } }));
    for (const [index, value] of values.entries()) {
      await connection.write(batch("things", [change(index, { key: value })]));
      const { origin, pathname, searchParams } = new URL(sent[index]?.url ?? "");
      expect([origin, searchParams.get("q")]).toEqual(["https://svc.test", value]);
      expect(pathname).toBe(`/api/things/${encodeURIComponent(value)}`);
    }
    const outcomes = await connection.write(batch("things", [change(1, { key: ".." }), change(2, { key: "." })]));
    expect(outcomes.map(({ kind }) => kind)).toEqual(["rejected", "rejected"]);
    expect(sent).toHaveLength(values.length);
  });

  test("59: in a header", async () => {
    const { connection, sent } = wired(things({ headers: { "x-key": "{{ match.key }}" } }));
    const outcomes = await connection.write(
      batch("things", [change(1, { key: "a\r\nx-admin: 1" }), change(2, { key: 'b", c: d' })]),
    );
    expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(["accepted", "rejected"]);
    expect(sent.map(({ headers }) => [headers.get("x-key"), headers.get("x-admin")])).toEqual([['b", c: d', null]]);
  });
});

test("60: Liquid in a row's value is sent as it is", async () => {
  const value = "{{ 7 | times: 7 }}{% raw %}${env:TOKEN}";
  expect(liquid("{{ a }}", { a: ["text", value] })).toBe(value);
  const { connection, sent } = wired(things({ path: "/{{ match.key }}", body: { v: "{{ record.data }}" } }));
  await connection.write(batch("things", [change(1, { key: value }, { data: value })]));
  expect([bodyOf(sent), decodeURIComponent(new URL(sent[0]?.url ?? "").pathname)]).toEqual([
    { v: value },
    `/api/${value}`,
  ]);
});

test("61: nobody can give a regular expression, and a page of 100,000 hostile characters takes no filter long", () => {
  for (const filter of ["match: '(a+)+$'", "regex: '(a+)+$'", "regexp: 'a'", "replace_regex: 'a', 'b'", "scan: 'a'"])
    expect(failure(() => liquid(`{{ a | ${filter} }}`, row)).code).toBe("invalid_mapping");
  // Where a filter takes text, a pattern is only text.
  expect(liquid("{{ a | replace: '(a+)+$', 'b' }}{{ a | split: '.' | size }}", { a: ["text", "a.a"] })).toBe("a.a2");
  const pages = [
    "a".repeat(100_000) + "!",
    " ".repeat(100_000) + "x",
    "<script<!--<style".repeat(6000),
    "-_".repeat(50_000),
  ];
  const others = [
    "&amp;".repeat(20_000),
    "%".repeat(100_000),
    "\n\r".repeat(50_000),
    "+1(".repeat(30_000),
    "é".repeat(50_000),
  ];
  const filters =
    "capitalize upcase downcase strip lstrip rstrip strip_newlines squish normalize_whitespace strip_html newline_to_br " +
    "number_of_words slugify escape escape_once url_encode url_decode base64_encode base64_decode sha256 json phone " +
    "country_code date size reverse split:' ' replace:'a','b' remove:'a' truncate:5 truncatewords:3 replace_last:'a','b'";
  for (const filter of filters.match(/[a-z_0-9]+(?::'[^']*'(?:,'[^']*')?|:\d+)?/g) ?? []) {
    for (const page of [...pages, ...others]) {
      const started = performance.now();
      failure(() => liquid(`{{ page | ${filter} }}`, { page: ["text", page] }));
      expect([filter, page.slice(0, 10), performance.now() - started < 250]).toEqual([filter, page.slice(0, 10), true]);
    }
  }
});
