// Selections of any size: every option against a model, large ones in turns at one revision while the data changes and is
// compacted, slow sinks, and the bounds.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitrarySelection, modelKeys } from '../../test/support/model-transactions.js';
import { SingleNode } from '../../test/support/single-node.js';
import { type ModelOutcome, TransactionModel } from '../../test/support/transaction-model.js';
import { limits } from '../config/limits.js';
import type { StoreError } from '../shared/errors.js';
import { type Revision, zxidZero } from '../shared/ids.js';
import type { Command, CommandResult } from '../tree/command.js';
import type { KeyRecord } from '../tree/store.js';
import type { RangeSelection, TransactionOperation } from '../tree/transaction.js';
import { createStoreService } from './service.js';
import type { SelectionHandle, SelectionHead, SelectionSink, StoreService } from './store-service.js';
import { wholeSelection } from './whole-selection.js';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const text = (value: Uint8Array): string => Buffer.from(value).toString('latin1');
const local = { local: true, seen: zxidZero, timeoutMs: 1_000 };
const everything: RangeSelection = { ...wholeSelection, from: bytes('\0'), to: undefined, single: false };

function shown({ key, value, createRevision, modRevision, version, lease }: KeyRecord): string {
  return `${text(key)}=${text(value)} ${createRevision} ${modRevision} ${version} ${lease}`;
}

/** Collects an answer; takes `pagesAtOnce` pages, then waits until it is told to go on. */
class Collector implements SelectionSink {
  head: SelectionHead | null = null;
  readonly taken: KeyRecord[] = [];
  readonly pages: number[] = [];
  ended = false;
  error: StoreError | null = null;
  handle: SelectionHandle | null = null;
  waiting = false;
  private readonly stall: boolean;
  private done: () => void = () => undefined;
  readonly finished = new Promise<void>((resolve) => {
    this.done = resolve;
  });

  constructor(stall = false) {
    this.stall = stall;
  }

  sizeOf({ key, value }: KeyRecord): number {
    return key.length + value.length;
  }

  begin(head: SelectionHead): void {
    expect(this.head).toBeNull();
    this.head = head;
  }

  records(page: readonly KeyRecord[]): boolean {
    expect(this.waiting).toBe(false);
    this.pages.push(page.length);
    this.taken.push(...page);
    this.waiting = this.stall;
    return !this.stall;
  }

  end(error: StoreError | null): void {
    expect(this.ended).toBe(false);
    this.ended = true;
    this.error = error;
    this.done();
  }

  goOn(): void {
    this.waiting = false;
    this.handle?.resume();
  }

  outcome(): ModelOutcome {
    const { head } = this;
    if (head === null) throw new Error(`No answer: ${this.error?.message}`);
    expect(head.records).toBe(this.taken.length);
    expect(head.bytes).toBe(this.taken.reduce((sum, record) => sum + this.sizeOf(record), 0));
    return { type: 'range', records: this.taken.map(shown), count: head.count, more: head.more };
  }
}

type ServiceLimits = { [Name in keyof typeof limits]: number };

function setup(changed: Partial<ServiceLimits> = {}): { node: SingleNode; service: StoreService } {
  const node = new SingleNode();
  return { node, service: createStoreService(node, { scheduler: node.scheduler, limits: { ...limits, ...changed } }) };
}

function select(service: StoreService, selection: Partial<RangeSelection>, sink = new Collector()): Collector {
  sink.handle = service.select({ ...everything, ...selection }, local, sink);
  return sink;
}

function write(service: StoreService, command: Command): Promise<CommandResult> {
  return new Promise((resolve) => service.write({ command }, 1_000, resolve));
}

function putOf(key: string, value: string): Extract<TransactionOperation, { type: 'put' }> {
  const keeps = { ignoreValue: false, ignoreLease: false, wantsPrevious: false };
  return { type: 'put', key: bytes(key), value: bytes(value), lease: 0n, ...keeps };
}

async function put(service: StoreService, ...entries: readonly (readonly [string, string])[]): Promise<void> {
  for (let from = 0; from < entries.length; from += 100) {
    const success = entries.slice(from, from + 100).map(([key, value]) => putOf(key, value));
    const result = await write(service, { type: 'transact', transaction: { compares: [], success, failure: [] } });
    expect(result.code).toBe('OK');
  }
}

