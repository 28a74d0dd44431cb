// When leases end. Only the leader that serves knows deadlines, in memory and on its own clock; it has leases that have
// ended revoked by a command like any other. A lease ends late at the most, never before what a client was told, counted
// from when it asked. What the tree holds of leases is decided in src/tree/lease-commands.ts.

import type { Limits } from '../config/limits.js';
import { type Bytes, copyBytes, emptyBytes, prefixEnd } from '../shared/bytes.js';
import type { Command, CommandResult } from '../tree/command.js';
import { spaces } from '../tree/delta.js';
import { decodeLeaseRecord, keyOfLeased, type LeaseRecord, leaseIdOf, leaseKey } from '../tree/lease-records.js';
import type { ReplicatedTree } from '../tree/replicated-tree.js';
import type { VersionWrite } from '../tree/store.js';
import type { Compare, TransactionOperation } from '../tree/transaction.js';
import { DeadlineHeap, type Due } from './deadline-heap.js';
import { answer, failure, type PendingRequest } from './request.js';

export interface LessorHost {
  readonly tree: Pick<ReplicatedTree, 'scanSpace' | 'onSpaceChange'>;
  /** Hands a request to the leader's requests; those of the lessor itself come from nobody. */
  submit(request: PendingRequest): void;
  nowMs(): number;
  defer(task: () => void): void;
}

export interface LessorSettings {
  readonly limits: Pick<Limits, 'leasesMax' | 'leaseExpiriesInFlightMax'>;
  readonly checkpointIntervalMs: number;
}

/**
 * A lease lasts this much longer than it says: a client that counts from the answer, not from its question, is right
 * too as long as answers travel faster.
 */
const slackMs = 500;
/**
 * Time passes no faster than this between two looks at the clock: a clock that jumped, or a process that stood still,
 * ends no lease.
 */
const stepMsMax = 200;
/** Until what was refused, or had to wait, is tried again. */
const retryMs = 250;
/** The lessor's own commands are given up after this, and decided anew. */
const commandTimeoutMs = 5_000;
/** Leases that one turn looks at, and that one checkpoint tells of. */
const turnLeasesMax = 10_000;
const checkpointLeasesMax = 1_000;
/** Keys that are taken from a lease at a time while it holds too many to be revoked at once. */
const thinnedKeysMax = 1_000;

interface Lease extends Due {
  readonly id: bigint;
  readonly grantedSeconds: number;
  /** Lease time, slack included. */
  deadlineMs: number;
  /** Its remaining time is written down then. */
  checkpointMs: number;
}

/** What a leader knows while it serves. */
interface Tenure {
  readonly leases: Map<bigint, Lease>;
  /** Every lease but those that are being revoked. Renewing moves nothing: a lease that comes up early is put back. */
  readonly due: DeadlineHeap<Lease>;
  /** Leases with keep-alives that are not answered yet, and how many: none of them ends before the answer. */
  readonly held: Map<bigint, number>;
  granting: number;
  revoking: number;
  checkpointing: boolean;
  /** Leases from here on are not read yet; null: all of them are known. */
  unread: Bytes | null;
}

export class Lessor {
  private readonly host: LessorHost;
  private readonly settings: LessorSettings;
  private tenure: Tenure | null = null;
  /** Lease time: never faster than the clock, and standing still when that jumps. */
  private timeMs = 0;
  private clockMs: number;

  constructor(host: LessorHost, settings: LessorSettings) {
    this.host = host;
    this.settings = settings;
    this.clockMs = host.nowMs();
    host.tree.onSpaceChange(spaces.leases, {
      changed: (versions) => {
        const { tenure } = this;
        if (tenure !== null) for (const version of versions) this.changed(tenure, version);
      },
      // A snapshot was installed: this node does not lead.
      reset: () => this.leadershipLost(),
    });
  }

  /** Leases that have a deadline here. */
  get size(): number {
    return this.tenure?.leases.size ?? 0;
  }

  /** Whether this node serves as the leader. Each time it begins to, leases start with what their last checkpoints left. */
  serves(leading: boolean): void {
    if (!leading) this.leadershipLost();
    else if (this.tenure === null) this.begin();
  }

  /**
   * Before a request waits for its execution by this leader. Returns the request to be executed; null when it is answered
   * already.
   */
  admit(request: PendingRequest): PendingRequest | null {
    const { tenure } = this;
    const { command } = request.envelope;
    if (tenure === null) return request;
    if (command.type === 'leaseKeepAlive') return this.holding(tenure, command.id, request);
    if (command.type === 'leaseGrant') return this.counting(tenure, request);
    if (command.type === 'leaseRevoke') return this.thinning(tenure, command.id, request);
    return request;
  }

