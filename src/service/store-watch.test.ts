import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SingleNode } from '../../test/support/single-node.js';
import { limits } from '../config/limits.js';
import { StoreError } from '../shared/errors.js';
import { type Revision, type Zxid, zxidZero } from '../shared/ids.js';
import type { Command, CommandResult } from '../tree/command.js';
import type { WatchEvent } from '../tree/replicated-tree.js';
import type { KeyRecord } from '../tree/store.js';
import { CompactedError } from './compacted-error.js';
import { createStoreService } from './service.js';
import type { StoreService, WatchHandle, WatchSink, WatchStart } from './store-service.js';

const key = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Collects what a watch delivers; takes only as many deliveries as it is told to. */
class TestSink implements WatchSink {
  readonly log: string[] = [];
  readonly errors: StoreError[] = [];
  /** Deliveries that it takes before it is full. */
  room = Number.POSITIVE_INFINITY;
  /** How often it was asked while full. */
  refusals = 0;
  /** Whether it shows what each event replaced. */
  previous = false;
  live = false;

  ready(): boolean {
    if (this.room > 0) return true;
    this.refusals++;
    return false;
  }

  events(events: readonly WatchEvent[]): void {
    this.room--;
    for (const event of events) {
      const { type, key: name, modRevision, record } = event;
      const shown =
        type === 'delete'
          ? `-${text(name)}@${modRevision}`
          : `${text(name)}=${text(record?.value ?? name)}@${modRevision}`;
      const before = this.previous ? event.previous : undefined;
      this.log.push(before === undefined ? shown : `${shown} was ${text(before.value)}@${before.modRevision}`);
    }
  }

  liveChanged(live: boolean): void {
    expect(live).toBe(!this.live);
    this.live = live;
  }

  initial(records: readonly KeyRecord[], revision: Revision, last: boolean): void {
    this.room--;
    for (const record of records) this.log.push(`*${text(record.key)}=${text(record.value)}@${record.modRevision}`);
    if (last) this.log.push(`state@${revision}`);
  }

  ended(error: StoreError): void {
    this.errors.push(error);
  }
}

class Bench {
  readonly node: SingleNode;
  readonly service: StoreService;

  constructor(options: { readonly watchPageBytes?: number; readonly overlayFlushBytes?: number } = {}) {
    this.node = new SingleNode(options);
    const watchPageBytes = options.watchPageBytes ?? limits.watchPageBytes;
    this.service = createStoreService(this.node, {
      scheduler: this.node.scheduler,
      limits: { ...limits, watchPageBytes },
    });
  }

  write(command: Command): Promise<CommandResult> {
    return new Promise((resolve) => this.service.write({ command }, 1_000, resolve));
  }

  set(name: string, value: string): Promise<CommandResult> {
    return this.write({ type: 'set', key: key(name), value: key(value) });
  }

  watch(sink: WatchSink, start: Partial<WatchStart> & { readonly prefix?: string } = {}): WatchHandle {
    const from = key(start.prefix ?? '');
    return this.service.watch(
      { from, to: undefined, single: false, seen: zxidZero, fromRevision: undefined, withInitial: false, ...start },
      sink,
    );
  }

