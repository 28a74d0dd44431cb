import { beforeEach, describe, expect, test } from 'vitest';
import { type Limits, limits } from '../config/limits.js';
import { type ClientId, revisionFirst, toEpoch, toRevision, type Zxid, zxidOf, zxidZero } from '../shared/ids.js';
import { VirtualClock } from '../simulator/virtual-clock.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import type { Command, CommandResult, RequestIdentity } from '../tree/command.js';
import { type Operation, type SpaceId, spaces } from '../tree/delta.js';
import { encodeLeaseRecord, leasedKey, leaseKey } from '../tree/lease-records.js';
import { Tree } from '../tree/tree.js';
import { decodeBatch } from '../wire/batch-codec.js';
import type { Batch } from '../zab/messages.js';
import { LeaderRequests } from './leader-requests.js';
import { failure, type PendingRequest } from './request.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const set = (key: string, value = 'v'): Command => ({ type: 'set', key: bytes(key), value: bytes(value) });
const add = (key: string): Command => ({ type: 'add', key: bytes(key), value: bytes('v') });

/** A leader without peers: batches commit when the test says so. */
class Leader {
  private tasks: (() => void)[] = [];
  private readonly clock = new VirtualClock();
  readonly tree: Tree;
  readonly proposed: Batch[] = [];
  inFlight = 0;
  confirmations = 0;
  refused: CommandResult | null = null;
  proposing = true;
  private counter = 0;
  readonly requests: LeaderRequests;

  constructor(limited: Partial<Limits> = {}) {
    const defer = (task: () => void): void => {
      this.tasks.push(task);
    };
    const after = (delayMs: number, task: () => void): (() => void) => this.clock.after(delayMs, task);
    const disk = new MemoryTreeDisk({ scheduler: { defer, after } });
    this.tree = new Tree(disk.open('tree'), {
      ...limits,
      defer,
      leases: {
        ttlSecondsMin: 1,
        revokeKeysMax: 100,
        revokeBytesMax: 100_000,
        drawId: () => 1n,
        remainingSeconds: () => undefined,
      },
    });
    this.requests = new LeaderRequests(
      {
        tree: this.tree,
        nextZxid: () => (this.proposing ? zxidOf(toEpoch(1), this.counter + 1) : null),
        batchesInFlight: () => this.inFlight,
        propose: (batch) => {
          this.counter += batch.last - batch.first + 1;
          this.inFlight++;
          this.proposed.push(batch);
        },
        requestConfirmation: () => ++this.confirmations,
        admit: (request) => request,
        refusal: () => this.refused,
        defer,
      },
      { ...limits, batchEntriesMax: 4, prepareQueueMax: 8, batchesInFlightMax: 2, ...limited },
    );
  }

  /** A lease with keys of this length, as if it had been granted by another leader. */
  lease(id: bigint, keys: number, keyBytes: number): void {
    const put = (space: SpaceId, key: Uint8Array, lease: bigint): Operation => ({
      type: 'put',
      space,
      key,
      value: encodeLeaseRecord({ grantedSeconds: 10, remainingSeconds: 0 }),
      createRevision: revisionFirst,
      version: 1,
      lease,
    });
    const operations = [put(spaces.leases, leaseKey(id), 0n)];
    for (let i = 0; i < keys; i++) {
      const key = bytes(`${i}`.padEnd(keyBytes, 'k'));
      operations.push(put(spaces.user, key, id), put(spaces.leaseKeys, leasedKey(id, key), 0n));
    }
    this.counter += 1;
    this.tree.apply([{ zxid: zxidOf(toEpoch(1), this.counter), revision: toRevision(2), operations }]);
  }

  turn(): void {
    const tasks = this.tasks;
    this.tasks = [];
    for (const task of tasks) task();
  }

  commit(): void {
    const batch = this.proposed.shift();
    if (batch === undefined) throw new Error('nothing is proposed');
    this.inFlight--;
    this.tree.commitStaged(batch.last);
    this.requests.applied(batch.last);
    this.turn();
  }
}

