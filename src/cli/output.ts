/** How results look in a terminal. Data goes to standard output, everything else to standard error. */
import { styleText } from "node:util";

export type Style = Parameters<typeof styleText>[0];

/** Where a command writes. */
export interface Terminal {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Coloured where the stream is a terminal that shows colours and NO_COLOR is not set. */
export function styled(stream: NodeJS.WriteStream, style: Style, text: string): string {
  return styleText(style, text, { stream });
}

export function writeLine(stream: NodeJS.WriteStream, text = ""): void {
  stream.write(`${text}\n`);
}

/** One document on standard output, for programs. */
export function writeJson(terminal: Terminal, value: unknown): void {
  writeLine(terminal.stdout, JSON.stringify(value, null, 2));
}

/** Columns of text, as wide as their widest cell; columns of numbers are set flush right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, at) => Math.max(...all.map((row) => (row[at] ?? "").length)));
  const numeric = header.map((_, at) => rows.length > 0 && rows.every((row) => /^[\d.,%–-]*$/.test(row[at] ?? "")));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => (numeric[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd();
  return all.map(line).join("\n");
}

/** `12,345`. */
export function count(number: number): string {
  return number.toLocaleString("en-US");
}

/** `1 row`, `2 rows`. */
export function plural(number: number, noun: string, nouns = `${noun}s`): string {
  return `${count(number)} ${number === 1 ? noun : nouns}`;
}

/** `0.4 s`, `12 s`, `3 min 20 s`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** One line, no control characters, cut where it becomes too long to read. */
export function brief(text: string, most = 100): string {
  // A terminal must not be steered by what a vendor answers.
  const line = text.replaceAll(/[\p{Cc}]+/gu, " ");
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
