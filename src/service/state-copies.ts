// Holds this node's state still for those who copy it, e.g. into a snapshot for etcd: a few at a time and for a bounded time,
// because what is held cannot be used again by the store. Says nothing of the form of a copy.

import type { Scheduler } from '../ensemble/ports.js';
import { StoreError } from '../shared/errors.js';
import type { ReplicatedTree } from '../tree/replicated-tree.js';
import type { StoreContents } from '../tree/store.js';
import type { CoreBoundary } from './core-boundary.js';

export interface StateCopyLimits {
  readonly stateCopiesMax: number;
  readonly stateCopyTimeoutMs: number;
}

/** Who copies. One of `opened` and `failed` is called once, perhaps before the call that asked returns. */
export interface StateCopier {
  /** Everything that this node has applied. Closed by the copier, soon. */
  opened(contents: StoreContents): void;
  /** It cannot be had; or the time for it is over, and what was opened is closed. */
  failed(error: StoreError): void;
}

interface StateCopiesParts {
  readonly tree: ReplicatedTree;
  readonly scheduler: Pick<Scheduler, 'after'>;
  /** That copiers cross as they read. */
  readonly boundary: CoreBoundary;
}

export class StateCopies {
  private readonly tree: ReplicatedTree;
  private readonly scheduler: Pick<Scheduler, 'after'>;
  private readonly boundary: CoreBoundary;
  private readonly limits: StateCopyLimits;
  /** Those that wait for their flush included. */
  private open = 0;

  constructor({ tree, scheduler, boundary }: StateCopiesParts, limits: StateCopyLimits) {
    this.tree = tree;
    this.scheduler = scheduler;
    this.boundary = boundary;
    this.limits = limits;
  }

  begin(copier: StateCopier): void {
    const { stateCopiesMax } = this.limits;
    if (this.open >= stateCopiesMax) {
      const reason = `${this.open} copies are being made, the limit is ${stateCopiesMax} (stateCopiesMax)`;
      copier.failed(new StoreError('OVERLOADED', `Cannot copy the state: ${reason}`));
      return;
    }
    this.open += 1;
    this.tree.contents((error, contents) => {
      if (contents !== null) {
        copier.opened(this.timed(contents, copier));
        return;
      }
      this.open -= 1;
      copier.failed(
        error instanceof StoreError
          ? error
          : new StoreError('INTERNAL', 'Cannot copy the state: it cannot be flushed or read', { cause: error }),
      );
    });
  }

  private timed(contents: StoreContents, copier: StateCopier): StoreContents {
    let closed = false;
    const close = (): void => {
      if (closed) return;
      closed = true;
      this.open -= 1;
      stopTimer();
      contents.close();
    };
    const { stateCopyTimeoutMs } = this.limits;
    const stopTimer = this.scheduler.after(stateCopyTimeoutMs, () => {
      close();
      const reason = `it took longer than ${stateCopyTimeoutMs} ms (stateCopyTimeoutMs)`;
      copier.failed(new StoreError('TIMEOUT', `Cannot go on copying the state: ${reason}`));
    });
    return {
      meta: contents.meta,
      versions: () => this.boundary.rows(() => contents.versions()),
      records: (space) => this.boundary.rows(() => contents.records(space)),
      close: () => this.boundary.enter(close),
    };
  }
}
