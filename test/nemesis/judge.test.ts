// The judge objects to what it must object to: a true history passes, and each way of falsifying it is noticed.

import { expect, test } from 'vitest';
import type { Revision } from '../../src/shared/ids.js';
import { absent, ClientHistory, type ClientOperation, type OperationKind } from '../../src/simulator/client-history.js';
import { type JudgedRun, judge, type WatchedChange } from './judge.js';

const emptyRevision = 1;

/** Two clients in turn on a perfect store of one node: every answer is true. */
class TrueRun {
  readonly history = new ClientHistory();
  readonly changes: WatchedChange[] = [];
  private readonly content = new Map<string, { write: number; revision: number }>();
  private client = 0;
  private requests = 0;

  get revision(): number {
    return emptyRevision + this.changes.length;
  }

  write(kind: Exclude<OperationKind, 'read'>, key: string, expected = absent): ClientOperation {
    const operation = this.invoke(kind, key, expected);
    this.changes.push({ revision: this.revision + 1, key, write: operation.write });
    this.content.set(key, { write: operation.write, revision: this.revision });
    this.answer(operation, 'ok');
    return operation;
  }

  read(key: string): ClientOperation {
    const operation = this.invoke('read', key, absent);
    operation.observed = this.content.get(key)?.write ?? absent;
    this.answer(operation, 'ok');
    return operation;
  }

  fail(kind: Exclude<OperationKind, 'read'>, key: string, outcome: 'exists' | 'missing'): ClientOperation {
    const operation = this.invoke(kind, key, absent);
    this.answer(operation, outcome);
    return operation;
  }

  /** Nobody was told; it happened. */
  lose(kind: Exclude<OperationKind, 'read'>, key: string): ClientOperation {
    const operation = this.invoke(kind, key, absent);
    this.changes.push({ revision: this.revision + 1, key, write: operation.write });
    this.content.set(key, { write: operation.write, revision: this.revision });
    return operation;
  }

  judged(): JudgedRun {
    const node = new Map(
      [...this.content].filter(([, { write }]) => write !== absent).map(([key, { write }]) => [key, write]),
    );
    return {
      operations: this.history.operations,
      localReads: [{ client: 1, key: 'a', observed: absent, revision: emptyRevision, floor: 0 }],
      emptyRevision,
      watchers: [this.changes, [...this.changes]],
      nodes: [node, new Map(node)],
      counters: new Map([['counter', { least: 2, most: 2 }]]),
    };
  }

  private invoke(kind: OperationKind, key: string, expected: number): ClientOperation {
    this.client = 3 - (this.client || 1);
    return this.history.invoke({ kind, key, client: this.client, request: ++this.requests, expected });
  }

  private answer(operation: ClientOperation, outcome: 'ok' | 'exists' | 'missing'): void {
    operation.revision = this.revision as Revision;
    this.history.complete(operation, outcome);
  }
}

function trueRun(): TrueRun {
  const run = new TrueRun();
  run.write('add', 'a');
  run.fail('add', 'a', 'exists');
  const first = run.write('set', 'b');
  run.read('b');
  run.write('setIf', 'b', first.write);
  run.lose('set', 'a');
  run.read('a');
  run.write('delete', 'a');
  run.fail('delete', 'a', 'missing');
  run.read('a');
  const count = run.write('setIf', 'counter', absent);
  run.write('setIf', 'counter', count.write);
  run.read('counter');
  return run;
}

function propertiesOf(run: JudgedRun): string[] {
  return [...new Set(judge(run).map(({ property }) => property))].sort();
}

/** The run with one operation's fields replaced. */
function doctored(
  run: TrueRun,
  which: (operation: ClientOperation) => boolean,
  change: Partial<ClientOperation>,
): JudgedRun {
  const judged = run.judged();
  const index = judged.operations.findIndex(which);
  expect(index).toBeGreaterThanOrEqual(0);
  return {
    ...judged,
    operations: judged.operations.map((operation, at) => (at === index ? { ...operation, ...change } : operation)),
  };
}

test('judge() finds nothing wrong with a true history', () => {
  expect(judge(trueRun().judged())).toEqual([]);
});

test('judge() objects to an acknowledged write that is nowhere', () => {
  const run = trueRun();
  const judged = run.judged();
  const lost = judged.watchers[0]?.findLast(({ key }) => key === 'b');
  const without = run.changes
    .filter((change) => change !== lost)
    .map((change, index) => ({ ...change, revision: emptyRevision + 1 + index }));
  expect(propertiesOf({ ...judged, watchers: [without, without] })).toContain('no acknowledged write is lost');
});

test('judge() objects to a stale linearizable read, also where only the order of one key shows it', () => {
  const run = trueRun();
  const stale = run.history.operations.findLast(({ kind, key }) => kind === 'read' && key === 'counter');
  const first = run.history.operations.find(({ key }) => key === 'counter');
  const judged = doctored(run, (operation) => operation === stale, {
    observed: first?.write ?? absent,
    revision: first?.revision ?? 0,
  });
  expect(propertiesOf(judged)).toEqual(['every key is linearizable', 'revisions respect real time']);
});