function flush(node: SingleNode): Promise<void> {
  return new Promise((resolve, reject) => {
    node.tree.flush({ force: true, done: (error) => (error === null ? resolve() : reject(error)) });
  });
}

const manyKeys = (count: number): [string, string][] =>
  Array.from({ length: count }, (_, i) => [`key-${String(i).padStart(6, '0')}`, `value-${(i * 7919) % count}`]);

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('The condition was not met in time');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('select()', () => {
  it('agrees with a model on every option, in one turn and in many', async () => {
    const model = new TransactionModel();
    const narrow = { selectionPageBytes: 3, selectionPageRecords: 2, selectionSliceRows: 2 };
    const flushed = [setup(), setup(narrow)];
    const ready = [setup(), setup(narrow), setup({ selectionPageBytes: 1, selectionSliceRows: 1 }), ...flushed];
    const services = ready.map(({ service }) => service);
    const apply = async (operations: readonly TransactionOperation[]): Promise<void> => {
      const transaction = { compares: [], success: operations, failure: [] };
      model.transact(transaction);
      for (const service of services) await write(service, { type: 'transact', transaction });
    };
    const values = ['y', '', 'x', 'xy', 'x'];
    for (const [i, key] of [...modelKeys, ...modelKeys.slice(1, 4), ...modelKeys.slice(2, 3)].entries()) {
      await apply([putOf(text(key), values[i % values.length] as string)]);
    }
    await apply([{ type: 'delete', keys: { from: bytes('b'), to: undefined, single: true }, wantsPrevious: false }]);
    await apply([putOf('b', 'again')]);
    for (const { node } of flushed) await flush(node);
    let several = 0;
    await fc.assert(
      fc.asyncProperty(arbitrarySelection, async (selection) => {
        const at = selection.at ?? model.revision;
        const expected = model.select(selection, model.at(at));
        if (expected.records.length > 1) several += 1;
        for (const service of services) {
          const sink = new Collector();
          service.select(selection, local, sink);
          await sink.finished;
          expect(sink.outcome()).toEqual(expected);
          expect(sink.head?.revision).toBe(at);
        }
      }),
      { numRuns: 800 },
    );
    expect(several).toBeGreaterThan(50);
  });

  it('answers what fits into a page before it returns, also where a limit leaves most of it out', async () => {
    const { service } = setup();
    await put(service, ...manyKeys(3_000));
    for (const [selection, records] of [
      [{}, 3_000],
      [{ limit: 10 }, 10],
      [{ sortTarget: 'value', descending: true, limit: 5 }, 5],
      [{ countOnly: true }, 0],
      [{ single: true, from: bytes('key-000007') }, 1],
    ] as const) {
      const sink = select(service, selection);
      expect(sink.ended).toBe(true);
      expect(sink.taken).toHaveLength(records);
      expect(sink.head?.count).toBe('single' in selection ? 1 : 3_000);
    }
  });

  it('reads large ones in turns at one revision, whatever is written and compacted meanwhile', async () => {
    const { node, service } = setup({ selectionPageRecords: 100, selectionSliceRows: 150 });
    const entries = manyKeys(2_000);
    await put(service, ...entries);
    node.tree.flush({ force: true });
    const { revision } = service;
    const changes = async (): Promise<void> => {
      await put(service, ...entries.map(([key]): [string, string] => [key, 'changed']));
      await write(service, { type: 'compact', revision: service.revision });
      node.tree.flush({ force: true });
      await until(() => node.tree.flushedZxid === node.tree.appliedZxid);
    };
    const sinks = [
      select(service, {}, new Collector(true)),
      select(service, { sortTarget: 'value' }, new Collector(true)),
      select(service, { descending: true, keysOnly: true, limit: 1_500 }, new Collector(true)),
      select(service, { at: revision, limit: 500 }, new Collector(true)),
    ];
    expect(sinks.every(({ ended }) => !ended)).toBe(true);
    await changes();
    await changes();
    const first = [...entries];
    const byValue = [...entries].sort(([, a], [, b]) => (a < b ? -1 : 1));
    const expected = [first, byValue, [...entries].reverse().slice(0, 1_500), first.slice(0, 500)];
    for (const [i, sink] of sinks.entries()) {
      while (!sink.ended) {
        await until(() => sink.waiting || sink.ended);
        if (sink.waiting) sink.goOn();
      }
      expect(sink.error).toBeNull();
      expect(sink.head).toMatchObject({ revision, count: 2_000, more: i >= 2 });
      expect(Math.max(...sink.pages)).toBeLessThanOrEqual(100);
      expect(sink.taken.map(({ key }) => text(key))).toEqual(expected[i]?.map(([key]) => key));
      if (i !== 2) expect(sink.taken.map(({ value }) => text(value))).toEqual(expected[i]?.map(([, value]) => value));
    }
    // Nothing holds compaction back any more.
    const late = select(service, { at: revision });
    expect(late.error?.code).toBe('COMPACTED');
    await put(service, ['another', 'one']);
    node.tree.flush({ force: true });
    await until(() => node.tree.recordAt(bytes('key-000000'), revision) === undefined);
  });

  it('gives up what it reads at after a named time: compaction goes on, and a reader that needed it is told', async () => {
    const { node, service } = setup({ selectionPageRecords: 10, selectionPinMsMax: 1 });
    await put(service, ...manyKeys(200));
    const { revision } = service;
    const sink = select(service, {}, new Collector(true));
    const unhurried = select(service, {}, new Collector(true));
    await until(() => sink.waiting && unhurried.waiting);
    await put(service, ['key-000100', 'changed']);
    await write(service, { type: 'compact', revision: service.revision });
    node.tree.flush({ force: true });
    await until(() => node.tree.recordAt(bytes('key-000100'), revision) === undefined);
    sink.goOn();
    await sink.finished;
    expect(sink.error?.code).toBe('COMPACTED');
    expect(sink.taken).toHaveLength(10);
    unhurried.handle?.cancel();
    unhurried.goOn();
    expect(unhurried.ended).toBe(false);
  });

  it('does not hold up the event loop for a count, or for what was deleted', async () => {
    const { service } = setup({ selectionSliceRows: 100, selectionTurnMs: 0 });
    await put(service, ...manyKeys(1_000));
    let turns = 0;
    const sink = select(service, { countOnly: true });
    while (!sink.ended) {
      turns += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sink.head?.count).toBe(1_000);
    expect(turns).toBeGreaterThan(5);
  });

  it('refuses what passes its bounds, and gives back what it took', async () => {
    const { service } = setup({
      selectionPageRecords: 10,
      selectionSliceRows: 50,
      selectionSortBytesMax: 20_000,
      selectionsMax: 2,
    });
    await put(service, ...manyKeys(200));
    const tooLarge = select(service, { sortTarget: 'mod' });
    await tooLarge.finished;
    expect(tooLarge.error?.code).toBe('TOO_LARGE');
    const stalled = [select(service, {}, new Collector(true)), select(service, {}, new Collector(true))];
    const third = select(service, {});
    expect(third.error?.code).toBe('OVERLOADED');
    expect(select(service, { limit: 5, to: bytes('key-000020') }).error).toBeNull();
    for (const { handle } of stalled) handle?.cancel();
    for (let i = 0; i < 5; i++) {
      const limited = select(service, { sortTarget: 'mod', descending: true, limit: 30, to: bytes('key-000100') });
      await limited.finished;
      expect(limited.error).toBeNull();
      expect(limited.taken).toHaveLength(30);
    }
    expect(stalled.every(({ ended }) => !ended)).toBe(true);
  });

  it('names what cannot be read', async () => {
    const { service } = setup();
    await put(service, ['a', '1']);
    await put(service, ['a', '2']);
    await write(service, { type: 'compact', revision: 3 as Revision });
    const codes = [{ at: 2 }, { at: 3 }, { at: 4 }, { from: bytes('') }, { from: new Uint8Array(902) }].map(
      (selection) => select(service, selection as Partial<RangeSelection>).error?.code,
    );
    expect(codes).toEqual(['COMPACTED', undefined, 'FUTURE_REVISION', 'INVALID_ARGUMENT', 'TOO_LARGE']);
    expect(select(service, { from: bytes('b'), to: bytes('a') }).head).toMatchObject({ count: 0, records: 0 });
  });
});