describe('LeaderRequests', () => {
  let leader: Leader;
  let results: [string, CommandResult['code']][];
  const submit = (name: string, command: Command, deadlineMs = 1_000, identity?: RequestIdentity): void => {
    leader.requests.submit({
      envelope: identity === undefined ? { command } : { command, identity },
      deadlineMs,
      answered: false,
      done: ({ code }) => results.push([name, code]),
    });
  };
  beforeEach(() => {
    leader = new Leader();
    results = [];
  });

  test('does not execute what is taken back, and executes it when it is submitted again', () => {
    const codes: string[] = [];
    let room = false;
    const kept: PendingRequest[] = [];
    const requestOf = (name: string): PendingRequest => ({
      envelope: { command: set(name) },
      deadlineMs: 1_000,
      done: ({ code }) => void codes.push(`${name} ${code}`),
      takenBack: (request) => {
        if (!room) kept.push(request);
        return !room;
      },
      answered: false,
    });
    leader.requests.submit(requestOf('a'));
    submit('b', set('b'));
    leader.turn();
    expect(leader.proposed.map(({ first, last }) => last - first + 1)).toEqual([1]);
    leader.commit();
    expect(codes).toEqual([]);
    room = true;
    for (const request of kept) leader.requests.resubmit(request);
    leader.turn();
    leader.commit();
    expect(codes).toEqual(['a OK']);
  });

  test('what arrives in one turn becomes one batch, answered in order when it commits', () => {
    for (const key of ['a', 'b', 'c']) submit(key, set(key));
    leader.turn();
    expect(leader.proposed.map(({ first, last }) => last - first + 1)).toEqual([3]);
    const [batch] = leader.proposed as [Batch];
    expect(decodeBatch(batch.body, batch.first)).toHaveLength(3);
    expect(results).toEqual([]);
    leader.commit();
    expect(results.map(([name]) => name)).toEqual(['a', 'b', 'c']);
  });

  test('keeps no more batches in flight than its bound, and fills batches meanwhile', () => {
    for (let i = 0; i < 8; i++) submit(`k${i}`, set(`k${i}`));
    leader.turn();
    submit('late', set('late'));
    leader.turn();
    expect(leader.proposed).toHaveLength(2);
    leader.commit();
    expect(leader.proposed).toHaveLength(2);
    leader.commit();
    leader.commit();
    expect(results).toHaveLength(9);
  });

  test('a refusal judged by staged state waits for that state to commit and for a confirmation begun afterwards', () => {
    submit('first', add('a'));
    submit('second', add('a'));
    leader.turn();
    leader.requests.leadershipConfirmed(leader.confirmations);
    expect(results).toEqual([]);
    leader.commit();
    expect(results).toEqual([
      ['first', 'OK'],
      ['second', 'KEY_EXISTS'],
    ]);
    submit('third', add('a'));
    leader.turn();
    expect(results).toHaveLength(2);
    leader.requests.leadershipConfirmed(leader.confirmations - 1);
    expect(results).toHaveLength(2);
    leader.requests.leadershipConfirmed(leader.confirmations);
    expect(results.at(-1)).toEqual(['third', 'KEY_EXISTS']);
  });

  test('the refusal of a repeated request is proposed, and told to it and to its late copy when it commits', () => {
    const identity = { client: 3 as ClientId, request: 1, acknowledgedBelow: 1, bornAt: zxidZero };
    const remove: Command = { type: 'delete', key: bytes('k') };
    submit('repetition', remove, 1_000, { ...identity, repeated: true });
    submit('copy', remove, 1_000, { ...identity, repeated: false });
    submit('other', set('k'));
    leader.turn();
    leader.requests.leadershipConfirmed(leader.confirmations);
    expect(results).toEqual([]);
    leader.commit();
    expect(results).toEqual([
      ['repetition', 'KEY_NOT_FOUND'],
      ['copy', 'KEY_NOT_FOUND'],
      ['other', 'OK'],
    ]);
    submit('later copy', remove, 1_000, { ...identity, repeated: false });
    leader.turn();
    leader.requests.leadershipConfirmed(leader.confirmations);
    expect(results.at(-1)).toEqual(['later copy', 'KEY_NOT_FOUND']);
    expect(leader.tree.get(bytes('k')).record).toBeDefined();
  });

  test('losing leadership leaves the outcome of executed writes unknown, and says that the others did not happen', () => {
    submit('refused', { type: 'delete', key: bytes('x') });
    submit('executed', set('a'));
    leader.turn();
    leader.proposing = false;
    submit('queued', set('b'));
    leader.turn();
    leader.requests.leadershipLost();
    expect(Object.fromEntries(results)).toEqual({
      refused: 'NO_QUORUM',
      executed: 'OUTCOME_UNKNOWN',
      queued: 'NO_QUORUM',
    });
    expect(leader.requests.unanswered).toBe(0);
  });

  test('answers at the deadline wherever the request stands, and executes nothing that was answered', () => {
    submit('executed', set('a'), 100);
    leader.turn();
    leader.proposing = false;
    submit('patient', set('b'), 900);
    submit('queued', set('c'), 100);
    leader.turn();
    leader.requests.expire(100);
    expect(Object.fromEntries(results)).toEqual({ executed: 'TIMEOUT', queued: 'OVERLOADED' });
    leader.proposing = true;
    leader.requests.schedule();
    leader.turn();
    leader.commit();
    leader.commit();
    expect(results.at(-1)).toEqual(['patient', 'OK']);
    expect(leader.tree.get(bytes('c')).record).toBeUndefined();
  });

  test('refuses past its queue bound, and everything while there is no space', () => {
    for (let i = 0; i < 9; i++) submit(`k${i}`, set(`k${i}`));
    expect(results).toEqual([['k8', 'OVERLOADED']]);
    leader.refused = failure('NO_SPACE', 'full');
    leader.turn();
    expect(results.filter(([, code]) => code === 'NO_SPACE')).toHaveLength(8);
  });

  test('what a command came to counts for the batch, not only what it says', () => {
    const heldKeys = 5;
    leader = new Leader({ batchBytesMax: 1_000 });
    leader.lease(1n, heldKeys, 300);
    submit('revoke', { type: 'leaseRevoke', id: 1n });
    submit('next', set('a'));
    leader.turn();
    expect(leader.proposed.map(({ first, last }) => last - first + 1)).toEqual([1, 1]);
  });

  test('a checkpoint goes alone in its batch, so that a flush ends where a batch does', () => {
    submit('a', set('a'));
    submit('checkpoint', { type: 'checkpoint' });
    submit('b', set('b'));
    leader.turn();
    const lengths = (): number[] =>
      leader.proposed.map(({ first, last }: { first: Zxid; last: Zxid }) => last - first + 1);
    expect(lengths()).toEqual([1, 1]);
    leader.commit();
    leader.commit();
    expect(lengths()).toEqual([1]);
    leader.commit();
    expect(results.map(([name]) => name)).toEqual(['a', 'checkpoint', 'b']);
  });
});
