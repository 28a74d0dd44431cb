// What `zabtree bench` prints for people.

import type { LatencySummary } from './latency-histogram.js';
import type { LoadResult } from './load-run.js';

export function benchReport(result: LoadResult): string {
  const lines = [
    `${count(result.operations)} requests in ${result.seconds.toFixed(1)} s: ${count(result.perSecond)} per second`,
    ...latencyLine('writes', result.writes),
    ...latencyLine('reads', result.reads),
    `longest time without an answer: ${result.longestGapMs.toFixed(1)} ms`,
  ];
  for (const [code, times] of Object.entries(result.errors)) lines.push(`failed with ${code}: ${count(times)}`);
  if (result.unsent > 0) lines.push(`due and not sent before the end: ${count(result.unsent)}`);
  return `${lines.join('\n')}\n`;
}

function latencyLine(what: string, latency: LatencySummary): string[] {
  if (latency.count === 0) return [];
  const shares = [
    `p50 ${latency.p50Ms.toFixed(2)}`,
    `p90 ${latency.p90Ms.toFixed(2)}`,
    `p99 ${latency.p99Ms.toFixed(2)}`,
    `p99.9 ${latency.p999Ms.toFixed(2)}`,
    `max ${latency.maxMs.toFixed(2)}`,
  ];
  return [`${what} (${count(latency.count)}), ms: ${shares.join('  ')}`];
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
