// Selections that need more than one turn of the event loop: gives them their turns, and keeps them within their bounds
// together. Those that are answered at once leave nothing here.

import type { Scheduler } from '../ensemble/ports.js';
import { StoreError } from '../shared/errors.js';
import type { ReplicatedTree } from '../tree/replicated-tree.js';
import type { RangeSelection } from '../tree/transaction.js';
import type { CoreBoundary } from './core-boundary.js';
import { FairTurns } from './fair-turns.js';
import { type SelectionLimits, type SelectionSurroundings, StoreSelection } from './store-selection.js';
import type { SelectionSink } from './store-service.js';

export interface SelectionDeskLimits extends SelectionLimits {
  /** Selections under way at once. */
  readonly selectionsMax: number;
  /** Time that their steps may take in one turn. */
  readonly selectionTurnMs: number;
}

export type SelectionScheduler = Pick<Scheduler, 'nowMs' | 'defer' | 'after'>;

interface SelectionDeskParts {
  readonly tree: ReplicatedTree;
  readonly scheduler: SelectionScheduler;
  readonly boundary: CoreBoundary;
}

export class SelectionDesk implements SelectionSurroundings {
  readonly tree: ReplicatedTree;
  readonly boundary: CoreBoundary;
  readonly limits: SelectionDeskLimits;
  private readonly scheduler: SelectionScheduler;
  private readonly turns: FairTurns<StoreSelection>;
  private readonly open = new Set<StoreSelection>();
  private sortBytes = 0;

  constructor({ tree, scheduler, boundary }: SelectionDeskParts, limits: SelectionDeskLimits) {
    this.tree = tree;
    this.boundary = boundary;
    this.limits = limits;
    this.scheduler = scheduler;
    this.turns = new FairTurns(scheduler, limits.selectionTurnMs);
  }

  create(selection: RangeSelection, sink: SelectionSink): StoreSelection {
    return new StoreSelection(selection, sink, this);
  }

  /** Selections that are neither done nor cancelled and need another turn. */
  get size(): number {
    return this.open.size;
  }

  enqueue(selection: StoreSelection): void {
    this.turns.enqueue(selection);
  }

  admit(selection: StoreSelection): StoreError | null {
    const { selectionsMax } = this.limits;
    if (this.open.size >= selectionsMax) {
      return new StoreError('OVERLOADED', `${selectionsMax} large selections are under way already (selectionsMax)`);
    }
    this.open.add(selection);
    return null;
  }

  ended(selection: StoreSelection): void {
    this.open.delete(selection);
  }

  after(delayMs: number, task: () => void): () => void {
    return this.scheduler.after(delayMs, task);
  }

  takeSortBytes(bytes: number): boolean {
    if (this.sortBytes + bytes > this.limits.selectionSortBytesMax) return false;
    this.sortBytes += bytes;
    return true;
  }

  giveSortBytes(bytes: number): void {
    this.sortBytes -= bytes;
  }
}
