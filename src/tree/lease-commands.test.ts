import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../config/limits.js';
import type { Zxid } from '../shared/ids.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import type { Command, CommandResult } from './command.js';
import { type Entry, type Operation, spaces } from './delta.js';
import { type LeasePort, leaseTtlSecondsMax } from './lease-commands.js';
import {
  decodeLeaseRecord,
  encodeLeaseRecord,
  keyOfLeased,
  type LeaseRecord,
  leasedKey,
  leaseIdOf,
  leaseKey,
} from './lease-records.js';
import type { Execution, WatchEvent } from './replicated-tree.js';
import { Tree } from './tree.js';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const textOf = (key: Uint8Array): string => Buffer.from(key).toString();

/** A leader and a follower that applies its entries. */
class Pair {
  readonly measured = new Map<bigint, number>();
  drawn: bigint[] = [];
  private readonly trees: readonly Tree[];
  private zxid = 2 ** 32;
  readonly events: (readonly [number, readonly string[]])[] = [];

  constructor(port: Partial<LeasePort> = {}) {
    const defer = (task: () => void): void => task();
    const disk = new MemoryTreeDisk({ scheduler: { defer, after: () => () => undefined } });
    const leases: LeasePort = {
      ttlSecondsMin: 3,
      revokeKeysMax: 100,
      revokeBytesMax: 10_000,
      drawId: () => this.drawn.shift() as bigint,
      remainingSeconds: (id) => this.measured.get(id),
      ...port,
    };
    this.trees = ['leader', 'follower'].map(
      (name) =>
        new Tree(disk.open(name), {
          ...limits,
          sessionsMax: 2,
          sessionResultsMax: 3,
          sessionResultsTotalMax: 5,
          overlayFlushBytes: 1e6,
          overlayFlushVersions: 1000,
          historyRowsMax: 1000,
          compactVersionsMax: 100,
          accessBytesMax: 100_000,
          accessRangesKeptMax: 100,
          defer,
          leases,
        }),
    );
    const { events } = this;
    this.follower.watch({
      from: '',
      to: undefined,
      single: false,
      notify: (revision, told: readonly WatchEvent[]) =>
        void events.push([revision, told.map(({ type, key }) => `${type} ${textOf(key)}`)]),
      reset: () => undefined,
    });
  }

  get leader(): Tree {
    return this.trees[0] as Tree;
  }

  get follower(): Tree {
    return this.trees[1] as Tree;
  }

  execute(command: Command): Execution {
    const execution = this.leader.execute({ command }, (this.zxid + 1) as Zxid);
    if (execution.type === 'staged') this.zxid += 1;
    return execution;
  }

  commit(...entries: readonly Entry[]): void {
    this.leader.commitStaged(this.leader.stagedZxid);
    this.follower.apply(entries);
  }

  run(command: Command): CommandResult {
    const execution = this.execute(command);
    if (execution.type === 'staged') this.commit(execution.entry);
    return execution.result;
  }

  /** A put of a user's key with a lease, and its place in the index. */
  put(key: string, lease: bigint): void {
    this.zxid += 1;
    const zxid = this.zxid as Zxid;
    const revision = (this.leader.revision + 1) as Entry['revision'];
    const operations: Operation[] = [
      {
        type: 'put',
        space: spaces.user,
        key: bytes(key),
        value: bytes('v'),
        createRevision: revision,
        version: 1,
        lease,
      },
      {
        type: 'put',
        space: spaces.leaseKeys,
        key: leasedKey(lease, bytes(key)),
        value: new Uint8Array(0),
        createRevision: revision,
        version: 1,
        lease: 0n,
      },
    ];
    for (const tree of this.trees) tree.apply([{ zxid, revision, operations }]);
  }

  record(id: bigint): LeaseRecord | undefined {
    const records = this.trees.map((tree) => tree.recordIn(spaces.leases, leaseKey(id)));
    const [one, two] = records.map((record) => (record === undefined ? undefined : decodeLeaseRecord(record.value)));
    expect(one).toEqual(two);
    return one;
  }

  indexed(): string[] {
    const keys: string[] = [];
    this.follower.scanSpace(spaces.leaseKeys, new Uint8Array(0), undefined, ({ key }) => {
      keys.push(`${leaseIdOf(key)} ${textOf(keyOfLeased(key))}`);
      return true;
    });
    return keys;
  }
}

