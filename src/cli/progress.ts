/** One line that grows, on standard error, only where that is a terminal. */
import type { RunView } from "../operations/run-schemas.ts";
import { count } from "./output.ts";

const barCells = 24;

export class ProgressBar {
  readonly #stream: NodeJS.WriteStream;
  #shown = false;
  #drawnAt = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  show(run: RunView): void {
    const now = performance.now();
    if (!this.#stream.isTTY || now - this.#drawnAt < 80) return;
    this.#drawnAt = now;
    this.#shown = true;
    this.#stream.write(`\r\u001b[2K${line(run).slice(0, (this.#stream.columns || 100) - 1)}`);
  }

  clear(): void {
    if (this.#shown) this.#stream.write("\r\u001b[2K");
    this.#shown = false;
  }
}

function line(run: RunView): string {
  if (run.planned === null || run.status === "planning") return `${run.sync}  planning …`;
  const { added, changed, removed, faulty_keys } = run.planned;
  const planned = added + changed + removed + faulty_keys;
  const done = run.accepted + run.rejected + run.invalid + (run.status === "sending" ? 0 : run.in_doubt);
  const filled = planned === 0 ? barCells : Math.min(barCells, Math.floor((barCells * done) / planned));
  const bar = "█".repeat(filled) + "░".repeat(barCells - filled);
  const bad = run.rejected + run.invalid;
  return `${run.sync}  ${bar}  ${count(done)} of ${count(planned)}  ${count(run.requests)} requests${bad > 0 ? `  ${count(bad)} not taken` : ""}`;
}
