/** The catalogue of error codes, `docs/errors.md`, has every code that the sources have, and no other. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

/** What sorts a DestinationError or names the part of a manifest: no code, though it stands first. */
const otherErrors = ["DestinationError", "DbtError"];

/** zod's own, which never leave the schema that says them. */
const codesOfZod = ["custom", "invalid_union", "unrecognized_keys", "invalid_key", "invalid_value"];

/** Where a code is written. What stands in the brackets of `code: …` may be a choice of two. */
const places: readonly RegExp[] = [
  /\b(?<maker>[A-Z]\w*Error|Unsendable|UnfitField|InvalidValue)\(\s*(?:\d{3},\s*)?(?<codes>"[a-z_\d]+"|[^,"`;]*\?\s*"[a-z_\d]+"\s*:\s*"[a-z_\d]+")/g,
  /\bsuper\(\s*(?<codes>"[a-z_\d]+"),/g,
  /\b(?:problem|misfit|refuse|refusal)\(\s*(?<codes>"[a-z_\d]+")/g,
  /\btell\(reply, \d{3}, (?<codes>"[a-z_\d]+")/g,
  /\bcode\s*(?::|=(?![=>]))(?<codes>[^,;{}\n]*)/g,
  /\btype (?:ProblemCode|KeyFault) =(?<codes>[^;]*);/g,
  /\bfunction codeOf\(error: unknown\): string \{(?<codes>[^]*?)\n\}/g,
];

/** A literal that is a value: the whole of it, or a branch of a choice; nothing that is compared with. */
const literal = /(?:^|[?:=|(,]|\breturn)\s*"(?<code>[a-z][a-z_\d]*)"/g;

function codesIn(source: string): readonly string[] {
  return places.flatMap((place) =>
    [...source.matchAll(place)].flatMap(({ groups }) => {
      const { maker = "", codes = "" } = groups ?? {};
      // A parameter's or a member's type.
      if (otherErrors.includes(maker) || /^\s*string\b/.test(codes)) return [];
      const values = codes.replaceAll(/\b\w+\("\w+"\)|[!=]==?\s*"\w+"/g, "");
      return [...values.matchAll(literal)].flatMap((found) => found.groups?.["code"] ?? []);
    }),
  );
}

/** Every code, and the files that have it. Sandboxes speak for vendors, and the demo is a workspace. */
function codesOfSources(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const folder of ["src", "mappings", "destinations"]) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      const file = relative(root, join(entry.parentPath, entry.name));
      if (!file.endsWith(".ts") || /\/sandbox(?:\.ts$|\/)|^mappings\/demo\//.test(file)) continue;
      for (const code of codesIn(readFileSync(join(root, file), "utf8"))) {
        if (!codesOfZod.includes(code)) found.set(code, [...(found.get(code) ?? []), file]);
      }
    }
  }
  return found;
}

const catalogue = readFileSync(join(root, "docs/errors.md"), "utf8");
const rows = [...catalogue.matchAll(/^\| <a id="(?<anchor>\w+)"><\/a>`(?<code>\w+)` \|(?<rest>.*)\|$/gm)].map(
  ({ groups }) => ({
    anchor: groups?.["anchor"] ?? "",
    code: groups?.["code"] ?? "",
    cells: (groups?.["rest"] ?? "").split(/(?<!\\)\|/).map((cell) => cell.trim()),
  }),
);
const known = new Set(rows.map(({ code }) => code));
const sources = codesOfSources();

/** Whether only one destination gives the code, and its README explains it. */
function isExplainedAtHome(code: string, files: readonly string[]): boolean {
  const homes = new Set(files.map((file) => /^destinations\/\w+/.exec(file)?.[0]));
  const [home] = homes;
  return (
    homes.size === 1 &&
    home !== undefined &&
    readFileSync(join(root, home, "README.md"), "utf8").includes(`\`${code}\``)
  );
}

test("every code of the sources is in the catalogue, or in the README of the one destination that has it", () => {
  const missing = [...sources].filter(([code, files]) => !known.has(code) && !isExplainedAtHome(code, files));
  expect(missing).toEqual([]);
});

test("the catalogue has no code that the sources lack", () => {
  // Any answer's status, such as http_401.
  expect([...known].filter((code) => code !== "http_status" && !sources.has(code))).toEqual([]);
});

test("every code has one row, which says what happened and what to do, and can be led to by its name", () => {
  const all = rows.map(({ code }) => code);
  expect(all.filter((code, at) => all.indexOf(code) !== at)).toEqual([]);
  expect(rows.filter(({ anchor, code }) => anchor !== code)).toEqual([]);
  expect(rows.filter(({ cells }) => cells.length < 2 || cells.some((cell) => cell === ""))).toEqual([]);
  expect(rows.length).toBe([...catalogue.matchAll(/^\| <a id=/gm)].length);
});

test("what the catalogue refers to within itself is there", () => {
  const headings = [...catalogue.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
  const links = [...catalogue.matchAll(/\]\(#([^)]+)\)/g)].map(([, target = ""]) => target);
  expect(links.filter((target) => !headings.includes(target))).toEqual([]);
});

test.each([
  ['throw new UsageError(\n  "wrong_setting",', ["wrong_setting"]],
  ['new AccessError(401, revoked === null ? "key_expired" : "key_revoked", x)', ["key_expired", "key_revoked"]],
  ['new DestinationError("refused", words, { code: "list_not_found", applied: "no" })', ["list_not_found"]],
  ['return { code: isMonth ? "monthly_limit" : "rate_limit" };', ["monthly_limit", "rate_limit"]],
  ['const code = text("code") ?? "unexpected_answer";', ["unexpected_answer"]],
  ['if (error.code === "version_conflict") return;', []],
  ['function placeAt(code: string): "channel" {', []],
])("a code is seen where it is written: %s", (source, codes) => {
  expect(codesIn(source)).toEqual(codes);
});
