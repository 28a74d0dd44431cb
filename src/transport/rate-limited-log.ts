// Warnings that a stranger can cause, at most one of a kind per interval: the next one tells how many were held back.
// Never grows with what strangers send: kinds are named by this program alone.

import type { TransportLog } from './network-options.js';

export class RateLimitedLog {
  readonly #log: TransportLog;
  readonly #intervalMs: number;
  readonly #kinds = new Map<string, { lastMs: number; suppressed: number }>();

  constructor(log: TransportLog, intervalMs: number) {
    this.#log = log;
    this.#intervalMs = intervalMs;
  }

  /** `kind` is one of a fixed few, optionally with a member's id. */
  warn(kind: string, text: string, details: Readonly<Record<string, unknown>> = {}): void {
    const nowMs = performance.now();
    const seen = this.#kinds.get(kind);
    if (seen !== undefined && nowMs - seen.lastMs < this.#intervalMs) {
      seen.suppressed++;
      return;
    }
    const suppressed = seen?.suppressed ?? 0;
    this.#kinds.set(kind, { lastMs: nowMs, suppressed: 0 });
    this.#log.warn(text, suppressed > 0 ? { ...details, suppressed } : details);
  }
}

/** Interval between two warnings of one kind, milliseconds. */
export const warnIntervalMs = 10_000;
