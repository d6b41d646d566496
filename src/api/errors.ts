/** The published catalogue of error codes, and the place of each code in it. */
import { readFileSync } from "node:fs";
import { type Api, open } from "./route.ts";

/** `docs/errors.md`, as it is served. Read once: without it the service does not start. */
export const catalogue = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");

const anchors: ReadonlySet<string> = new Set(
  [...catalogue.matchAll(/<a id="([a-z0-9_]+)"><\/a>/g)].map(([, id = ""]) => id),
);

/** The `type` of a problem document: where the catalogue explains the code. The same code has the same for good. */
export function typeOfProblem(code: string): string {
  return `/docs/errors#${anchorOf(code)}`;
}

/** A code that is not in the catalogue is the vendor's own, or the bare status of its answer. */
function anchorOf(code: string): string {
  if (anchors.has(code)) return code;
  return /^http_\d{3}$/.test(code) ? "http_status" : "vendor_codes";
}

/** Serves the catalogue to everybody: whoever is refused for want of a key reads it, too. */
export function errorRoutes(api: Api): void {
  const text = {
    summary: "What each error code means, and what to do",
    answers: { 200: "text/markdown" },
  };
  api.get("/docs/errors", open(text), (_request, reply) => reply.type("text/markdown; charset=utf-8").send(catalogue));
}
