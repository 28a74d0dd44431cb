// One watch: initial state by pages, then history up to now, then live; back to history whenever its sink was full or a
// snapshot was installed. It holds nothing of the tree between its steps but (revision, next key), so that a slow
// client pins no memory. Every change of the range after its beginning is delivered once, in order of revision.

import type { Bytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { Revision } from '../shared/ids.js';
import { keyOfText, keyTextOf } from '../tree/key-text.js';
import type { ReplicatedTree, WatchEvent, Watcher, WatchRequest } from '../tree/replicated-tree.js';
import type { KeyRecord } from '../tree/store.js';
import { CompactedError } from './compacted-error.js';
import type { CoreBoundary } from './core-boundary.js';
import { readRefusal } from './read-permission.js';
import type { WatchHandle, WatchSink, WatchStart } from './store-service.js';

/** Gives a watch its steps, in later turns of the event loop. */
export interface WatchTurns {
  /** step() of this watch is called once for each call. */
  enqueue(watch: StoreWatch): void;
  /** One is open, and one is over. */
  began(watch: StoreWatch): void;
  ended(watch: StoreWatch): void;
}

/** What all watches of a node share. */
export interface WatchSurroundings {
  readonly tree: ReplicatedTree;
  /** That callers of a watch's own methods cross. */
  readonly boundary: CoreBoundary;
  readonly turns: WatchTurns;
  readonly pageBytes: number;
  readonly pageRecords: number;
}

/**
 * waiting: for what the client has seen. initial: pages of the state. history: changes from `next` on. live: told during
 * apply. lagging: still subscribed, but missed something; the next step goes back to history.
 */
type Phase = 'waiting' | 'initial' | 'history' | 'live' | 'lagging' | 'ended';

/** Where the initial state goes on, and the revision that it is of once its first page was read. */
interface InitialState {
  cursor: Bytes;
  revision: Revision | undefined;
}

export class StoreWatch implements Watcher, WatchHandle {
  readonly from: string;
  readonly to: string | undefined;
  readonly single: boolean;
  private readonly sink: WatchSink;
  /** Empty: nobody. */
  private readonly user: string;
  /** Stamp of the access control by which it was last found permitted. */
  private judgedAt = -1;
  private readonly around: WatchSurroundings;
  private readonly withPrevious: boolean;
  private readonly withoutPuts: boolean;
  private readonly withoutDeletes: boolean;
  private phase: Phase = 'waiting';
  private queued = false;
  private full = false;
  /** What is read next may begin at the compacted revision. */
  private fromCompacted: boolean;
  /** First revision not delivered yet; 0 = the one after the state that it begins with. */
  private next: Revision;
  private initial: InitialState | null;

  constructor(start: WatchStart, sink: WatchSink, around: WatchSurroundings) {
    this.from = keyTextOf(start.from);
    this.to = start.to === undefined ? undefined : keyTextOf(start.to);
    this.single = start.single;
    this.sink = sink;
    this.user = start.actor?.user ?? '';
    this.around = around;
    this.withPrevious = start.withPrevious ?? false;
    this.withoutPuts = start.withoutPuts ?? false;
    this.withoutDeletes = start.withoutDeletes ?? false;
    this.fromCompacted = start.fromCompacted ?? false;
    this.next = start.fromRevision ?? (0 as Revision);
    this.initial = start.withInitial ? { cursor: keyOfText(this.from), revision: undefined } : null;
    around.turns.began(this);
  }

  /** The state that it may begin with is there. */
  begin(): void {
    if (this.phase !== 'waiting') return;
    if (this.initial !== null) {
      this.phase = 'initial';
    } else {
      this.phase = 'history';
      if (this.next === 0) this.next = (this.around.tree.revision + 1) as Revision;
    }
    this.enqueue();
  }

  get deliveredThrough(): Revision | undefined {
    const { revision } = this.around.tree;
    return this.phase === 'live' && revision + 1 >= this.next ? revision : undefined;
  }

  resume(): void {
    if (!this.full) return;
    this.full = false;
    this.enqueue();
  }

  cancel(): void {
    this.around.boundary.enter(() => this.finish());
  }

  /** Ends it from this side. */
  fail(error: StoreError): void {
    if (this.phase === 'ended') return;
    this.finish();
    this.sink.ended(error);
  }

  notify(revision: Revision, events: readonly WatchEvent[]): void {
    if (this.phase !== 'live' || revision < this.next) return;
    if (!this.isJudged()) {
      // Nothing more before it was asked again, which is no work for here.
      this.next = revision;
      this.fallBehind();
      return;
    }
    const wanted = this.wanted(events);
    if (wanted.length === 0 || this.sink.ready()) {
      this.next = (revision + 1) as Revision;
      this.deliver(wanted);
      return;
    }
    // All of the range before this revision was delivered.
    this.next = revision;
    this.full = true;
    this.fallBehind();
  }

  /** Everything up to `through` was notified, where it was wanted. */
  reset(through: Revision): void {
    if (this.phase !== 'live') return;
    if (through >= this.next) this.next = (through + 1) as Revision;
    this.fallBehind();
  }

  /** Access control has changed: it asks again whether it is permitted. */
  review(): void {
    if (this.phase !== 'waiting') this.enqueue();
  }

  /** One bounded piece of work; asks for its next turn itself. */
  step(): void {
    this.queued = false;
    if (this.phase === 'waiting' || this.phase === 'ended') return;
    if (!this.isJudged() && !this.isPermitted()) {
      this.fail(new StoreError('PERMISSION_DENIED', 'Permission denied'));
      return;
    }
    if (this.phase === 'lagging') {
      this.around.tree.unwatch(this);
      this.phase = 'history';
    }
    if (this.full || (this.phase !== 'initial' && this.phase !== 'history')) return;
    this.full = !this.sink.ready();
    if (this.full) return;
    if (this.initial !== null) this.stepInitial(this.initial);
    else this.stepHistory();
  }

  private isJudged(): boolean {
    return this.judgedAt === this.around.tree.access.applied.stamp;
  }

  private isPermitted(): boolean {
    const { access } = this.around.tree;
    const actor = { user: this.user, accessRevision: access.applied.settings.revision };
    if (readRefusal(access, actor, this.request()) !== null) return false;
    this.judgedAt = access.applied.stamp;
    return true;
  }

  private stepInitial(initial: InitialState): void {
    const { tree, pageBytes, pageRecords } = this.around;
    const { from, to, single } = this.request();
    if (single) {
      const { record, revision } = tree.get(from);
      this.deliverInitial(initial, record === undefined ? [] : [record], revision, undefined);
      return;
    }
    const result = tree.range({
      from: initial.cursor,
      to,
      at: initial.revision,
      limit: pageRecords,
      bytesMax: pageBytes,
      keysOnly: false,
    });
    switch (result.type) {
      case 'range':
        this.deliverInitial(initial, result.records, result.revision, result.next);
        return;
      case 'compacted':
        this.fail(new CompactedError('The state that this watch began with', result.compactedRevision));
        return;
      case 'future':
        this.fail(new StoreError('INTERNAL', 'The state that this watch began with is not there any more'));
        return;
    }
  }

  private deliverInitial(
    initial: InitialState,
    records: readonly KeyRecord[],
    revision: Revision,
    cursor: Bytes | undefined,
  ): void {
    if (cursor === undefined) {
      this.initial = null;
      this.phase = 'history';
      this.next = (revision + 1) as Revision;
    } else {
      initial.revision = revision;
      initial.cursor = cursor;
    }
    this.sink.initial(records, revision, cursor === undefined);
    this.enqueue();
  }

  private stepHistory(): void {
    const { tree, pageBytes } = this.around;
    if (this.next <= tree.revision) {
      const { withPrevious, fromCompacted } = this;
      const result = tree.changes(this.request(), this.next, { bytesMax: pageBytes, withPrevious, fromCompacted });
      if (result.type === 'compacted') {
        this.fail(new CompactedError(`Revision ${this.next}`, result.compactedRevision));
        return;
      }
      this.fromCompacted = false;
      this.next = result.next;
      this.deliver(this.wanted(result.events));
      if (this.isOver()) return;
    }
    if (this.next <= tree.revision) {
      this.enqueue();
      return;
    }
    this.phase = 'live';
    tree.watch(this);
    this.sink.liveChanged?.(true);
  }

  /** Damage that is found while the sink asks for what an event replaced ends this watch, and nothing else. */
  private deliver(events: readonly WatchEvent[]): void {
    if (events.length === 0) return;
    try {
      this.sink.events(events);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.fail(error);
    }
  }

  private wanted(events: readonly WatchEvent[]): readonly WatchEvent[] {
    const { withoutPuts, withoutDeletes } = this;
    if (!withoutPuts && !withoutDeletes) return events;
    return events.filter(({ type }) => !(type === 'put' ? withoutPuts : withoutDeletes));
  }

  private request(): WatchRequest {
    const to = this.to === undefined ? undefined : keyOfText(this.to);
    return { from: keyOfText(this.from), to, single: this.single };
  }

  private fallBehind(): void {
    this.phase = 'lagging';
    this.enqueue();
    this.sink.liveChanged?.(false);
  }

  /** The sink may have cancelled it while it was told something. */
  private isOver(): boolean {
    return this.phase === 'ended';
  }

  private enqueue(): void {
    if (this.queued || this.phase === 'ended') return;
    this.queued = true;
    this.around.turns.enqueue(this);
  }

  private finish(): void {
    if (this.phase === 'ended') return;
    const subscribed = this.phase === 'live' || this.phase === 'lagging';
    this.phase = 'ended';
    if (subscribed) this.around.tree.unwatch(this);
    this.around.turns.ended(this);
  }
}