  /** Lets deferred work run until the condition holds. */
  async until(holds: () => boolean): Promise<void> {
    for (let turn = 0; !holds(); turn++) {
      if (turn > 20_000) throw new Error('Waited 20000 turns in vain');
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a watch', () => {
  it('delivers nothing before watch() has returned, and every change from then on', async () => {
    const bench = new Bench();
    await bench.set('a', '1');
    const sink = new TestSink();
    bench.watch(sink);
    await Promise.all([bench.set('a', '2'), bench.write({ type: 'delete', key: key('a') }), bench.set('b', '3')]);
    await bench.until(() => sink.log.length >= 3);
    expect(sink.log).toEqual(['a=2@3', '-a@4', 'b=3@5']);
  });

  it('of a single key or a range sees those keys alone', async () => {
    const bench = new Bench();
    const one = new TestSink();
    const some = new TestSink();
    bench.watch(one, { from: key('b'), single: true });
    bench.watch(some, { from: key('b'), to: key('d') });
    for (const name of ['a', 'b', 'ba', 'c', 'd']) await bench.set(name, '1');
    await bench.until(() => some.log.length >= 3);
    expect(one.log).toEqual(['b=1@3']);
    expect(some.log).toEqual(['b=1@3', 'ba=1@4', 'c=1@5']);
  });

  it('from a past revision first reads history, then goes live without a gap', async () => {
    const bench = new Bench({ watchPageBytes: 30 });
    for (let index = 0; index < 20; index++) await bench.set('k', String(index));
    const sink = new TestSink();
    bench.watch(sink, { fromRevision: 5 as Revision });
    const writing = Promise.all(Array.from({ length: 20 }, (_, index) => bench.set('k', String(20 + index))));
    await writing;
    await bench.until(() => sink.log.length >= 37);
    expect(sink.log).toEqual(Array.from({ length: 37 }, (_, index) => `k=${index + 3}@${index + 5}`));
  });

  it('from a future revision leaks nothing earlier', async () => {
    const bench = new Bench();
    const sink = new TestSink();
    bench.watch(sink, { fromRevision: 4 as Revision });
    for (const value of ['2', '3', '4', '5']) await bench.set('a', value);
    await bench.until(() => sink.log.length >= 2);
    expect(sink.log).toEqual(['a=4@4', 'a=5@5']);
  });

  it('with the initial state pages through it at one revision, then tells what changed since', async () => {
    const bench = new Bench({ watchPageBytes: 3 });
    for (const name of ['a', 'b', 'c', 'd']) await bench.set(name, '1');
    const sink = new TestSink();
    sink.room = 1;
    const handle = bench.watch(sink, { withInitial: true });
    await bench.until(() => sink.refusals > 0);
    expect(sink.log.length).toBeLessThan(4);
    await bench.set('d', '2');
    await bench.write({ type: 'delete', key: key('c') });
    sink.room = Number.POSITIVE_INFINITY;
    handle.resume();
    await bench.until(() => sink.log.length >= 7);
    expect(sink.log).toEqual(['*a=1@2', '*b=1@3', '*c=1@4', '*d=1@5', 'state@5', 'd=2@6', '-c@7']);
  });

  it('with the initial state of a missing key begins with nothing', async () => {
    const bench = new Bench();
    const sink = new TestSink();
    bench.watch(sink, { from: key('a'), single: true, withInitial: true });
    await bench.until(() => sink.log.length >= 1);
    await bench.set('a', '1');
    expect(sink.log).toEqual(['state@1', 'a=1@2']);
  });

  it('whose sink is full costs nothing until it is resumed, then goes on from history', async () => {
    const bench = new Bench({ overlayFlushBytes: 1 });
    const sink = new TestSink();
    sink.room = 1;
    const handle = bench.watch(sink);
    await bench.turns(3);
    for (let index = 0; index < 50; index++) await bench.set('k', String(index));
    await bench.turns(5);
    const { refusals } = sink;
    for (let index = 50; index < 100; index++) await bench.set('k', String(index));
    expect(sink.refusals).toBe(refusals);
    expect(sink.log).toEqual(['k=0@2']);
    sink.room = Number.POSITIVE_INFINITY;
    handle.resume();
    await bench.until(() => sink.log.length >= 100);
    expect(sink.log).toEqual(Array.from({ length: 100 }, (_, index) => `k=${index}@${index + 2}`));
  });

  it('waits until the node has applied what the client has seen', async () => {
    const bench = new Bench();
    const first = await bench.set('a', '1');
    const sink = new TestSink();
    bench.watch(sink, { withInitial: true, seen: (first.zxid + 1) as Zxid });
    await bench.turns(5);
    expect(sink.log).toEqual([]);
    await bench.set('a', '2');
    await bench.until(() => sink.log.length >= 2);
    expect(sink.log).toEqual(['*a=2@3', 'state@3']);
  });

  it('ends with COMPACTED when its place in history is gone', async () => {
    const bench = new Bench();
    for (const value of ['1', '2', '3', '4']) await bench.set('a', value);
    await bench.write({ type: 'compact', revision: 4 as Revision });
    const sink = new TestSink();
    bench.watch(sink, { fromRevision: 3 as Revision });
    const kept = new TestSink();
    bench.watch(kept, { fromRevision: 5 as Revision });
    await bench.until(() => sink.errors.length > 0 && kept.log.length > 0);
    expect(sink.errors[0]?.code).toBe('COMPACTED');
    expect(sink.errors[0]?.message).toContain('compacted up to revision 4');
    expect(kept.log).toEqual(['a=4@5']);
    expect(bench.service.openWatches).toBe(1);
  });

  it('names the compacted revision, and begins at it only where that was asked for', async () => {
    const bench = new Bench({ overlayFlushBytes: 1 });
    for (const name of ['a', 'b', 'a', 'b', 'a']) await bench.set(name, '1');
    const { revision } = await bench.write({ type: 'compact', revision: 4 as Revision });
    const flushed = (): Promise<void> =>
      new Promise((resolve) => bench.node.tree.flush({ force: true, done: () => resolve() }));
    await flushed();
    await bench.turns(20);
    const strict = new TestSink();
    bench.watch(strict, { fromRevision: 4 as Revision });
    const lenient = new TestSink();
    bench.watch(lenient, { fromRevision: 4 as Revision, fromCompacted: true });
    const late = new TestSink();
    bench.watch(late, { fromRevision: 3 as Revision, fromCompacted: true });
    await bench.until(() => strict.errors.length + late.errors.length > 1 && lenient.log.length > 2);
    for (const { errors } of [strict, late]) {
      expect(errors[0]).toBeInstanceOf(CompactedError);
      expect((errors[0] as CompactedError).compactedRevision).toBe(4);
    }
    expect(lenient.log).toEqual(['a=1@4', 'b=1@5', 'a=1@6']);
    expect(revision).toBe(6);
    // A deletion is told there as a put is: nobody that goes on from there may miss it.
    await bench.write({ type: 'delete', key: key('b') });
    await bench.set('c', '1');
    await bench.write({ type: 'compact', revision: 7 as Revision });
    await flushed();
    await bench.turns(20);
    const later = new TestSink();
    bench.watch(later, { fromRevision: 7 as Revision, fromCompacted: true });
    await bench.until(() => later.log.length > 1);
    expect(later.log).toEqual(['-b@7', 'c=1@8']);
  });

  it('leaves out the puts or the deletes on demand, live and from history', async () => {
    const bench = new Bench();
    const steps = async (): Promise<void> => {
      await bench.set('a', '1');
      await bench.write({ type: 'delete', key: key('a') });
    };
    await steps();
    const puts = new TestSink();
    const deletes = new TestSink();
    const nothing = new TestSink();
    const fromRevision = 2 as Revision;
    bench.watch(puts, { fromRevision, withoutDeletes: true });
    bench.watch(deletes, { fromRevision, withoutPuts: true });
    const handle = bench.watch(nothing, { fromRevision, withoutPuts: true, withoutDeletes: true });
    await bench.until(() => puts.live && deletes.live && nothing.live);
    await steps();
    expect(puts.log).toEqual(['a=1@2', 'a=1@4']);
    expect(deletes.log).toEqual(['-a@3', '-a@5']);
    expect(nothing.log).toEqual([]);
    expect(handle.deliveredThrough).toBe(5);
  });

  it('says through which revision everything was delivered only while it is live and not ahead', async () => {
    const bench = new Bench();
    await bench.set('a', '1');
    const sink = new TestSink();
    sink.room = 1;
    const handle = bench.watch(sink);
    expect(handle.deliveredThrough).toBeUndefined();
    await bench.until(() => sink.live);
    expect(handle.deliveredThrough).toBe(2);
    await bench.set('a', '2');
    expect(handle.deliveredThrough).toBe(3);
    await bench.set('a', '3');
    expect(sink.live).toBe(false);
    expect(handle.deliveredThrough).toBeUndefined();
    sink.room = 10;
    handle.resume();
    await bench.until(() => sink.live);
    expect(sink.log).toEqual(['a=2@3', 'a=3@4']);
    expect(handle.deliveredThrough).toBe(4);
    const ahead = new TestSink();
    const future = bench.watch(ahead, { fromRevision: 6 as Revision });
    await bench.until(() => ahead.live);
    expect(future.deliveredThrough).toBeUndefined();
    await bench.set('a', '4');
    expect(future.deliveredThrough).toBe(5);
    handle.cancel();
    expect(handle.deliveredThrough).toBeUndefined();
  });

  it('tells what each event replaced, read once for all of its watchers', async () => {
    const bench = new Bench();
    const sinks = [new TestSink(), new TestSink()];
    for (const sink of sinks) {
      sink.previous = true;
      bench.watch(sink, { withPrevious: true });
    }
    const events = new Set<WatchEvent>();
    const told = sinks.map((sink) => {
      const own = sink.events.bind(sink);
      sink.events = (list) => {
        for (const event of list) events.add(event);
        own(list);
      };
      return sink;
    });
    await bench.until(() => told.every(({ live }) => live));
    await bench.set('a', '1');
    await bench.set('a', '2');
    await new Promise<void>((resolve) => bench.node.tree.flush({ force: true, done: () => resolve() }));
    await bench.set('a', '3');
    await bench.write({ type: 'delete', key: key('a') });
    await bench.set('a', '4');
    const expected = ['a=1@2', 'a=2@3 was 1@2', 'a=3@4 was 2@3', '-a@5 was 3@4', 'a=4@6'];
    for (const { log } of told) expect(log).toEqual(expected);
    expect(events.size).toBe(expected.length);
    // From history it is the same, but for what is compacted.
    await bench.write({ type: 'compact', revision: 3 as Revision });
    const late = new TestSink();
    late.previous = true;
    bench.watch(late, { fromRevision: 3 as Revision, fromCompacted: true, withPrevious: true });
    await bench.until(() => late.log.length >= 4);
    expect(late.log).toEqual(['a=2@3', ...expected.slice(2)]);
  });

  it('counts what its events replaced when it cuts history into pages', async () => {
    const bench = new Bench({ watchPageBytes: 1000 });
    for (let index = 0; index < 10; index++) await bench.set('k', index % 2 === 0 ? 'x'.repeat(1000) : 'y');
    const pages: number[] = [];
    const sink = new TestSink();
    sink.events = (list) => void pages.push(list.length);
    bench.watch(sink, { fromRevision: 3 as Revision, withPrevious: true });
    await bench.until(() => sink.live);
    expect(pages).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('ends with the damage that is found while what an event replaced is read', async () => {
    const bench = new Bench();
    const sink = new TestSink();
    const kept = new TestSink();
    sink.events = () => {
      throw new StoreError('CORRUPT', 'damaged');
    };
    bench.watch(sink);
    bench.watch(kept);
    await bench.until(() => sink.live && kept.live);
    await bench.set('a', '1');
    expect(sink.errors.map(({ code }) => code)).toEqual(['CORRUPT']);
    expect(kept.log).toEqual(['a=1@2']);
    expect(bench.service.openWatches).toBe(1);
  });

  it('that is cancelled hears nothing more', async () => {
    const bench = new Bench();
    const cancelled = new TestSink();
    const kept = new TestSink();
    const handle = bench.watch(cancelled);
    bench.watch(kept);
    await bench.turns(2);
    handle.cancel();
    await bench.set('a', '1');
    await bench.until(() => kept.log.length > 0);
    expect(cancelled.log).toEqual([]);
    expect(cancelled.errors).toEqual([]);
    expect(bench.service.openWatches).toBe(1);
  });

  it('goes on from history when the tree jumps forward', async () => {
    const bench = new Bench();
    const source = new Bench();
    const sink = new TestSink();
    for (const side of [bench, source]) await side.set('a', '1');
    bench.watch(sink);
    await bench.turns(3);
    for (const value of ['2', '3']) await source.set('a', value);
    await new Promise<void>((resolve) => source.node.tree.flush({ force: true, done: () => resolve() }));
    bench.node.tree.replaceStore(source.node.disk.open('tree'));
    await bench.until(() => sink.log.length >= 2);
    expect(sink.log).toEqual(['a=2@3', 'a=3@4']);
  });

  it('that was idle for long survives a jump past compacted history that it was notified of', async () => {
    const bench = new Bench();
    const source = new Bench();
    const sink = new TestSink();
    bench.watch(sink, { from: key('x'), single: true });
    for (const side of [bench, source]) for (const value of ['1', '2', '3']) await side.set('a', value);
    await source.write({ type: 'compact', revision: 4 as Revision });
    await source.set('x', 'late');
    await new Promise<void>((resolve) => source.node.tree.flush({ force: true, done: () => resolve() }));
    bench.node.tree.replaceStore(source.node.disk.open('tree'));
    await bench.until(() => sink.log.length + sink.errors.length > 0);
    expect(sink.log).toEqual(['x=late@5']);
  });

  it('refuses ranges that cannot be', () => {
    const bench = new Bench();
    const sink = new TestSink();
    expect(() => bench.watch(sink, { from: key(''), single: true })).toThrow('The key is empty');
    expect(() => bench.watch(sink, { from: key('b'), to: key('a') })).toThrow(/ends before it begins/);
    expect(() => bench.watch(sink, { withInitial: true, fromRevision: 2 as Revision })).toThrow(/not both/);
  });

  it('delivers every change once and in order, however often its sink is full', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('write', 'delete', 'other', 'turn', 'room', 'flush'), {
          minLength: 20,
          maxLength: 120,
        }),
        async (steps) => {
          const bench = new Bench({ watchPageBytes: 25 });
          await bench.set('k', 'first');
          const sink = new TestSink();
          sink.room = 1;
          const handle = bench.watch(sink, { prefix: 'k', to: key('l'), fromRevision: 2 as Revision });
          const expected: string[] = ['k=first@2'];
          let there = true;
          for (const step of steps) {
            if (step === 'write') {
              const { revision } = await bench.set('k', 'v');
              expected.push(`k=v@${revision}`);
              there = true;
            } else if (step === 'delete') {
              const { revision } = await bench.write({ type: 'delete', key: key('k') });
              if (there) expected.push(`-k@${revision}`);
              there = false;
            } else if (step === 'other') await bench.set('m', 'x');
            else if (step === 'flush') bench.node.tree.flush({ force: true });
            else if (step === 'turn') await bench.turns(1);
            else {
              sink.room = Math.max(sink.room, 0) + 2;
              handle.resume();
            }
          }
          sink.room = Number.POSITIVE_INFINITY;
          handle.resume();
          await bench.until(() => sink.log.length >= expected.length);
          expect(sink.log).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('many watches', () => {
  it('that catch up at once leave the event loop its turns', async () => {
    const bench = new Bench({ watchPageBytes: 200 });
    for (let index = 0; index < 200; index++) await bench.set('k', String(index));
    const sinks = Array.from({ length: 300 }, () => new TestSink());
    for (const sink of sinks) bench.watch(sink, { fromRevision: 2 as Revision });
    let longestMs = 0;
    let lastMs = performance.now();
    await bench.until(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
      return sinks.every((sink) => sink.log.length >= 200);
    });
    for (const sink of sinks) expect(sink.log.length).toBe(200);
    expect(longestMs).toBeLessThan(500);
  });
});
