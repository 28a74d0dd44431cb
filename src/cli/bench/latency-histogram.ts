// Counts latencies in log-linear buckets: exact below 128 µs, within 1.6 % above, in a few kilobytes whatever the
// number of samples. Never allocates after it was made.

/** 64 buckets for each doubling; 26 doublings above the exact ones reach 2^32 µs, more than an hour. */
const bucketsPerDoubling = 64;
const bucketCount = 27 * bucketsPerDoubling;
const microsecondsMax = 2 ** 32 - 1;

export interface LatencySummary {
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

export class LatencyHistogram {
  private readonly buckets = new Float64Array(bucketCount);
  private samples = 0;
  private sum = 0;
  private greatest = 0;

  get count(): number {
    return this.samples;
  }

  record(microseconds: number): void {
    const value = microseconds < 0 ? 0 : microseconds > microsecondsMax ? microsecondsMax : Math.floor(microseconds);
    const shift = value < 128 ? 0 : 25 - Math.clz32(value);
    const index = shift * bucketsPerDoubling + (value >>> shift);
    this.buckets[index] = (this.buckets[index] ?? 0) + 1;
    this.samples++;
    this.sum += value;
    if (value > this.greatest) this.greatest = value;
  }

  merge(other: LatencyHistogram): void {
    for (let index = 0; index < bucketCount; index++) {
      this.buckets[index] = (this.buckets[index] ?? 0) + (other.buckets[index] ?? 0);
    }
    this.samples += other.samples;
    this.sum += other.sum;
    if (other.greatest > this.greatest) this.greatest = other.greatest;
  }

  /** Microseconds that the given share (0..1) of the samples does not exceed; 0 when there is none. */
  percentile(share: number): number {
    if (this.samples === 0) return 0;
    const wanted = Math.max(1, Math.ceil(share * this.samples));
    let seen = 0;
    for (let index = 0; index < bucketCount; index++) {
      seen += this.buckets[index] ?? 0;
      if (seen >= wanted) return Math.min(upperBound(index), this.greatest);
    }
    return this.greatest;
  }

  summary(): LatencySummary {
    return {
      count: this.samples,
      meanMs: this.samples === 0 ? 0 : milliseconds(this.sum / this.samples),
      p50Ms: milliseconds(this.percentile(0.5)),
      p90Ms: milliseconds(this.percentile(0.9)),
      p99Ms: milliseconds(this.percentile(0.99)),
      p999Ms: milliseconds(this.percentile(0.999)),
      maxMs: milliseconds(this.greatest),
    };
  }
}

/** Greatest value that falls into the bucket. */
function upperBound(index: number): number {
  if (index < 2 * bucketsPerDoubling) return index;
  const shift = Math.floor(index / bucketsPerDoubling) - 1;
  const part = index - shift * bucketsPerDoubling;
  return (part + 1) * 2 ** shift - 1;
}

function milliseconds(microseconds: number): number {
  return Math.round(microseconds) / 1000;
}
