// Notices silent divergence: lets all members compare digests from time to time, and judges where this node stands in what
// they report. Decides nothing about the others.

import { formatZxid, type ServerId, type Zxid } from '../shared/ids.js';
import type { CheckpointReports } from './checkpoint-reports.js';

export interface DivergenceWatchHost {
  readonly self: ServerId;
  readonly reports: CheckpointReports;
  readonly digestIntervalMs: number;
  /** True while this node leads and serves. */
  leads(): boolean;
  /** Proposes a checkpoint entry. A refusal (one is under way) is as good. */
  proposeCheckpoint(): void;
  error(text: string, details: Readonly<Record<string, unknown>>): void;
  /** The members' states differ, and no majority of them agrees any more. */
  undecided(): void;
  /** A majority of all members agrees on another state than this node has. */
  diverged(reason: string): void;
}

export class DivergenceWatch {
  private readonly host: DivergenceWatchHost;
  private dueMs = Number.POSITIVE_INFINITY;

  constructor(host: DivergenceWatchHost) {
    this.host = host;
  }

  tick(nowMs: number): void {
    if (nowMs >= this.dueMs && this.host.leads()) {
      this.dueMs = nowMs + this.host.digestIntervalMs;
      this.host.proposeCheckpoint();
    } else if (!this.host.leads() || this.dueMs === Number.POSITIVE_INFINITY)
      this.dueMs = nowMs + this.host.digestIntervalMs;
  }

  /** A report about this checkpoint was added. */
  reported(zxid: Zxid): void {
    const standing = this.host.reports.standingOf(this.host.self, zxid);
    if (standing === 'agrees') return;
    const at = formatZxid(zxid);
    if (standing === 'disputed' || standing === 'undecidable') {
      this.host.error('the trees of the members differ: zabtree digest --all shows how', { zxid: at });
      if (standing === 'undecidable') this.host.undecided();
    } else this.host.diverged(`its tree differs at zxid ${at} from the one that a majority of the members agrees on`);
  }
}
