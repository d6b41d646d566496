/** How a client of Postgres asks for TLS before anything else is said. */
import { once } from "node:events";
import type { Duplex } from "node:stream";

/** The length, and the number that asks for TLS in place of a version. */
const request = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** Rejects when the server does without, or says more than one letter: what comes before TLS may be anybody's. */
export async function askForTls(plain: Duplex, signal: AbortSignal): Promise<void> {
  plain.write(request);
  const [answer] = (await once(plain, "data", { signal })) as [Buffer];
  plain.pause();
  if (answer.toString("latin1") === "S") return;
  throw new Error(
    answer.toString("latin1") === "N"
      ? "the server has no TLS (sslmode=disable does without, on this machine and on hosts that are allowed by name)"
      : "the server answered with something else than TLS",
  );
}
