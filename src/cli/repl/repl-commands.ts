// The commands of the interactive client. What a command needs and was not typed with it is asked for, one prompt a line.

import type { ZabtreeClient } from '../../client/zabtree-client.js';
import { nearestKey } from '../../config/nearest-key.js';
import { StoreError } from '../../shared/errors.js';
import { digestsAgree, digestTable } from '../commands/digest-command.js';
import { statusTable } from '../commands/status-command.js';
import { askMembers } from '../member-status.js';
import { printable, table } from '../output.js';
import { KeyLoad, loadSummary } from './key-load.js';
import type { LineReader } from './line-reader.js';
import { ProgressBar } from './progress-bar.js';

interface ReplContext {
  readonly client: ZabtreeClient;
  readonly peers: readonly string[];
  readonly reader: LineReader;
  readonly timeoutMs: number;
}

const listLimitDefault = 100;
/** Characters of an unknown command that its error repeats. */
const wordShownMax = 60;

const help: readonly (readonly [string, string])[] = [
  ['Add [key value [n]]', 'create keys: n > 1 sends key-0, key-1, … with value-0, value-1, …'],
  ['Set [key value [n]]', 'create or overwrite keys'],
  ['Delete [key]', 'delete a key'],
  ['Get [key]', 'print a value'],
  ['list [prefix [limit]]', `print keys and values, at most ${listLimitDefault} unless told`],
  ['watch [prefix]', 'print changes until Enter is pressed'],
  ['status', 'print the state of every member'],
  ['digest', 'compare the data of all members'],
  ['use N', 'talk to another peer'],
  ['help', 'print this'],
  ['exit', 'leave'],
];

const names = help.map(([usage]) => usage.split(' ')[0] ?? '');

export class ReplCommands {
  readonly #context: ReplContext;
  #load: KeyLoad | undefined;
  #bar: ProgressBar | undefined;

  constructor(context: ReplContext) {
    this.#context = context;
  }

  completions(line: string): readonly string[] {
    const words = line.trimStart().split(/\s+/);
    if (words.length <= 1) return names;
    return words[0]?.toLowerCase() === 'use' ? this.#context.peers.map((_, index) => String(index)) : [];
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
    const [word = '', ...rest] = line.trim().split(/\s+/);
    switch (word.toLowerCase()) {
      case 'add':
      case 'set':
        return await this.#write(word.toLowerCase() === 'add' ? 'add' : 'set', rest);
      case 'delete':
        return await this.#delete(rest);
      case 'get':
        return await this.#get(rest);
      case 'list':
        return await this.#list(rest);
      case 'watch':
        return await this.#watch(rest[0] ?? '');
      case 'status':
        return await this.#status();
      case 'digest':
        return await this.#digest();
      case 'use':
        return this.#use(rest[0] ?? '');
      case 'help':
        return print(table(help.map(([usage, meaning]) => [usage, meaning])).trimEnd());
      default:
        return print(`Error : Unknown command ${beginningOf(word)}: ${suggestionFor(word)}`);
    }
  }

  async #write(operation: 'add' | 'set', rest: readonly string[]): Promise<void> {
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
      const { revision } = await (operation === 'add' ? client.add(key, value) : client.set(key, value));
      print(`OK, revision = ${revision}`);
      return;
    }
    await this.#runLoad(
      new ProgressBar(process.stderr, count),
      (bar) =>
        new KeyLoad(client, { operation, key, value, count, timeoutMs }, (done, errors) => bar.update(done, errors)),
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
    process.stdout.write(process.stdout.isTTY ? printable(record.value) : record.value);
    process.stdout.write(`, len(result) = ${record.value.length}\n`);
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
        if (++shown <= limit) print(`${printable(record.key)} = ${printable(record.value)}`);
      }
    }
    print(shown > limit ? `${limit} keys, and more` : `${shown} keys`);
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
              const value = record === undefined ? '' : ` = ${printable(record.value)}`;
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
    const { members } = await askMembers(this.#context.peers, this.#context.timeoutMs);
    print(statusTable(members).trimEnd());
    print(`Connected to ${this.#context.client.peer}`);
  }

  async #digest(): Promise<void> {
    const digests = await this.#context.client.digestAll();
    print(digestTable(digests).trimEnd());
    print(digestsAgree(digests) ? `${digests.length} nodes agree` : 'The nodes differ');
  }

  #use(text: string): void {
    const { peers, client } = this.#context;
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

/** As much of a word as is needed to recognize it. */
function beginningOf(word: string): string {
  const text = printable(Buffer.from(word.slice(0, wordShownMax)));
  return word.length > wordShownMax ? `${text}…` : text;
}

function suggestionFor(word: string): string {
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
