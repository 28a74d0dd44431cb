// A log that what strangers or a faulty member cause again and again cannot fill: of one kind of line only so many are
// written in an interval, the next one tells how many were left out. Errors are always written.

import type { EnsembleLog } from './ports.js';

type Details = Readonly<Record<string, unknown>>;

export const linesPerIntervalMax = 20;
export const logIntervalMs = 10_000;
/** Kinds that are told apart; what comes after these counts as one. */
const kindsMax = 256;
/** A kind is the beginning of a text, its numbers aside: what follows may be of a stranger's making. */
const kindLengthMax = 40;

interface Interval {
  startMs: number;
  lines: number;
  suppressed: number;
}

export function boundedLog(log: EnsembleLog, clock: { nowMs(): number }): EnsembleLog {
  const intervals = new Map<string, Interval>();

  const intervalOf = (level: string, text: string): Interval => {
    const own = `${level} ${text.slice(0, kindLengthMax).replace(/\d+/g, '#')}`;
    const kind = intervals.has(own) || intervals.size < kindsMax ? own : level;
    const known = intervals.get(kind);
    if (known !== undefined) return known;
    const interval = { startMs: clock.nowMs(), lines: 0, suppressed: 0 };
    intervals.set(kind, interval);
    return interval;
  };

  const write = (level: 'info' | 'warn', text: string, details: Details | undefined): void => {
    const interval = intervalOf(level, text);
    const nowMs = clock.nowMs();
    if (nowMs - interval.startMs >= logIntervalMs) {
      interval.startMs = nowMs;
      interval.lines = 0;
    }
    if (interval.lines >= linesPerIntervalMax) {
      interval.suppressed++;
      return;
    }
    interval.lines++;
    const { suppressed } = interval;
    interval.suppressed = 0;
    log[level](text, suppressed > 0 ? { ...details, suppressed } : details);
  };

  return {
    info: (text, details) => write('info', text, details),
    warn: (text, details) => write('warn', text, details),
    error: (text, details) => log.error(text, details),
  };
}
