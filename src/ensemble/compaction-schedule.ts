// When history is compacted without anybody asking, and up to where. Every member looks, so that a new leader knows from
// its own observation how old a revision is; one that knows less than a whole period compacts nothing. Knows no clock and
// orders nothing.

import type { AutoCompactionConfig } from '../config/node-config.js';
import type { Revision } from '../shared/ids.js';

/** What a member sees when it looks. */
export interface CompactionOutlook {
  /** Of a clock that is trusted to pass slowly, but not to jump. */
  readonly nowMs: number;
  /** Applied here. */
  readonly revision: Revision;
  readonly compactedRevision: Revision;
  /** Only the leader that serves compacts. */
  readonly leads: boolean;
}

interface Sample {
  readonly atMs: number;
  readonly revision: Revision;
}

/** Time passes no faster than this between two looks: a clock that jumped makes no revision older. */
const stepMsMax = 1_000;
/** A period is seen at so many points; one that is longer than an hour at ten an hour. */
const samplesInPeriod = 10;
const hourMs = 3_600_000;
/** No more of them are kept, however long the period is. */
const samplesMax = 1_000;
/** Where a number of revisions is kept, it is looked at this often, as in etcd. */
const revisionsIntervalMs = 300_000;

export class CompactionSchedule {
  private readonly policy: AutoCompactionConfig;
  private readonly sampleIntervalMs: number;
  private timeMs = 0;
  private clockMs: number | null = null;
  private sampleAtMs = 0;
  /** Not before this time. */
  private dueMs: number;
  private underWay = false;
  /** Oldest first; the first is the newest one that is a period old, as soon as there is one. */
  private samples: Sample[] = [];

  constructor(policy: AutoCompactionConfig) {
    this.policy = policy;
    if (policy.type === 'revisions') {
      this.sampleIntervalMs = revisionsIntervalMs;
      this.dueMs = revisionsIntervalMs;
    } else {
      const { periodMs } = policy;
      this.sampleIntervalMs = Math.max(Math.min(periodMs, hourMs) / samplesInPeriod, periodMs / samplesMax);
      this.dueMs = periodMs;
    }
  }

  /** To be called often. Returns the revision to compact to now, and then waits for `ended`. */
  look(outlook: CompactionOutlook): Revision | null {
    this.advance(outlook.nowMs);
    if (this.policy.type === 'period') this.observe(outlook.revision, this.policy.periodMs);
    if (this.timeMs < this.dueMs || this.underWay || !outlook.leads) return null;
    const target = this.targetOf(outlook.revision);
    if (target === null || target <= outlook.compactedRevision) return null;
    this.underWay = true;
    return target;
  }

  /** `compacted`: it is done, by whomever. Otherwise it is tried again after a while. */
  ended(compacted: boolean): void {
    this.underWay = false;
    const { policy, sampleIntervalMs } = this;
    const pauseMs = policy.type === 'period' && compacted ? Math.min(policy.periodMs, hourMs) : sampleIntervalMs;
    this.dueMs = this.timeMs + pauseMs;
  }

  private advance(nowMs: number): void {
    this.timeMs += Math.min(Math.max(0, nowMs - (this.clockMs ?? nowMs)), stepMsMax);
    this.clockMs = nowMs;
  }

  private observe(revision: Revision, periodMs: number): void {
    const { timeMs, samples } = this;
    if (timeMs < this.sampleAtMs) return;
    this.sampleAtMs = timeMs + this.sampleIntervalMs;
    samples.push({ atMs: timeMs, revision });
    const oldest = samples.findLastIndex(({ atMs }) => timeMs - atMs >= periodMs);
    if (oldest > 0) samples.splice(0, oldest);
  }

  private targetOf(revision: Revision): Revision | null {
    const { policy } = this;
    if (policy.type === 'revisions') return (revision - policy.revisionsKept) as Revision;
    const [oldest] = this.samples;
    return oldest !== undefined && this.timeMs - oldest.atMs >= policy.periodMs ? oldest.revision : null;
  }
}
