// The tree against a naive model: every version of every key in a list. Random commands with flushes, dropped
// proposals, compaction, checkpoints and failed flushes in between; a second node applies the same entries with flushes
// at other times.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../config/limits.js';
import type { Bytes } from '../shared/bytes.js';
import type { Revision, Zxid } from '../shared/ids.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import type { Entry } from './delta.js';
import type { WatchRequest } from './replicated-tree.js';
import type { KeyRecord } from './store.js';
import { Tree, type TreeOptions } from './tree.js';

const text = (value: string): Bytes => new Uint8Array(Buffer.from(value));
const readable = (bytes: Bytes): string => Buffer.from(bytes).toString();

/** A queue of tasks that the test runs when it wants a flush to end. */
class ManualScheduler {
  private tasks: (() => void)[] = [];
  defer(task: () => void): void {
    this.tasks.push(task);
  }
  after(_delayMs: number, task: () => void): () => void {
    this.tasks.push(task);
    return () => undefined;
  }
  runOne(): boolean {
    const task = this.tasks.shift();
    task?.();
    return task !== undefined;
  }
  runAll(): void {
    while (this.runOne());
  }
}

class Node {
  readonly scheduler = new ManualScheduler();
  failNext = false;
  readonly disk = new MemoryTreeDisk({
    scheduler: this.scheduler,
    fault: () => {
      const failing = this.failNext;
      this.failNext = false;
      return failing ? new Error('disk full') : null;
    },
  });
  tree: Tree;
  readonly checkpoints: string[] = [];

  constructor(options: Partial<TreeOptions>) {
    this.tree = this.open(options);
  }

  open(options: Partial<TreeOptions>): Tree {
    const tree = new Tree(this.disk.open('tree'), {
      ...limits,
      sessionsMax: 2,
      sessionResultsMax: 3,
      sessionResultsTotalMax: 5,
      overlayFlushBytes: 2000,
      overlayFlushVersions: 5,
      historyRowsMax: 3,
      compactVersionsMax: 2,
      accessBytesMax: 100_000,
      accessRangesKeptMax: 100,
      defer: (task) => this.scheduler.defer(task),
      ...options,
    });
    tree.onCheckpoint((result) => this.checkpoints.push(`${result.zxid} ${result.revision} ${result.digest}`));
    return tree;
  }
}

interface ModelVersion {
  readonly key: string;
  readonly revision: number;
  readonly value: string | null;
  readonly create: number;
  readonly version: number;
}

class Model {
  versions: ModelVersion[] = [];
  revision = 1;
  compacted = 0;

  at(key: string, revision: number): ModelVersion | undefined {
    const found = this.versions.filter((version) => version.key === key && version.revision <= revision).pop();
    return found?.value === null ? undefined : found;
  }

  put(key: string, value: string): void {
    const old = this.at(key, this.revision);
    this.revision += 1;
    const create = old?.create ?? this.revision;
    this.versions.push({ key, revision: this.revision, value, create, version: (old?.version ?? 0) + 1 });
  }

  remove(key: string): boolean {
    if (this.at(key, this.revision) === undefined) return false;
    this.revision += 1;
    this.versions.push({ key, revision: this.revision, value: null, create: 0, version: 0 });
    return true;
  }

  range(from: string, to: string | undefined, revision: number): string[] {
    const keys = [...new Set(this.versions.map((version) => version.key))].sort();
    return keys
      .filter((key) => key >= from && (to === undefined || key < to))
      .map((key) => this.at(key, revision))
      .filter((version) => version !== undefined)
      .map((version) => `${version.key}=${version.value} ${version.create} ${version.revision} ${version.version}`);
  }
}

const shown = (record: KeyRecord): string =>
  `${readable(record.key)}=${readable(record.value)} ${record.createRevision} ${record.modRevision} ${record.version}`;

const shownVersion = ({ key, value, create, revision, version }: ModelVersion): string =>
  `${key}=${value} ${create} ${revision} ${version}`;

