// One selection: what it comes to is surveyed in slices at one revision; what fits into a page is answered from that, the
// rest is read again page by page, as the sink takes it. Between its slices it holds a pin and at most one page, or, where
// another order than that of the keys is wanted, what it sorts by.

import { type Bytes, compareBytes, copyPart } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { Revision } from '../shared/ids.js';
import type { ReplicatedTree } from '../tree/replicated-tree.js';
import type { RevisionPin } from '../tree/revision-pins.js';
import { passesFilters, withoutValue } from '../tree/select-records.js';
import type { KeyRecord } from '../tree/store.js';
import type { RangeSelection } from '../tree/transaction.js';
import { CompactedError } from './compacted-error.js';
import type { CoreBoundary } from './core-boundary.js';
import { stepOf, type TurnTaker } from './fair-turns.js';
import { type Choice, KeyOrderChoice, SortedChoice } from './selection-choice.js';
import type { SelectionHandle, SelectionSink } from './store-service.js';

/** What selections share. */
export interface SelectionSurroundings {
  readonly tree: ReplicatedTree;
  /** That callers of a selection's own methods cross. */
  readonly boundary: CoreBoundary;
  /** Has step() called in a later turn. */
  enqueue(selection: StoreSelection): void;
  /** It needs more than this turn; OVERLOADED when too many do. */
  admit(selection: StoreSelection): StoreError | null;
  ended(selection: StoreSelection): void;
  /** Runs the task after so long; the returned function cancels it. */
  after(delayMs: number, task: () => void): () => void;
  /** Takes bytes for what is sorted; false: there are no more. */
  takeSortBytes(bytes: number): boolean;
  giveSortBytes(bytes: number): void;
  readonly limits: SelectionLimits;
}

export interface SelectionLimits {
  /** One page: what is answered at once, and what one slice reads. */
  readonly selectionPageBytes: number;
  readonly selectionPageRecords: number;
  /** Keys that one slice looks at. */
  readonly selectionSliceRows: number;
  readonly selectionPinMsMax: number;
  readonly selectionSortBytesMax: number;
}

/** waiting: for the read point. full: the sink takes no more for now. */
type Phase = 'waiting' | 'survey' | 'deliver' | 'full' | 'ended';

export class StoreSelection implements SelectionHandle, TurnTaker {
  private readonly selection: RangeSelection;
  private readonly sink: SelectionSink;
  private readonly surroundings: SelectionSurroundings;
  private readonly choice: Choice;
  private phase: Phase = 'waiting';
  private revision = 0 as Revision;
  /** Where the survey, then the delivery goes on. */
  private cursor: Bytes;
  private count = 0;
  private delivered = 0;
  /** Of what is not delivered yet, about. */
  private bytesLeft = 0;
  private admitted = false;
  private pin: RevisionPin | null = null;
  private cancelTimer: (() => void) | null = null;

  constructor(selection: RangeSelection, sink: SelectionSink, surroundings: SelectionSurroundings) {
    this.selection = selection;
    this.sink = sink;
    this.surroundings = surroundings;
    this.cursor = selection.from;
    const sorted = selection.sortTarget !== 'key' || selection.descending;
    this.choice = sorted
      ? new SortedChoice(selection, surroundings)
      : new KeyOrderChoice(selection, surroundings.limits);
  }

  /** The state that it may read is there. */
  begin(): void {
    if (this.phase !== 'waiting') return;
    const { tree } = this.surroundings;
    const at = this.selection.at ?? tree.revision;
    const refusal = unreadable(at, tree);
    if (refusal !== null) {
      this.fail(refusal);
      return;
    }
    this.revision = at;
    this.phase = 'survey';
    stepOf(this);
  }

  resume(): void {
    if (this.phase !== 'full') return;
    this.phase = 'deliver';
    this.surroundings.enqueue(this);
  }

  cancel(): void {
    this.surroundings.boundary.enter(() => this.finish());
  }

