// The commands of the interactive client. What a command needs and was not typed with it is asked for, one prompt a line.

import { InvalidArgumentError } from 'commander';
import type { ZabtreeClient } from '../../client/zabtree-client.js';
import { nearestKey } from '../../config/nearest-key.js';
import { StoreError } from '../../shared/errors.js';
import { formatLease } from '../../shared/ids.js';
import { agreementText, digestTable } from '../commands/digest-command.js';
import { statusTable } from '../commands/status-command.js';
import { leaseId, type Target } from '../connection-options.js';
import { askMembers } from '../member-status.js';
import { counted, printable, table } from '../output.js';
import { commandWords } from './command-words.js';
import { KeyLoad, loadSummary } from './key-load.js';
import type { LineReader } from './line-reader.js';
import { ProgressBar } from './progress-bar.js';
import { runReplTransaction } from './repl-transaction.js';
import { SharedCommands } from './shared-commands.js';
import { cutMark, shownPart, shownValue } from './shown-value.js';

interface ReplContext {
  readonly client: ZabtreeClient;
  readonly target: Target;
  readonly reader: LineReader;
  readonly timeoutMs: number;
}

const listLimitDefault = 100;
/** Characters of an unknown command that its error repeats. */
const wordShownMax = 60;

/** The words that leave, and the one that explains, also where a peer is to be selected. */
const exitWords = ['exit', 'quit'];
const helpWord = 'help';
const leaseFlag = '--lease';

export function isExit(line: string): boolean {
  return exitWords.includes(line.trim().toLowerCase());
}

export function isHelp(line: string): boolean {
  return line.trim().toLowerCase() === helpWord;
}

interface ReplCommand {
  readonly name: string;
  /** What may follow the name, as help shows it. */
  readonly usage: string;
  /** How many words that is at most. */
  readonly wordsMax: number;
  readonly meaning: string;
  readonly run: (words: readonly string[]) => Promise<void> | void;
}

export class ReplCommands {
  readonly #context: ReplContext;
  readonly #commands: readonly ReplCommand[];
  readonly #shared: SharedCommands;
  #load: KeyLoad | undefined;
  #bar: ProgressBar | undefined;

  constructor(context: ReplContext) {
    this.#context = context;
    this.#shared = new SharedCommands(context.client, context.reader);
    this.#commands = this.#createCommands();
  }

