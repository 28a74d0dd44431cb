// One watch: initial state by pages, then history up to now, then live; back to history whenever its sink was full or a
// snapshot was installed. It holds nothing of the tree between its steps but (revision, next key), so that a slow
// client pins no memory. Every change of the range after its beginning is delivered once, in order of revision.

import type { Bytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { Revision } from '../shared/ids.js';
import type { ReplicatedTree, WatchEvent, Watcher } from '../tree/replicated-tree.js';
import type { KeyRecord } from '../tree/store.js';
import type { WatchHandle, WatchSink, WatchStart } from './store-service.js';

/** Gives a watch its steps, in later turns of the event loop. */
export interface WatchTurns {
  /** step() of this watch is called once for each call. */
  enqueue(watch: StoreWatch): void;
  /** One is open, and one is over. */
  began(): void;
  ended(): void;
}

export interface StoreWatchOptions {
  readonly tree: ReplicatedTree;
  readonly turns: WatchTurns;
  readonly pageBytes: number;
  readonly pageRecords: number;
}

/**
 * waiting: for `seen`. initial: pages of the state. history: changes from `next` on. live: told during apply.
 * lagging: still subscribed, but missed something; the next step goes back to history.
 */
type Phase = 'waiting' | 'initial' | 'history' | 'live' | 'lagging' | 'ended';

export class StoreWatch implements Watcher, WatchHandle {
  private readonly start: WatchStart;
  private readonly sink: WatchSink;
  private readonly options: StoreWatchOptions;
  private phase: Phase = 'waiting';
  private queued = false;
  private full = false;
  private unsubscribe: (() => void) | null = null;
  /** First revision not delivered yet. */
  private next = 0 as Revision;
  /** Where the initial state goes on, and the revision that it is of once its first page was read. */
  private cursor: Bytes;
  private initialRevision: Revision | undefined;

  constructor(start: WatchStart, sink: WatchSink, options: StoreWatchOptions) {
    this.start = start;
    this.sink = sink;
    this.options = options;
    this.cursor = start.from;
    options.turns.began();
  }

  /** The state that it may begin with is there. */
  begin(): void {
    if (this.phase !== 'waiting') return;
    if (this.start.withInitial) {
      this.phase = 'initial';
    } else {
      this.phase = 'history';
      this.next = this.start.fromRevision ?? ((this.options.tree.revision + 1) as Revision);
    }
    this.enqueue();
  }

  resume(): void {
    if (!this.full) return;
    this.full = false;
    this.enqueue();
  }

  cancel(): void {
    this.finish();
  }

  /** Ends it from this side. */
  fail(error: StoreError): void {
    if (this.phase === 'ended') return;
    this.finish();
    this.sink.ended(error);
  }

  notify(revision: Revision, events: readonly WatchEvent[]): void {
    if (this.phase !== 'live' || revision < this.next) return;
    if (this.sink.ready()) {
      this.next = (revision + 1) as Revision;
      this.sink.events(events);
      return;
    }
    // All of the range before this revision was delivered.
    this.next = revision;
    this.full = true;
    this.phase = 'lagging';
    this.enqueue();
  }

  /** Everything up to `through` was notified, where it was wanted. */
  reset(through: Revision): void {
    if (this.phase !== 'live') return;
    if (through >= this.next) this.next = (through + 1) as Revision;
    this.phase = 'lagging';
    this.enqueue();
  }

  /** One bounded piece of work; asks for its next turn itself. */
  step(): void {
    this.queued = false;
    if (this.phase === 'lagging') {
      this.leave();
      this.phase = 'history';
    }
    if (this.full || (this.phase !== 'initial' && this.phase !== 'history')) return;
    this.full = !this.sink.ready();
    if (this.full) return;
    if (this.phase === 'initial') this.stepInitial();
    else this.stepHistory();
  }

  private stepInitial(): void {
    const { tree, pageBytes, pageRecords } = this.options;
    if (this.start.single) {
      const { record, revision } = tree.get(this.start.from);
      this.deliverInitial(record === undefined ? [] : [record], revision, undefined);
      return;
    }
    const result = tree.range({
      from: this.cursor,
      to: this.start.to,
      at: this.initialRevision,
      limit: pageRecords,
      bytesMax: pageBytes,
      keysOnly: false,
    });
    switch (result.type) {
      case 'range':
        this.deliverInitial(result.records, result.revision, result.next);
        return;
      case 'compacted':
        this.fail(compactedError(result.compactedRevision, 'The state that this watch began with'));
        return;
      case 'future':
        this.fail(new StoreError('INTERNAL', 'The state that this watch began with is not there any more'));
        return;
    }
  }

  private deliverInitial(records: readonly KeyRecord[], revision: Revision, cursor: Bytes | undefined): void {
    this.initialRevision = revision;
    if (cursor === undefined) {
      this.phase = 'history';
      this.next = (revision + 1) as Revision;
    } else {
      this.cursor = cursor;
    }
    this.sink.initial(records, revision, cursor === undefined);
    this.enqueue();
  }

  private stepHistory(): void {
    const { tree, pageBytes } = this.options;
    if (this.next <= tree.revision) {
      const result = tree.changes(this.start, this.next, pageBytes);
      if (result.type === 'compacted') {
        this.fail(compactedError(result.compactedRevision, `Revision ${this.next}`));
        return;
      }
      this.next = result.next;
      if (result.events.length > 0) this.sink.events(result.events);
      if (this.isOver()) return;
    }
    if (this.next <= tree.revision) {
      this.enqueue();
      return;
    }
    this.phase = 'live';
    this.unsubscribe = tree.watch(this.start, this);
  }

  /** The sink may have cancelled it while it was told something. */
  private isOver(): boolean {
    return this.phase === 'ended';
  }

  private enqueue(): void {
    if (this.queued || this.phase === 'ended') return;
    this.queued = true;
    this.options.turns.enqueue(this);
  }

  private leave(): void {
    this.unsubscribe?.();
    this.unsubscribe = null;
  }

  private finish(): void {
    if (this.phase === 'ended') return;
    this.phase = 'ended';
    this.leave();
    this.options.turns.ended();
  }
}

function compactedError(compactedRevision: Revision, what: string): StoreError {
  return new StoreError('COMPACTED', `${what} is no longer kept: compacted up to revision ${compactedRevision}`);
}
