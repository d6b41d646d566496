import { expect, test } from "vitest";
import { parseJsonPath, valuesAt } from "../../src/documents/json-path.ts";

const payload = { objects: [{ id: 1 }, { id: "b" }, { other: 2 }], "a'b": { "c.d": [7, 8] } };

test.each([
  ["$.objects[*].id", [1, "b"]],
  ["$.objects[0].id", [1]],
  ["$.objects[-2].id", ["b"]],
  ["$['objects'][1]['id']", ["b"]],
  [`$['a\\'b']["c.d"][*]`, [7, 8]],
  ["$.objects.*.other", [2]],
  ["$", [payload]],
  ["$.constructor", []],
  ["$.objects.length", []],
  ["$.nothing[*].id", []],
])("%s finds %j", (path, expected) => {
  expect(valuesAt(path, payload)).toEqual(expected);
});

test.each(["objects", "$.", "$..id", "$[?(@.id)]", "$[(1)]", "$[0", "$.a b", "$['a", "$.a;", "$[1:2]"])(
  "%s is refused",
  (path) => {
    expect(parseJsonPath(path)).toBeNull();
  },
);
