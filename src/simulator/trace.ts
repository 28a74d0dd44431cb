// What happened in a run: a hash over everything, always, and the last lines as text when someone wants to read them.

import { formatHash, mixBytes, mixNumber, mixText } from './content-hash.js';

/** Lines kept. */
const linesMax = 20_000;

export class Trace {
  /** Lines are only made when this is true: a run without readers pays for its hash alone. */
  readonly verbose: boolean;
  private running = 1;
  private readonly ring: string[] = [];
  private next = 0;
  nowMs: () => number = () => 0;

  constructor(verbose: boolean) {
    this.verbose = verbose;
  }

  number(value: number): void {
    this.running = mixNumber(this.running, value);
  }

  bytes(value: Uint8Array): void {
    this.running = mixBytes(this.running, value);
  }

  text(value: string): void {
    this.running = mixText(this.running, value);
  }

  line(text: string): void {
    if (!this.verbose) return;
    const stamped = `${this.nowMs().toFixed(3).padStart(10)} ${text}`;
    if (this.ring.length < linesMax) {
      this.ring.push(stamped);
      return;
    }
    this.ring[this.next] = stamped;
    this.next = (this.next + 1) % linesMax;
  }

  get hash(): string {
    return formatHash(this.running);
  }

  /** Oldest first. */
  lines(): readonly string[] {
    return [...this.ring.slice(this.next), ...this.ring.slice(0, this.next)];
  }
}
