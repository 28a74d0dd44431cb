// Transactions against a model, over staged, committed and flushed layers: answers, revisions, records, the index of
// leased keys; and a second node that applies the same entries ends alike.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryModelTransaction, modelKeys } from '../../test/support/model-transactions.js';
import { type ModelOutcome, TransactionModel } from '../../test/support/transaction-model.js';
import { limits } from '../config/limits.js';
import { checkTransaction } from '../service/transaction-checks.js';
import type { Bytes } from '../shared/bytes.js';
import type { Revision, Zxid } from '../shared/ids.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import { type Entry, spaces } from './delta.js';
import { keyOfLeased, leaseIdOf, leaseKey } from './lease-records.js';
import type { KeyRecord } from './store.js';
import type { OperationOutcome, Transaction, TransactionOperation } from './transaction.js';
import { Tree } from './tree.js';

const text = (bytes: Bytes): string => Buffer.from(bytes).toString('latin1');
const nothing: Bytes = new Uint8Array(0);

function shown({ key, value, createRevision, modRevision, version, lease }: KeyRecord): string {
  return `${text(key)}=${text(value)} ${createRevision} ${modRevision} ${version} ${lease}`;
}

function outcomeOf(outcome: OperationOutcome): ModelOutcome {
  switch (outcome.type) {
    case 'put':
      return { type: 'put', previous: outcome.previous === undefined ? undefined : shown(outcome.previous) };
    case 'delete':
      return { type: 'delete', deleted: outcome.deleted, previous: outcome.previous.map(shown) };
    case 'range':
      return { ...outcome, records: outcome.records.map(shown) };
    case 'transaction':
      return { ...outcome, outcomes: outcome.outcomes.map(outcomeOf) };
  }
}

/** Leaves out what would have the transaction refused before it is sent. */
function withoutConflicts({ compares, ...arms }: Transaction): Transaction {
  const kept = (operations: Transaction['success']): Transaction['success'] => {
    const success: TransactionOperation[] = [];
    for (const operation of operations) {
      success.push(operation);
      if (checkTransaction({ compares: [], success, failure: [] }, limits) !== null) success.pop();
    }
    return success;
  };
  return { compares, success: kept(arms.success), failure: kept(arms.failure) };
}

type Step =
  | { readonly type: 'transact'; readonly transaction: Transaction }
  | { readonly type: 'compact'; readonly back: number }
  | { readonly type: 'commit' | 'drop' | 'flush' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('transact' as const), transaction: arbitraryModelTransaction }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('compact' as const), back: fc.nat({ max: 4 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constantFrom('commit' as const, 'commit' as const, 'flush' as const, 'flush' as const, 'drop' as const),
    }),
  },
);

class Node {
  readonly tasks: (() => void)[] = [];
  readonly disk = new MemoryTreeDisk({
    scheduler: { defer: (task) => void this.tasks.push(task), after: () => () => undefined },
  });
  tree = this.open();

  open(): Tree {
    return new Tree(this.disk.open('tree'), {
      ...limits,
      overlayFlushVersions: 6,
      compactVersionsMax: 2,
      defer: (task) => void this.tasks.push(task),
    });
  }

  flush(): void {
    this.tree.flush({ force: true });
    for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) task();
  }
}

class Story {
  private readonly leader = new Node();
  private readonly follower = new Node();
  private committed = new TransactionModel();
  private staged: TransactionModel;
  private entries: Entry[] = [];
  private zxid = 2 ** 32;

  /** What the story has seen, so that it cannot be a dull one. */
  static readonly seen = new Map<string, number>();

  constructor() {
    this.committed.leases = new Set([1n, 2n]);
    this.staged = this.committed.clone();
    this.zxid += 1;
    const operations = [1n, 2n].map((id) => {
      const record = { key: leaseKey(id), value: nothing, createRevision: 1 as Revision, version: 1, lease: 0n };
      return { type: 'put', space: spaces.leases, ...record } as const;
    });
    for (const { tree } of [this.leader, this.follower])
      tree.apply([{ zxid: this.zxid as Zxid, revision: 1 as Revision, operations }]);
  }

  /** Begins with every key there, put by three transactions. */
  run(steps: readonly Step[]): void {
    for (const [from, to] of [
      [0, 3],
      [2, 5],
      [4, modelKeys.length],
    ] as const) {
      const success = modelKeys.slice(from, to).map((key): TransactionOperation => {
        const keeps = { ignoreValue: false, ignoreLease: false, wantsPrevious: false };
        return { type: 'put', key, value: key, lease: from === 2 ? 1n : 0n, ...keeps };
      });
      this.transact({ compares: [], success, failure: [] });
    }
    this.commit();
    for (const each of steps) this.step(each);
    this.commit();
    this.check(this.leader.tree);
    this.leader.flush();
    this.follower.flush();
    this.leader.tree = this.leader.open();
    for (const { tree } of [this.leader, this.follower]) this.check(tree);
  }