  /** Whole seconds that a lease still has; undefined when it has no deadline here. */
  remainingSeconds(id: bigint): number | undefined {
    const lease = this.tenure?.leases.get(id);
    if (lease === undefined) return undefined;
    const seconds = Math.floor((lease.deadlineMs - slackMs - this.timeMs) / 1000);
    return Math.min(lease.grantedSeconds, Math.max(0, seconds));
  }

  tick(nowMs: number): void {
    this.advance(nowMs);
    const { tenure } = this;
    if (tenure !== null) this.work(tenure);
  }

  private begin(): void {
    this.advance(this.host.nowMs());
    this.tenure = {
      leases: new Map(),
      due: new DeadlineHeap(),
      held: new Map(),
      granting: 0,
      revoking: 0,
      checkpointing: false,
      unread: emptyBytes,
    };
    this.load(this.tenure);
  }

  private leadershipLost(): void {
    this.tenure = null;
  }

  /** Committed: a lease was written or deleted. */
  private changed(tenure: Tenure, { key, record }: VersionWrite): void {
    const id = leaseIdOf(key);
    const lease = tenure.leases.get(id);
    if (record !== null) {
      if (lease === undefined) this.add(tenure, id, decodeLeaseRecord(record.value));
    } else if (lease !== undefined) forget(tenure, lease);
  }

  private advance(nowMs: number): void {
    this.timeMs += Math.min(Math.max(0, nowMs - this.clockMs), stepMsMax);
    this.clockMs = nowMs;
  }

  /** In pages, a turn for each: others wait meanwhile. */
  private load(tenure: Tenure): void {
    if (this.tenure !== tenure || tenure.unread === null) return;
    let looked = 0;
    let next: Bytes | null = null;
    this.host.tree.scanSpace(spaces.leases, tenure.unread, undefined, ({ key, value }) => {
      if (looked === turnLeasesMax) {
        next = copyBytes(key);
        return false;
      }
      looked += 1;
      const id = leaseIdOf(key);
      if (!tenure.leases.has(id)) this.add(tenure, id, decodeLeaseRecord(value));
      return true;
    });
    tenure.unread = next;
    if (next !== null) this.host.defer(() => this.load(tenure));
  }

  private add(tenure: Tenure, id: bigint, { grantedSeconds, remainingSeconds }: LeaseRecord): void {
    const lease: Lease = { id, grantedSeconds, deadlineMs: 0, checkpointMs: 0, dueMs: 0, heapIndex: -1 };
    tenure.leases.set(id, lease);
    this.extend(lease, remainingSeconds > 0 ? remainingSeconds : grantedSeconds);
    tenure.due.place(lease, nextOf(lease));
  }

  private extend(lease: Lease, seconds: number): void {
    lease.deadlineMs = Math.max(lease.deadlineMs, this.timeMs + seconds * 1000 + slackMs);
    lease.checkpointMs = this.timeMs + this.settings.checkpointIntervalMs;
  }

  /** While a keep-alive is not answered its lease does not end; its time begins when the answer goes out. */
  private holding(tenure: Tenure, id: bigint, request: PendingRequest): PendingRequest {
    const { held } = tenure;
    held.set(id, (held.get(id) ?? 0) + 1);
    return instead(request, (result) => {
      const others = (held.get(id) as number) - 1;
      if (others > 0) held.set(id, others);
      else held.delete(id);
      const { output } = result;
      if (this.tenure === tenure && output?.type === 'leaseKeepAlive') this.renewed(tenure, id, output.ttlSeconds);
    });
  }

  private renewed(tenure: Tenure, id: bigint, ttlSeconds: number): void {
    if (ttlSeconds === 0) return;
    const lease = tenure.leases.get(id);
    if (lease !== undefined) this.extend(lease, ttlSeconds);
    // Not read yet. If it was revoked since, revoking it again does no harm.
    else if (tenure.unread !== null) this.add(tenure, id, { grantedSeconds: ttlSeconds, remainingSeconds: 0 });
  }

  private counting(tenure: Tenure, request: PendingRequest): PendingRequest | null {
    const { leasesMax } = this.settings.limits;
    if (tenure.leases.size + tenure.granting >= leasesMax) {
      answer(request, failure('OVERLOADED', `Cannot grant a lease: there are ${leasesMax} already (leasesMax)`));
      return null;
    }
    tenure.granting += 1;
    return instead(request, () => {
      tenure.granting -= 1;
    });
  }

