/** Addresses that no destination can have, told when the document is written and not first when a run fails. */
import { problem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { recordAt } from "./value-at.ts";

/** What is wrong with the addresses of a connection. One that a variable holds is judged when it is dialled. */
export function addressProblems(connection: unknown): Problem[] {
  return Object.entries(recordAt(connection, [])).flatMap(([setting, written]) => {
    if (!/(^|_)url$/.test(setting) || typeof written !== "string" || written.includes("${env:")) return [];
    const expected = faultOf(written);
    if (expected === null) return [];
    // An address may hold a secret where it ought not to, so it is not repeated.
    return [
      problem("invalid", ["connection", setting], "the address is not one to send a credential to", { expected }),
    ];
  });
}

function faultOf(written: string): string | null {
  const expected = "an address such as https://api.example.com, without a user, a \\ and a #";
  if (/[\\#\s\p{Cc}]/u.test(written) || !/^https?:\/\/[^/]/i.test(written) || !URL.canParse(written)) return expected;
  const { username, password } = new URL(written);
  return username === "" && password === "" ? null : expected;
}
