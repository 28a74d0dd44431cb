// Where exceptions of front ends end that nobody expected: each is counted and told of in the log, and costs its own call or
// connection. What came out of the core goes on and ends the process. Never logs what a client sent.

import type { Log } from '../observability/log.js';
import { CoreFailure } from '../shared/core-failure.js';

export type FrontEnd = 'port' | 'grpc' | 'http' | 'native';

/** Lines in an interval; the first of the next one tells how many were left out. */
const linesMax = 10;
const intervalMs = 10_000;

export class FrontEndGuard {
  /** Exceptions so far. */
  readonly counts: Record<FrontEnd, number> = { port: 0, grpc: 0, http: 0, native: 0 };
  private readonly log: Pick<Log, 'error'>;
  private sinceMs = Number.NEGATIVE_INFINITY;
  private lines = 0;
  private suppressed = 0;

  constructor(log: Pick<Log, 'error'>) {
    this.log = log;
  }

  /** `what` was under way, in words that no client chose. Throws again what came out of the core. */
  caught(frontEnd: FrontEnd, what: string, error: unknown): void {
    if (error instanceof CoreFailure) throw error;
    this.counts[frontEnd] += 1;
    const nowMs = performance.now();
    if (nowMs - this.sinceMs >= intervalMs) {
      this.sinceMs = nowMs;
      this.lines = 0;
    }
    if (this.lines >= linesMax) {
      this.suppressed += 1;
      return;
    }
    this.lines += 1;
    const { suppressed } = this;
    this.suppressed = 0;
    const details = { frontEnd, what, exception: nameOf(error), at: framesOf(error) };
    this.log.error('A front end met an exception: a defect', suppressed > 0 ? { ...details, suppressed } : details);
  }
}

/** Whoever gives out callbacks: what they throw is for it to end. */
export interface ExceptionOwner {
  /** Ends what it is. Throws again what came out of the core. */
  broken(error: unknown): void;
}

/** A callback that throws nothing but what came out of the core: the core itself calls it. */
export function contained<Values extends readonly unknown[]>(
  owner: ExceptionOwner,
  callback: (...values: Values) => void,
): (...values: Values) => void {
  return (...values) => {
    try {
      callback(...values);
    } catch (error) {
      owner.broken(error);
    }
  };
}

/** Without its message, which may quote what a client sent. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? `${error.name} ${code}` : error.name;
}

function framesOf(error: unknown): readonly string[] {
  const lines = error instanceof Error ? (error.stack ?? '').split('\n') : [];
  return lines.map((line) => line.trim()).filter((line) => line.startsWith('at '));
}
