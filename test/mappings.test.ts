import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import column from "../mappings/column.ts";
import constant from "../mappings/constant.ts";
import template from "../mappings/template.ts";
import type { Cell, ColumnType } from "../src/mapping.ts";
import { cellsOf, compile, failure, liquid, type Row } from "./templates.ts";

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
});

test("the kinds of mapping import the contract and nothing else of the engine", async () => {
  for (const kind of ["column", "constant", "template"]) {
    const source = await readFile(new URL(`../mappings/${kind}.ts`, import.meta.url), "utf8");
    const imports = [...source.matchAll(/from "(\.[^"]*)"/g)].map((match) => match[1]);
    expect(new Set(imports)).toEqual(new Set(["../src/mapping.ts"]));
  }
});

test("a row is not rejected because the machine stood still while its template was rendered", () => {
  const stoodStill = (calls: number): void => {
    let now = 0;
    // Liquid asks once for the deadline, then before each part: the machine stands still after the first.
    vi.spyOn(performance, "now").mockImplementation(() => (calls-- > 0 ? (now += 1000) : now));
  };
  for (const text of ["{{ a }}-{{ b }}", "{% if a == 'x' %}{{ a }}-{{ b }}{% endif %}"]) {
    stoodStill(3);
    expect(liquid(text, { a: ["text", "x"], b: ["text", "y"] })).toBe("x-y");
    vi.restoreAllMocks();
  }
});
