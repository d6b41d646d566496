import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import column from "../mappings/column.ts";
import constant from "../mappings/constant.ts";
import template from "../mappings/template.ts";
import { InvalidMapping, InvalidValue } from "../src/mapping.ts";
import type { Cell, ColumnType, CompiledMapping, MappingContext, MappingKind } from "../src/mapping.ts";

type Row = Readonly<Record<string, readonly [ColumnType, Cell]>>;

function contextOf(row: Row): MappingContext {
  const names = Object.keys(row);
  return {
    column(name) {
      const index = names.indexOf(name);
      const type = row[name]?.[0];
      if (index === -1 || type === undefined) throw new InvalidMapping(`there is no column "${name}"`);
      return { index, type };
    },
  };
}

/** Compiles a mapping as the service does: its options are parsed by the kind's own schema first. */
function compile<Options>(kind: MappingKind<Options>, options: unknown, row: Row): CompiledMapping {
  return kind.compile(kind.options.parse(options) as Options, contextOf(row));
}

const cellsOf = (row: Row): Cell[] => Object.values(row).map(([, cell]) => cell);

function liquid(text: string, row: Row = {}): Cell {
  return compile(template, { template: text }, row).evaluate(cellsOf(row));
}

function failure(run: () => unknown): { code: string; ms: number } {
  const started = performance.now();
  try {
    run();
  } catch (error) {
    const ms = performance.now() - started;
    if (error instanceof InvalidValue) return { code: error.code, ms };
    if (error instanceof InvalidMapping) return { code: "invalid_mapping", ms };
    throw error;
  }
  return { code: "none", ms: performance.now() - started };
}

test("a column's value goes through as it is, with the column's type", () => {
  const row: Row = { a: ["text", "x"], n: ["decimal", "12345678901234567890123456789012345678.5"] };
  const compiled = compile(column, { column: "n" }, row);
  expect(column.columns({ column: "n" })).toEqual(["n"]);
  expect(compiled.type).toBe("decimal");
  expect(compiled.evaluate(cellsOf(row))).toBe("12345678901234567890123456789012345678.5");
  expect(compiled.evaluate(["x", null])).toBe(null);
  expect(failure(() => compile(column, { column: "m" }, row)).code).toBe("invalid_mapping");
});

test("a constant is canonical text of the type that it is written in", () => {
  const cases: readonly [unknown, ColumnType, Cell][] = [
    ["sluice", "text", "sluice"],
    ["", "text", ""],
    [7, "integer", "7"],
    [-0, "integer", "0"],
    [1.5, "float", "1.5"],
    [false, "boolean", "false"],
    [null, "text", null],
    [["a", 1, null, true], "json", '["a",1,null,true]'],
  ];
  for (const [value, type, cell] of cases) {
    const compiled = compile(constant, { value }, {});
    expect([compiled.type, compiled.evaluate([])]).toEqual([type, cell]);
  }
  expect(constant.options.safeParse({ value: 2 ** 53 + 2 }).success).toBe(false);
  expect(constant.options.safeParse({}).success).toBe(false);
});