const keys = ['a', 'ab', 'b', 'ba', 'c', 'd', 'e', 'f'];
const key = fc.constantFrom(...keys);
type Step =
  | { type: 'set' | 'add' | 'delete'; key: string; value: string }
  | { type: 'compact'; back: number }
  | { type: 'commit' | 'drop' | 'flush' | 'force' | 'turn' | 'fail' | 'checkpoint' | 'read' | 'followerFlush' };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('set' as const), key, value: fc.string({ maxLength: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('add' as const), key, value: fc.string({ maxLength: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('delete' as const), key, value: fc.constant('') }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('compact' as const), back: fc.nat({ max: 6 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constantFrom('commit', 'drop', 'flush', 'force', 'turn', 'fail', 'checkpoint', 'read', 'followerFlush'),
    }) as fc.Arbitrary<Step>,
  },
);

/** Runs steps on a leader, a follower and the model. */
class Story {
  readonly leader = new Node({});
  readonly follower = new Node({ overlayFlushVersions: 2 });
  readonly model = new Model();
  private zxid = 2 ** 32 + 1;
  private staged: { entry: Entry; effect: (model: Model) => void }[] = [];

  run(steps: readonly Step[]): void {
    for (const each of steps) this.step(each);
    this.commit();
    this.check();
    this.finish();
  }

  private step(each: Step): void {
    switch (each.type) {
      case 'set':
      case 'add':
      case 'delete':
        this.write(each);
        return;
      case 'compact':
        this.compact(each.back);
        return;
      case 'checkpoint':
        this.stage({ type: 'checkpoint' }, () => undefined);
        return;
      case 'commit':
        this.commit();
        return;
      case 'drop':
        this.leader.tree.dropStaged();
        this.staged = [];
        return;
      case 'flush':
      case 'force':
        this.leader.tree.flush({ force: each.type === 'force' });
        return;
      case 'followerFlush':
        this.follower.tree.flush({ force: true });
        this.follower.scheduler.runAll();
        return;
      case 'fail':
        this.leader.failNext = true;
        return;
      case 'turn':
        this.leader.scheduler.runOne();
        return;
      case 'read':
        this.check();
    }
  }

  private write(each: { type: 'set' | 'add' | 'delete'; key: string; value: string }): void {
    const bytes = { key: text(each.key), value: text(each.value) };
    const command = each.type === 'delete' ? { type: each.type, key: bytes.key } : { type: each.type, ...bytes };
    this.stage(command, (model) => {
      if (each.type === 'delete') model.remove(each.key);
      else model.put(each.key, each.value);
    });
  }

  private compact(back: number): void {
    const revision = (this.leader.tree.revision - back) as Revision;
    if (revision < 1) return;
    this.stage({ type: 'compact', revision }, (model) => {
      model.compacted = revision;
    });
  }

  private stage(command: Parameters<Tree['execute']>[0]['command'], effect: (model: Model) => void): void {
    const execution = this.leader.tree.execute({ command }, (this.zxid + 1) as Zxid);
    if (execution.type !== 'staged') return;
    this.zxid += 1;
    this.staged.push({ entry: execution.entry, effect });
  }

  private commit(): void {
    const last = this.staged[this.staged.length - 1];
    if (last === undefined) return;
    this.leader.tree.commitStaged(last.entry.zxid);
    this.follower.tree.apply(this.staged.map(({ entry }) => entry));
    for (const { effect } of this.staged) effect(this.model);
    this.staged = [];
  }

  private check(): void {
    for (const node of [this.leader, this.follower]) {
      const { tree } = node;
      expect(tree.revision).toBe(this.model.revision);
      expect(tree.compactedRevision).toBe(this.model.compacted);
      for (const each of keys) {
        const record = tree.get(text(each)).record;
        const expected = this.model.range(each, `${each}\0`, this.model.revision);
        expect(record === undefined ? [] : [shown(record)]).toEqual(expected);
      }
      for (let at = Math.max(1, this.model.compacted); at <= this.model.revision; at++) {
        expect(this.readRange(tree, 'ab', 'd', at)).toEqual(this.model.range('ab', 'd', at));
        expect(this.readRange(tree, '', undefined, at)).toEqual(this.model.range('', undefined, at));
      }
      this.checkChanges(tree);
    }
  }

  private readRange(tree: Tree, from: string, to: string | undefined, at: number): string[] {
    const records: string[] = [];
    let next: Bytes | undefined = text(from);
    while (next !== undefined) {
      const end: Bytes | undefined = to === undefined ? undefined : text(to);
      const request = { from: next, to: end, at: at as Revision, limit: 2, bytesMax: 1000, keysOnly: false };
      const result = tree.range(request);
      if (result.type !== 'range') throw new Error(`Unexpected ${result.type}`);
      records.push(...result.records.map(shown));
      next = result.next;
    }
    return records;
  }

  private checkChanges(tree: Tree): void {
    const range = { from: text('ab'), to: text('d'), single: false };
    this.checkChangesOf(tree, range, (key) => key >= 'ab' && key < 'd');
    for (const key of new Set(this.model.versions.map((version) => version.key))) {
      this.checkChangesOf(tree, { from: text(key), to: undefined, single: true }, (other) => other === key);
    }
    if (this.model.compacted > 0) {
      const all = { from: text('a'), to: undefined, single: false };
      expect(tree.changes(all, this.model.compacted as Revision, { bytesMax: 1 }).type).toBe('compacted');
    }
  }

  private checkChangesOf(tree: Tree, request: WatchRequest, wants: (key: string) => boolean): void {
    const from = this.model.compacted + 1;
    const seen: string[] = [];
    let next = from as Revision;
    while (next <= tree.revision) {
      const result = tree.changes(request, next, { bytesMax: 3 });
      if (result.type !== 'changes') throw new Error('Unexpectedly compacted');
      expect(result.next).toBeGreaterThan(next);
      for (const event of result.events) {
        const { type, key, modRevision, record, previous } = event;
        const before = previous === undefined ? '' : shown(previous);
        seen.push(`${type} ${readable(key)} ${modRevision} ${record ? shown(record) : ''} was ${before}`);
      }
      next = result.next;
    }
    const wanted = this.model.versions.filter((version) => version.revision >= from && wants(version.key));
    const expected = wanted.map((version) => {
      const { key, value, revision } = version;
      const replaced = this.model.at(key, revision - 1);
      const before = replaced === undefined ? '' : shownVersion(replaced);
      if (value === null) return `delete ${key} ${revision}  was ${before}`;
      return `put ${key} ${revision} ${shownVersion(version)} was ${before}`;
    });
    expect(seen).toEqual(expected);
  }

  /** Both nodes end with equal digests and checkpoints, and reopen to the same state. */
  private finish(): void {
    const digests: string[] = [];
    for (const node of [this.leader, this.follower]) {
      node.failNext = false;
      for (let i = 0; i < 3; i++) {
        node.tree.flush({ force: true });
        node.scheduler.runAll();
      }
      expect(node.tree.flushedZxid).toBe(node.tree.appliedZxid);
      expect(node.tree.overlayBytes).toBe(0);
      node.tree.digest((_error, result) => digests.push(`${result?.zxid} ${result?.revision} ${result?.digest}`));
      node.scheduler.runAll();
    }
    expect(digests).toHaveLength(2);
    expect(digests[0]).toBe(digests[1]);
    expect(this.leader.checkpoints).toEqual(this.follower.checkpoints);
    this.leader.tree = this.leader.open({});
    this.follower.tree = this.follower.open({});
    this.check();
  }
}

describe('Tree against a model', () => {
  it('execute(), apply(), reads at revisions, changes() and compaction agree with a list of versions', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        new Story().run(steps);
      }),
      { numRuns: 300 },
    );
  });
});
