// What a node remembers of its own log: where it starts, where it ends, what of it is durable, and the last zxid of each
// epoch. Never the entries themselves. Batches are the unit: every position here is the end of a batch.

import { assert } from '../shared/assert.js';
import { counterOf, epochOf, formatZxid, type Zxid, zxidZero } from '../shared/ids.js';
import type { DurableState } from './events.js';
import { type Batch, type EpochEnd, epochEndsMax } from './messages.js';

export interface History {
  /** The log holds every entry after this. */
  base: Zxid;
  /** End of what was given to the log, durable or not; base when it is empty. */
  last: Zxid;
  /** End of what is on disk; durable <= last. */
  durable: Zxid;
  /** Last zxid of each epoch of the log up to `last`, oldest first, base's own epoch included. Empty: nothing logged ever. */
  ends: EpochEnd[];
}

export function createHistory(durable: DurableState): History {
  const history: History = {
    base: durable.logBase,
    last: durable.lastZxid,
    durable: durable.lastZxid,
    ends: [...durable.epochEnds],
  };
  if (history.ends.length === 0 && history.base !== zxidZero) history.ends.push(endAt(history.base));
  const lastEnd = history.ends.at(-1);
  assert(
    lastEnd === undefined ? history.last === zxidZero : lastEnd.last === history.last && history.base <= history.last,
    `Cannot start from this log: it ends at ${formatZxid(history.last)}, its epochs end at ${lastEnd === undefined ? 'nothing' : formatZxid(lastEnd.last)}`,
  );
  return history;
}

function endAt(zxid: Zxid): EpochEnd {
  return { epoch: epochOf(zxid), last: zxid };
}

/** Where a batch stands relative to the end of the log. `broken`: not a batch at all. */
export type Position = 'next' | 'duplicate' | 'gap' | 'broken';

export function positionOf(last: Zxid, batch: Batch): Position {
  const { first } = batch;
  if (batch.last < first || counterOf(first) === 0 || epochOf(first) !== epochOf(batch.last)) return 'broken';
  if (batch.last <= last) return 'duplicate';
  if (epochOf(first) === epochOf(last)) return first === last + 1 ? 'next' : 'gap';
  return first > last && counterOf(first) === 1 ? 'next' : 'gap';
}

export function appendBatch(history: History, batch: Batch): void {
  assert(
    positionOf(history.last, batch) === 'next',
    `Cannot append ${formatZxid(batch.first)}: the log ends at ${formatZxid(history.last)}`,
  );
  const epoch = epochOf(batch.last);
  const lastEnd = history.ends.at(-1);
  const end = { epoch, last: batch.last };
  if (lastEnd !== undefined && lastEnd.epoch === epoch) history.ends[history.ends.length - 1] = end;
  else history.ends.push(end);
  history.last = batch.last;
}

export function markDurable(history: History, through: Zxid): void {
  assert(
    through <= history.last,
    `Cannot mark ${formatZxid(through)} durable: the log ends at ${formatZxid(history.last)}`,
  );
  if (through > history.durable) history.durable = through;
}

export function isDrained(history: History): boolean {
  return history.durable === history.last;
}

/** Forgets everything after `to`, which is in the log or its base. Nothing may be in flight. */
export function truncateHistory(history: History, to: Zxid): void {
  assert(
    isDrained(history) && to >= history.base && to <= history.last,
    `Cannot truncate the log to ${formatZxid(to)}`,
  );
  while (history.ends.length > 0 && (history.ends.at(-1)?.epoch ?? 0) > epochOf(to)) history.ends.pop();
  if (to === zxidZero) history.ends = [];
  else {
    const lastEnd = history.ends.at(-1);
    assert(
      lastEnd !== undefined && lastEnd.epoch === epochOf(to) && lastEnd.last >= to,
      `Cannot truncate the log to ${formatZxid(to)}: its epoch is not there`,
    );
    history.ends[history.ends.length - 1] = endAt(to);
  }
  history.last = to;
  history.durable = to;
}

/** The log is empty after a snapshot that was installed at `zxid`. */
export function replaceHistory(history: History, zxid: Zxid): void {
  history.base = zxid;
  history.last = zxid;
  history.durable = zxid;
  history.ends = zxid === zxidZero ? [] : [endAt(zxid)];
}

/** The log's start moved up. */
export function trimHistory(history: History, base: Zxid): void {
  assert(base >= history.base && base <= history.durable, `Cannot trim the log to ${formatZxid(base)}`);
  history.base = base;
  let kept = 0;
  while (kept < history.ends.length - 1 && (history.ends[kept] as EpochEnd).last < base) kept++;
  if (kept > 0) history.ends.splice(0, kept);
}

/** What an ackEpoch tells of this log. */
export function recentEpochEnds(history: History): readonly EpochEnd[] {
  return history.ends.length <= epochEndsMax ? [...history.ends] : history.ends.slice(-epochEndsMax);
}

/**
 * Greatest zxid that is in both logs, given the ends of a follower's epochs, oldest first. One epoch has one leader and
 * every log holds a prefix of its history, so the epoch that both know latest decides. undefined: nothing at or after
 * this log's base is known to be common.
 */
export function commonPoint(history: History, ends: readonly EpochEnd[]): Zxid | undefined {
  let own = history.ends.length - 1;
  for (let theirs = ends.length - 1; theirs >= 0; theirs--) {
    const end = ends[theirs] as EpochEnd;
    while (own >= 0 && (history.ends[own] as EpochEnd).epoch > end.epoch) own--;
    if (own < 0) break;
    const ours = history.ends[own] as EpochEnd;
    if (ours.epoch !== end.epoch) continue;
    const common = ours.last < end.last ? ours.last : end.last;
    return common >= history.base ? common : undefined;
  }
  return history.base === zxidZero ? zxidZero : undefined;
}

/** Ends as a peer sent them: ascending, each inside its epoch, ending at `last`. */
export function endsAreSound(ends: readonly EpochEnd[], last: Zxid): boolean {
  if (ends.length > epochEndsMax) return false;
  let previous = -1;
  for (const end of ends) {
    if (end.epoch <= previous || epochOf(end.last) !== end.epoch) return false;
    previous = end.epoch;
  }
  return (ends.at(-1)?.last ?? zxidZero) === last;
}
