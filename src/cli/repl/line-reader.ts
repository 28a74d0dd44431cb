// Reads lines from a person or a pipe. On a terminal with editing, history and completion, whatever size it reports; from
// a pipe plain lines and no escape codes. Lines that come early wait, as many as fit into a bounded amount.

import { createInterface, type Interface } from 'node:readline';
import { StoreError } from '../../shared/errors.js';
import { Fifo } from '../../shared/fifo.js';
import { LineSplitter, notText, type SplitLine, tooLong } from './line-splitter.js';
import { MutedOutput } from './muted-output.js';

export interface LineReaderOptions {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Words that may stand where the last word of `line` stands. */
  readonly complete: (line: string) => readonly string[];
  /** Ctrl-C at a terminal. */
  readonly onInterrupt: () => void;
}

const historyLinesMax = 1_000;
/** One line, bytes. A longer one could not be sent as a request either. */
const lineBytesMax = 2 * 2 ** 20;
/** A pipe is read no further ahead than this many lines and, beside what came at once, bytes. */
const linesAheadMax = 1_000;
const bytesAheadMax = 4 * 2 ** 20;

interface Waiting {
  readonly resolve: (line: string | undefined) => void;
  readonly reject: (error: Error) => void;
}

export class LineReader {
  readonly isTerminal: boolean;
  readonly #output: NodeJS.WritableStream;
  readonly #source: LineSource;
  readonly #lines = new Fifo<SplitLine>();
  #lineUnits = 0;
  #waiting: Waiting | undefined;
  #closed = false;

  constructor(options: LineReaderOptions) {
    this.isTerminal = options.input.isTTY === true && options.output.isTTY === true;
    this.#output = options.output;
    const sink: LineSink = { line: (line) => this.#line(line), end: () => this.#end() };
    this.#source = this.isTerminal ? new TerminalLines(options, sink) : new PipedLines(options.input, sink);
  }

  /**
   * Prints the prompt on a line of its own and waits; undefined: there is no more input. Rejects when the line is too long
   * or no UTF-8; the next call gives the next line.
   */
  ask(prompt: string): Promise<string | undefined> {
    return this.#next(prompt, false);
  }

  /** The same for what nobody shall see: a terminal neither shows it nor keeps it in its history. */
  askSecret(prompt: string): Promise<string | undefined> {
    return this.#next(prompt, true);
  }

  #next(prompt: string, secret: boolean): Promise<string | undefined> {
    if (prompt !== '') this.#output.write(`${prompt}\n`);
    const line = this.#lines.shift();
    if (line !== undefined) {
      this.#lineUnits -= lengthOf(line);
      if (!this.#isFull() && !this.#closed) this.#source.resume();
      return typeof line === 'string' ? Promise.resolve(line) : Promise.reject(errorOf(line));
    }
    if (this.#closed) return Promise.resolve(undefined);
    this.#source.prompt(secret);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Makes a pending `ask` give an empty line. */
  skip(): void {
    this.#takeWaiting()?.resolve('');
  }

  close(): void {
    this.#source.close();
  }

  #line(line: SplitLine): void {
    const waiting = this.#takeWaiting();
    if (waiting === undefined) {
      this.#lines.push(line);
      this.#lineUnits += lengthOf(line);
      if (this.#isFull()) this.#source.pause();
    } else if (typeof line === 'string') waiting.resolve(line);
    else waiting.reject(errorOf(line));
  }

  #isFull(): boolean {
    return this.#lines.length >= linesAheadMax || this.#lineUnits >= bytesAheadMax;
  }

  #end(): void {
    this.#closed = true;
    this.#takeWaiting()?.resolve(undefined);
  }

  #takeWaiting(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}

function lengthOf(line: SplitLine): number {
  return typeof line === 'string' ? line.length : 0;
}

function errorOf(line: Exclude<SplitLine, string>): StoreError {
  if (line === notText) {
    return new StoreError('INVALID_ARGUMENT', 'Cannot take a line that is no UTF-8: it is left out');
  }
  return new StoreError('TOO_LARGE', `Cannot take a line of more than ${lineBytesMax} bytes: it is left out`);
}

interface LineSink {
  line(line: SplitLine): void;
  end(): void;
}

interface LineSource {
  /** A line is waited for now. */
  prompt(secret: boolean): void;
  pause(): void;
  resume(): void;
  close(): void;
}

class TerminalLines implements LineSource {
  readonly #interface: Interface;
  readonly #terminal: NodeJS.WritableStream;
  readonly #output: MutedOutput;

  constructor(options: LineReaderOptions, sink: LineSink) {
    this.#terminal = options.output;
    this.#output = new MutedOutput(options.output);
    this.#interface = createInterface({
      input: options.input,
      output: this.#output,
      terminal: true,
      historySize: historyLinesMax,
      removeHistoryDuplicates: true,
      prompt: '',
      completer: (line: string): [string[], string] => {
        const word = line.slice(line.lastIndexOf(' ') + 1);
        const fitting = options.complete(line).filter((name) => name.toLowerCase().startsWith(word.toLowerCase()));
        return [fitting.map((name) => `${name} `), word];
      },
    });
    this.#interface.on('history', (history: string[]) => {
      if (this.#output.muted) history.shift();
    });
    this.#interface.on('line', (line) => {
      this.#unmute();
      sink.line(Buffer.byteLength(line) > lineBytesMax ? tooLong : line);
    });
    this.#interface.on('close', () => {
      this.#unmute();
      sink.end();
    });
    this.#interface.on('SIGINT', options.onInterrupt);
  }

  prompt(secret: boolean): void {
    this.#interface.prompt();
    this.#output.muted = secret;
  }

  /** The end of what was typed unseen is seen. */
  #unmute(): void {
    if (!this.#output.muted) return;
    this.#output.muted = false;
    this.#terminal.write('\n');
  }

  /** A person does not type ahead as much as would have to be held back. */
  pause(): void {}

  resume(): void {
    this.#interface.resume();
  }

  close(): void {
    this.#interface.close();
  }
}

class PipedLines implements LineSource {
  readonly #input: NodeJS.ReadableStream;
  readonly #splitter = new LineSplitter(lineBytesMax);
  readonly #sink: LineSink;
  #ended = false;

  constructor(input: NodeJS.ReadableStream, sink: LineSink) {
    this.#input = input;
    this.#sink = sink;
    input.on('data', (chunk: Buffer) => {
      if (this.#ended) return;
      for (const line of this.#splitter.push(chunk)) sink.line(line);
    });
    input.on('end', () => {
      if (this.#ended) return;
      for (const line of this.#splitter.end()) sink.line(line);
      this.#finish();
    });
    // An input that breaks has no more lines than one that ends.
    input.on('error', () => this.#finish());
    input.on('close', () => this.#finish());
  }

  prompt(): void {
    this.#input.resume();
  }

  pause(): void {
    this.#input.pause();
  }

  resume(): void {
    this.#input.resume();
  }

  close(): void {
    this.#input.pause();
    this.#finish();
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#sink.end();
  }
}
