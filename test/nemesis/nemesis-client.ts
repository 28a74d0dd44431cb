// One client of a nemesis run: one operation after the other through the client library, over keys that all clients
// share for a while, and a counter of its own. What it asked and was told goes into the history. Its values begin with
// the number of their write, so that a read tells which write it saw.

import { tcpTransport } from '../../src/client/tcp-transport.js';
import { type GetResult, ZabtreeClient } from '../../src/client/zabtree-client.js';
import { StoreError } from '../../src/shared/errors.js';
import type { Revision } from '../../src/shared/ids.js';
import type { SeededRandom } from '../../src/shared/random.js';
import {
  absent,
  type ClientHistory,
  type ClientOperation,
  type OperationKind,
  type Outcome,
  type WriteNumber,
} from '../../src/simulator/client-history.js';
import { utf8Encode } from '../../src/wire/protobuf/utf8.js';
import type { Count, LocalRead } from './judge.js';

export interface NemesisClientOptions {
  readonly number: number;
  readonly peers: readonly string[];
  readonly random: SeededRandom;
  readonly history: ClientHistory;
  /** Keys that all clients use now. */
  readonly keys: () => readonly string[];
  /** What the keys of this client's counters begin with. */
  readonly counterPrefix: string;
  /** After every write that was acknowledged. */
  readonly onAcknowledged: () => void;
  readonly onRefused: (code: string) => void;
  /** Something that no client should ever be told. */
  readonly onFinding: (text: string) => void;
}

/** What a key held when this client last knew it. */
interface Known {
  readonly write: WriteNumber;
  readonly revision: Revision | 0;
}

/** Half of the clients give up soon, so that there are writes of unknown outcome. */
const patientTimeoutMs = 5_000;
const hastyTimeoutMs = 400;
const thinkMsMax = 12;
const valueBytesMax = 600;
const countMax = 200;
const nothing: Known = { write: absent, revision: 0 };

export class NemesisClient {
  readonly localReads: LocalRead[] = [];
  readonly counters = new Map<string, Count>();
  private readonly options: NemesisClientOptions;
  private readonly client: ZabtreeClient;
  private readonly known = new Map<string, Known>();
  private counter = nothing;
  private counterCount = 0;
  private counterNumber = 0;
  private floor = 0;
  private requests = 0;
  private stopping = false;

  constructor(options: NemesisClientOptions) {
    this.options = options;
    const timeoutMs = options.number % 2 === 0 ? hastyTimeoutMs : patientTimeoutMs;
    this.client = new ZabtreeClient({ peers: options.peers, transport: tcpTransport, timeoutMs });
  }

  /** Until stop(); what is outstanding is finished. */
  async run(): Promise<void> {
    const { random } = this.options;
    while (!this.stopping) {
      if (random.chance(0.1)) await this.count();
      else await this.step();
      // The pace of the load: enough conflicts, and a history that can be judged.
      await new Promise((resolve) => setTimeout(resolve, random.below(thinkMsMax)));
    }
  }

  stop(): void {
    this.stopping = true;
  }

  close(): void {
    this.client.close();
  }

  /** A linearizable read that is part of the history. */
  async read(key: string): Promise<ClientOperation> {
    const { history, number } = this.options;
    const operation = history.invoke({ kind: 'read', key, client: number, request: 0, expected: absent });
    const { outcome, result } = await this.get(key, false);
    if (result !== undefined) this.observe(operation, result);
    if (outcome !== 'unknown') history.complete(operation, outcome);
    return operation;
  }

  private async step(): Promise<void> {
    const { random, keys } = this.options;
    const all = keys();
    const key = all[random.below(all.length)];
    if (key === undefined) return;
    const known = this.known.get(key);
    const draw = random.below(100);
    if (draw < 30) await this.read(key);
    else if (draw < 42) await this.readLocally(key);
    else if (draw < 58) await this.write('set', key, nothing);
    else if (draw < 70) await this.write('add', key, nothing);
    else if (draw < 78 || known === undefined) await this.write('delete', key, nothing);
    else if (draw < 94 || known.write === absent) await this.write('setIf', key, known);
    else await this.write('deleteIf', key, known);
  }

  /** Only this client writes the key, each time on condition of what it wrote last: nothing can come in between. */
  private async count(): Promise<void> {
    const { counterPrefix, number, onFinding } = this.options;
    const key = `${counterPrefix}${this.counterNumber}`;
    const count = this.counters.get(key) ?? { least: 0, most: 0 };
    const { outcome, write, revision } = await this.write('setIf', key, this.counter);
    if (outcome === 'refused') return;
    if (outcome === 'ok') {
      this.counter = { write, revision };
      this.counters.set(key, { least: count.least + 1, most: count.most + 1 });
    } else if (outcome === 'unknown') {
      this.counters.set(key, { least: count.least, most: count.most + 1 });
    } else {
      onFinding(`client ${number}: its counter ${key} is not what it wrote last: ${outcome}`);
    }
    this.counterCount++;
    // What became of an unknown write may show at any later time: that key is left to the judge.
    if (outcome === 'ok' && this.counterCount < countMax) return;
    this.counterNumber++;
    this.counterCount = 0;
    this.counter = nothing;
  }

