import { expect, test } from "vitest";
import { namedKeys } from "../../src/operations/named-keys.ts";

test("a row is named by its value, by a list of values, or by the row key that rejections show", () => {
  expect(namedKeys(["a", 12, true, ["b"]], ["id"])).toEqual([["a"], ["12"], ["true"], ["b"]]);
  expect(namedKeys([["a", 1], '["b","2"]'], ["region", "id"])).toEqual([
    ["a", "1"],
    ["b", "2"],
  ]);
});

test("of one column a text is the key, whatever it looks like", () => {
  expect(namedKeys(['["a"]'], ["id"])).toEqual([['["a"]']]);
});

test.each([
  ["a", ["region", "id"]],
  [["a"], ["region", "id"]],
  ['["a", "b", "c"]', ["region", "id"]],
  ["[not json", ["region", "id"]],
  [["a", "b"], ["id"]],
])("%j does not name a row of key %j", (key, columns) => {
  expect(() => namedKeys([key], columns)).toThrow(expect.objectContaining({ code: "key_invalid" }));
});
