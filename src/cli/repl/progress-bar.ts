// One line at the bottom of a terminal that shows how far a load is. Draws nothing where there is no terminal.

const redrawMs = 100;
/** A terminal may report no size at all. */
const columnsDefault = 80;
const barColumnsMax = 40;
const clearLine = '\r\u001b[K';

export class ProgressBar {
  readonly #stream: NodeJS.WriteStream;
  readonly #total: number;
  readonly #startedMs = performance.now();
  #drawnMs = Number.NEGATIVE_INFINITY;
  #done = 0;
  #errors = 0;

  constructor(stream: NodeJS.WriteStream, total: number) {
    this.#stream = stream;
    this.#total = total;
  }

  update(done: number, errors: number): void {
    this.#done = done;
    this.#errors = errors;
    const nowMs = performance.now();
    if (!this.#stream.isTTY || nowMs - this.#drawnMs < redrawMs) return;
    this.#drawnMs = nowMs;
    this.#draw(nowMs);
  }

  /** Prints a line above the bar. */
  notice(text: string): void {
    this.#stream.write(this.#stream.isTTY ? `${clearLine}${text}\n` : `${text}\n`);
    if (this.#stream.isTTY) this.#draw(performance.now());
  }

  end(): void {
    if (this.#stream.isTTY && this.#drawnMs > 0) this.#stream.write(clearLine);
  }

  #draw(nowMs: number): void {
    const share = this.#total === 0 ? 1 : this.#done / this.#total;
    const seconds = Math.max((nowMs - this.#startedMs) / 1000, 0.001);
    const errors = this.#errors === 0 ? '' : `, ${this.#errors} errors`;
    const numbers = ` ${this.#done}/${this.#total} ${Math.floor(share * 100)}% ${Math.round(this.#done / seconds)}/s${errors}`;
    const columns = this.#stream.columns > 0 ? this.#stream.columns : columnsDefault;
    const width = Math.max(0, Math.min(barColumnsMax, columns - numbers.length - 3));
    const filled = Math.round(width * share);
    const bar = width === 0 ? '' : `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}]`;
    this.#stream.write(`${clearLine}${`${bar}${numbers}`.slice(0, columns - 1)}`);
  }
}
