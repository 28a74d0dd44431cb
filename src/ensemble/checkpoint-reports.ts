// Gathers what every node found at a checkpoint entry, so that digests of one and the same state are compared, and judges
// whether this node's own state is the one that most of them have.

import type { ServerId, Zxid } from '../shared/ids.js';
import type { DigestResult } from '../tree/replicated-tree.js';

export type CheckpointReport = DigestResult & { readonly id: ServerId };

interface Wait {
  readonly zxid: Zxid;
  readonly deadlineMs: number;
  readonly done: (reports: readonly CheckpointReport[]) => void;
}

/**
 * How a member stands among those that have reported. 'disputed': others have another state; 'odd': so has a majority of
 * all members, and they agree; 'undecidable': whatever the others report, there is no such majority for any state.
 */
export type Standing = 'agrees' | 'disputed' | 'undecidable' | 'odd';

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

  /** What the reports of this checkpoint say about a member; 'agrees' while it has not reported. */
  standingOf(member: ServerId, zxid: Zxid): Standing {
    const reports = this.byZxid.get(zxid);
    const own = reports?.get(member);
    if (reports === undefined || own === undefined) return 'agrees';
    const supporters = new Map<string, number>();
    for (const report of reports.values()) {
      const state = stateOf(report);
      supporters.set(state, (supporters.get(state) ?? 0) + 1);
    }
    if (supporters.size === 1) return 'agrees';
    for (const [state, count] of supporters) if (state !== stateOf(own) && count * 2 > this.memberCount) return 'odd';
    const missing = this.memberCount - reports.size;
    const most = Math.max(...supporters.values());
    return (most + missing) * 2 > this.memberCount ? 'disputed' : 'undecidable';
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

function stateOf({ revision, digest }: CheckpointReport): string {
  return `${revision} ${digest}`;
}
