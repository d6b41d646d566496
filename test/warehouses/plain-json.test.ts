import { describe, expect, test } from "vitest";
import { parsePlainJson } from "../../src/warehouses/plain-json.ts";

describe("JSON of a plan is read as JSON.parse reads it", () => {
  test.each([
    "[]",
    "[[]]",
    '[[1,"added","A1",0,null,null,null,0,["Ann","",null]],[2,"changed","A2",1,"h","7",["a"],1,null]]',
    String.raw`["a \"quoted\" one","back\\slash","line\nend","\u00e9\ud83d\ude00",""]`,
    String.raw`["plain","\\",",","]","[","\"","plain again","\\\\\"",1]`,
    '["Ünï — 漢字 😀"]',
    "[0,9,10,123456789012345,1234567890123456789]",
    "[-1,1.5,1e3,true,false]",
    '[ 1, "two" ]',
    '{"a":[1,{"b":null}]}',
    '"text"',
    "7",
    "null",
  ])("%s", (text) => expect(parsePlainJson(text)).toEqual(JSON.parse(text)));

  test.each([
    "",
    "[",
    "[1",
    "[1,",
    "[1,]",
    '["a',
    String.raw`["a\"]`,
    String.raw`["\x"]`,
    "[01]",
    "[nul]",
    "[1]]",
    "[1][2]",
    "]",
  ])("and what is none is refused: %s", (text) => expect(() => parsePlainJson(text)).toThrow(SyntaxError));

  test("for whatever texts cells hold", () => {
    const letters = ["a", '"', "\\", "\n", "\u0000", "é", "😀", "\ud800", ",", "[", "]", "null", "0"];
    for (let seed = 1; seed < 2000; seed += 1) {
      let state = seed;
      const next = (): number => (state = (state * 48_271) % 2_147_483_647);
      const text = (): string => Array.from({ length: next() % 6 }, () => letters[next() % letters.length]).join("");
      const cells = Array.from({ length: next() % 5 }, () => (next() % 4 === 0 ? null : text()));
      const json = JSON.stringify([[seed, "added", text(), cells]]);
      expect(parsePlainJson(json)).toEqual(JSON.parse(json));
    }
  });
});
