// Judges a finished nemesis run from what clients, watchers and nodes said. The watchers' events are the sequence of all
// commits: every change of a key is one revision, so a hole, a repetition or a disagreement shows. Every answer is held
// against that sequence, and the operations of every key are searched for an order that explains them. Pure.

import { checkRealTime } from '../../src/simulator/checkers/client-checks.js';
import { checkKey } from '../../src/simulator/checkers/linearizability.js';
import {
  absent,
  type ClientOperation,
  describeOperation,
  type WriteNumber,
} from '../../src/simulator/client-history.js';

/** A committed change as a watcher was told of it. */
export interface WatchedChange {
  readonly revision: number;
  readonly key: string;
  /** 0: the key was deleted. */
  readonly write: WriteNumber;
}

export interface LocalRead {
  readonly client: number;
  readonly key: string;
  readonly observed: WriteNumber;
  readonly revision: number;
  /** Highest revision that this client had been answered with before. */
  readonly floor: number;
}

/** They differ by the writes of unknown outcome. */
export interface Count {
  readonly least: number;
  readonly most: number;
}

export interface JudgedRun {
  /** Writes and linearizable reads. */
  readonly operations: readonly ClientOperation[];
  readonly localReads: readonly LocalRead[];
  /** Revision of the empty tree: the first change makes the next one. */
  readonly emptyRevision: number;
  readonly watchers: readonly (readonly WatchedChange[])[];
  /** At the end, each node's own content. */
  readonly nodes: readonly ReadonlyMap<string, WriteNumber>[];
  /** Own key -> how often its only client has written it. */
  readonly counters: ReadonlyMap<string, Count>;
}

export interface Violation {
  readonly property: string;
  readonly detail: string;
}

/** Of each property at most so many are told. */
const toldMax = 5;
/** A search that passes this is given up, which is a failure: the run proves nothing then. */
const configurationsMaxDefault = 2_000_000;

export function judge(run: JudgedRun, configurationsMax = configurationsMaxDefault): Violation[] {
  const verdict = new Verdict();
  const commits = commitsOf(run, verdict);
  const known = new CommitIndex(commits, run.emptyRevision);
  for (const operation of run.operations) checkOutcome(operation, known, verdict);
  checkProvenance(run.operations, commits, verdict);
  checkReads(run, known, verdict);
  checkRealTime(verdict, run.operations);
  checkNodes(run.nodes, known, verdict);
  checkCounters(run.counters, commits, verdict);
  for (const [key, operations] of byKey(run.operations)) {
    const reason = checkKey(operations, absent, configurationsMax);
    if (reason !== undefined) verdict.violate('every key is linearizable', `key ${key}: ${reason}`);
  }
  return verdict.violations;
}

class Verdict {
  readonly violations: Violation[] = [];
  private readonly told = new Map<string, number>();

  violate(property: string, detail: string): void {
    const told = (this.told.get(property) ?? 0) + 1;
    this.told.set(property, told);
    if (told <= toldMax) this.violations.push({ property, detail });
  }
}

/** The longest watcher's story; all others must tell the same. */
function commitsOf({ watchers, emptyRevision }: JudgedRun, verdict: Verdict): readonly WatchedChange[] {
  const property = 'watches lose, repeat and reorder nothing';
  const longest = watchers.reduce((best, other) => (other.length > best.length ? other : best), watchers[0] ?? []);
  for (const [watcher, changes] of watchers.entries()) {
    if (changes.length < longest.length)
      verdict.violate(property, `watcher ${watcher} ended ${longest.length - changes.length} changes early`);
    for (const [index, change] of changes.entries()) {
      const other = longest[index];
      const expected = emptyRevision + 1 + index;
      const same = change.revision === expected && change.key === other?.key && change.write === other.write;
      if (same) continue;
      verdict.violate(
        property,
        `watcher ${watcher}, event ${index + 1}: told ${describeChange(change)}, expected revision ${expected}, another watcher: ${describeChange(other)}`,
      );
      break;
    }
  }
  return longest;
}

class CommitIndex {
  readonly byWrite = new Map<WriteNumber, WatchedChange>();
  readonly last: number;
  private readonly byRevision = new Map<number, WatchedChange>();
  private readonly byKey = new Map<string, WatchedChange[]>();

  constructor(commits: readonly WatchedChange[], emptyRevision: number) {
    this.last = commits.at(-1)?.revision ?? emptyRevision;
    for (const change of commits) {
      this.byRevision.set(change.revision, change);
      if (change.write !== absent) this.byWrite.set(change.write, change);
      const changes = this.byKey.get(change.key);
      if (changes === undefined) this.byKey.set(change.key, [change]);
      else changes.push(change);
    }
  }

  at(revision: number): WatchedChange | undefined {
    return this.byRevision.get(revision);
  }

