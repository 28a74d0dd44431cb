// Reads lines from a person or a pipe. On a terminal with editing, history and completion, whatever size it reports; from
// a pipe plain lines and no escape codes. Lines that come early wait.

import { createInterface, type Interface } from 'node:readline';
import { Fifo } from '../../shared/fifo.js';

export interface LineReaderOptions {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Words that may stand where the last word of `line` stands. */
  readonly complete: (line: string) => readonly string[];
  /** Ctrl-C at a terminal. */
  readonly onInterrupt: () => void;
}

const historyLinesMax = 1_000;
/** A pipe is read no further ahead than this. */
const linesAheadMax = 1_000;

export class LineReader {
  readonly isTerminal: boolean;
  readonly #interface: Interface;
  readonly #output: NodeJS.WritableStream;
  readonly #lines = new Fifo<string>();
  #waiting: ((line: string | undefined) => void) | undefined;
  #closed = false;

  constructor(options: LineReaderOptions) {
    this.isTerminal = options.input.isTTY === true && options.output.isTTY === true;
    this.#output = options.output;
    this.#interface = createInterface({
      input: options.input,
      output: this.isTerminal ? options.output : undefined,
      terminal: this.isTerminal,
      historySize: historyLinesMax,
      removeHistoryDuplicates: true,
      prompt: '',
      completer: (line: string): [string[], string] => {
        const word = line.slice(line.lastIndexOf(' ') + 1);
        const fitting = options.complete(line).filter((name) => name.toLowerCase().startsWith(word.toLowerCase()));
        return [fitting.map((name) => `${name} `), word];
      },
    });
    this.#interface.on('line', (line) => this.#line(line));
    this.#interface.on('close', () => this.#end());
    this.#interface.on('SIGINT', options.onInterrupt);
  }

  /** Prints the prompt on a line of its own and waits; undefined: there is no more input. */
  ask(prompt: string): Promise<string | undefined> {
    if (prompt !== '') this.#output.write(`${prompt}\n`);
    const line = this.#lines.shift();
    if (line !== undefined) {
      if (this.#lines.length < linesAheadMax && !this.#closed) this.#interface.resume();
      return Promise.resolve(line);
    }
    if (this.#closed) return Promise.resolve(undefined);
    if (this.isTerminal) this.#interface.prompt();
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** Makes a pending `ask` give an empty line. */
  skip(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.('');
  }

  close(): void {
    this.#interface.close();
  }

  #line(line: string): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) {
      waiting(line);
      return;
    }
    this.#lines.push(line);
    if (this.#lines.length >= linesAheadMax && !this.isTerminal) this.#interface.pause();
  }

  #end(): void {
    this.#closed = true;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(undefined);
  }
}
