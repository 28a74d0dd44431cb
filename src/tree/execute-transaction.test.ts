// Single stories of transactions: large deletions, bounds, leases, and what is checked before anything is done.

import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../config/limits.js';
import type { Bytes } from '../shared/bytes.js';
import type { Revision, Zxid } from '../shared/ids.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import type { CommandResult } from './command.js';
import { spaces } from './delta.js';
import { leaseKey } from './lease-records.js';
import type { Execution } from './replicated-tree.js';
import type { RangeSelection, TransactionOperation } from './transaction.js';
import { Tree, type TreeOptions } from './tree.js';

const bytes = (text: string): Bytes => new Uint8Array(Buffer.from(text, 'latin1'));
const everything = { from: bytes('\0'), to: undefined, single: false };

type Put = Extract<TransactionOperation, { type: 'put' }>;
const put = (key: string, value = 'v', rest: Partial<Put> = {}): Put => ({
  type: 'put',
  key: bytes(key),
  value: bytes(value),
  lease: 0n,
  ignoreValue: false,
  ignoreLease: false,
  wantsPrevious: false,
  ...rest,
});
const remove = (from: string, to?: string, wantsPrevious = false): TransactionOperation => ({
  type: 'delete',
  keys: { from: bytes(from), to: to === undefined ? undefined : bytes(to), single: to === undefined },
  wantsPrevious,
});
const range = (rest: Partial<RangeSelection> = {}): TransactionOperation => ({
  type: 'range',
  selection: {
    ...everything,
    at: undefined,
    limit: 0,
    sortTarget: 'key',
    descending: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: undefined,
    maxModRevision: undefined,
    minCreateRevision: undefined,
    maxCreateRevision: undefined,
    ...rest,
  },
});

let tree: Tree;
let follower: Tree;

function open(options: Partial<TreeOptions> = {}): void {
  const scheduler = { defer: () => undefined, after: () => () => undefined };
  const disk = new MemoryTreeDisk({ scheduler });
  const opened = (name: string): Tree => new Tree(disk.open(name), { ...limits, defer: () => undefined, ...options });
  tree = opened('leader');
  follower = opened('follower');
}

function execute(...success: TransactionOperation[]): Execution {
  const transaction = { compares: [], success, failure: [] };
  return tree.execute({ command: { type: 'transact', transaction } }, (tree.stagedZxid + 1) as Zxid);
}

/** Executes and commits on both nodes. */
function run(...success: TransactionOperation[]): CommandResult {
  const execution = execute(...success);
  if (execution.type === 'staged') {
    tree.commitStaged(execution.entry.zxid);
    follower.apply([execution.entry]);
    expect(follower.revision).toBe(tree.revision);
  }
  return execution.result;
}

function outcomes(result: CommandResult): readonly unknown[] {
  expect(result.code).toBe('OK');
  return result.output?.type === 'transaction' ? result.output.outcomes : [];
}

function keysOf(node: Tree): number {
  let count = 0;
  node.scanSpace(spaces.user, bytes(''), undefined, () => ++count > 0);
  return count;
}

const names = Array.from({ length: 300 }, (_, i) => `key-${String(i).padStart(4, '0')}`);