  /** Every word that a line may begin with. */
  get names(): readonly string[] {
    return [...this.#commands.map(({ name }) => name), ...exitWords];
  }

  completions(line: string): readonly string[] {
    const words = line.trimStart().split(/\s+/);
    if (words.length <= 1) return this.names;
    const [first = ''] = words;
    if (first.toLowerCase() === 'use') return this.#context.target.peers.map((_, index) => String(index));
    return words.length === 2 ? this.#shared.subcommands(first) : [];
  }

  /** Ends what runs; false when nothing does. */
  interrupt(): boolean {
    if (this.#load === undefined) return false;
    this.#load.stop();
    return true;
  }

  notice(text: string): void {
    if (this.#bar === undefined) process.stderr.write(`${text}\n`);
    else this.#bar.notice(text);
  }

  async run(line: string): Promise<void> {
    const [word = '', ...rest] = commandWords(line);
    const command = this.#commands.find(({ name }) => name.toLowerCase() === word.toLowerCase());
    if (command === undefined) {
      print(`Error : Unknown command ${beginningOf(word)}: ${suggestionFor(word, this.names)}`);
      return;
    }
    const { name, wordsMax } = command;
    if (rest.length > wordsMax) {
      throw new StoreError(
        'INVALID_ARGUMENT',
        `Cannot run ${name}: the number of arguments is ${rest.length}, expected at most ${wordsMax} (a key or value with spaces stands in double quotes)`,
      );
    }
    await command.run(rest);
  }

  #createCommands(): ReplCommand[] {
    const command = (
      name: string,
      usage: string,
      wordsMax: number,
      meaning: string,
      run: ReplCommand['run'],
    ): ReplCommand => ({ name, usage, wordsMax, meaning, run });
    const many = 'n > 1 sends key-0, key-1, … with value-0, value-1, …';
    const listed = `print keys and values, at most ${listLimitDefault} unless told`;
    return [
      command('Add', `[key value [n] [${leaseFlag} ID]]`, 5, `create keys: ${many}`, (words) =>
        this.#write('add', words),
      ),
      command('Set', `[key value [n] [${leaseFlag} ID]]`, 5, 'create or overwrite keys', (words) =>
        this.#write('set', words),
      ),
      command('Delete', '[key]', 1, 'delete a key', (words) => this.#delete(words)),
      command('Get', '[key]', 1, 'print a value', (words) => this.#get(words)),
      command('list', '[prefix [limit]]', 2, listed, (words) => this.#list(words)),
      command('txn', '', 0, 'compare, and do one thing or another, at once', () =>
        runReplTransaction(this.#context.client, this.#context.reader),
      ),
      command('watch', '[prefix]', 1, 'print changes until Enter is pressed', (words) => this.#watch(words[0] ?? '')),
      command('status', '', 0, 'print the state of every member', () => this.#status()),
      command('digest', '', 0, 'compare the data of all members', () => this.#digest()),
      ...this.#shared.commands.map(({ name, usage, meaning }) =>
        command(name, usage, Number.POSITIVE_INFINITY, meaning, (words) => this.#shared.run(name, words)),
      ),
      command('use', 'N', 1, 'talk to another peer', (words) => this.#use(words[0] ?? '')),
      command(helpWord, '', 0, 'print this', () => print(this.helpText)),
    ];
  }

  get helpText(): string {
    const rows = this.#commands.map(({ name, usage, meaning }) => [`${name} ${usage}`.trimEnd(), meaning]);
    return [
      table([...rows, [exitWords.join(', '), 'leave']]).trimEnd(),
      'A word with spaces stands in double quotes: "a key". Inside them \\" \\\\ \\n \\r \\t are escapes.',
    ].join('\n');
  }

  async #write(operation: 'add' | 'set', words: readonly string[]): Promise<void> {
    const { rest, lease } = withLease(words);
    const { reader, client, timeoutMs } = this.#context;
    const key = rest[0] ?? (await reader.ask('Enter Starting Key'))?.trim();
    if (key === undefined) return;
    const value = rest[1] ?? (await reader.ask('Enter Starting Value'));
    if (value === undefined) return;
    const repetition = rest.length >= 2 ? (rest[2] ?? '1') : await reader.ask('Enter Repetition');
    if (repetition === undefined) return;
    const count = repetitionOf(repetition);
    if (key === '') throw new StoreError('INVALID_ARGUMENT', 'The key is empty');
    if (count === 1) {
      const { revision } = await client[operation](key, value, lease === undefined ? {} : { lease });
      print(`OK, revision = ${revision}`);
      return;
    }
    await this.#runLoad(
      new ProgressBar(process.stderr, count),
      (bar) =>
        new KeyLoad(client, { operation, key, value, count, lease, timeoutMs }, (done, errors) =>
          bar.update(done, errors),
        ),
    );
  }

  async #runLoad(bar: ProgressBar, loadOf: (bar: ProgressBar) => KeyLoad): Promise<void> {
    this.#bar = bar;
    this.#load = loadOf(bar);
    try {
      const result = await this.#load.run();
      bar.end();
      print(loadSummary(result));
    } finally {
      this.#load = undefined;
      this.#bar = undefined;
    }
  }

  async #delete(rest: readonly string[]): Promise<void> {
    const key = await this.#askKey(rest);
    if (key === undefined) return;
    const { revision } = await this.#context.client.delete(key);
    print(`OK, revision = ${revision}`);
  }

  async #get(rest: readonly string[]): Promise<void> {
    const key = await this.#askKey(rest);
    if (key === undefined) return;
    const { record } = await this.#context.client.get(key);
    if (record === undefined) throw new StoreError('KEY_NOT_FOUND', `There is no key "${key}"`);
    process.stdout.write('Result = ');
    const part = shownPart(record.value);
    process.stdout.write(process.stdout.isTTY ? printable(part) : part);
    const lease = record.lease === 0n ? '' : `, lease = ${formatLease(record.lease)}`;
    process.stdout.write(`${cutMark(record.value)}, len(result) = ${record.value.length}${lease}\n`);
  }

  async #askKey(rest: readonly string[]): Promise<string | undefined> {
    const key = rest[0] ?? (await this.#context.reader.ask('Enter Key'))?.trim();
    if (key === '') throw new StoreError('INVALID_ARGUMENT', 'The key is empty');
    return key;
  }

  async #list(rest: readonly string[]): Promise<void> {
    const [prefix = '', limitText = String(listLimitDefault)] = rest;
    const limit = repetitionOf(limitText);
    let shown = 0;
    for await (const page of this.#context.client.list({ prefix, limit: limit + 1 })) {
      for (const record of page.records) {
        if (++shown <= limit) print(`${printable(record.key)} = ${shownValue(record.value)}`);
      }
    }
    print(shown > limit ? `${counted(limit, 'key')}, and more` : counted(shown, 'key'));
  }

  async #watch(prefix: string): Promise<void> {
    const { client, reader } = this.#context;
    print('Watching; press Enter to stop');
    const failure = await new Promise<unknown>((resolve) => {
      const stop = client.watchEach(
        { prefix },
        {
          update: (update) => {
            if (update.type !== 'events') return;
            for (const { type, modRevision, key, record } of update.events) {
              const value = record === undefined ? '' : ` = ${shownValue(record.value)}`;
              print(`${modRevision} ${type} ${printable(key)}${value}`);
            }
          },
          ended: (error) => {
            if (error !== null) reader.skip();
            resolve(error);
          },
        },
      );
      // A line that is too long ends it like any other.
      void reader.ask('').then(stop, stop);
    });
    if (failure !== null) throw failure;
  }

  async #status(): Promise<void> {
    const { members } = await askMembers(this.#context.target, this.#context.timeoutMs);
    print(statusTable(members).trimEnd());
    print(`Connected to ${this.#context.client.peer}`);
  }

  async #digest(): Promise<void> {
    const digests = await this.#context.client.digestAll();
    print(digestTable(digests).trimEnd());
    print(agreementText(digests));
  }

  #use(text: string): void {
    const { target, client } = this.#context;
    const { peers } = target;
    const index = Number(text);
    if (text === '' || !Number.isInteger(index) || index < 0 || index >= peers.length) {
      const known = peers.map((peer, number) => `${number} (${peer})`).join(', ');
      const asked = text === '' ? 'no number is given' : `there is no peer ${beginningOf(text)}`;
      throw new StoreError('INVALID_ARGUMENT', `Cannot use another peer: ${asked}; the peers are ${known}`);
    }
    client.usePeer(index);
    print(`Using ${peers[index] ?? ''}`);
  }
}

/** Behind key and value, which may be any words. */
function withLease(words: readonly string[]): {
  readonly rest: readonly string[];
  readonly lease: bigint | undefined;
} {
  const at = words.indexOf(leaseFlag, 2);
  if (at < 0 && words.length <= 3) return { rest: words, lease: undefined };
  const id = at < 0 ? undefined : words[at + 1];
  if (id === undefined || words.length > at + 2) {
    throw new StoreError('INVALID_ARGUMENT', `Cannot write: expected key, value, a number or nothing, ${leaseFlag} ID`);
  }
  return { rest: words.slice(0, at), lease: leaseOf(id) };
}

function leaseOf(text: string): bigint {
  try {
    return leaseId(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new StoreError('INVALID_ARGUMENT', `Cannot take ${leaseFlag} ${beginningOf(text)}: ${error.message}`);
  }
}

/** As much of a word as is needed to recognize it. */
function beginningOf(word: string): string {
  const text = printable(Buffer.from(word.slice(0, wordShownMax)));
  return word.length > wordShownMax ? `${text}…` : text;
}

function suggestionFor(word: string, names: readonly string[]): string {
  const nearest = nearestKey(word, names);
  return nearest === undefined ? 'help lists the commands' : `did you mean ${nearest}?`;
}

function repetitionOf(text: string): number {
  const trimmed = text.trim();
  const count = trimmed === '' ? 1 : Number(trimmed);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new StoreError('INVALID_ARGUMENT', `"${trimmed}" is not a number of at least 1`);
  }
  return count;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
