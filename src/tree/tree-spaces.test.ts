// The spaces beside the users': reads through every layer, who is told of their changes, and what a lease lets go of.

import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../config/limits.js';
import type { Bytes } from '../shared/bytes.js';
import type { Revision, Zxid } from '../shared/ids.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import { type Operation, type SpaceId, spaces } from './delta.js';
import { leasedKey, leaseKey } from './lease-records.js';
import type { SpaceListener } from './replicated-tree.js';
import type { KeyRecord } from './store.js';
import { Tree } from './tree.js';

const bytes = (text: string): Bytes => Uint8Array.from(text, (character) => character.charCodeAt(0));
const text = (value: Bytes): string => String.fromCharCode(...value);
const shown = (record: KeyRecord): string => `${text(record.key)}=${text(record.value)}`;

let tasks: (() => void)[];
let disk: MemoryTreeDisk;
let tree: Tree;

function openTree(directory: string): Tree {
  return new Tree(disk.open(directory), { ...limits, defer: (task) => void tasks.push(task) });
}

function flush(): void {
  tree.flush({ force: true });
  for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task();
}

function put(space: SpaceId, key: string | Bytes, value: string, lease = 0n): Operation {
  const rawKey = typeof key === 'string' ? bytes(key) : key;
  return {
    type: 'put',
    space,
    key: rawKey,
    value: bytes(value),
    createRevision: (tree.revision + 1) as Revision,
    version: 1,
    lease,
  };
}

function apply(operations: readonly Operation[], revision = tree.revision): void {
  tree.apply([{ zxid: (tree.appliedZxid + 1) as Zxid, revision, operations }]);
}

function scan(space: SpaceId, from = '', to?: string): string[] {
  const seen: string[] = [];
  tree.scanSpace(
    space,
    bytes(from),
    to === undefined ? undefined : bytes(to),
    (record) => seen.push(shown(record)) > 0,
  );
  return seen;
}

class Recorder implements SpaceListener {
  readonly told: string[] = [];
  changed(versions: Parameters<SpaceListener['changed']>[0]): void {
    this.told.push(versions.map(({ key, record }) => (record === null ? `-${text(key)}` : shown(record))).join(' '));
  }
  reset(): void {
    this.told.push('reset');
  }
}

beforeEach(() => {
  tasks = [];
  disk = new MemoryTreeDisk({ scheduler: { defer: (task) => void tasks.push(task), after: () => () => undefined } });
  tree = openTree('tree');
});

describe('Tree with other spaces', () => {
  it('recordIn() and scanSpace() read through memory and store, each space by itself', () => {
    apply([put(spaces.leases, 'a', '1'), put(spaces.leases, 'c', '1'), put(spaces.access, 'a', 'other')]);
    flush();
    apply([put(spaces.leases, 'b', '2'), { type: 'delete', space: spaces.leases, key: bytes('c') }]);
    expect(scan(spaces.leases)).toEqual(['a=1', 'b=2']);
    expect(scan(spaces.leases, 'b', 'c')).toEqual(['b=2']);
    expect(scan(spaces.access)).toEqual(['a=other']);
    expect(scan(spaces.alarms)).toEqual([]);
    expect(tree.recordIn(spaces.leases, bytes('c'))).toBeUndefined();
    expect(tree.recordIn(spaces.access, bytes('a'))?.value).toEqual(bytes('other'));
    expect(tree.revision).toBe(1);
    flush();
    expect(scan(spaces.leases)).toEqual(['a=1', 'b=2']);
    tree = openTree('tree');
    expect(scan(spaces.leases)).toEqual(['a=1', 'b=2']);
  });

  it('onSpaceChange() tells of each entry with changes of its space, and of a new state', () => {
    const leases = new Recorder();
    const alarms = new Recorder();
    const stop = tree.onSpaceChange(spaces.leases, leases);
    tree.onSpaceChange(spaces.alarms, alarms);
    apply([put(spaces.user, 'k', 'v'), put(spaces.leases, 'b', '1'), put(spaces.leases, 'a', '1')], 2 as Revision);
    apply([put(spaces.alarms, 'x', '1'), { type: 'delete', space: spaces.leases, key: bytes('a') }]);
    apply([put(spaces.user, 'k', 'v')], 3 as Revision);
    expect(leases.told).toEqual(['a=1 b=1', '-a']);
    expect(alarms.told).toEqual(['x=1']);
    stop();
    tree.replaceStore(disk.open('another'));
    expect(leases.told).toHaveLength(2);
    expect(alarms.told).toEqual(['x=1', 'reset']);
  });

  it('set and delete of a leased key take it away from its lease, also when that is staged only', () => {
    const key = bytes('k');
    const lease = 7n;
    const hold = (): void =>
      apply(
        [
          put(spaces.leases, leaseKey(lease), 'granted'),
          put(spaces.user, key, 'v', lease),
          put(spaces.leaseKeys, leasedKey(lease, key), ''),
        ],
        (tree.revision + 1) as Revision,
      );
    for (const command of [
      { type: 'set', key, value: key },
      { type: 'delete', key },
    ] as const) {
      hold();
      const execution = tree.execute({ command }, (tree.appliedZxid + 1) as Zxid);
      expect(execution.type).toBe('staged');
      expect(scan(spaces.leaseKeys)).toHaveLength(1);
      tree.commitStaged(tree.stagedZxid);
      expect(scan(spaces.leaseKeys)).toEqual([]);
      expect(scan(spaces.leases)).toHaveLength(1);
    }
  });
});
