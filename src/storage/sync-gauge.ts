// Judges from the last few waits for the disk whether one more may be made on the event loop itself. Pure bookkeeping.

/** Waits remembered. */
const windowSize = 32;
/** Half of the remembered waits must be shorter than this, milliseconds. */
const fastMs = 0.3;
/** None may be longer than this, milliseconds: one such wait on the event loop is felt by every connection. */
const outlierMs = 3;

export class SyncGauge {
  private readonly waitsMs = new Float64Array(windowSize).fill(outlierMs * 2);
  private next = 0;
  private fastCount = 0;
  private outlierCount = windowSize;

  record(waitMs: number): void {
    const forgotten = this.waitsMs[this.next] as number;
    if (forgotten < fastMs) this.fastCount -= 1;
    if (forgotten > outlierMs) this.outlierCount -= 1;
    this.waitsMs[this.next] = waitMs;
    if (waitMs < fastMs) this.fastCount += 1;
    if (waitMs > outlierMs) this.outlierCount += 1;
    this.next = (this.next + 1) % windowSize;
  }

  /** True once enough waits are known, most were fast and none was long. */
  get fast(): boolean {
    return this.outlierCount === 0 && this.fastCount * 2 > windowSize;
  }
}