  /** What the key held when this revision was the newest. */
  valueAt(key: string, revision: number): WriteNumber {
    const changes = this.byKey.get(key) ?? [];
    let low = 0;
    let high = changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((changes[middle]?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return changes[low - 1]?.write ?? absent;
  }

  keys(): Iterable<string> {
    return this.byKey.keys();
  }
}

function checkOutcome(operation: ClientOperation, known: CommitIndex, verdict: Verdict): void {
  if (operation.kind === 'read' || operation.outcome === 'unknown') return;
  const removes = operation.kind === 'delete' || operation.kind === 'deleteIf';
  if (operation.outcome === 'ok') {
    const change = known.at(operation.revision);
    const there = change !== undefined && change.key === operation.key && change.write === operation.write;
    if (!there)
      verdict.violate(
        'no acknowledged write is lost',
        `${describeOperation(operation)}; there: ${describeChange(change)}`,
      );
  } else if (!removes && known.byWrite.has(operation.write)) {
    verdict.violate('what failed has not happened', describeOperation(operation));
  }
}

/** Every change was asked for, once, by an operation that was acknowledged or whose outcome nobody knows. */
function checkProvenance(
  operations: readonly ClientOperation[],
  commits: readonly WatchedChange[],
  verdict: Verdict,
): void {
  const property = 'what happened was asked for, and happened once';
  const writes = new Map<WriteNumber, ClientOperation>();
  const deletions = new Set<number>();
  const unknownDeletions = new Map<string, number>();
  for (const operation of operations) {
    if (operation.write !== absent) writes.set(operation.write, operation);
    else if (operation.kind !== 'read' && operation.outcome === 'ok') deletions.add(operation.revision);
    else if (operation.kind !== 'read' && operation.outcome === 'unknown')
      unknownDeletions.set(operation.key, (unknownDeletions.get(operation.key) ?? 0) + 1);
  }
  const seen = new Set<WriteNumber>();
  for (const change of commits) {
    if (change.write === absent) {
      if (deletions.has(change.revision)) continue;
      const left = (unknownDeletions.get(change.key) ?? 0) - 1;
      unknownDeletions.set(change.key, left);
      if (left < 0) verdict.violate(property, `${describeChange(change)}: nobody asked for it`);
      continue;
    }
    const operation = writes.get(change.write);
    if (operation?.key !== change.key) verdict.violate(property, `${describeChange(change)}: nobody asked for it`);
    if (seen.has(change.write)) verdict.violate(property, `${describeChange(change)}: it happened before`);
    seen.add(change.write);
  }
}

function checkReads({ operations, localReads }: JudgedRun, known: CommitIndex, verdict: Verdict): void {
  const shows = (key: string, revision: number, observed: WriteNumber): boolean =>
    revision <= known.last && known.valueAt(key, revision) === observed;
  for (const operation of operations) {
    if (operation.kind !== 'read' || operation.outcome !== 'ok') continue;
    if (!shows(operation.key, operation.revision, operation.observed))
      verdict.violate('a read shows its revision', describeOperation(operation));
  }
  for (const read of localReads) {
    if (!shows(read.key, read.revision, read.observed))
      verdict.violate('a read shows its revision', `a local one: ${JSON.stringify(read)}`);
    if (read.revision < read.floor) verdict.violate('a client never reads backwards', JSON.stringify(read));
  }
}

function checkNodes(nodes: JudgedRun['nodes'], known: CommitIndex, verdict: Verdict): void {
  for (const [node, content] of nodes.entries()) {
    for (const key of new Set([...known.keys(), ...content.keys()])) {
      const expected = known.valueAt(key, known.last);
      const found = content.get(key) ?? absent;
      if (found !== expected)
        verdict.violate(
          'every node holds what was committed',
          `node${node + 1}, key ${key}: write ${found}, expected ${expected}`,
        );
    }
  }
}

function checkCounters(counters: JudgedRun['counters'], commits: readonly WatchedChange[], verdict: Verdict): void {
  const committed = new Map<string, number>();
  for (const { key } of commits) if (counters.has(key)) committed.set(key, (committed.get(key) ?? 0) + 1);
  for (const [key, { least, most }] of counters) {
    const found = committed.get(key) ?? 0;
    if (found < least || found > most)
      verdict.violate('counters are complete', `${key} was written ${found} times, expected ${least} to ${most}`);
  }
}

function byKey(operations: readonly ClientOperation[]): Map<string, ClientOperation[]> {
  const keys = new Map<string, ClientOperation[]>();
  for (const operation of operations) {
    const list = keys.get(operation.key);
    if (list === undefined) keys.set(operation.key, [operation]);
    else list.push(operation);
  }
  return keys;
}

function describeChange(change: WatchedChange | undefined): string {
  if (change === undefined) return 'nothing';
  return `revision ${change.revision}: key ${change.key} ${change.write === absent ? 'deleted' : `is write ${change.write}`}`;
}
