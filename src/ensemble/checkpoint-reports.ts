// Gathers what every node found at a checkpoint entry, so that digests of one and the same state are compared.

import type { ServerId, Zxid } from '../shared/ids.js';
import type { DigestResult } from '../tree/replicated-tree.js';

export type CheckpointReport = DigestResult & { readonly id: ServerId };

interface Wait {
  readonly zxid: Zxid;
  readonly deadlineMs: number;
  readonly done: (reports: readonly CheckpointReport[]) => void;
}

/** Checkpoints whose reports are kept. */
const checkpointsMax = 16;

export class CheckpointReports {
  private readonly memberCount: number;
  private readonly byZxid = new Map<Zxid, Map<ServerId, CheckpointReport>>();
  private waits: Wait[] = [];

  constructor(memberCount: number) {
    this.memberCount = memberCount;
  }

  add(report: CheckpointReport): void {
    let reports = this.byZxid.get(report.zxid);
    if (reports === undefined) {
      reports = new Map();
      this.byZxid.set(report.zxid, reports);
      for (const old of this.byZxid.keys()) {
        if (this.byZxid.size <= checkpointsMax) break;
        this.byZxid.delete(old);
      }
    }
    reports.set(report.id, report);
    this.settle(Number.NEGATIVE_INFINITY);
  }

  /** Calls back when every member has reported, or at the deadline with those who have. */
  wait(zxid: Zxid, deadlineMs: number, done: (reports: readonly CheckpointReport[]) => void): void {
    this.waits.push({ zxid, deadlineMs, done });
    this.settle(Number.NEGATIVE_INFINITY);
  }

  expire(nowMs: number): void {
    if (this.waits.length > 0) this.settle(nowMs);
  }

  private settle(nowMs: number): void {
    const due = this.waits.filter(
      (wait) => wait.deadlineMs <= nowMs || (this.byZxid.get(wait.zxid)?.size ?? 0) >= this.memberCount,
    );
    if (due.length === 0) return;
    this.waits = this.waits.filter((wait) => !due.includes(wait));
    for (const wait of due) {
      const reports = [...(this.byZxid.get(wait.zxid)?.values() ?? [])];
      wait.done(reports.sort((a, b) => a.id - b.id));
    }
  }
}
