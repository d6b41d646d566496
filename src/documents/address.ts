/** Addresses that no destination can have, told when the document is written and not first when a run fails. */
import { z } from "zod";
import { problem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { references } from "./secrets.ts";
import { recordAt } from "./value-at.ts";

/**
 * What is wrong with the addresses of a connection, by the adapter's schema of it. One that a variable or a secret
 * holds is judged when it is dialled.
 */
export function addressProblems(connection: unknown, schema: z.ZodObject | undefined): Problem[] {
  return Object.entries(recordAt(connection, [])).flatMap(([setting, written]) => {
    if (!/(^|_)url$/.test(setting) || typeof written !== "string" || references(written).length > 0) return [];
    const expected = faultOf(written, schemesOf(schema?.shape[setting]));
    if (expected === null) return [];
    // An address may hold a secret where it ought not to, so it is not repeated.
    return [
      problem("invalid", ["connection", setting], "the address is not one to send a credential to", { expected }),
    ];
  });
}

const usualSchemes: readonly [string, ...string[]] = ["https", "http"];

/** The schemes that a setting is marked with, also inside `.optional()` and its like. */
function schemesOf(schema: z.core.$ZodType | undefined): readonly [string, ...string[]] {
  if (schema === undefined) return usualSchemes;
  const marked = z.tuple([z.string()], z.string()).safeParse(z.globalRegistry.get(schema)?.["schemes"]);
  if (marked.success) return marked.data;
  const inner: unknown = Reflect.get(schema._zod.def, "innerType");
  return inner instanceof z.ZodType ? schemesOf(inner) : usualSchemes;
}

function faultOf(written: string, schemes: readonly [string, ...string[]]): string | null {
  const [first] = schemes;
  const expected = `an address such as ${first}://${first === "https" ? "api" : "db"}.example.com, without a user, a \\ and a #`;
  const begins = schemes.some((scheme) => new RegExp(`^${scheme}://[^/]`, "i").test(written));
  if (/[\\#\s\p{Cc}]/u.test(written) || !begins || !URL.canParse(written)) return expected;
  const { username, password } = new URL(written);
  return username === "" && password === "" ? null : expected;
}
