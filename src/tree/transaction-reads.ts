// Reads inside a transaction: the state before it with what it has changed so far over it. Counts the keys that it looks
// at and the bytes of its answer against their bounds; past one, it is refused as a whole.

import type { Bytes } from '../shared/bytes.js';
import { compareBytes } from '../shared/bytes.js';
import type { CommandView } from './command-view.js';
import { spaces } from './delta.js';
import { isSorted, passesFilters, recordOrder, withoutValue } from './select-records.js';
import { scanMerged } from './staged-view.js';
import type { KeyRecord, KeyState, VersionWrite } from './store.js';
import type { KeySelection, RangeOutcome, RangeSelection } from './transaction.js';

export interface TransactionLimits {
  /** Keys that the ranges of one transaction may hold. */
  readonly transactionKeysMax: number;
  /** Keys and values that it may put. */
  readonly transactionBytesMax: number;
  /** Records that it may answer. */
  readonly transactionAnswerBytesMax: number;
}

/** Bytes that a record costs beside its key and value, roughly. */
export const recordOverheadBytes = 64;

export class TransactionReads {
  private readonly view: CommandView;
  private readonly limits: TransactionLimits;
  /** By key text. */
  private readonly changes = new Map<string, VersionWrite>();
  private ordered: readonly VersionWrite[] | null = null;
  private keys = 0;
  private bytes = 0;

  constructor(view: CommandView, limits: TransactionLimits) {
    this.view = view;
    this.limits = limits;
  }

  /** Why this transaction is refused; null while it is within its bounds. */
  get excess(): string | null {
    const { transactionKeysMax, transactionAnswerBytesMax } = this.limits;
    if (this.keys > transactionKeysMax) return `its ranges hold more than ${transactionKeysMax} keys`;
    if (this.bytes > transactionAnswerBytesMax) return `its answer has more than ${transactionAnswerBytesMax} bytes`;
    return null;
  }

  changed(version: VersionWrite): void {
    this.changes.set(this.view.textOf(version.key), version);
    this.ordered = null;
  }

  state(key: Bytes): KeyState | undefined {
    const change = this.changeOf(key);
    return change === undefined ? this.view.stateOf(key) : (change.record ?? undefined);
  }

  record(key: Bytes): KeyRecord | undefined {
    const change = this.changeOf(key);
    return change === undefined ? this.view.recordIn(spaces.user, key) : (change.record ?? undefined);
  }

  /** Counts a record that is answered. */
  answers(record: KeyRecord): KeyRecord {
    this.bytes += record.key.length + record.value.length + recordOverheadBytes;
    return record;
  }

  /** Visits the records of a selection as they are now, until the callback returns false or a bound is passed. */
  scan(keys: KeySelection, keysOnly: boolean, visit: (record: KeyRecord) => boolean): void {
    if (keys.single) {
      this.keys += 1;
      const record = this.record(keys.from);
      if (record !== undefined) visit(record);
      return;
    }
    const { from, to } = keys;
    if (to !== undefined && compareBytes(from, to) >= 0) return;
    const range = { space: spaces.user, from, to, at: undefined, keysOnly };
    const newer = this.changesIn(from, to);
    const take = (record: KeyRecord): boolean => {
      this.keys += 1;
      return this.keys <= this.limits.transactionKeysMax && visit(record);
    };
    if (newer.length === 0) this.view.scan(range, take);
    else scanMerged((visitOlder) => this.view.scan(range, visitOlder), newer, take);
  }

  range(selection: RangeSelection): RangeOutcome {
    const { limit, keysOnly, countOnly, sortTarget } = selection;
    const sorted = isSorted(selection);
    const order = recordOrder(selection);
    const needsValues = !countOnly && (!keysOnly || sortTarget === 'value');
    let chosen: KeyRecord[] = [];
    let held = 0;
    let count = 0;
    let passed = 0;
    const visit = (record: KeyRecord): boolean => {
      count += 1;
      if (countOnly || !passesFilters(record, selection)) return true;
      passed += 1;
      if (limit > 0 && passed > limit && !sorted) return true;
      const wanted = needsValues ? record : withoutValue(record);
      chosen.push(wanted);
      held += wanted.key.length + wanted.value.length;
      if (held <= this.limits.transactionAnswerBytesMax) return true;
      // Of what is sorted, only the first `limit` count.
      if (sorted && limit > 0 && chosen.length > limit) {
        chosen = chosen.sort(order).slice(0, limit);
        held = chosen.reduce((bytes, { key, value }) => bytes + key.length + value.length, 0);
      }
      if (held > this.limits.transactionAnswerBytesMax) this.bytes = Number.POSITIVE_INFINITY;
      return this.excess === null;
    };
    this.visitAt(selection, !needsValues, visit);
    if (sorted) chosen.sort(order);
    if (limit > 0 && chosen.length > limit) chosen = chosen.slice(0, limit);
    const records = chosen.map((record) => this.answers(keysOnly ? withoutValue(record) : record));
    return { type: 'range', records, count, more: limit > 0 && passed > limit };
  }

  private visitAt(selection: RangeSelection, keysOnly: boolean, visit: (record: KeyRecord) => boolean): void {
    const { from, to, single, at } = selection;
    if (at === undefined) {
      this.scan(selection, keysOnly, visit);
      return;
    }
    const end = single ? keyBehind(from) : to;
    if (end !== undefined && compareBytes(from, end) >= 0) return;
    this.view.scan({ space: spaces.user, from, to: end, at, keysOnly }, (record) => {
      this.keys += 1;
      return this.keys <= this.limits.transactionKeysMax && visit(record);
    });
  }

  private changeOf(key: Bytes): VersionWrite | undefined {
    return this.changes.size === 0 ? undefined : this.changes.get(this.view.textOf(key));
  }

  private changesIn(from: Bytes, to: Bytes | undefined): readonly VersionWrite[] {
    if (this.changes.size === 0) return noVersions;
    this.ordered ??= [...this.changes.values()].sort((a, b) => compareBytes(a.key, b.key));
    return this.ordered.filter(
      ({ key }) => compareBytes(from, key) <= 0 && (to === undefined || compareBytes(key, to) < 0),
    );
  }
}

const noVersions: readonly VersionWrite[] = [];

/** The least key behind this one. */
export function keyBehind(key: Bytes): Bytes {
  const behind = new Uint8Array(key.length + 1);
  behind.set(key);
  return behind;
}
