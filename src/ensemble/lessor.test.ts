import { beforeEach, describe, expect, test } from 'vitest';
import { type Bytes, compareBytes } from '../shared/bytes.js';
import { revisionFirst, zxidZero } from '../shared/ids.js';
import { SeededRandom } from '../shared/random.js';
import type { Command, CommandResult } from '../tree/command.js';
import { spaces } from '../tree/delta.js';
import { encodeLeaseRecord, type LeaseRecord, leaseKey } from '../tree/lease-records.js';
import type { SpaceListener } from '../tree/replicated-tree.js';
import type { KeyRecord } from '../tree/store.js';
import { leaseTtlSecondsMin } from './lease-port.js';
import { Lessor, type LessorSettings } from './lessor.js';
import { failure, type PendingRequest } from './request.js';

const ok = (output?: CommandResult['output']): CommandResult => ({
  code: 'OK',
  message: '',
  revision: revisionFirst,
  zxid: zxidZero,
  ...(output === undefined ? {} : { output }),
});

function recordOf(id: bigint, record: LeaseRecord): KeyRecord {
  const value = encodeLeaseRecord(record);
  return { key: leaseKey(id), value, createRevision: revisionFirst, modRevision: revisionFirst, version: 1, lease: 0n };
}

/** A leader whose commands commit when the test says so; the leases of its tree are a map. */
class Leader {
  nowMs = 1_000_000;
  readonly records = new Map<bigint, LeaseRecord>();
  private listener: SpaceListener | undefined;
  readonly revoked: { readonly id: bigint; readonly atMs: number }[] = [];
  readonly checkpoints: (readonly { readonly id: bigint; readonly remainingSeconds: number }[])[] = [];
  submitted: { readonly command: Command; readonly done: (result: CommandResult) => void }[] = [];
  private tasks: (() => void)[] = [];
  readonly lessor: Lessor;

  constructor(settings: Partial<LessorSettings> = {}) {
    this.lessor = new Lessor(
      {
        tree: {
          scanSpace: (_space, from, _to, visit) => this.scan(from, visit),
          onSpaceChange: (_space, listener) => {
            this.listener = listener;
            return () => undefined;
          },
        },
        submit: ({ envelope: { command }, done }) => this.submitted.push({ command, done }),
        nowMs: () => this.nowMs,
        defer: (task) => this.tasks.push(task),
      },
      {
        limits: { leasesMax: 200_000, leaseExpiriesInFlightMax: 512 },
        checkpointIntervalMs: 60_000,
        ...settings,
      },
    );
  }

  lead(): void {
    this.lessor.serves(true);
    this.turn();
  }

  /** Committed by this leader; null: deleted. */
  write(id: bigint, record: LeaseRecord | null): void {
    if (record === null) this.records.delete(id);
    else this.records.set(id, record);
    const version = record === null ? null : recordOf(id, record);
    this.listener?.changed([{ space: spaces.leases, key: leaseKey(id), modRevision: revisionFirst, record: version }]);
  }

  private scan(from: Bytes, visit: (record: KeyRecord) => boolean): void {
    const rows = [...this.records].map(([id, record]) => recordOf(id, record));
    rows.sort((a, b) => compareBytes(a.key, b.key));
    for (const row of rows) if (compareBytes(row.key, from) >= 0 && !visit(row)) return;
  }

  turn(): void {
    for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) task();
  }

  grant(id: bigint, grantedSeconds: number): void {
    this.write(id, { grantedSeconds, remainingSeconds: 0 });
  }

  /** Everything that was submitted happens. */
  commit(): void {
    for (;;) {
      const next = this.submitted.shift();
      if (next === undefined) return;
      const { command, done } = next;
      if (command.type === 'leaseRevoke') {
        const known = this.records.has(command.id);
        if (known) {
          this.revoked.push({ id: command.id, atMs: this.nowMs });
          this.write(command.id, null);
        }
        done(known ? ok() : failure('LEASE_NOT_FOUND', 'no such lease'));
      } else if (command.type === 'leaseCheckpoint') {
        this.checkpoints.push(command.leases);
        for (const { id, remainingSeconds } of command.leases) {
          this.write(id, { ...(this.records.get(id) as LeaseRecord), remainingSeconds });
        }
        done(ok());
      }
    }
  }

  pass(milliseconds: number, committing = true): void {
    const untilMs = this.nowMs + milliseconds;
    while (this.nowMs < untilMs) {
      this.nowMs = Math.min(untilMs, this.nowMs + 50);
      this.lessor.tick(this.nowMs);
      if (committing) this.commit();
    }
  }

  /** A keep-alive arrives; the returned function answers it. */
  keepAlive(id: bigint): (result?: CommandResult) => void {
    const request = this.request({ type: 'leaseKeepAlive', id });
    return (result) => {
      const ttlSeconds = this.records.get(id)?.grantedSeconds ?? 0;
      request?.done(result ?? ok({ type: 'leaseKeepAlive', id, ttlSeconds }));
    };
  }

  request(command: Command, done: (result: CommandResult) => void = () => undefined): PendingRequest | null {
    return this.lessor.admit({ envelope: { command }, deadlineMs: this.nowMs + 5_000, done, answered: false });
  }
}

