// Single stories of the tree: answers of commands, exactly once, checkpoints, failed flushes, a replaced store.

import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../config/limits.js';
import type { Bytes } from '../shared/bytes.js';
import type { ClientId, Revision, Zxid } from '../shared/ids.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import type { Command, RequestIdentity } from './command.js';
import type { Entry } from './delta.js';
import type { DigestResult, Execution } from './replicated-tree.js';
import { Tree } from './tree.js';

const bytes = (text: string): Bytes => Uint8Array.from(text, (character) => character.charCodeAt(0));
const key = bytes('key');

let tasks: (() => void)[];
let fault: Error | null;
let disk: MemoryTreeDisk;
let tree: Tree;
let zxid: number;

function runTasks(): void {
  for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task();
}

function openTree(directory: string): Tree {
  return new Tree(disk.open(directory), {
    ...limits,
    sessionsMax: 2,
    sessionResultsMax: 10,
    sessionResultsTotalMax: 20,
    overlayFlushBytes: 1e6,
    overlayFlushVersions: 100,
    historyRowsMax: 100,
    compactVersionsMax: 100,
    accessBytesMax: 100_000,
    accessRangesKeptMax: 100,
    defer: (task) => void tasks.push(task),
  });
}

function identity(client: number, request: number, rest: Partial<RequestIdentity> = {}): RequestIdentity {
  return { client: client as ClientId, request, acknowledgedBelow: 1, bornAt: 0 as Zxid, repeated: false, ...rest };
}

function execute(command: Command, id?: RequestIdentity): Execution {
  const execution = tree.execute(id === undefined ? { command } : { command, identity: id }, (zxid + 1) as Zxid);
  if (execution.type === 'staged') zxid += 1;
  return execution;
}

function commit(): void {
  tree.commitStaged(zxid as Zxid);
}

const set = (value: string, expectedRevision?: number): Command => ({
  type: 'set',
  key,
  value: bytes(value),
  ...(expectedRevision === undefined ? {} : { expectedRevision: expectedRevision as Revision }),
});

