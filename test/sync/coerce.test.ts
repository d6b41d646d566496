import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Field, FieldType } from "../../src/destination.ts";
import { type ColumnType, InvalidValue } from "../../src/mapping.ts";
import { coercion } from "../../src/sync/coerce.ts";

function coerce(from: ColumnType, text: string, type: FieldType, detail: Partial<Field> = {}): unknown {
  return coercion(from, { name: "f", title: "F", type, writable: true, matches: false, ...detail })(text);
}

function refusal(from: ColumnType, text: string, type: FieldType, detail: Partial<Field> = {}): string {
  try {
    coerce(from, text, type, detail);
  } catch (error) {
    if (error instanceof InvalidValue) return error.code;
    throw error;
  }
  return "accepted";
}

describe("numbers", () => {
  test("keep every digit where the destination takes text", () => {
    const digits = "12345678901234567890123456789012345678";
    expect(coerce("decimal", digits, "number", { exact: true })).toBe(digits);
    expect(coerce("decimal", "0.10", "number", { exact: true })).toBe("0.1");
  });

  test("are refused, never rounded, where a double cannot hold them", () => {
    expect(coerce("integer", "9007199254740991", "number")).toBe(9007199254740991);
    expect(refusal("integer", "9007199254740993", "number")).toBe("number_not_exact");
    expect(refusal("decimal", "0.12345678901234567891", "number")).toBe("number_not_exact");
  });

  test("in scientific notation become plain digits", () => {
    expect(coerce("float", "1e+20", "number", { exact: true })).toBe("100000000000000000000");
    expect(coerce("float", "1.5e-7", "number", { exact: true })).toBe("0.00000015");
    expect(coerce("float", "-2.5E3", "number", { exact: true })).toBe("-2500");
  });

  test.each(["NaN", "Infinity", "12,5", "", " ", "0x10", "1e999999"])("%j is not a number", (text) => {
    expect(refusal("text", text, "number")).toBe("not_a_number");
  });

  test("with a fraction are not integers", () => {
    expect(refusal("decimal", "1.5", "integer")).toBe("not_an_integer");
    expect(coerce("decimal", "2.00", "integer")).toBe(2);
  });

  test("every double that passes reads back as itself", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }), (number) => {
        expect(Number(coerce("float", String(number), "number", { exact: true }))).toBe(number === 0 ? 0 : number);
      }),
    );
  });
});

describe("dates", () => {
  test("come from dates, instants and ISO text, in UTC", () => {
    expect(coerce("date", "2026-11-23", "date")).toBe("2026-11-23");
    expect(coerce("timestamptz", "2026-11-23T23:30:00.000000Z", "date")).toBe("2026-11-23");
    expect(coerce("text", "2026-11-23T23:30:00-02:00", "datetime")).toBe("2026-11-24T01:30:00.000000Z");
    expect(coerce("timestamp", "2026-11-23T09:30:00.123456", "datetime")).toBe("2026-11-23T09:30:00.123456Z");
    expect(coerce("date", "2026-11-23", "datetime")).toBe("2026-11-23T00:00:00.000000Z");
  });

  test.each(["2026-02-30", "0000-00-00", "23.11.2026", "2026-13-01", "1764000000", "2026-11-23T25:00:00Z"])(
    "%j is refused",
    (text) => expect(refusal("text", text, "date")).toBe("not_a_date"),
  );
});

describe("options", () => {
  const options = [
    { value: "starter", title: "Starter plan" },
    { value: "growth", title: "Growth" },
  ];

  test("are taken by value only, and a near miss is named", () => {
    expect(coerce("text", "growth", "enum", { options })).toBe("growth");
    expect(() => coerce("text", "Growth", "enum", { options })).toThrow(/use "growth"/);
    expect(refusal("text", "platinum", "enum", { options })).toBe("not_an_option");
  });

  test("of a multiple choice come from a list or from text with semicolons", () => {
    expect(coerce("json", '["starter","growth"]', "multi_enum", { options })).toEqual(["starter", "growth"]);
    expect(coerce("text", "starter; growth;", "multi_enum", { options })).toEqual(["starter", "growth"]);
    expect(refusal("text", "starter;gold", "multi_enum", { options })).toBe("not_an_option");
  });
});

test("booleans come from the usual spellings and nothing else", () => {
  expect(coerce("boolean", "true", "boolean")).toBe(true);
  expect(coerce("text", "No", "boolean")).toBe(false);
  expect(refusal("text", "maybe", "boolean")).toBe("not_a_boolean");
});

test("text longer than the destination takes is refused, not cut", () => {
  expect(refusal("text", "abcd", "text", { maxLength: 3 })).toBe("too_long");
});