  /** A lease that holds too many keys to be revoked at once loses some of them first. */
  private thinning(tenure: Tenure, id: bigint, request: PendingRequest): PendingRequest {
    return {
      ...request,
      done: (result) => {
        if (result.code !== 'TOO_LARGE' || this.tenure !== tenure) request.done(result);
        else this.thin(id, (thinned) => (thinned.code === 'OK' ? this.host.submit(request) : request.done(thinned)));
      },
    };
  }

  /** Each key goes only if the lease still holds it by then. */
  private thin(id: bigint, done: (result: CommandResult) => void): void {
    const operations: TransactionOperation[] = [];
    const from = leaseKey(id);
    this.host.tree.scanSpace(spaces.leaseKeys, from, prefixEnd(from), ({ key }) => {
      operations.push(deletionOfLeased(id, copyBytes(keyOfLeased(key))));
      return operations.length < thinnedKeysMax;
    });
    this.order({ type: 'transact', transaction: { compares: [], success: operations, failure: [] } }, done);
  }

  /** A command of the lessor's own. */
  private order(command: Command, done: (result: CommandResult) => void): void {
    this.host.submit({
      envelope: { command },
      deadlineMs: this.host.nowMs() + commandTimeoutMs,
      done,
      answered: false,
    });
  }

  private work(tenure: Tenure): void {
    const remaining: { readonly id: bigint; readonly remainingSeconds: number }[] = [];
    for (let looked = 0; looked < turnLeasesMax; looked++) {
      const lease = tenure.due.peek();
      if (lease === undefined || lease.dueMs > this.timeMs) break;
      if (lease.deadlineMs <= this.timeMs) {
        if (tenure.revoking >= this.settings.limits.leaseExpiriesInFlightMax) break;
        if (tenure.held.has(lease.id)) tenure.due.place(lease, this.timeMs + retryMs);
        else this.revoke(tenure, lease);
      } else {
        if (lease.checkpointMs <= this.timeMs) this.collect(tenure, lease, remaining);
        tenure.due.place(lease, nextOf(lease));
      }
    }
    if (remaining.length > 0) this.checkpoint(tenure, remaining);
  }

  private revoke(tenure: Tenure, lease: Lease): void {
    tenure.due.remove(lease);
    tenure.revoking += 1;
    this.order({ type: 'leaseRevoke', id: lease.id }, ({ code }) => {
      tenure.revoking -= 1;
      if (this.tenure !== tenure) return;
      const known = tenure.leases.get(lease.id) === lease;
      if (known && code === 'LEASE_NOT_FOUND') forget(tenure, lease);
      else if (known && code !== 'OK') tenure.due.place(lease, this.timeMs + retryMs);
      else this.work(tenure);
    });
  }

  /**
   * What remains of a lease is told to the next leader. Not while a keep-alive of it waits: that was judged before, and
   * would not know that it has to take this back.
   */
  private collect(
    tenure: Tenure,
    lease: Lease,
    into: { readonly id: bigint; readonly remainingSeconds: number }[],
  ): void {
    const remainingSeconds = Math.ceil((lease.deadlineMs - this.timeMs) / 1000);
    const wait = tenure.checkpointing || into.length >= checkpointLeasesMax || tenure.held.has(lease.id);
    lease.checkpointMs = this.timeMs + (wait ? retryMs : this.settings.checkpointIntervalMs);
    if (!wait && remainingSeconds < lease.grantedSeconds) into.push({ id: lease.id, remainingSeconds });
  }

  private checkpoint(
    tenure: Tenure,
    leases: readonly { readonly id: bigint; readonly remainingSeconds: number }[],
  ): void {
    tenure.checkpointing = true;
    // One that fails is not repeated: the next one tells more.
    this.order({ type: 'leaseCheckpoint', leases }, () => {
      tenure.checkpointing = false;
    });
  }
}

function deletionOfLeased(id: bigint, from: Bytes): TransactionOperation {
  const keys = { from, to: undefined, single: true };
  const held: Compare = { keys, relation: 'equal', target: 'lease', operand: id };
  const deletion: TransactionOperation = { type: 'delete', keys, wantsPrevious: false };
  return { type: 'transaction', transaction: { compares: [held], success: [deletion], failure: [] } };
}

function nextOf(lease: Lease): number {
  return Math.min(lease.deadlineMs, lease.checkpointMs);
}

function forget(tenure: Tenure, lease: Lease): void {
  tenure.leases.delete(lease.id);
  tenure.due.remove(lease);
}

/** The same request with something to be done before its answer goes out. */
function instead(request: PendingRequest, first: (result: CommandResult) => void): PendingRequest {
  const { envelope, deadlineMs, done } = request;
  return {
    envelope,
    deadlineMs,
    answered: false,
    done: (result) => {
      first(result);
      done(result);
    },
  };
}