test('judge() objects to a read of something else than its revision holds', () => {
  const judged = doctored(trueRun(), ({ kind, key }) => kind === 'read' && key === 'b', { observed: absent });
  expect(propertiesOf(judged)).toEqual(['a read shows its revision', 'every key is linearizable']);
});

test('judge() objects to a write that happened twice', () => {
  const run = trueRun();
  const twice = run.history.operations.find(({ key, kind }) => key === 'b' && kind === 'set');
  run.changes.push({ revision: run.revision + 1, key: 'b', write: twice?.write ?? absent });
  const judged = run.judged();
  const nodes = judged.nodes.map((content) => new Map(content).set('b', twice?.write ?? absent));
  expect(propertiesOf({ ...judged, nodes })).toEqual(['what happened was asked for, and happened once']);
});

test('judge() objects to a deletion that nobody asked for', () => {
  const run = trueRun();
  run.changes.push({ revision: run.revision + 1, key: 'b', write: absent });
  const judged = run.judged();
  const nodes = judged.nodes.map((content) => {
    const without = new Map(content);
    without.delete('b');
    return without;
  });
  expect(propertiesOf({ ...judged, nodes })).toEqual(['what happened was asked for, and happened once']);
});

test('judge() objects to a refused write that happened', () => {
  const judged = doctored(trueRun(), ({ kind, key }) => kind === 'set' && key === 'b', {
    outcome: 'refused',
    revision: 0,
  });
  expect(propertiesOf(judged)).toContain('what failed has not happened');
});

test('judge() objects to an answer that names a revision of something else', () => {
  const judged = doctored(trueRun(), ({ kind, key }) => kind === 'set' && key === 'b', { revision: 2 as Revision });
  expect(propertiesOf(judged)).toContain('no acknowledged write is lost');
});

test('judge() objects to a watcher that missed, repeated or swapped events', () => {
  const judged = trueRun().judged();
  const all = judged.watchers[0] ?? [];
  const [first, second] = all;
  if (first === undefined || second === undefined) throw new Error('the run has no changes');
  const falsified = [
    all.slice(0, -1),
    all.filter((change) => change !== second),
    [first, ...all],
    [second, first, ...all.slice(2)],
  ];
  for (const told of falsified)
    expect(propertiesOf({ ...judged, watchers: [all, told] })).toContain('watches lose, repeat and reorder nothing');
});

test('judge() objects to a local read that goes backwards or shows what was never there', () => {
  const judged = trueRun().judged();
  const read = { client: 1, key: 'b', observed: absent, revision: emptyRevision, floor: emptyRevision + 1 };
  expect(propertiesOf({ ...judged, localReads: [read] })).toEqual(['a client never reads backwards']);
  const future = { ...read, floor: 0, revision: 1_000 };
  expect(propertiesOf({ ...judged, localReads: [future] })).toEqual(['a read shows its revision']);
  const wrong = { ...read, floor: 0, observed: 77 };
  expect(propertiesOf({ ...judged, localReads: [wrong] })).toEqual(['a read shows its revision']);
});

test('judge() objects to a node that lacks a key or has one too many', () => {
  const judged = trueRun().judged();
  const lacking = new Map(judged.nodes[0]);
  lacking.delete('b');
  expect(propertiesOf({ ...judged, nodes: [lacking] })).toEqual(['every node holds what was committed']);
  const extra = new Map(judged.nodes[0]).set('z', 1);
  expect(propertiesOf({ ...judged, nodes: [extra] })).toEqual(['every node holds what was committed']);
});

test('judge() objects to a counter that is short', () => {
  const judged = trueRun().judged();
  expect(propertiesOf({ ...judged, counters: new Map([['counter', { least: 3, most: 3 }]]) })).toEqual([
    'counters are complete',
  ]);
});

test('judge() says so when a history cannot be decided', () => {
  const history = new ClientHistory();
  const writes = Array.from({ length: 24 }, (_, request) =>
    history.invoke({ kind: 'set', key: 'a', client: 1, request: request + 1, expected: absent }),
  );
  const impossible = history.invoke({ kind: 'read', key: 'a', client: 2, request: 0, expected: absent });
  impossible.observed = writes.length + 1;
  impossible.revision = (emptyRevision + writes.length) as Revision;
  history.complete(impossible, 'ok');
  const changes = writes.map(({ write }, index) => ({ revision: emptyRevision + 1 + index, key: 'a', write }));
  const run = { operations: history.operations, localReads: [], emptyRevision, watchers: [changes], nodes: [] };
  const told = judge({ ...run, counters: new Map() }, 10_000);
  expect(told.map(({ detail }) => detail).join()).toContain('undecided');
});
