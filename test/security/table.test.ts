/** The table of docs/security.md is whole, and what it names is there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const docs = join(import.meta.dirname, "../../docs");

interface Case {
  readonly number: number;
  readonly answer: string;
  readonly file: string | undefined;
  /** Of a test whose name does not begin with the case's number. */
  readonly name: string | undefined;
}

const cases = readFileSync(join(docs, "security.md"), "utf8")
  .split("\n")
  .map((line) => /^\| (?<number>\d+) \| .+ \| (?<answer>.+) \| (?<test>.+) \|$/.exec(line)?.groups)
  .filter((groups) => groups !== undefined)
  .map(({ number, answer = "", test: proof = "" }): Case => {
    const { file, name } = /^\[\w+\]\((?<file>[^)]+)\)(?: "(?<name>.+)")?$/.exec(proof)?.groups ?? {};
    return { number: Number(number), answer, file, name };
  });

test("every attack is in the table of docs/security.md, once", () => {
  expect(cases.map(({ number }) => number)).toEqual(Array.from({ length: 84 }, (_, index) => index + 1));
});

test("each has a test, or a reason why there is none", () => {
  for (const { number, answer, file } of cases)
    expect([number, file !== undefined || /^(Does not apply|Open)\b/.test(answer)]).toEqual([number, true]);
});

test("the tests that it names are there", () => {
  for (const { number, file, name = `${number}: ` } of cases) {
    if (file === undefined) continue;
    const text = readFileSync(join(docs, file), "utf8");
    expect([number, text.includes(`"${name}`)]).toEqual([number, true]);
  }
});