describe("a template", () => {
  test("reads the columns that it names and no others", () => {
    const text =
      "{% assign x = plan %}{{ x }} {{ ['my col'] }}{% for t in tags %}{{ t }}{% endfor %}{{ address.city }}";
    expect(template.columns({ template: text }).toSorted()).toEqual(["address", "my col", "plan", "tags"]);
    expect(template.columns({ template: "no columns" })).toEqual([]);
  });

  test("fails by name on a column that is not there", () => {
    expect(failure(() => liquid("{{ plam }}", { plan: ["text", "pro"] })).code).toBe("invalid_mapping");
  });

  test("is refused when it does not parse, names an unknown filter or tag, or is too long", () => {
    const faults = [
      "{% if a %}",
      "{{ a ",
      "{{ a | shout }}",
      "{% include 'x' %}",
      "{% render 'x' %}",
      "{% layout 'x' %}",
      "{% block x %}{% endblock %}",
    ];
    for (const fault of faults) {
      expect(failure(() => template.columns({ template: fault })).code, fault).toBe("invalid_mapping");
    }
    expect(template.options.safeParse({ template: "x".repeat(5000) }).success).toBe(false);
  });

  test("writes values as text: nothing for null, no digit lost, JSON as JSON", () => {
    const row: Row = {
      big: ["decimal", "12345678901234567890123456789012345678.5"],
      id: ["integer", "9007199254740993"],
      half: ["decimal", "0.5"],
      gone: ["text", null],
      yes: ["boolean", "true"],
      no: ["boolean", "false"],
      doc: ["json", '{"city":"Rome","id":9007199254740993,"tags":["a","b"]}'],
    };
    expect(liquid("{{ big }}|{{ id }}|{{ half }}|{{ gone }}|{{ yes }}|{{ no }}", row)).toBe(
      "12345678901234567890123456789012345678.5|9007199254740993|0.5||true|false",
    );
    expect(liquid("{{ doc.city }} {{ doc.id }} {{ doc.tags | join: '+' }}", row)).toBe("Rome 9007199254740993 a+b");
    expect(liquid("{{ doc }}", row)).toBe('{"city":"Rome","id":"9007199254740993","tags":["a","b"]}');
    expect(
      liquid("{% if no %}a{% else %}b{% endif %}{% if half == 0.5 %}c{% endif %}{{ gone | default: 'd' }}", row),
    ).toBe("bcd");
  });

  test("every number comes out digit for digit", () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.stringMatching(/^[1-9]\d{0,37}\.\d{0,20}[1-9]$/), (whole, decimal) => {
        const row: Row = { w: ["integer", String(whole)], d: ["decimal", decimal] };
        expect(liquid("{{ w }} {{ d }}", row)).toBe(`${whole} ${decimal}`);
      }),
    );
  });

  test("counts exactly to fifteen digits and refuses what it would round", () => {
    const row: Row = {
      mrr: ["decimal", "19.99"],
      id: ["integer", "9007199254740993"],
      long: ["decimal", "0.1234567890123456789"],
      word: ["text", "many"],
      gone: ["integer", null],
    };
    expect(liquid("{{ mrr | times: 12 }}", row)).toBe("239.88");
    expect(liquid("{{ 0.1 | plus: 0.2 }}", row)).toBe("0.3");
    expect(liquid("{{ '7' | times: 7 }} {{ 10 | divided_by: 4 }} {{ gone | plus: 1 }}", row)).toBe("49 2.5 1");
    for (const fault of [
      "{{ id | plus: 1 }}",
      "{{ long | times: 2 }}",
      "{{ word | plus: 1 }}",
      "{{ 1 | divided_by: 0 }}",
      "{{ 999999999999999 | times: 999 }}",
    ]) {
      expect(failure(() => liquid(fault, row)).code, fault).toBe("template_failed");
    }
  });

  test("reads times as UTC and knows no clock", () => {
    const row: Row = {
      at: ["timestamp", "2026-07-23T23:30:00.000000"],
      z: ["timestamptz", "2026-07-23T23:30:00.000000Z"],
      day: ["date", "2026-07-23"],
    };
    const format = "'%Y-%m-%d %H:%M'";
    expect(liquid(`{{ at | date: ${format} }}|{{ z | date: ${format} }}|{{ day | date: '%d %b' }}`, row)).toBe(
      "2026-07-23 23:30|2026-07-23 23:30|23 Jul",
    );
    expect(failure(() => liquid("{{ 'now' | date: '%Y' }}")).code).toBe("template_failed");
  });

  test.each([
    ["+49 30 901820", "{{ v | phone }}", "+4930901820"],
    ["030 / 90 18 20", "{{ v | phone: 'DE' }}", "+4930901820"],
    ["(212) 736-5000", "{{ v | phone: 'US' }}", "+12127365000"],
    ["030 901820", "{{ v | phone }}", null],
    ["call me", "{{ v | phone: 'DE' }}", null],
    ["12", "{{ v | phone: 'DE' }}", null],
    ["Germany", "{{ v | country_code }}", "DE"],
    [" united states ", "{{ v | country_code }}", "US"],
    ["FRA", "{{ v | country_code }}", "FR"],
    ["gb", "{{ v | country_code }}", "GB"],
    ["XX", "{{ v | country_code }}", null],
    ["Atlantis", "{{ v | country_code }}", null],
    [null, "{{ v | country_code }}", null],
    [null, "{{ v | phone: 'DE' }}", null],
  ])("makes of %j by %s: %j", (value, template, expected) => {
    expect(liquid(template, { v: ["text", value] })).toBe(expected);
  });

  test("refuses a country that there is not, for every row", () => {
    expect(failure(() => liquid("{{ v | phone: 'Germany' }}", { v: ["text", "030 901820"] })).code).toBe(
      "template_failed",
    );
  });

  test("that comes out empty gives null", () => {
    expect(liquid("{{ gone }}", { gone: ["text", null] })).toBe(null);
    expect(liquid("{{ a }}{{ blank }}{% if false %}x{% endif %}", { a: ["text", ""] })).toBe(null);
    expect(liquid("{{ a }} ", { a: ["text", ""] })).toBe(" ");
  });

  test("leaves Liquid in a row's value alone", () => {
    expect(liquid("{{ a }}", { a: ["text", "{{ 7 | times: 7 }}{% raw %}"] })).toBe("{{ 7 | times: 7 }}{% raw %}");
  });

  test("sees nothing but its columns", () => {
    for (const name of ["env", "process", "credential", "secrets", "constructor", "__proto__", "globalThis"]) {
      expect(failure(() => liquid(`{{ ${name} }}`, { a: ["text", "x"] })).code, name).toBe("invalid_mapping");
    }
    const row: Row = { a: ["text", "x"], doc: ["json", '{"__proto__":{"polluted":1}}'] };
    for (const probe of [
      "{{ a.constructor.constructor }}",
      "{{ a.__proto__ }}",
      "{{ a.toString }}",
      "{{ doc.constructor }}",
      "{{ doc.polluted }}",
      "{{ a | map: 'constructor' }}",
      "{{ a['constructor']['constructor'] }}",
    ]) {
      expect(liquid(probe, row), probe).toBe(null);
    }
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  test("a column with the name of a JavaScript object's own workings is only data", () => {
    const row = JSON.parse('{"constructor":["text","x"],"__proto__":["text","y"],"a":["text","z"]}') as Row;
    expect(liquid("{{ constructor }}{{ a }}{{ __proto__ }}", row)).toBe("xzy");
  });

  const attacks: Readonly<Record<string, string>> = {
    "a loop of 1e8": "{% for i in (1..100000000) %}x{% endfor %}",
    "nested loops":
      "{% for i in (1..90000) %}{% for j in (1..90000) %}{% for k in (1..90000) %}x{% endfor %}{% endfor %}{% endfor %}",
    "loops of loops":
      "{% for i in (1..700) %}{% for j in (1..700) %}{% for k in (1..2) %}{{ a | upcase }}{% endfor %}{% endfor %}{% endfor %}",
    "doubling by append": `{% assign s = a %}${"{% assign s = s | append: s %}".repeat(40)}{{ s }}`,
    "doubling by capture": `{% assign s = a %}${"{% capture s %}{{ s }}{{ s }}{% endcapture %}".repeat(40)}{{ s | size }}`,
    "a replacement that explodes": "{{ big | replace: 'x', big }}",
    "a padded date": "{{ '2026-01-01' | date: '%1000000000d' }}",
    "a huge list": "{{ big | split: '' | join: big }}",
    "output without end": "{% for i in (1..100000) %}{{ big }}{% endfor %}",
    "sorting again and again":
      "{% assign l = big | split: '' %}{% for i in (1..10000) %}{% assign m = l | sort %}{% endfor %}",
  };
  const row: Row = { a: ["text", "aaaaaaaaaaaaaaaa"], big: ["text", "x".repeat(20_000)] };
  for (const [what, attack] of Object.entries(attacks)) {
    test(`is cut off within 250 ms: ${what}`, () => {
      const before = process.memoryUsage().rss;
      const { code, ms } = failure(() => liquid(attack, row));
      expect(code).toBe("template_failed");
      expect(ms).toBeLessThan(250);
      expect(process.memoryUsage().rss - before).toBeLessThan(128 * 2 ** 20);
    });
  }

  test("strips a hostile page in linear time", () => {
    const page = "<script<!--<style".repeat(20_000);
    const started = performance.now();
    liquid("{{ page | strip_html | strip | squish | truncatewords: 3 }}", { page: ["text", page] });
    expect(performance.now() - started).toBeLessThan(250);
  });
});

test("the kinds of mapping import the contract and nothing else of the engine", async () => {
  for (const kind of ["column", "constant", "template"]) {
    const source = await readFile(new URL(`../mappings/${kind}.ts`, import.meta.url), "utf8");
    const imports = [...source.matchAll(/from "(\.[^"]*)"/g)].map((match) => match[1]);
    expect(new Set(imports)).toEqual(new Set(["../src/mapping.ts"]));
  }
});