  /** Ends it from this side. */
  fail(error: StoreError): void {
    if (this.phase === 'ended') return;
    this.finish();
    this.sink.end(error);
  }

  /** One bounded piece of work; asks for its next turn itself. */
  step(): void {
    if (this.phase !== 'survey' && this.phase !== 'deliver') return;
    const lost = this.lost();
    if (lost !== null) this.fail(lost);
    else if (this.phase === 'survey') this.survey();
    else this.deliver();
  }

  private survey(): void {
    const valuesWanted = this.choice.wantsValues;
    let done = this.selection.single ? this.surveyOne() : this.surveySlice();
    // Behind the limit records are only counted, which is quick: that is one more slice of the same turn.
    if (!done && this.choice.wantsValues !== valuesWanted) done = this.surveySlice();
    if (this.choice.error !== null) this.fail(this.choice.error);
    else if (done) this.surveyed();
    else this.goOn();
  }

  private surveyOne(): boolean {
    const record = this.surroundings.tree.recordAt(this.selection.from, this.revision);
    if (record !== undefined) this.take(record);
    return true;
  }

  /** True at the end of the range. */
  private surveySlice(): boolean {
    const { tree, limits } = this.surroundings;
    const { selection, choice } = this;
    const { to } = selection;
    if (to !== undefined && compareBytes(this.cursor, to) >= 0) return true;
    let stoppedAt: Bytes | undefined;
    let bytes = 0;
    let visited = 0;
    // What is only counted needs no values, and nor does anything behind the limit.
    const valuesWanted = choice.wantsValues;
    const range = {
      from: this.cursor,
      to,
      at: this.revision,
      keysOnly: !valuesWanted,
      borrowed: !choice.keepsValues,
      rowsMax: limits.selectionSliceRows,
    };
    const next = tree.slice(range, (record) => {
      if (
        bytes >= limits.selectionPageBytes ||
        visited >= limits.selectionSliceRows ||
        choice.error !== null ||
        choice.wantsValues !== valuesWanted
      ) {
        stoppedAt = record.key;
        return false;
      }
      visited += 1;
      bytes += record.key.length + (valuesWanted ? record.value.length : 0);
      this.take(record);
      return true;
    });
    const cursor = stoppedAt ?? next;
    if (cursor === undefined) return true;
    this.cursor = cursor;
    return false;
  }

  private take(record: KeyRecord): void {
    const { selection, sink } = this;
    this.count += 1;
    if (selection.countOnly || !passesFilters(record, selection)) return;
    this.choice.take(record, (answered) => sink.sizeOf(answered));
  }

  private surveyed(): void {
    const { choice, count, revision, sink } = this;
    const { records, bytes, more } = choice.finish();
    this.phase = 'deliver';
    this.cursor = this.selection.from;
    this.bytesLeft = bytes;
    sink.begin({ revision, count, more, records, bytes });
    if (this.isOver()) return;
    const { held } = choice;
    if (held === null) {
      this.goOn();
      return;
    }
    if (held.length > 0) sink.records(held);
    this.complete();
  }

  private deliver(): void {
    const page = this.choice.sorted === null ? this.pageByKey() : this.pageSorted(this.choice.sorted);
    this.delivered += page.length;
    const last = this.delivered === this.choice.records;
    const ready = page.length === 0 || this.sink.records(page);
    if (this.isOver()) return;
    if (last) this.complete();
    else if (ready) this.goOn();
    else this.phase = 'full';
  }

