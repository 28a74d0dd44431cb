// A terminal's output that can be silenced while a person types what nobody shall see. Passes on all else, and how wide
// the terminal is.

import { Writable } from 'node:stream';

type Terminal = NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number };

export class MutedOutput extends Writable {
  muted = false;
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    super({ decodeStrings: false });
    this.#terminal = terminal;
    terminal.on('resize', () => this.emit('resize'));
  }

  get columns(): number | undefined {
    return this.#terminal.columns;
  }

  get rows(): number | undefined {
    return this.#terminal.rows;
  }

  override _write(data: string | Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    if (!this.muted) this.#terminal.write(data);
    done();
  }
}