describe('add and set with a lease', () => {
  it('hang the key on it; set without one takes it away again', () => {
    const pair = new Pair();
    const key = bytes('k');
    const value = bytes('v');
    pair.run({ type: 'leaseGrant', id: 1n, ttlSeconds: 60 });
    pair.run({ type: 'leaseGrant', id: 2n, ttlSeconds: 60 });
    expect(pair.run({ type: 'add', key, value, lease: 1n })).toMatchObject({ code: 'OK' });
    expect(pair.follower.get(key).record).toMatchObject({ lease: 1n, version: 1 });
    expect(pair.indexed()).toEqual(['1 k']);
    expect(pair.run({ type: 'set', key, value, lease: 2n })).toMatchObject({ code: 'OK' });
    expect(pair.run({ type: 'set', key, value, lease: 2n })).toMatchObject({ code: 'OK' });
    expect(pair.follower.get(key).record).toMatchObject({ lease: 2n, version: 3 });
    expect(pair.indexed()).toEqual(['2 k']);
    expect(pair.run({ type: 'set', key, value })).toMatchObject({ code: 'OK' });
    expect(pair.indexed()).toEqual([]);
    pair.run({ type: 'set', key, value, lease: 1n });
    pair.run({ type: 'delete', key });
    expect(pair.indexed()).toEqual([]);
    pair.run({ type: 'add', key, value, lease: 1n });
    pair.run({ type: 'leaseRevoke', id: 1n });
    expect(pair.follower.get(key).record).toBeUndefined();
  });

  it('fail where there is no such lease, and change nothing', () => {
    const pair = new Pair();
    const put = { key: bytes('k'), value: bytes('v'), lease: -1n };
    const message = 'Cannot put a key with lease ffffffffffffffff: there is no such lease';
    expect(pair.run({ type: 'add', ...put })).toMatchObject({ code: 'LEASE_NOT_FOUND', message });
    expect(pair.run({ type: 'set', ...put })).toMatchObject({ code: 'LEASE_NOT_FOUND', message });
    expect(pair.follower.revision).toBe(1);
  });
});

