// How far `zabtree simulate` is, on standard error: one line that is redrawn on a terminal; elsewhere a line soon,
// so that it shows that runs come to an end, and then one now and then.

const redrawMs = 200;
const firstLineMs = 1_000;
const lineMs = 10_000;
const clearLine = '\r\u001b[K';

export interface SimulateProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class SimulateProgress {
  private readonly stream: SimulateProgressStream;
  private readonly runs: number;
  /** Any clock that only goes forward, and the CPU time of all threads, both from some moment on. */
  private readonly nowMs: () => number;
  private readonly cpuSeconds: () => number;
  /** Nothing is told before. */
  private dueMs: number;
  private drawn = false;
  private done = 0;
  private failed = 0;
  private virtualMs = 0;

  constructor(parts: {
    readonly stream: SimulateProgressStream;
    readonly runs: number;
    readonly nowMs: () => number;
    readonly cpuSeconds: () => number;
  }) {
    this.stream = parts.stream;
    this.runs = parts.runs;
    this.nowMs = parts.nowMs;
    this.cpuSeconds = parts.cpuSeconds;
    this.dueMs = parts.nowMs() + (parts.stream.isTTY === true ? redrawMs : firstLineMs);
  }

  ran(virtualMs: number, failed: boolean): void {
    this.done += 1;
    this.virtualMs += virtualMs;
    if (failed) this.failed += 1;
    const nowMs = this.nowMs();
    if (nowMs < this.dueMs) return;
    this.dueMs = nowMs + (this.stream.isTTY === true ? redrawMs : lineMs);
    this.tell();
  }

  /** Takes the line off the terminal, so that something else can be written. */
  clear(): void {
    if (this.drawn) this.stream.write(clearLine);
    this.drawn = false;
  }

  private tell(): void {
    const hours = this.virtualMs / 3_600_000;
    const speed = this.virtualMs / 1000 / Math.max(this.cpuSeconds(), 0.001);
    const text = `${this.done}/${this.runs} runs, ${this.failed} failed, ${hours.toFixed(2)} simulated hours, ${speed.toFixed(0)} an hour of CPU`;
    if (this.stream.isTTY !== true) {
      this.stream.write(`${text}\n`);
      return;
    }
    this.stream.write(`${clearLine}${text}`);
    this.drawn = true;
  }
}
