// Keeps memory and disk bounded: flushes the tree by size and by age, trims the log behind the flush, and refuses
// writes while the disk is full. Never touches what is not durable in the tree.

import type { NodeConfig } from '../config/node-config.js';
import { StoreError } from '../shared/errors.js';
import { type Zxid, zxidZero } from '../shared/ids.js';
import type { CommandResult } from '../tree/command.js';
import type { ReplicatedTree } from '../tree/replicated-tree.js';
import type { CommitLog } from './ports.js';
import { failure } from './request.js';

export interface HousekeepingHost {
  readonly tree: ReplicatedTree;
  logOf(): Pick<CommitLog, 'base' | 'trim'>;
  readonly config: Pick<NodeConfig, 'limits' | 'timing'>;
  nowMs(): number;
  warn(text: string): void;
  /** The log's base moved. */
  trimmed(base: Zxid): void;
  /** This node should not lead while it cannot write. */
  handOver(reason: string): void;
  /** A flush ended: commands that waited for room may go on. */
  flushed(): void;
}

/** Pause before a failed flush is tried again. */
const flushRetryMs = 1_000;
/** The log is looked at this often when nothing was flushed. */
const trimIntervalMs = 1_000;
/** A node that was full before it was elected, or is elected again, gives leadership away this often at the most. */
const handOverIntervalMs = 10_000;

export class Housekeeping {
  private readonly host: HousekeepingHost;
  private logFull = false;
  private storeFull = false;
  private flushing = false;
  private trimmedThrough = zxidZero;
  private trimAtMs = Number.NEGATIVE_INFINITY;
  private retryAtMs = Number.NEGATIVE_INFINITY;
  private handOverAtMs = Number.NEGATIVE_INFINITY;
  /** When the oldest change that is not flushed was seen; null while there is none. */
  private dirtySinceMs: number | null = null;

  constructor(host: HousekeepingHost) {
    this.host = host;
  }

  /** Something was applied. */
  applied(): void {
    if (!this.flushing && this.host.tree.flushDue) this.flush(false);
  }

  tick(nowMs: number): void {
    const { tree } = this.host;
    // Checkpoints and snapshots flush on their own, and a transfer that pinned the log may have ended.
    if (tree.flushedZxid > this.trimmedThrough || nowMs >= this.trimAtMs) this.trim();
    if (this.refusal() !== null && nowMs >= this.handOverAtMs) this.handOver('its disk is full');
    if (tree.flushedZxid >= tree.appliedZxid) {
      this.dirtySinceMs = null;
      this.storeFull = false;
    } else if (this.dirtySinceMs === null) this.dirtySinceMs = nowMs;
    else if (nowMs - this.dirtySinceMs >= this.host.config.timing.flushIntervalMs) this.flush(true);
  }

  logPressure(full: boolean): void {
    if (full === this.logFull) return;
    this.logFull = full;
    if (full) this.full('the next log segment cannot be allocated');
  }

  /** What commands are told while there is no room for them; null when there is. */
  refusal(): CommandResult | null {
    return this.logFull || this.storeFull ? failure('NO_SPACE', 'the disk of the leader is full') : null;
  }

  /** What is full is flushed whole; `force` flushes the rest too. */
  private flush(force: boolean): void {
    const nowMs = this.host.nowMs();
    if (this.flushing || nowMs < this.retryAtMs) return;
    this.flushing = true;
    this.dirtySinceMs = null;
    this.host.tree.flush({
      force,
      done: (error) => {
        this.flushing = false;
        if (error === null) this.flushed();
        else if (!(error instanceof StoreError && error.code === 'UNAVAILABLE')) {
          // UNAVAILABLE: a snapshot replaced the tree, there is nothing to be flushed any more.
          this.retryAtMs = this.host.nowMs() + flushRetryMs;
          if (!this.storeFull) this.full(`the tree cannot be flushed: ${error.message}`);
          this.storeFull = true;
        }
      },
    });
  }

  private flushed(): void {
    this.storeFull = false;
    this.trim();
    this.host.flushed();
    if (this.host.tree.flushDue) this.flush(false);
  }

  private trim(): void {
    const log = this.host.logOf();
    const before = log.base;
    this.trimmedThrough = this.host.tree.flushedZxid;
    this.trimAtMs = this.host.nowMs() + trimIntervalMs;
    const base = log.trim(this.host.tree.flushedZxid, this.host.config.limits.logRetainBytesMax);
    if (base > before) this.host.trimmed(base);
  }

  private full(reason: string): void {
    this.host.warn(`refusing writes until there is room: ${reason}`);
    this.handOver(reason);
  }

  private handOver(reason: string): void {
    this.handOverAtMs = this.host.nowMs() + handOverIntervalMs;
    this.host.handOver(reason);
  }
}
