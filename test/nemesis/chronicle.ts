// What happened when in a nemesis run: faults, losses and gains of a possible quorum, acknowledged writes. Prints what
// happens and explains the longest times without an acknowledged write. Holds no node.

export interface Gap {
  /** Milliseconds since the run began. */
  readonly fromMs: number;
  readonly toMs: number;
  /** The end of it, during which a quorum could have answered; the whole where nothing was wrong. */
  readonly withQuorumMs: number;
  readonly cause: readonly string[];
}

interface Entry {
  readonly atMs: number;
  readonly text: string;
}

/** Shorter times without an answer are ordinary. */
const gapMsMin = 250;
/** What happened so long before a gap may be its cause. */
const causeMs = 3_000;

export class Chronicle {
  private readonly print: (line: string) => void;
  private readonly beganMs = performance.now();
  private readonly entries: Entry[] = [];
  /** When a quorum became possible, or impossible. */
  private readonly quorums: { readonly atMs: number; readonly possible: boolean }[] = [];
  private readonly gaps: { readonly fromMs: number; readonly toMs: number }[] = [];
  private lastWriteMs: number | undefined;

  constructor(print: (line: string) => void) {
    this.print = print;
  }

  get nowMs(): number {
    return performance.now() - this.beganMs;
  }

  note(text: string): void {
    const atMs = this.nowMs;
    this.entries.push({ atMs, text });
    this.print(`${seconds(atMs).padStart(8)}  ${text}`);
  }

  quorum(possible: boolean): void {
    if (this.quorums.at(-1)?.possible !== possible) this.quorums.push({ atMs: this.nowMs, possible });
  }

  acknowledged(): void {
    const { nowMs } = this;
    if (this.lastWriteMs !== undefined && nowMs - this.lastWriteMs >= gapMsMin)
      this.gaps.push({ fromMs: this.lastWriteMs, toMs: nowMs });
    this.lastWriteMs = nowMs;
  }

  /** The longest ones, by the time during which a quorum was possible. */
  longestGaps(count: number): Gap[] {
    const gaps = this.gaps.map((gap) => this.explain(gap.fromMs, gap.toMs));
    return gaps.sort((a, b) => b.withQuorumMs - a.withQuorumMs).slice(0, count);
  }

  /** The longest one, whatever its cause; undefined when there was none worth telling. */
  longestGap(): Gap | undefined {
    const [longest] = this.gaps.toSorted((a, b) => b.toMs - b.fromMs - (a.toMs - a.fromMs));
    return longest === undefined ? undefined : this.explain(longest.fromMs, longest.toMs);
  }

  private explain(fromMs: number, toMs: number): Gap {
    const change = this.quorums.findLast(({ atMs }) => atMs <= toMs);
    const since = change === undefined || !change.possible ? toMs : Math.max(fromMs, change.atMs);
    const cause = this.entries.filter(({ atMs }) => atMs >= fromMs - causeMs && atMs <= toMs);
    return {
      fromMs,
      toMs,
      withQuorumMs: toMs - since,
      cause: cause.map(({ atMs, text }) => `${seconds(atMs)} ${text}`),
    };
  }
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