describe('Lessor', () => {
  let leader: Leader;
  beforeEach(() => {
    leader = new Leader();
    leader.lead();
  });

  test('ends a lease once its time has passed, and not before', () => {
    leader.grant(1n, 10);
    leader.pass(10_000);
    expect(leader.revoked).toEqual([]);
    leader.pass(1_000);
    expect(leader.revoked.map(({ id }) => id)).toEqual([1n]);
    expect(leader.lessor.size).toBe(0);
  });

  test('tells what remains in whole seconds, rounded down', () => {
    leader.grant(1n, 10);
    expect(leader.lessor.remainingSeconds(1n)).toBe(10);
    leader.pass(3_050);
    expect(leader.lessor.remainingSeconds(1n)).toBe(6);
    leader.pass(7_000, false);
    expect(leader.lessor.remainingSeconds(1n)).toBe(0);
    expect(leader.lessor.remainingSeconds(2n)).toBeUndefined();
  });

  test('an answered keep-alive begins the time anew', () => {
    leader.grant(1n, 10);
    for (let i = 0; i < 5; i++) {
      leader.pass(9_000);
      leader.keepAlive(1n)();
    }
    leader.pass(10_000);
    expect(leader.revoked).toEqual([]);
    leader.pass(1_000);
    expect(leader.revoked).toHaveLength(1);
  });

  test('a keep-alive that waits for its answer holds the lease, and its time begins with the answer', () => {
    leader.grant(1n, 3);
    leader.pass(2_000);
    const answers = [leader.keepAlive(1n), leader.keepAlive(1n)];
    leader.pass(10_000);
    answers[0]?.(failure('TIMEOUT', 'too late'));
    leader.pass(1_000);
    expect(leader.revoked).toEqual([]);
    answers[1]?.();
    leader.pass(3_000);
    expect(leader.revoked).toEqual([]);
    leader.pass(1_000);
    expect(leader.revoked).toHaveLength(1);
  });

  test('a keep-alive that fails renews nothing', () => {
    leader.grant(1n, 10);
    leader.pass(9_000);
    leader.keepAlive(1n)(failure('NO_QUORUM', 'leadership was lost'));
    leader.pass(2_000);
    expect(leader.revoked).toHaveLength(1);
  });

  test('a jump of the clock and a process that stood still end no lease', () => {
    leader.grant(1n, 10);
    leader.pass(1_000);
    leader.nowMs += 3_600_000;
    leader.pass(8_500);
    expect(leader.revoked).toEqual([]);
    leader.pass(2_000);
    expect(leader.revoked).toHaveLength(1);
  });

  test('a revocation that fails is tried again; a keep-alive in between renews', () => {
    leader.grant(1n, 2);
    leader.pass(3_000, false);
    expect(leader.submitted).toHaveLength(1);
    leader.submitted.shift()?.done(failure('NO_SPACE', 'full'));
    leader.pass(1_000, false);
    expect(leader.submitted).toHaveLength(1);
    leader.submitted.shift()?.done(failure('NO_SPACE', 'full'));
    leader.keepAlive(1n)();
    leader.pass(1_900, false);
    expect(leader.submitted).toHaveLength(0);
    leader.pass(1_000);
    expect(leader.revoked).toHaveLength(1);
  });

  test('revokes no more at a time than its bound, and goes on as they commit', () => {
    leader = new Leader({ limits: { leasesMax: 200_000, leaseExpiriesInFlightMax: 3 } });
    leader.lead();
    for (let id = 1n; id <= 10n; id++) leader.grant(id, 2);
    leader.pass(5_000, false);
    expect(leader.submitted).toHaveLength(3);
    leader.commit();
    expect(leader.revoked).toHaveLength(10);
  });

  test('refuses grants past its bound, counting those under way', () => {
    leader = new Leader({ limits: { leasesMax: 2, leaseExpiriesInFlightMax: 3 } });
    leader.lead();
    leader.grant(1n, 10);
    const codes: string[] = [];
    const grant = (): PendingRequest | null =>
      leader.request({ type: 'leaseGrant', id: 0n, ttlSeconds: 10 }, ({ code }) => codes.push(code));
    const second = grant();
    expect(second).not.toBeNull();
    expect(grant()).toBeNull();
    expect(codes).toEqual(['OVERLOADED']);
    second?.done(failure('LEASE_EXISTS', 'taken'));
    expect(grant()).not.toBeNull();
  });

  test('writes down what remains of leases that are not renewed, in batches; the next leader starts from there', () => {
    leader = new Leader({ checkpointIntervalMs: 5_000 });
    leader.lead();
    leader.grant(1n, 60);
    leader.grant(2n, 60);
    leader.grant(3n, 4);
    for (let i = 0; i < 4; i++) {
      leader.pass(3_000);
      leader.keepAlive(2n)();
      leader.keepAlive(3n)();
    }
    expect(leader.checkpoints.flat().map(({ id }) => id)).toEqual([1n, 1n]);
    expect(leader.records.get(1n)?.remainingSeconds).toBeGreaterThanOrEqual(50);
    expect(leader.records.get(1n)?.remainingSeconds).toBeLessThanOrEqual(51);
    leader.lessor.serves(false);
    expect(leader.lessor.size).toBe(0);
    leader.pass(1_000_000);
    leader.lead();
    expect(leader.lessor.remainingSeconds(1n)).toBe(leader.records.get(1n)?.remainingSeconds);
    expect(leader.lessor.remainingSeconds(2n)).toBe(60);
    leader.pass(52_000);
    expect(leader.revoked.map(({ id }) => id)).toEqual([3n, 1n]);
  });

  test('writes nothing down while a keep-alive waits: it would not know that it has to take that back', () => {
    leader = new Leader({ checkpointIntervalMs: 5_000 });
    leader.lead();
    leader.grant(1n, 60);
    const done = leader.keepAlive(1n);
    leader.pass(20_000);
    expect(leader.checkpoints).toEqual([]);
    done(failure('TIMEOUT', 'too late'));
    leader.pass(1_000);
    expect(leader.checkpoints).toHaveLength(1);
  });

  test('answers that come after the end of the leadership touch nothing of the next one', () => {
    leader.grant(1n, 10);
    const late = leader.keepAlive(1n);
    leader.pass(5_000);
    leader.lessor.serves(false);
    leader.lead();
    leader.pass(5_000);
    late();
    leader.pass(6_000);
    expect(leader.revoked).toHaveLength(1);
  });

  test('100,000 leases are granted, kept alive and ended', { timeout: 120_000 }, () => {
    const count = 100_000;
    const random = new SeededRandom(1);
    const due = new Map<bigint, number>();
    for (let i = 0; i < count; i++) {
      const id = BigInt(i + 1);
      const seconds = 5 + random.below(20);
      leader.grant(id, seconds);
      due.set(id, leader.nowMs + seconds * 1000);
    }
    expect(leader.lessor.size).toBe(count);
    for (let round = 0; round < 2; round++) {
      leader.pass(1_000);
      for (const id of due.keys()) {
        if (random.chance(0.5)) continue;
        leader.keepAlive(id)();
        due.set(id, leader.nowMs + (leader.records.get(id)?.grantedSeconds ?? 0) * 1000);
      }
    }
    leader.pass(26_000);
    expect(leader.revoked).toHaveLength(count);
    expect(leader.revoked.filter(({ id, atMs }) => atMs < (due.get(id) as number))).toEqual([]);
    expect(leader.revoked.filter(({ id, atMs }) => atMs > (due.get(id) as number) + 1_500)).toEqual([]);
    expect(leader.lessor.size).toBe(0);
  });

  test('a new leader reads its leases in pages, and takes what changes meanwhile', () => {
    leader = new Leader();
    for (let id = 1n; id <= 25_000n; id++) leader.records.set(id, { grantedSeconds: 10, remainingSeconds: 0 });
    leader.lessor.serves(true);
    expect(leader.lessor.size).toBe(10_000);
    // A keep-alive of a lease that was not read yet, one that is revoked, one that is granted.
    leader.keepAlive(24_999n)();
    leader.write(20_000n, null);
    leader.grant(200_000n, 20);
    leader.turn();
    expect(leader.lessor.size).toBe(25_000);
    expect(leader.lessor.remainingSeconds(24_999n)).toBe(10);
    expect(leader.lessor.remainingSeconds(20_000n)).toBeUndefined();
    expect(leader.lessor.remainingSeconds(200_000n)).toBe(20);
  });
});

test('the least time to live is one and a half times what a silent leader is given, in whole seconds', () => {
  expect([250, 1000, 2000].map(leaseTtlSecondsMin)).toEqual([1, 2, 3]);
});
