// Cuts a stream of bytes into lines of bounded length. A longer line is dropped as it comes, without being held, and
// reported where it stood; so is one that is no UTF-8, which would be something else as text. Reads nothing itself.

import { isUtf8 } from 'node:buffer';

const newline = 0x0a;
const carriageReturn = 0x0d;

/** Stands in the place of a line that was too long. */
export const tooLong = Symbol('a line that is too long');

/** Stands in the place of a line that is no UTF-8. */
export const notText = Symbol('a line that is no text');

export type SplitLine = string | typeof tooLong | typeof notText;

export class LineSplitter {
  readonly #lineBytesMax: number;
  #pieces: Buffer[] = [];
  #byteLength = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** The lines that end in this chunk. */
  push(chunk: Buffer): SplitLine[] {
    const lines: SplitLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      this.#add(chunk.subarray(start, end));
      lines.push(this.#take());
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
    return lines;
  }

  /** The last line, if the stream does not end with a newline. */
  end(): SplitLine[] {
    return this.#byteLength === 0 ? [] : [this.#take()];
  }

  #add(piece: Buffer): void {
    this.#byteLength += piece.length;
    if (this.#byteLength > this.#lineBytesMax) this.#pieces = [];
    else if (piece.length > 0) this.#pieces.push(piece);
  }

  #take(): SplitLine {
    const bytes = Buffer.concat(this.#pieces);
    const isTooLong = this.#byteLength > this.#lineBytesMax;
    this.#pieces = [];
    this.#byteLength = 0;
    if (isTooLong) return tooLong;
    if (!isUtf8(bytes)) return notText;
    return bytes.toString('utf8', 0, bytes.at(-1) === carriageReturn ? bytes.length - 1 : bytes.length);
  }
}
