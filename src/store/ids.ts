/** Ids that sort by the time they were made at: a prefix, and a UUIDv7 in lower-case Crockford base32. */
import { randomBytes } from "node:crypto";

const digits = "0123456789abcdefghjkmnpqrstvwxyz";

let lastMs = 0;
let counter = 0;

/** `run_06esx…`: 26 digits after the prefix. Of one process, a later id is a greater one. */
export function newId(prefix: string): string {
  const random = randomBytes(10);
  const nowMs = Date.now();
  // UUIDv7's 12 bits beside the time count within a millisecond; the clock is never followed backwards.
  if (nowMs > lastMs) {
    lastMs = nowMs;
    counter = random.readUInt16BE(0) & 0x7ff;
  } else if ((counter += 1) > 0xfff) {
    lastMs += 1;
    counter = 0;
  }
  const high = (BigInt(lastMs) << 16n) | 0x7000n | BigInt(counter);
  const low = (random.readBigUInt64BE(2) & 0x3fff_ffff_ffff_ffffn) | 0x8000_0000_0000_0000n;
  return `${prefix}_${base32((high << 64n) | low)}`;
}

function base32(value: bigint): string {
  let text = "";
  for (let rest = value; text.length < 26; rest >>= 5n) text = digits.charAt(Number(rest & 31n)) + text;
  return text;
}