  private step(each: Step): void {
    switch (each.type) {
      case 'transact':
        this.transact(withoutConflicts(each.transaction));
        return;
      case 'compact':
        this.compact(this.staged.revision - each.back);
        return;
      case 'commit':
        this.commit();
        this.check(this.leader.tree);
        this.check(this.follower.tree);
        return;
      case 'drop':
        this.leader.tree.dropStaged();
        this.staged = this.committed.clone();
        this.entries = [];
        return;
      case 'flush':
        this.leader.flush();
    }
  }

  private transact(transaction: Transaction): void {
    const expected = this.staged.transact(transaction);
    const execution = this.leader.tree.execute({ command: { type: 'transact', transaction } }, (this.zxid + 1) as Zxid);
    const { result } = execution;
    if ('code' in expected) {
      Story.saw(expected.code);
      expect(result.code).toBe(expected.code);
      expect(execution.type).toBe('answered');
    } else {
      expect(result).toMatchObject({ code: 'OK', revision: expected.revision });
      if (result.output?.type !== 'transaction') throw new Error('A transaction without its outcome');
      expect(outcomeOf(result.output)).toEqual(expected.outcome);
      Story.note(expected.outcome);
    }
    if (execution.type === 'staged') this.entries.push(execution.entry);
    this.zxid += execution.type === 'staged' ? 1 : 0;
  }

  private static saw(what: string): void {
    Story.seen.set(what, (Story.seen.get(what) ?? 0) + 1);
  }

  private static note(outcome: ModelOutcome): void {
    if (outcome.type === 'range' && outcome.records.length > 1) Story.saw('range of several');
    if (outcome.type === 'delete' && outcome.deleted > 1) Story.saw('delete of several');
    if (outcome.type === 'put' && outcome.previous !== undefined) Story.saw('previous');
    if (outcome.type === 'transaction') for (const inner of outcome.outcomes) Story.note(inner);
  }

  private compact(revision: number): void {
    if (revision < 1) return;
    const command = { type: 'compact', revision: revision as Revision } as const;
    const execution = this.leader.tree.execute({ command }, (this.zxid + 1) as Zxid);
    if (execution.type !== 'staged') return;
    this.zxid += 1;
    this.staged.compacted = revision;
    this.entries.push(execution.entry);
  }

  private commit(): void {
    this.leader.tree.commitStaged(this.zxid as Zxid);
    this.follower.tree.apply(this.entries);
    this.entries = [];
    this.committed = this.staged.clone();
  }

  private check(tree: Tree): void {
    expect(tree.revision).toBe(this.committed.revision);
    for (let at = Math.max(1, this.committed.compacted); at <= this.committed.revision; at++) {
      const request = { from: nothing, to: undefined, at: at as Revision, limit: 100, bytesMax: 1e6, keysOnly: false };
      const page = tree.range(request);
      if (page.type !== 'range') throw new Error(`Unexpected ${page.type}`);
      expect(page.records.map(shown)).toEqual(this.committed.records(this.committed.at(at)));
    }
    const held: string[] = [];
    tree.scanSpace(spaces.leaseKeys, nothing, undefined, ({ key }) => {
      return held.push(`${leaseIdOf(key)} ${text(keyOfLeased(key))}`) > 0;
    });
    const expected = [...this.committed.now.values()].filter(({ lease }) => lease !== 0n);
    expect(held).toEqual(expected.map(({ key, lease }) => `${lease} ${key}`).sort());
  }
}

describe('Transactions against a model', () => {
  it('agree on answers, revisions, records at every revision and the keys of leases', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 30, size: 'max' }), (steps) => {
        new Story().run(steps);
      }),
      { numRuns: 250 },
    );
    const wanted = ['range of several', 'delete of several', 'previous'];
    const refusals = ['LEASE_NOT_FOUND', 'KEY_NOT_FOUND', 'COMPACTED', 'FUTURE_REVISION'];
    for (const each of wanted) expect(Story.seen.get(each) ?? 0, each).toBeGreaterThan(50);
    for (const each of refusals) expect(Story.seen.get(each) ?? 0, each).toBeGreaterThan(0);
  });
});
