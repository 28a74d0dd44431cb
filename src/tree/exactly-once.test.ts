// Late copies of requests: what was once told to a client stays true, whatever arrives later, on whichever leader.

import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../config/limits.js';
import type { ClientId, Revision, Zxid } from '../shared/ids.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import type { Command, CommandEnvelope, CommandResult, RequestIdentity } from './command.js';
import type { Entry } from './delta.js';
import type { Execution } from './replicated-tree.js';
import { Tree, type TreeOptions } from './tree.js';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const add = (key: string): Command => ({ type: 'add', key: bytes(key), value: bytes('v') });
const set = (key: string): Command => ({ type: 'set', key: bytes(key), value: bytes('v') });
const remove = (key: string): Command => ({ type: 'delete', key: bytes(key) });

/** Two nodes of an ensemble; either may lead, the other applies what the leader commits. */
class Pair {
  private readonly tasks: (() => void)[] = [];
  private readonly disk = new MemoryTreeDisk({
    scheduler: { defer: (task) => this.defer(task), after: (_delayMs, task) => this.after(task) },
  });
  private readonly options: TreeOptions;
  readonly trees: Tree[];
  leading = 0;
  private zxid = 2 ** 32;

  constructor(options: Partial<TreeOptions> = {}) {
    this.options = {
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
      defer: (task) => this.defer(task),
      ...options,
    };
    this.trees = ['one', 'two'].map((name) => new Tree(this.disk.open(name), this.options));
  }

  get leader(): Tree {
    return this.trees[this.leading] as Tree;
  }

  execute(command: Command, identity?: RequestIdentity): Execution {
    const envelope: CommandEnvelope = identity === undefined ? { command } : { command, identity };
    const execution = this.leader.execute(envelope, (this.zxid + 1) as Zxid);
    if (execution.type === 'staged') this.zxid += 1;
    return execution;
  }

  commit(...entries: Entry[]): void {
    this.leader.commitStaged(this.leader.stagedZxid);
    (this.trees[1 - this.leading] as Tree).apply(entries);
  }

  /** Executes and commits. */
  run(command: Command, identity?: RequestIdentity): CommandResult {
    const execution = this.execute(command, identity);
    if (execution.type === 'staged') this.commit(execution.entry);
    return execution.result;
  }

  /** Both nodes flush and are opened again. */
  reopen(): void {
    for (const tree of this.trees) tree.flush({ force: true });
    for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) task();
    for (const [index, name] of ['one', 'two'].entries()) {
      this.trees[index] = new Tree(this.disk.open(name), this.options);
    }
  }

  has(key: string): boolean {
    return this.leader.get(bytes(key)).record !== undefined;
  }

  private defer(task: () => void): void {
    this.tasks.push(task);
  }

  private after(task: () => void): () => void {
    this.tasks.push(task);
    return () => undefined;
  }
}

function attempt(request: number, given: Partial<RequestIdentity> = {}): RequestIdentity {
  return {
    client: 7 as ClientId,
    request,
    acknowledgedBelow: 1,
    bornAt: 0 as Zxid,
    repeated: false,
    ...given,
  };
}

const repeated = { repeated: true };