describe('Tree', () => {
  beforeEach(() => {
    tasks = [];
    fault = null;
    const scheduler = { defer: (task: () => void): void => void tasks.push(task), after: () => () => undefined };
    disk = new MemoryTreeDisk({
      scheduler,
      fault: () => fault,
    });
    tree = openTree('tree');
    zxid = 2 ** 32;
  });

  it('execute() judges by everything staged, and readers see nothing of it before it commits', () => {
    expect(execute({ type: 'add', key, value: bytes('1') }).result).toMatchObject({ code: 'OK', revision: 2 });
    expect(execute({ type: 'add', key, value: bytes('2') })).toMatchObject({
      type: 'answered',
      result: { code: 'KEY_EXISTS', revision: 2, zxid },
    });
    expect(execute(set('3', 2)).result).toMatchObject({ code: 'OK', revision: 3 });
    expect(execute(set('4', 2)).result.code).toBe('REVISION_MISMATCH');
    expect(execute({ type: 'delete', key, expectedRevision: 9 as Revision }).result.code).toBe('REVISION_MISMATCH');
    expect(execute({ type: 'delete', key }).result).toMatchObject({ code: 'OK', revision: 4 });
    expect(execute({ type: 'delete', key }).result.code).toBe('KEY_NOT_FOUND');
    expect(execute(set('5', 0)).result).toMatchObject({ code: 'OK', revision: 5 });
    expect(tree.get(key)).toEqual({ record: undefined, revision: 1 });
    commit();
    expect(tree.get(key).record).toMatchObject({ createRevision: 5, modRevision: 5, version: 1 });
    expect(tree.stagedZxid).toBe(zxid);
  });

  it('dropStaged() forgets what was proposed: the same revisions are given again', () => {
    execute(set('1'));
    tree.dropStaged();
    zxid += 2 ** 32;
    expect(execute(set('2')).result.revision).toBe(2);
    commit();
    expect(tree.get(key).record?.value).toEqual(bytes('2'));
  });

  it('a repeated request joins a staged one and is answered from memory once it has committed', () => {
    const first = execute(set('1'), identity(1, 1));
    expect(execute(set('1'), identity(1, 1))).toEqual({ type: 'joined', zxid, result: first.result });
    commit();
    expect(execute(set('1'), identity(1, 1))).toEqual({ type: 'answered', result: first.result });
    execute(set('2'), identity(1, 2, { acknowledgedBelow: 2 }));
    commit();
    expect(execute(set('1'), identity(1, 1)).result.code).toBe('OUTCOME_UNKNOWN');
    expect(tree.revision).toBe(3);
  });

  it('a client that may have been evicted is refused, also after a restart', () => {
    for (const client of [1, 2, 3]) {
      execute(set('x'), identity(client, 1));
      commit();
    }
    tree.flush({ force: true });
    runTasks();
    tree = openTree('tree');
    expect(execute(set('y'), identity(1, 1)).result.code).toBe('OUTCOME_UNKNOWN');
    expect(execute(set('y'), identity(3, 1)).type).toBe('answered');
    expect(execute(set('y'), identity(4, 1, { bornAt: zxid as Zxid })).type).toBe('staged');
  });

  it('a checkpoint flushes exactly there and reports the digest; a second one has to wait', () => {
    const results: DigestResult[] = [];
    tree.onCheckpoint((result) => results.push(result));
    execute(set('1'));
    expect(execute({ type: 'checkpoint' }).type).toBe('staged');
    expect(execute({ type: 'checkpoint' }).result.code).toBe('OVERLOADED');
    const checkpoint = zxid;
    execute(set('2'));
    commit();
    runTasks();
    expect(results).toMatchObject([{ zxid: checkpoint, revision: 2 }]);
    expect(tree.flushedZxid).toBe(checkpoint);
    expect(tree.get(key).record?.value).toEqual(bytes('2'));
    expect(execute({ type: 'checkpoint' }).type).toBe('staged');
  });

  it('a failed flush loses nothing and the next one writes it', () => {
    execute(set('1'));
    commit();
    fault = new Error('disk full');
    const errors: (string | undefined)[] = [];
    const flush = (): void => tree.flush({ force: true, done: (error) => errors.push(error?.message) });
    flush();
    runTasks();
    expect(tree.get(key).record?.value).toEqual(bytes('1'));
    expect(tree.flushedZxid).toBe(0);
    fault = null;
    execute(set('2'));
    commit();
    flush();
    runTasks();
    expect(errors).toEqual(['disk full', undefined]);
    expect(tree.flushedZxid).toBe(zxid);
    expect(tree.overlayBytes).toBe(0);
  });

  it('deleteRange deletes what the range holds at that entry, keys of the same entry included', () => {
    const put = (name: string): Entry['operations'][number] => {
      const record = { createRevision: 2 as Revision, version: 1, lease: 0n };
      return { type: 'put', space: 1, key: bytes(name), value: bytes('v'), ...record };
    };
    const entry = (operations: Entry['operations']): Entry => {
      zxid += 1;
      return { zxid: zxid as Zxid, revision: (tree.revision + 1) as Revision, operations };
    };
    tree.apply([entry([put('a'), put('b'), put('c')])]);
    tree.flush({ force: true });
    runTasks();
    const range = { type: 'deleteRange', space: 1, from: bytes('b'), to: bytes('d') } as const;
    tree.apply([entry([put('bb'), range, put('c')])]);
    const all = { from: bytes(''), to: undefined, at: undefined, limit: 10, bytesMax: 1000, keysOnly: true };
    const result = tree.range(all);
    expect(result.type === 'range' && result.records.map((record) => record.key)).toEqual([bytes('a'), bytes('c')]);
  });

  it('hashVersions() is of what is applied, one after the other, and differs once a version does', () => {
    execute(set('one'));
    execute(set('two'));
    commit();
    const hashes: string[] = [];
    const hash = (through: number): void =>
      tree.hashVersions(through as Revision, (error, result) => {
        hashes.push(error?.message ?? `${result?.revision} ${result?.hash}`);
      });
    for (const through of [2, 3, 3]) hash(through);
    runTasks();
    expect(hashes.map((line) => line.split(' ')[0])).toEqual(['2', '3', '3']);
    expect(hashes[1]).toBe(hashes[2]);
    expect(hashes[0]?.split(' ')[1]).not.toBe(hashes[1]?.split(' ')[1]);
  });

  it('reclaim() ends when compaction has left the store, and with an error when it cannot', () => {
    for (const value of ['one', 'two', 'three']) execute(set(value));
    execute({ type: 'compact', revision: 4 as Revision });
    commit();
    const before = tree.revision;
    const ends: (string | null)[] = [];
    const reclaim = (): void => tree.reclaim((error) => ends.push(error?.message ?? null));
    reclaim();
    runTasks();
    expect(ends).toEqual([null]);
    reclaim();
    runTasks();
    expect(ends).toEqual([null, null]);
    expect(tree.revision).toBe(before);
    execute(set('four'));
    execute({ type: 'compact', revision: 5 as Revision });
    commit();
    fault = new Error('the disk is on fire');
    reclaim();
    runTasks();
    expect(ends.at(-1)).toBe('the disk is on fire');
  });

  it('replaceStore() answers hashes and reclaims that are under way', () => {
    execute(set('one'));
    execute({ type: 'compact', revision: 2 as Revision });
    commit();
    const ends: string[] = [];
    tree.hashVersions(2 as Revision, (error) => ends.push(`hash: ${error?.message}`));
    tree.reclaim((error) => ends.push(`reclaim: ${error?.message}`));
    tree.replaceStore(disk.open('other'));
    runTasks();
    const replaced = 'Cannot finish a flush: a snapshot replaced the tree';
    expect(ends).toEqual([`hash: ${replaced}`, `reclaim: ${replaced}`]);
  });

  it('replaceStore() goes on with the new state, fails waiting flushes and resets watchers', () => {
    const ahead = openTree('other');
    ahead.apply([{ zxid: (zxid + 5) as Zxid, revision: 1 as Revision, operations: [{ type: 'checkpoint' }] }]);
    runTasks();
    execute(set('old'));
    commit();
    const seen: string[] = [];
    tree.watch({
      from: '',
      to: undefined,
      single: false,
      notify: (revision) => seen.push(`notify ${revision}`),
      reset: (through) => seen.push(`reset ${through}`),
    });
    tree.flush({ force: true, done: (error) => seen.push(error?.message ?? 'flushed') });
    tree.replaceStore(disk.open('other'));
    runTasks();
    expect(seen).toEqual(['reset 2', 'Cannot finish a flush: a snapshot replaced the tree']);
    expect(tree.revision).toBe(1);
    expect(tree.get(key).record).toBeUndefined();
    expect(tree.appliedZxid).toBe(zxid + 4);
  });
});