  private pageByKey(): KeyRecord[] {
    const { tree, limits } = this.surroundings;
    const { selection } = this;
    const page: KeyRecord[] = [];
    let bytes = 0;
    let stoppedAt: Bytes | undefined;
    const { keysOnly, to } = selection;
    const memory = new PageMemory(keysOnly ? 0 : Math.max(0, Math.min(limits.selectionPageBytes, this.bytesLeft)));
    const range = {
      from: this.cursor,
      to,
      at: this.revision,
      keysOnly,
      borrowed: true,
      rowsMax: limits.selectionSliceRows,
    };
    const next = tree.slice(range, (record) => {
      const enough = bytes >= limits.selectionPageBytes || page.length >= limits.selectionPageRecords;
      if (enough || this.delivered + page.length === this.choice.records) {
        stoppedAt = record.key;
        return false;
      }
      if (passesFilters(record, selection)) {
        const answered = keysOnly ? withoutValue(record) : memory.own(record);
        bytes += answered.key.length + answered.value.length;
        page.push(answered);
      }
      return true;
    });
    this.bytesLeft -= bytes;
    const cursor = stoppedAt ?? next;
    if (cursor !== undefined) this.cursor = cursor;
    else if (this.delivered + page.length !== this.choice.records) throw changed();
    return page;
  }

  private pageSorted(keys: readonly Bytes[]): KeyRecord[] {
    const { tree, limits } = this.surroundings;
    const page: KeyRecord[] = [];
    let bytes = 0;
    while (bytes < limits.selectionPageBytes && page.length < limits.selectionPageRecords) {
      const key = keys[this.delivered + page.length];
      if (key === undefined) break;
      const record = tree.recordAt(key, this.revision);
      if (record === undefined) throw changed();
      const answered = this.selection.keysOnly ? withoutValue(record) : record;
      bytes += answered.key.length + answered.value.length;
      page.push(answered);
    }
    return page;
  }

  /** In a later turn: what it reads has to stay until then. */
  private goOn(): void {
    if (!this.admitted) {
      const refusal = this.surroundings.admit(this);
      if (refusal !== null) {
        this.fail(refusal);
        return;
      }
      this.admitted = true;
      this.pin = this.surroundings.tree.pin(this.revision);
      this.cancelTimer = this.surroundings.after(this.surroundings.limits.selectionPinMsMax, () => this.unpin());
    }
    this.surroundings.enqueue(this);
  }

  /** Why its revision can no longer be read; null while it can. */
  private lost(): StoreError | null {
    const { tree } = this.surroundings;
    if (this.pin !== null && !this.pin.lost) return null;
    return unreadable(this.revision, tree);
  }

  private complete(): void {
    this.finish();
    this.sink.end(null);
  }

  private finish(): void {
    if (this.phase === 'ended') return;
    this.phase = 'ended';
    this.unpin();
    this.choice.drop();
    if (this.admitted) this.surroundings.ended(this);
  }

  private unpin(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
    this.pin?.release();
    this.pin = null;
  }

  /** The sink may have cancelled it while it was told something. */
  private isOver(): boolean {
    return this.phase === 'ended';
  }
}

/** Memory of one page's values: one piece for all of them is much less work than one for each. */
class PageMemory {
  private readonly bytes: Uint8Array;
  private used = 0;

  constructor(byteLength: number) {
    this.bytes = new Uint8Array(byteLength);
  }

  /** The record with a value of its own. */
  own({ key, value, createRevision, modRevision, version, lease }: KeyRecord): KeyRecord {
    return { key, value: this.copy(value), createRevision, modRevision, version, lease };
  }

  private copy(value: Bytes): Bytes {
    const start = this.used;
    const end = start + value.length;
    if (end > this.bytes.length) return copyPart(value, 0, value.length);
    this.bytes.set(value, start);
    this.used = end;
    return this.bytes.subarray(start, end);
  }
}

/** Why a revision cannot be read now; null when it can. */
export function unreadable(
  at: Revision,
  { revision, compactedRevision }: Pick<ReplicatedTree, 'revision' | 'compactedRevision'>,
): StoreError | null {
  if (at > revision) return new StoreError('FUTURE_REVISION', `Revision ${at} is not reached yet: now is ${revision}`);
  return at >= compactedRevision ? null : new CompactedError(`Revision ${at}`, compactedRevision);
}

/** A pinned state never changes. */
function changed(): StoreError {
  return new StoreError('CORRUPT', 'Cannot read a selection: its records are not those that were there before');
}