describe('a refused request', () => {
  let pair: Pair;
  beforeEach(() => {
    pair = new Pair();
  });

  it('is not executed by a late copy of its first attempt, once a repetition was refused', () => {
    pair.run(set('k'));
    // The first attempt is held up on its way, the repetition overtakes it.
    expect(pair.run(add('k'), attempt(1, repeated)).code).toBe('KEY_EXISTS');
    expect(pair.run(remove('k')).code).toBe('OK');
    for (const leading of [0, 1]) {
      pair.leading = leading;
      for (const late of [attempt(1), attempt(1, repeated)]) {
        expect(pair.run(add('k'), late)).toMatchObject({ code: 'KEY_EXISTS', revision: 2 });
        expect(pair.has('k')).toBe(false);
      }
    }
    pair.reopen();
    expect(pair.run(add('k'), attempt(1)).code).toBe('KEY_EXISTS');
    expect(pair.run(add('k'), attempt(2)).code).toBe('OK');
  });

  it('is refused for good with every code of a verdict', () => {
    pair.run(set('there'));
    const cases: [Command, string, () => void][] = [
      [remove('k'), 'KEY_NOT_FOUND', () => pair.run(set('k'))],
      [{ ...set('k'), expectedRevision: 0 as Revision } as Command, 'REVISION_MISMATCH', () => pair.run(remove('k'))],
      [{ type: 'compact', revision: 5 as Revision }, 'FUTURE_REVISION', () => pair.run(set('there'))],
    ];
    for (const [index, [command, code, makePossible]] of cases.entries()) {
      expect(pair.run(command, attempt(index + 1, repeated)).code).toBe(code);
      makePossible();
      const before = pair.leader.revision;
      const late = pair.run(command, attempt(index + 1));
      expect(late.code).toBe(code);
      expect(late.message).not.toBe('');
      expect(pair.leader.revision).toBe(before);
    }
  });

  it('costs no entry at its first attempt, and one without a change when it is repeated', () => {
    expect(pair.execute(remove('k'), attempt(1)).type).toBe('answered');
    const execution = pair.execute(remove('k'), attempt(1, repeated));
    expect(execution).toEqual({
      type: 'staged',
      entry: {
        zxid: 2 ** 32 + 1,
        revision: 1,
        operations: [{ type: 'remember', client: 7, request: 1, acknowledgedBelow: 1, code: 'KEY_NOT_FOUND' }],
      },
      result: {
        code: 'KEY_NOT_FOUND',
        message: 'Cannot delete the key: it does not exist',
        revision: 1,
        zxid: 2 ** 32 + 1,
      },
    });
    expect(pair.execute(remove('k'), attempt(1, repeated)).type).toBe('joined');
    expect(pair.execute(remove('k'), attempt(1))).toMatchObject({ type: 'joined', result: { code: 'KEY_NOT_FOUND' } });
    if (execution.type === 'staged') pair.commit(execution.entry);
    expect(pair.leader.revision).toBe(1);
    expect(pair.execute(remove('k'), attempt(1, repeated)).type).toBe('answered');
  });

  it('is judged anew when its staged refusal was dropped with the leadership', () => {
    expect(pair.execute(remove('k'), attempt(1, repeated)).type).toBe('staged');
    pair.leader.dropStaged();
    pair.leading = 1;
    pair.run(set('k'));
    expect(pair.run(remove('k'), attempt(1, repeated)).code).toBe('OK');
  });

  it('is remembered no longer than a success: then a late copy is told OUTCOME_UNKNOWN, and not executed', () => {
    const forgettings: (() => void)[] = [
      () => pair.run(set('x'), attempt(2, { acknowledgedBelow: 2 })),
      () => {
        for (const request of [2, 3, 4]) pair.run(set('x'), attempt(request));
      },
      () => {
        for (const client of [8, 9]) pair.run(set('x'), attempt(1, { client: client as ClientId }));
      },
    ];
    for (const forget of forgettings) {
      pair = new Pair();
      expect(pair.run(remove('k'), attempt(1, repeated)).code).toBe('KEY_NOT_FOUND');
      forget();
      pair.run(set('k'));
      for (const late of [attempt(1), attempt(1, repeated)]) {
        expect(pair.execute(remove('k'), late)).toMatchObject({
          type: 'answered',
          result: { code: 'OUTCOME_UNKNOWN' },
        });
      }
      expect(pair.has('k')).toBe(true);
    }
  });

  it('with OVERLOADED is no verdict: the same request may be sent again and succeed', () => {
    const first = pair.execute({ type: 'checkpoint' });
    expect(pair.execute({ type: 'checkpoint' }, attempt(1, repeated))).toMatchObject({
      type: 'answered',
      result: { code: 'OVERLOADED' },
    });
    if (first.type === 'staged') pair.commit(first.entry);
    pair.reopen();
    expect(pair.run({ type: 'checkpoint' }, attempt(1, repeated)).code).toBe('OK');
  });
});

describe('a request that succeeded', () => {
  it('is answered with its own result when it is repeated, refusals of others in between', () => {
    const pair = new Pair();
    const first = pair.run(add('k'), attempt(1));
    expect(pair.run(add('k'), attempt(2, repeated)).code).toBe('KEY_EXISTS');
    pair.run(remove('k'));
    expect(pair.run(add('k'), attempt(1, repeated))).toEqual(first);
    expect(pair.has('k')).toBe(false);
  });
});