  /** Not linearizable, so it stays out of the history; the judge holds it against the commits and this client's past. */
  private async readLocally(key: string): Promise<void> {
    const { floor } = this;
    const { result } = await this.get(key, true);
    if (result === undefined) return;
    const { write } = this.observedIn(result);
    this.localReads.push({ client: this.options.number, key, observed: write, revision: result.revision, floor });
    this.floor = Math.max(this.floor, result.revision);
  }

  private async get(
    key: string,
    local: boolean,
  ): Promise<{ outcome: 'ok' | 'refused' | 'unknown'; result?: GetResult }> {
    try {
      return { outcome: 'ok', result: await this.client.get(key, { local }) };
    } catch (error) {
      const outcome = this.outcomeOf(error);
      return { outcome: outcome === 'unknown' ? 'unknown' : 'refused' };
    }
  }

  private observe(operation: ClientOperation, result: GetResult): void {
    const { write } = this.observedIn(result);
    operation.observed = write;
    operation.revision = result.revision;
    operation.zxid = result.zxid;
    this.known.set(operation.key, { write, revision: result.record?.modRevision ?? 0 });
    this.floor = Math.max(this.floor, result.revision);
  }

  private observedIn({ record }: GetResult): { readonly write: WriteNumber } {
    return { write: record === undefined ? absent : writeOf(record.value) };
  }

  private write(kind: Exclude<OperationKind, 'read'>, key: string, expected: Known): Promise<ClientOperation> {
    const { history, number, random, onAcknowledged } = this.options;
    const request = ++this.requests;
    const operation = history.invoke({ kind, key, client: number, request, expected: expected.write });
    const value = utf8Encode(`${operation.write} `.padEnd(random.below(valueBytesMax), '.'));
    const command = commandOf(kind, utf8Encode(key), value, expected.revision as Revision);
    return new Promise((resolve) => {
      this.client.request({ type: 'command', command }, undefined, (error, frame) => {
        const outcome = error === null ? 'ok' : this.outcomeOf(error);
        if (frame !== null && (outcome === 'ok' || isVerdict(outcome))) {
          operation.revision = frame.revision;
          operation.zxid = frame.zxid;
          this.floor = Math.max(this.floor, frame.revision);
        }
        if (outcome === 'ok') {
          const revision = operation.write === absent ? 0 : operation.revision;
          this.known.set(key, { write: operation.write, revision });
          onAcknowledged();
        }
        if (outcome !== 'unknown') history.complete(operation, outcome);
        resolve(operation);
      });
    });
  }

  private outcomeOf(error: unknown): Outcome {
    if (!(error instanceof StoreError)) throw error;
    switch (error.code) {
      case 'KEY_EXISTS':
        return 'exists';
      case 'KEY_NOT_FOUND':
        return 'missing';
      case 'REVISION_MISMATCH':
        return 'mismatch';
      case 'TIMEOUT':
      case 'OUTCOME_UNKNOWN':
        return 'unknown';
      case 'NO_QUORUM':
      case 'OVERLOADED':
      case 'NO_SPACE':
      case 'UNAVAILABLE':
        this.options.onRefused(error.code);
        return 'refused';
      default:
        this.options.onFinding(`client ${this.options.number} was told ${error.code}: ${error.message}`);
        return 'unknown';
    }
  }
}

function isVerdict(outcome: Outcome): boolean {
  return outcome === 'exists' || outcome === 'missing' || outcome === 'mismatch';
}

type Asked = Parameters<ZabtreeClient['request']>[0];
type Command = Extract<Asked, { type: 'command' }>['command'];

function commandOf(
  kind: Exclude<OperationKind, 'read'>,
  key: Uint8Array,
  value: Uint8Array,
  expected: Revision,
): Command {
  switch (kind) {
    case 'add':
      return { type: 'add', key, value };
    case 'set':
      return { type: 'set', key, value };
    case 'setIf':
      return { type: 'set', key, value, expectedRevision: expected };
    case 'delete':
      return { type: 'delete', key };
    case 'deleteIf':
      return { type: 'delete', key, expectedRevision: expected };
  }
}

/** Number of the write that put this value. */
export function writeOf(value: Uint8Array | string): WriteNumber {
  const text = typeof value === 'string' ? value : new TextDecoder().decode(value);
  const write = Number.parseInt(text, 10);
  if (Number.isSafeInteger(write)) return write;
  throw new Error(`Cannot tell whose write this is: ${JSON.stringify(text.slice(0, 40))}`);
}