describe('Transactions', () => {
  beforeEach(() => open());

  it('a large range is deleted by one bounded operation, alike on every node, leased keys with their index', () => {
    const lease = 9n;
    const granted = { key: leaseKey(lease), value: bytes(''), createRevision: 1 as Revision, version: 1, lease: 0n };
    const grant = { type: 'put', space: spaces.leases, ...granted } as const;
    const entry = { zxid: 1 as Zxid, revision: 1 as Revision, operations: [grant] };
    tree.apply([entry]);
    follower.apply([entry]);
    run(...names.slice(0, 100).map((name) => put(name, 'v', { lease })));
    run(...names.slice(100).map((name) => put(name)));
    run(put('a'), put('z'));
    const execution = execute(put('key-', 'new'), remove('key-0', 'key-9'), range({ countOnly: true }));
    expect(outcomes(execution.result)).toMatchObject([{}, { deleted: 300, previous: [] }, { count: 3 }]);
    if (execution.type !== 'staged') throw new Error('Nothing was staged');
    const { operations } = execution.entry;
    expect(operations.filter(({ type }) => type === 'deleteRange')).toHaveLength(1);
    expect(operations).toHaveLength(102);
    tree.commitStaged(execution.entry.zxid);
    follower.apply([execution.entry]);
    for (const node of [tree, follower]) {
      expect(keysOf(node)).toBe(3);
      node.scanSpace(spaces.leaseKeys, bytes(''), undefined, () => expect.unreachable());
      expect(node.revision).toBe(5);
    }
  });

  it('what is without effect takes no revision and is answered at once', () => {
    run(put('a'));
    for (const operations of [[remove('b')], [remove('b', 'c')], [range()], []]) {
      const execution = execute(...operations);
      expect(execution.type).toBe('answered');
      expect(execution.result).toMatchObject({ code: 'OK', revision: 2 });
    }
  });

  it('a range at a revision that is only staged reads what is staged up to it', () => {
    run(put('a', '1'));
    execute(put('a', '2'), put('b', '1'));
    execute(put('a', '3'), remove('b'));
    const at = (revision: number): unknown => outcomes(execute(range({ at: revision as Revision })).result)[0];
    expect(at(2)).toMatchObject({ count: 1, records: [{ value: bytes('1') }] });
    expect(at(3)).toMatchObject({ count: 2, records: [{ value: bytes('2') }, { modRevision: 3 }] });
    expect(at(4)).toMatchObject({ count: 1, records: [{ value: bytes('3') }] });
    expect(execute(put('a', '4'), range({ at: 5 as Revision })).result.code).toBe('FUTURE_REVISION');
    tree.execute({ command: { type: 'compact', revision: 3 as Revision } }, (tree.stagedZxid + 1) as Zxid);
    expect(execute(put('a', '4'), range({ at: 2 as Revision })).result.code).toBe('COMPACTED');
    expect(at(3)).toMatchObject({ count: 2 });
  });

  it('refuses a lease that does not exist and keeping what is not there, before anything is done', () => {
    expect(run(put('a', 'v', { lease: 5n })).code).toBe('LEASE_NOT_FOUND');
    expect(run(put('a'), put('b', 'v', { lease: 5n })).code).toBe('LEASE_NOT_FOUND');
    expect(run(put('a'), put('b', '', { ignoreValue: true })).code).toBe('KEY_NOT_FOUND');
    expect(run(put('b', 'v', { ignoreLease: true })).code).toBe('KEY_NOT_FOUND');
    expect(tree.revision).toBe(1);
    expect(keysOf(tree)).toBe(0);
  });

  it('a key that is put and deleted by two nested transactions is gone, at one revision', () => {
    const nested = (...success: TransactionOperation[]): TransactionOperation => ({
      type: 'transaction',
      transaction: { compares: [], success, failure: [] },
    });
    expect(run(nested(put('a')), nested(remove('a'))).revision).toBe(2);
    expect(keysOf(tree)).toBe(0);
    expect(keysOf(follower)).toBe(0);
  });

  it('is refused past its keys, its bytes and the bytes of its answer, by name', () => {
    open({ transactionKeysMax: 50, transactionBytesMax: 10_000, transactionAnswerBytesMax: 20_000 });
    run(...names.slice(0, 50).map((name) => put(name)));
    expect(run(range({ countOnly: true })).code).toBe('OK');
    run(put('one-more'));
    for (const operation of [range({ countOnly: true }), remove('a', 'z'), range({ limit: 1 })]) {
      const result = run(operation);
      expect(result.code).toBe('TOO_LARGE');
      expect(result.message).toContain('50 keys');
    }
    const large = 'x'.repeat(4_000);
    expect(run(put('l1', large), put('l2', large), put('l3', large)).message).toContain('10000 bytes');
    for (const name of ['l1', 'l2', 'l3', 'l4', 'l5', 'l6']) run(put(name, large));
    const keeping = ['l1', 'l2', 'l3'].map((name) => put(name, '', { ignoreValue: true }));
    expect(run(...keeping).message).toContain('10000 bytes');
    const wanted = { from: bytes('l'), to: bytes('m'), single: false };
    expect(run(range(wanted)).message).toContain('answer');
    expect(run(remove('l', 'm', true)).message).toContain('answer');
    expect(run(range({ ...wanted, keysOnly: true })).code).toBe('OK');
    // Sorted, only the first ones are held.
    const sorted = outcomes(run(range({ ...wanted, sortTarget: 'mod', descending: true, limit: 2 })));
    expect(sorted).toMatchObject([{ count: 6, more: true, records: [{ key: bytes('l6') }, { key: bytes('l5') }] }]);
    expect(tree.revision).toBe(9);
  });
});
