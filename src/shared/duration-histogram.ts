// How long something took, counted by classes: for what happens too often to keep every time. Plain numbers; recording
// costs a few comparisons and takes no memory.

/** Upper bounds in seconds, each twice the one before: those of etcd's histograms. */
export const durationBoundsSeconds: readonly number[] = Array.from({ length: 14 }, (_, index) => 0.001 * 2 ** index);

const firstBoundMs = 1;

export class DurationHistogram {
  /** How many were at most as long as the bound of the same index, and longer than the one before; the last: all others. */
  readonly counts: number[] = new Array(durationBoundsSeconds.length + 1).fill(0);
  sumSeconds = 0;

  record(elapsedMs: number): void {
    let index = 0;
    for (let boundMs = firstBoundMs; elapsedMs > boundMs && index < durationBoundsSeconds.length; boundMs *= 2) index++;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sumSeconds += elapsedMs / 1000;
  }
}
