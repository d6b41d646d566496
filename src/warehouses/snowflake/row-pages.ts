/** A stream of rows as pages that are asked for: a few wait in memory, no more. */
import type { Readable } from "node:stream";
import type { Row } from "../dialect.ts";

/** The driver is asked for text; what it has no text for comes as it is. */
type DriverValue = string | number | boolean | null | undefined;

/** Enough to go on with while the driver parses its next chunk, and fewer than a chunk has. */
const waitingPages = 8;

export class RowPages {
  readonly #stream: Readable;
  readonly #pageRows: number;
  #rows: Row[] = [];
  #ended = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(stream: Readable, pageRows: number) {
    this.#stream = stream;
    this.#pageRows = pageRows;
    stream.on("data", (row: readonly DriverValue[]) => this.#take(row));
    stream.on("end", () => this.#settle(undefined));
    stream.on("error", (error: Error) => this.#settle(error));
    stream.on("close", () => this.#settle(undefined));
  }

  /** The next page, or null after the last one. */
  async next(): Promise<readonly Row[] | null> {
    while (this.#rows.length < this.#pageRows && !this.#ended) {
      this.#stream.resume();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#failure) throw this.#failure;
    if (this.#rows.length === 0) return null;
    const page = this.#rows.slice(0, this.#pageRows);
    this.#rows = this.#rows.slice(this.#pageRows);
    return page;
  }

  /** No more is wanted. */
  end(): void {
    this.#stream.destroy();
  }

  #take(row: readonly DriverValue[]): void {
    this.#rows.push(row.map(asText));
    if (this.#rows.length >= waitingPages * this.#pageRows) this.#stream.pause();
    if (this.#rows.length >= this.#pageRows) this.#wake();
  }

  #settle(failure: Error | undefined): void {
    this.#failure ??= failure;
    this.#ended = true;
    this.#wake();
  }
}

function asText(value: DriverValue): string | null {
  if (typeof value === "string") return value;
  return value == null ? null : String(value);
}
