// The alarms that this node raises about itself, through whoever leads: NOSPACE when its tree takes as much of the disk as
// its quota allows, CORRUPT when the members' trees differ and no majority says which is right. Disarms none: that is for
// an operator. What an alarm means for requests is decided where they are executed (src/tree/alarms.ts).

import type { ServerId } from '../shared/ids.js';
import type { AlarmKind } from '../tree/alarm.js';
import type { Command } from '../tree/command.js';
import type { ReplicatedTree } from '../tree/replicated-tree.js';
import type { StoreUsage } from '../tree/store.js';

export interface OwnAlarmsHost {
  readonly self: ServerId;
  readonly tree: Pick<ReplicatedTree, 'alarms' | 'overlayBytes'>;
  readonly quotaBytes: number;
  usage(): Pick<StoreUsage, 'usedBytes'>;
  nowMs(): number;
  /** Gives the command to the leader; `done` says whether it was taken. */
  submit(command: Command, done: (taken: boolean) => void): void;
  warn(text: string, details: Readonly<Record<string, unknown>>): void;
}

/** What is in use is looked at this often, and after every flush: compaction frees space in between. */
const measureIntervalMs = 1_000;
/** And past the quota this often when it matters: what was freed may be used at once. */
const remeasureIntervalMs = 20;
/** Pause before an alarm that was not taken is raised again. */
const retryMs = 1_000;

export class OwnAlarms {
  private readonly host: OwnAlarmsHost;
  private usedBytes = 0;
  private measuredAtMs = Number.NEGATIVE_INFINITY;
  private corrupt = false;
  /** Raised and not answered yet. */
  private readonly underWay = new Set<AlarmKind>();
  private retryAtMs = Number.NEGATIVE_INFINITY;

  constructor(host: OwnAlarmsHost) {
    this.host = host;
    this.measure();
  }

  /** What is not flushed yet counts too: it will need space. */
  get overQuota(): boolean {
    if (!this.isOver()) return false;
    if (this.host.nowMs() - this.measuredAtMs >= remeasureIntervalMs) this.measure();
    return this.isOver();
  }

  /** The store has another size now. */
  measure(): void {
    this.usedBytes = this.host.usage().usedBytes;
    this.measuredAtMs = this.host.nowMs();
  }

  /** Nobody can tell whether this node's tree is right. */
  undecided(): void {
    this.corrupt = true;
  }

  tick(nowMs: number): void {
    if (nowMs - this.measuredAtMs >= measureIntervalMs) this.measure();
    if (this.overQuota) this.raise('noSpace');
    if (this.corrupt) this.raise('corrupt');
  }

  private isOver(): boolean {
    return this.usedBytes + this.host.tree.overlayBytes >= this.host.quotaBytes;
  }

  private raise(kind: AlarmKind): void {
    const { self, tree } = this.host;
    const member = BigInt(self);
    if (tree.alarms.some((alarm) => alarm.kind === kind && alarm.member === member)) {
      // Once disarmed it is not raised again for the same finding.
      if (kind === 'corrupt') this.corrupt = false;
      return;
    }
    if (this.underWay.has(kind) || this.host.nowMs() < this.retryAtMs) return;
    this.underWay.add(kind);
    this.host.warn('raising an alarm', { kind, usedBytes: this.usedBytes, quotaBytes: this.host.quotaBytes });
    this.host.submit({ type: 'alarm', active: true, alarm: { kind, member } }, (taken) => {
      this.underWay.delete(kind);
      if (!taken) this.retryAtMs = this.host.nowMs() + retryMs;
    });
  }
}
