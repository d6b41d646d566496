/** The catalogue of errors is whole: every code that the sources have, and none that they lack. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const catalogue = readFileSync(join(root, "docs/errors.md"), "utf8");
const listed = new Set(
  catalogue.split("\n").flatMap((line) => {
    const [, codes] = /^\| (`[^|]+`) \|/.exec(line) ?? [];
    return codes === undefined ? [] : [...codes.matchAll(/`(\w+)`/g)].map(([, code = ""]) => code);
  }),
);

/** How a code stands in the sources. */
const forms = [
  /(?:Error|InvalidValue|UnfitField)\(\s*(?:\d{3},\s*)?(?:"(?:refused|busy|unavailable|unauthorized)",\s*)?"([a-z]+(?:_[a-z]+)*)",/g,
  /\bcode: "([a-z]+(?:_[a-z]+)*)"/g,
  /\bproblem\(\s*"([a-z_]+)"/g,
  /\? "(key_expired)" : "(key_revoked)"/g,
];

function sources(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !/sandbox/.test(file))
    .map((file) => join(folder, file));
}

function codesIn(file: string): readonly string[] {
  const text = readFileSync(join(root, file), "utf8");
  return forms.flatMap((form) => [...text.matchAll(form)].flatMap(([, ...codes]) => codes));
}

/** What stands where codes do, and is none. */
const kinds: ReadonlySet<string> = new Set(["sandbox_error", "custom"]);

test("every code of the engine is in docs/errors.md", () => {
  const missing = ["src", "mappings"].flatMap(sources).flatMap((file) =>
    codesIn(file)
      .filter((code) => !listed.has(code) && !kinds.has(code))
      .map((code) => `${code} of ${file}`),
  );
  expect(missing).toEqual([]);
});

test("every code of a destination is there, or in the destination's own README", () => {
  const missing = sources("destinations").flatMap((file) => {
    const readme = readFileSync(join(root, ...file.split("/").slice(0, 2), "README.md"), "utf8");
    return codesIn(file)
      .filter((code) => !listed.has(code) && !kinds.has(code) && !readme.includes(`\`${code}\``))
      .map((code) => `${code} of ${file}`);
  });
  expect(missing).toEqual([]);
});

test("it has none that nothing uses", () => {
  const all = ["src", "mappings", "destinations"]
    .flatMap(sources)
    .map((file) => readFileSync(join(root, file), "utf8"))
    .join("\n");
  expect([...listed].filter((code) => !all.includes(`"${code}"`) && !all.includes(`${code}:`))).toEqual([]);
});

test("each has a cause and a way out, in one row", () => {
  const rows = catalogue.split("\n").filter((line) => line.startsWith("| `"));
  expect(rows.length).toBeGreaterThan(60);
  expect(rows.filter((row) => !/^\| `[^|]+` \| [^|]{8,} \| [^|]{5,} \|$/.test(row))).toEqual([]);
});
