/** The walk through a new destination says what is: its excerpts stand in the files that it names. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checks } from "./destinations/checks.ts";

const root = join(import.meta.dirname, "..");
const walk = readFileSync(join(root, "docs/add-a-destination.md"), "utf8");

/** Blocks of code, each with the file that stands after its language. */
const excerpts = [...walk.matchAll(/^```(?<language>\w+)(?: (?<file>\S+))?\n(?<code>[^]*?)^```$/gm)].map(
  ({ groups }) => ({
    language: groups?.["language"] ?? "",
    file: groups?.["file"],
    code: groups?.["code"] ?? "",
  }),
);

test("every excerpt stands in its file, word for word", () => {
  const code = excerpts.filter(({ language }) => language !== "sh");
  expect(code.length).toBeGreaterThan(10);
  for (const excerpt of code) {
    const source = readFileSync(join(root, excerpt.file ?? "the excerpt names no file"), "utf8");
    expect(source, excerpt.file).toContain(excerpt.code);
  }
});

test("every file of the destination is listed, with about its lines", () => {
  const listed = [...walk.matchAll(/^\| `(?<file>[^`]+)` \|[^|]*\| (?<lines>\d*)/gm)].map(({ groups }) => ({
    file: groups?.["file"] ?? "",
    lines: groups?.["lines"] ?? "",
  }));
  const own = readdirSync(join(root, "destinations/loops")).map((name) => `destinations/loops/${name}`);
  const files = [...own, "test/destinations/loops.fixture.ts", "test/destinations/loops.test.ts"];
  expect(listed.map(({ file }) => file).toSorted()).toEqual(files.toSorted());
  const differing = listed.filter(({ file, lines }) => {
    const has = readFileSync(join(root, file), "utf8").split("\n").length;
    return lines !== "" && Math.abs(has - Number(lines)) > has / 5;
  });
  expect(differing).toEqual([]);
});

test("every promise that it names is one of the suite", () => {
  const [, table = ""] = /\| mistake \| promise that breaks \|\n[^\n]*\n(?<rows>(?:\|.*\n)+)/.exec(walk) ?? [];
  const promises = [...table.matchAll(/\| (?<promise>[^|]+) \|$/gm)].map(({ groups }) => groups?.["promise"] ?? "");
  expect(promises.length).toBeGreaterThan(3);
  expect(promises.filter((promise) => !(promise in checks))).toEqual([]);
});

test("what it leads to is there", () => {
  const links = [...walk.matchAll(/\]\((?<target>[^)#:]+)\)/g)].map(({ groups }) => groups?.["target"] ?? "");
  const files = [...walk.matchAll(/`(?<file>(?:src|test|destinations|docs)\/[\w./-]+)`/g)].map(
    ({ groups }) => groups?.["file"] ?? "",
  );
  const missing = [...links.map((target) => join("docs", target)), ...files].filter(
    (file) => !existsSync(join(root, file)),
  );
  expect(missing).toEqual([]);
});