describe('lease commands', () => {
  let pair: Pair;
  const grant = (id: bigint, ttlSeconds = 60): CommandResult => pair.run({ type: 'leaseGrant', id, ttlSeconds });
  const keepAlive = (id: bigint): Command => ({ type: 'leaseKeepAlive', id });
  beforeEach(() => {
    pair = new Pair();
  });

  it('grant takes the id that is asked for, once, and takes no revision', () => {
    expect(grant(7n)).toMatchObject({
      code: 'OK',
      revision: 1,
      output: { type: 'leaseGrant', id: 7n, ttlSeconds: 60 },
    });
    expect(pair.record(7n)).toEqual({ grantedSeconds: 60, remainingSeconds: 0 });
    expect(grant(7n)).toMatchObject({ code: 'LEASE_EXISTS' });
    expect(grant(-1n).code).toBe('OK');
    expect(pair.record(-1n)?.grantedSeconds).toBe(60);
  });

  it('grant draws an id that is free where none is asked for', () => {
    grant(7n);
    pair.drawn = [7n, 0n, 9n];
    expect(grant(0n).output).toEqual({ type: 'leaseGrant', id: 9n, ttlSeconds: 60 });
    pair.drawn = [9n, 10n];
    expect(pair.execute({ type: 'leaseGrant', id: 0n, ttlSeconds: 60 }).result.output).toMatchObject({ id: 10n });
    pair.drawn = [10n, 11n];
    expect(pair.execute({ type: 'leaseGrant', id: 0n, ttlSeconds: 60 }).result.output).toMatchObject({ id: 11n });
  });

  it('grant raises what is too short, and refuses what is too long', () => {
    expect(grant(1n, 0).output).toMatchObject({ ttlSeconds: 3 });
    expect(grant(2n, -5).output).toMatchObject({ ttlSeconds: 3 });
    expect(grant(3n, leaseTtlSecondsMax).output).toMatchObject({ ttlSeconds: 9_000_000_000 });
    expect(pair.record(3n)?.grantedSeconds).toBe(9_000_000_000);
    expect(grant(4n, leaseTtlSecondsMax + 1).code).toBe('LEASE_TTL_TOO_LARGE');
    expect(grant(3n, leaseTtlSecondsMax + 1).code).toBe('LEASE_TTL_TOO_LARGE');
  });

  it('revoke deletes the keys of the lease in order at one revision, and nothing of its neighbours', () => {
    for (const id of [1n, 2n, 3n, -1n]) grant(id);
    for (const key of ['c', 'a', 'b']) pair.put(key, 2n);
    pair.put('d', 1n);
    pair.put('e', 3n);
    pair.put('f', -1n);
    expect(pair.run({ type: 'leaseRevoke', id: 2n })).toMatchObject({ code: 'OK', revision: 8 });
    expect(pair.events.at(-1)).toEqual([8, ['delete a', 'delete b', 'delete c']]);
    expect(pair.record(2n)).toBeUndefined();
    expect(pair.indexed()).toEqual(['1 d', '3 e', '-1 f']);
    expect(pair.run({ type: 'leaseRevoke', id: 2n })).toMatchObject({ code: 'LEASE_NOT_FOUND', revision: 8 });
    expect(pair.run({ type: 'leaseRevoke', id: -1n }).code).toBe('OK');
    const { message } = pair.run({ type: 'leaseRevoke', id: -1n });
    expect(message).toBe('Cannot revoke lease ffffffffffffffff: there is no such lease');
    expect(pair.indexed()).toEqual(['1 d', '3 e']);
  });

  it('revoke of a lease without keys takes no revision', () => {
    grant(1n);
    expect(pair.run({ type: 'leaseRevoke', id: 1n })).toMatchObject({ code: 'OK', revision: 1 });
    expect(pair.record(1n)).toBeUndefined();
    expect(pair.events).toEqual([]);
  });

  it('revoke refuses more keys than its bound, and does nothing then', () => {
    pair = new Pair({ revokeKeysMax: 2 });
    grant(1n);
    for (const key of ['a', 'b', 'c']) pair.put(key, 1n);
    expect(pair.run({ type: 'leaseRevoke', id: 1n }).code).toBe('TOO_LARGE');
    expect(pair.run({ type: 'leaseTimeToLive', id: 1n, wantsKeys: true }).code).toBe('TOO_LARGE');
    expect(pair.indexed()).toHaveLength(3);
    pair.run({ type: 'delete', key: bytes('b') });
    expect(pair.run({ type: 'leaseRevoke', id: 1n }).code).toBe('OK');
    expect(pair.indexed()).toEqual([]);
  });

  it('keep-alive has no effect, unless a checkpoint has to be taken back', () => {
    grant(1n);
    expect(pair.execute(keepAlive(1n))).toMatchObject({
      type: 'answered',
      result: { code: 'OK', output: { type: 'leaseKeepAlive', id: 1n, ttlSeconds: 60 } },
    });
    pair.run({ type: 'leaseCheckpoint', leases: [{ id: 1n, remainingSeconds: 20 }] });
    expect(pair.record(1n)).toEqual({ grantedSeconds: 60, remainingSeconds: 20 });
    const reset = pair.execute(keepAlive(1n));
    expect(reset).toMatchObject({ type: 'staged', result: { output: { ttlSeconds: 60 } } });
    expect(pair.execute(keepAlive(1n)).type).toBe('answered');
    if (reset.type === 'staged') pair.commit(reset.entry);
    expect(pair.record(1n)).toEqual({ grantedSeconds: 60, remainingSeconds: 0 });
  });

  it('keep-alive and time-to-live know a lease that is not there by their answer, not by a failure', () => {
    expect(pair.run(keepAlive(1n))).toMatchObject({ code: 'OK', output: { ttlSeconds: 0 } });
    expect(pair.run({ type: 'leaseTimeToLive', id: 1n, wantsKeys: true })).toMatchObject({
      code: 'OK',
      output: { ttlSeconds: -1, grantedSeconds: 0, keys: [] },
    });
    grant(1n);
    pair.execute({ type: 'leaseRevoke', id: 1n });
    expect(pair.execute(keepAlive(1n)).result.output).toMatchObject({ ttlSeconds: 0 });
  });

  it('time-to-live tells what was measured, else what was written down, and the keys when they are wanted', () => {
    grant(1n);
    pair.put('b', 1n);
    pair.put('a', 1n);
    const ask = (wantsKeys: boolean): CommandResult['output'] =>
      pair.run({ type: 'leaseTimeToLive', id: 1n, wantsKeys }).output;
    expect(ask(false)).toMatchObject({ ttlSeconds: 60, grantedSeconds: 60, keys: [] });
    expect(ask(true)).toMatchObject({ keys: [bytes('a'), bytes('b')] });
    pair.run({ type: 'leaseCheckpoint', leases: [{ id: 1n, remainingSeconds: 20 }] });
    expect(ask(false)).toMatchObject({ ttlSeconds: 20, grantedSeconds: 60 });
    pair.measured.set(1n, 17);
    expect(ask(false)).toMatchObject({ ttlSeconds: 17 });
  });

  it('a checkpoint tells of those leases that are still there, in one entry', () => {
    grant(1n);
    grant(3n);
    const leases = [1n, 2n, 3n].map((id) => ({ id, remainingSeconds: 10 + Number(id) }));
    expect(pair.run({ type: 'leaseCheckpoint', leases })).toMatchObject({ code: 'OK', revision: 1 });
    expect([1n, 2n, 3n].map((id) => pair.record(id)?.remainingSeconds)).toEqual([11, undefined, 13]);
    expect(pair.execute({ type: 'leaseCheckpoint', leases: [{ id: 2n, remainingSeconds: 1 }] }).type).toBe('answered');
  });
});

describe('lease records', () => {
  it('survive encoding, and ids stand in order of magnitude', () => {
    for (const record of [
      { grantedSeconds: 1, remainingSeconds: 0 },
      { grantedSeconds: leaseTtlSecondsMax, remainingSeconds: leaseTtlSecondsMax - 1 },
    ]) {
      expect(decodeLeaseRecord(encodeLeaseRecord(record))).toEqual(record);
    }
    for (const id of [1n, 2n ** 63n - 1n, -1n, -(2n ** 63n)]) expect(leaseIdOf(leaseKey(id))).toBe(id);
    expect(() => decodeLeaseRecord(new Uint8Array(15))).toThrow('Cannot read a lease');
    expect(() => leaseIdOf(new Uint8Array(7))).toThrow('Cannot read a lease id');
  });
});
