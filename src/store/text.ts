/** What Postgres takes as text: it refuses NUL characters, and halves of surrogate pairs, which vendors do send. */

/** The text with a replacement character where Postgres would refuse it. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\uFFFD");
}

/** A value as JSON that Postgres takes. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "string" ? storable(part) : part));
}
