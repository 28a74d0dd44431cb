// Which records of a selection are answered, chosen while all of them pass by once: those before the limit in the order of
// keys, or in another order. Holds the records themselves as long as they fit into a page.

import type { Bytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import { recordOrder, withoutValue } from '../tree/select-records.js';
import type { KeyRecord } from '../tree/store.js';
import type { RangeSelection } from '../tree/transaction.js';

type SizeOf = (record: KeyRecord) => number;

export interface Choice {
  /** Values have to be read for the records that follow. */
  readonly wantsValues: boolean;
  /** Values may be kept that are taken from now on: until it says so no more, they have to be in memory of their own. */
  readonly keepsValues: boolean;
  readonly error: StoreError | null;
  /** Of the answer. */
  readonly records: number;
  /** The answer, if it fits into a page; null: it has to be read again. */
  readonly held: readonly KeyRecord[] | null;
  /** Once it is finished: the keys of the answer, when they are not in order; null: they are. */
  readonly sorted: readonly Bytes[] | null;
  take(record: KeyRecord, sizeOf: SizeOf): void;
  finish(): { readonly records: number; readonly bytes: number; readonly more: boolean };
  /** Gives back what it took. */
  drop(): void;
}

export interface PageLimits {
  readonly selectionPageBytes: number;
  readonly selectionPageRecords: number;
}

export class KeyOrderChoice implements Choice {
  readonly error = null;
  readonly sorted = null;
  records = 0;
  held: KeyRecord[] | null = [];
  private readonly selection: RangeSelection;
  private readonly limits: PageLimits;
  private bytes = 0;
  private more = false;

  constructor(selection: RangeSelection, limits: PageLimits) {
    this.selection = selection;
    this.limits = limits;
  }

  get wantsValues(): boolean {
    const { keysOnly, countOnly } = this.selection;
    return !keysOnly && !countOnly && !this.full;
  }

  get keepsValues(): boolean {
    return this.held !== null;
  }

  take(record: KeyRecord, sizeOf: SizeOf): void {
    if (this.full) {
      this.more = true;
      return;
    }
    const answered = this.selection.keysOnly ? withoutValue(record) : record;
    this.bytes += sizeOf(answered);
    this.records += 1;
    if (this.held === null) return;
    this.held.push(answered);
    const { selectionPageBytes, selectionPageRecords } = this.limits;
    const single = this.records === 1;
    if (!single && (this.bytes > selectionPageBytes || this.records > selectionPageRecords)) this.held = null;
  }

  finish(): { readonly records: number; readonly bytes: number; readonly more: boolean } {
    const { records, bytes, more } = this;
    return { records, bytes, more };
  }

  drop(): void {
    this.held = null;
  }

  private get full(): boolean {
    const { limit } = this.selection;
    return limit > 0 && this.records >= limit;
  }
}

interface Candidate {
  /** Without its value, unless that is what is sorted by. */
  readonly record: KeyRecord;
  readonly size: number;
  whole: KeyRecord | null;
}

/** What a candidate takes in memory beside its bytes, roughly. */
const candidateBytes = 160;
/** Candidates beyond the limit before those behind it are let go. */
const surplusMin = 256;

/** Bounds of all sorted selections together. */
export interface SortBudget {
  readonly limits: PageLimits & { readonly selectionSortBytesMax: number };
  takeSortBytes(bytes: number): boolean;
  giveSortBytes(bytes: number): void;
}

export class SortedChoice implements Choice {
  error: StoreError | null = null;
  records = 0;
  held: KeyRecord[] | null = null;
  sorted: Bytes[] | null = null;
  private readonly selection: RangeSelection;
  private readonly budget: SortBudget;
  private readonly order: (a: KeyRecord, b: KeyRecord) => number;
  private candidates: Candidate[] = [];
  private passed = 0;
  /** Taken of the budget. */
  private taken = 0;
  private wholeBytes = 0;
  private holds = true;

  constructor(selection: RangeSelection, budget: SortBudget) {
    this.selection = selection;
    this.budget = budget;
    this.order = recordOrder(selection);
  }

  /** Their sizes are asked for, so values are read even where only some of them are answered. */
  get wantsValues(): boolean {
    const { keysOnly, countOnly, sortTarget } = this.selection;
    return !countOnly && (!keysOnly || sortTarget === 'value');
  }

  get keepsValues(): boolean {
    return this.holds || this.selection.sortTarget === 'value';
  }

  take(record: KeyRecord, sizeOf: SizeOf): void {
    if (this.error !== null) return;
    const { limit, keysOnly, sortTarget } = this.selection;
    this.passed += 1;
    const answered = keysOnly ? withoutValue(record) : record;
    const compared = sortTarget === 'value' ? record : withoutValue(record);
    this.reserve(weightOf(compared));
    this.candidates.push({ record: compared, size: sizeOf(answered), whole: this.holds ? answered : null });
    if (this.holds) this.wholeBytes += answered.key.length + answered.value.length;
    if (limit > 0 && this.candidates.length > 2 * limit + surplusMin) this.prune();
    const { selectionPageBytes, selectionPageRecords } = this.budget.limits;
    if (!this.holds || (this.wholeBytes <= selectionPageBytes && this.candidates.length <= selectionPageRecords))
      return;
    this.prune();
    if (this.wholeBytes <= selectionPageBytes && this.candidates.length <= selectionPageRecords) return;
    this.holds = false;
    for (const candidate of this.candidates) candidate.whole = null;
  }

  finish(): { readonly records: number; readonly bytes: number; readonly more: boolean } {
    const { limit } = this.selection;
    this.prune();
    this.records = this.candidates.length;
    let bytes = 0;
    for (const { size } of this.candidates) bytes += size;
    if (this.holds) this.held = this.candidates.flatMap(({ whole }) => (whole === null ? [] : [whole]));
    else this.sorted = this.candidates.map(({ record }) => record.key);
    this.candidates = [];
    return { records: this.records, bytes, more: limit > 0 && this.passed > limit };
  }

  drop(): void {
    this.candidates = [];
    this.held = null;
    this.sorted = null;
    this.budget.giveSortBytes(this.taken);
    this.taken = 0;
  }

  /** Sorts, and lets go of what is behind the limit. Equal ones stay in the order of their keys. */
  private prune(): void {
    const { limit } = this.selection;
    this.candidates.sort((a, b) => this.order(a.record, b.record));
    if (limit === 0 || this.candidates.length <= limit) return;
    for (const { record, whole } of this.candidates.splice(limit)) {
      const weight = weightOf(record);
      this.taken -= weight;
      this.budget.giveSortBytes(weight);
      if (whole !== null) this.wholeBytes -= whole.key.length + whole.value.length;
    }
  }

  private reserve(bytes: number): void {
    if (this.budget.takeSortBytes(bytes)) {
      this.taken += bytes;
      return;
    }
    const { selectionSortBytesMax } = this.budget.limits;
    const message = `Cannot sort the selection: what is sorted at once has more than ${selectionSortBytesMax} bytes; name a limit, or the order of keys`;
    this.error = new StoreError(this.taken + bytes > selectionSortBytesMax ? 'TOO_LARGE' : 'OVERLOADED', message);
  }
}

function weightOf({ key, value }: KeyRecord): number {
  return key.length + value.length + candidateBytes;
}
