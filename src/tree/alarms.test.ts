// Alarms: raised and disarmed through the tree, and what is refused while they are there.

import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../config/limits.js';
import type { Bytes } from '../shared/bytes.js';
import type { Revision, Zxid } from '../shared/ids.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import type { Alarm, AlarmKind } from './alarm.js';
import type { Command } from './command.js';
import type { Entry } from './delta.js';
import type { Transaction, TransactionOperation } from './transaction.js';
import { Tree } from './tree.js';

const bytes = (text: string): Bytes => Uint8Array.from(text, (character) => character.charCodeAt(0));
const member = 2n ** 64n - 1n;

let tasks: (() => void)[];
let disk: MemoryTreeDisk;
let overQuota: boolean;
let tree: Tree;
let zxid: number;

function openTree(directory: string): Tree {
  return new Tree(disk.open(directory), {
    ...limits,
    defer: (task) => void tasks.push(task),
    overQuota: () => overQuota,
  });
}

/** The code, and the entry if there is one. */
function execute(command: Command): { readonly code: string; readonly entry?: Entry } {
  const execution = tree.execute({ command }, (zxid + 1) as Zxid);
  const { code } = execution.result;
  if (execution.type !== 'staged') return { code };
  zxid += 1;
  return { code, entry: execution.entry };
}

function commit(): void {
  tree.commitStaged(zxid as Zxid);
}

function alarm(kind: AlarmKind, active: boolean, of = member): Command {
  return { type: 'alarm', active, alarm: { kind, member: of } };
}

const put: TransactionOperation = {
  type: 'put',
  key: bytes('t'),
  value: bytes('x'),
  lease: 0n,
  ignoreValue: false,
  ignoreLease: false,
  wantsPrevious: false,
};
const remove: TransactionOperation = {
  type: 'delete',
  keys: { from: bytes('t'), to: undefined, single: true },
  wantsPrevious: false,
};

function transaction(success: TransactionOperation[], failure: TransactionOperation[] = []): Transaction {
  return { compares: [], success, failure };
}

const set: Command = { type: 'set', key: bytes('key'), value: bytes('value') };
const taking: readonly Command[] = [
  set,
  { type: 'add', key: bytes('new'), value: bytes('value') },
  { type: 'leaseGrant', id: 7n, ttlSeconds: 60 },
  { type: 'transact', transaction: transaction([put]) },
  { type: 'transact', transaction: transaction([], [put]) },
  { type: 'transact', transaction: transaction([{ type: 'transaction', transaction: transaction([], [put]) }]) },
];
const changing: readonly Command[] = [
  ...taking,
  { type: 'delete', key: bytes('key') },
  { type: 'compact', revision: 2 as Revision },
  { type: 'leaseRevoke', id: 7n },
  { type: 'transact', transaction: transaction([remove]) },
];
const harmless: readonly Command[] = [
  { type: 'leaseKeepAlive', id: 7n },
  { type: 'leaseTimeToLive', id: 7n, wantsKeys: false },
  { type: 'checkpoint' },
];

describe('alarms', () => {
  beforeEach(() => {
    tasks = [];
    overQuota = false;
    zxid = 0;
    disk = new MemoryTreeDisk({ scheduler: { defer: (task) => tasks.push(task), after: () => () => undefined } });
    tree = openTree('tree');
    execute(set);
    commit();
  });

  it('are in the tree once they are committed, by kind and member, and take no revision', () => {
    const { revision } = tree;
    for (const of of [5n, member]) expect(execute(alarm('noSpace', true, of)).code).toBe('OK');
    execute(alarm('corrupt', true, 1n));
    expect(tree.alarms).toEqual([]);
    commit();
    const expected: Alarm[] = [
      { kind: 'noSpace', member: 5n },
      { kind: 'noSpace', member },
      { kind: 'corrupt', member: 1n },
    ];
    expect(tree.alarms).toEqual(expected);
    expect(tree.revision).toBe(revision);
  });

  it('are raised once, disarmed once, and what is not raised cannot be disarmed', () => {
    expect(execute(alarm('noSpace', false)).code).toBe('KEY_NOT_FOUND');
    expect(execute(alarm('noSpace', true)).entry?.operations).toHaveLength(1);
    expect(execute(alarm('noSpace', true))).toEqual({ code: 'OK' });
    expect(execute(alarm('noSpace', false)).entry?.operations).toHaveLength(1);
    expect(execute(alarm('noSpace', false)).code).toBe('KEY_NOT_FOUND');
    commit();
    expect(tree.alarms).toEqual([]);
  });

  it('NOSPACE refuses what takes space from the moment it is staged, and nothing else', () => {
    execute(alarm('noSpace', true));
    for (const command of taking) expect(execute(command).code, command.type).toBe('QUOTA_EXCEEDED');
    commit();
    for (const command of taking) expect(execute(command).code, command.type).toBe('QUOTA_EXCEEDED');
    for (const command of [...changing, ...harmless].filter((other) => !taking.includes(other))) {
      expect(execute(command).code, command.type).not.toBe('QUOTA_EXCEEDED');
    }
    execute(alarm('noSpace', false));
    expect(execute(set).code).toBe('OK');
  });

  it('one member disarmed is not all of them', () => {
    execute(alarm('noSpace', true, 1n));
    execute(alarm('noSpace', true, 2n));
    execute(alarm('noSpace', false, 1n));
    expect(execute(set).code).toBe('QUOTA_EXCEEDED');
  });

  it('CORRUPT refuses every change of keys and leases, but not its own end', () => {
    execute(alarm('corrupt', true));
    for (const command of changing) expect(execute(command).code, command.type).toBe('CORRUPT');
    for (const command of harmless) expect(execute(command).code, command.type).not.toBe('CORRUPT');
    expect(execute(alarm('corrupt', false)).code).toBe('OK');
    expect(execute(set).code).toBe('OK');
  });

  it('a leader whose own data is past its quota refuses puts before any alarm is raised', () => {
    overQuota = true;
    expect(execute(set).code).toBe('QUOTA_EXCEEDED');
    expect(execute({ type: 'delete', key: bytes('key') }).code).toBe('OK');
    overQuota = false;
    expect(execute(set).code).toBe('OK');
  });

  it('staged alarms are forgotten with leadership, and committed ones survive a restart and come with a snapshot', () => {
    execute(alarm('noSpace', true));
    tree.dropStaged();
    zxid -= 1;
    expect(execute(set).code).toBe('OK');
    execute(alarm('noSpace', true));
    commit();
    tree.flush({ force: true });
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task();
    const full = disk.open('tree');
    tree = openTree('tree');
    expect(tree.alarms).toEqual([{ kind: 'noSpace', member }]);
    expect(execute(set).code).toBe('QUOTA_EXCEEDED');
    tree = openTree('other');
    expect(tree.alarms).toEqual([]);
    tree.replaceStore(full);
    expect(tree.alarms).toEqual([{ kind: 'noSpace', member }]);
    expect(execute(set).code).toBe('QUOTA_EXCEEDED');
  });
});
