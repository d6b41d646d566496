/** Countries as ChartMogul takes them: two letters. */
import type { FieldOption } from "../../src/destination.ts";

const letters = Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
const names = new Intl.DisplayNames(["en"], { type: "region", fallback: "none" });

/** Every pair of letters that is a country's present code. ChartMogul may know fewer, and says so. */
export const countries: readonly FieldOption[] = letters
  .flatMap((first) => letters.map((second) => `${first}${second}`))
  .filter(isPresent)
  .flatMap((value) => {
    const title = names.of(value);
    return title === undefined ? [] : [{ value, title }];
  });

/** `ZZ` is the code of none, and `DD` was another name of `DE`. */
function isPresent(code: string): boolean {
  return code !== "ZZ" && new Intl.Locale(`und-${code}`).region === code;
}
