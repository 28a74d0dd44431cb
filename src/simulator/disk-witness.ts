// What the checkers are told of one member's disk: keeps the mirror of its log and its epoch record in line with what storage
// does, and with what a crash left of it. Decides nothing, and never touches the disk.

import type { NodeStorage } from '../ensemble/ports.js';
import { formatZxid, type Zxid } from '../shared/ids.js';
import type { EpochRecord } from '../zab/effects.js';
import type { Batch } from '../zab/messages.js';
import type { NodeView } from './checkers/ensemble-view.js';
import { cutHistoryHash } from './log-mirror.js';
import type { StorageObserver } from './observed-storage.js';
import type { NodeScheduler } from './virtual-clock.js';
import type { World } from './world.js';

export class DiskWitness {
  private readonly world: World;
  private readonly view: NodeView;
  private readonly crashPoint: () => void;
  /** A truncation of the log that was begun: a crash may leave it done or not. */
  private cutting: Zxid | undefined;

  /** `crashPoint`: something is about to be asked of the disk. */
  constructor(world: World, view: NodeView, crashPoint: () => void) {
    this.world = world;
    this.view = view;
    this.crashPoint = crashPoint;
  }

  /** Brings the mirror of the disk in line with what the crash left. */
  opened(storage: NodeStorage): void {
    const { view, world } = this;
    const { log, record } = storage;
    // The switch to a snapshot was on the disk when the process died, which never heard of it.
    if (log.base > view.log.base) this.installed(log.base, record);
    if (this.cutting !== undefined && log.last === this.cutting) view.log.truncate(this.cutting);
    this.cutting = undefined;
    if (log.last < view.log.durable) {
      world.view.violate(
        'a disk keeps what it synced',
        `node ${view.index}: log ends at ${formatZxid(log.last)}, ${view.log.describe()}`,
      );
    }
    view.log.truncate(log.last);
    const { lastChain } = view.log;
    if (lastChain !== undefined && lastChain !== log.chain) {
      world.view.violate(
        'a disk keeps what it synced',
        `node ${view.index}: log ends at ${formatZxid(log.last)} with another history than was appended`,
      );
    }
    view.log.durable = view.log.last;
    this.recordWritten(record);
  }

  observer(scheduler: NodeScheduler): StorageObserver {
    const { view, world } = this;
    return {
      alive: () => scheduler.alive,
      crashPoint: () => this.crashPoint(),
      asked: () => world.clock.promisesDue(),
      appending: (batch) => this.appending(batch),
      appended: (chain) => {
        view.log.lastChain = chain;
      },
      durable: (through) => {
        view.log.durable = through;
      },
      truncating: (to) => {
        world.say(view.index, `truncates its log to ${formatZxid(to)}`);
        world.check((checker) => checker.truncating?.(view, to));
        this.cutting = to;
      },
      failed: () => {
        view.failed = true;
      },
      truncated: (to) => {
        view.log.truncate(to);
        this.cutting = undefined;
      },
      persisted: (record) => {
        world.say(
          view.index,
          `wrote accepted ${record.acceptedEpoch}, current ${record.currentEpoch}${record.probation ? ', probation' : ''}`,
        );
        this.recordWritten(record);
      },
      installed: (zxid, record) => this.installed(zxid, record),
      trimmed: (base) => view.log.trim(base),
    };
  }

  private appending(batch: Batch): void {
    const { view, world } = this;
    world.check((checker) => checker.appending?.(view, batch));
    const { historyHash } = view.log.append({ ...batch, body: batch.body.slice() }, world.histories.get(batch.last));
    if (!world.histories.has(batch.last)) {
      world.histories.set(batch.last, historyHash);
      world.view.appended.set(batch.last, { ms: world.clock.nowMs(), moment: world.view.moment() });
    }
    world.trace.number(historyHash);
    if (world.trace.verbose) world.say(view.index, `appends ${formatZxid(batch.first)}..${formatZxid(batch.last)}`);
  }

  private installed(zxid: Zxid, record: EpochRecord): void {
    const { view, world } = this;
    world.say(view.index, `installs a snapshot at ${formatZxid(zxid)}`);
    world.check((checker) => checker.installing?.(view, zxid));
    view.log.rebase(zxid, world.view.ledger.hashAt(zxid) ?? cutHistoryHash);
    this.recordWritten(record);
    world.treeDue(view);
  }

  private recordWritten(record: EpochRecord): void {
    const { view } = this;
    const previous = view.record;
    view.record = record;
    this.world.check((checker) => checker.persisted?.(view, previous));
  }
}
