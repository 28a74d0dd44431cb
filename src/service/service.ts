// The services of one node: checks requests, finds the point at which a read is right, and leaves the rest to the
// ensemble and the tree. Knows no protocol; holds nothing that another node would miss except open watches.

import type { EnsembleNode, NodeStatus } from '../ensemble/ensemble-node.js';
import type { Scheduler } from '../ensemble/ports.js';
import { type Bytes, emptyBytes } from '../shared/bytes.js';
import type { CoreFailure } from '../shared/core-failure.js';
import { StoreError } from '../shared/errors.js';
import type { Epoch, Revision, Zxid } from '../shared/ids.js';
import type { Alarm } from '../tree/alarm.js';
import type { Actor, CommandEnvelope, CommandResult } from '../tree/command.js';
import { spaces } from '../tree/delta.js';
import { leaseIdOf } from '../tree/lease-records.js';
import type { DigestResult, RangeRequest, RangeResult, ReadResult } from '../tree/replicated-tree.js';
import type { KeySelection, RangeSelection } from '../tree/transaction.js';
import { type AccessService, type AccessServiceLimits, anonymous, NodeAccessService } from './access-service.js';
import { BoundaryService } from './boundary-service.js';
import { CompactedError } from './compacted-error.js';
import { CoreBoundary } from './core-boundary.js';
import type { JwtTokens } from './jwt-tokens.js';
import { leaseListRefusal, readRefusal } from './read-permission.js';
import { checkKey, checkPayload, checkRange, type RequestLimits } from './request-checks.js';
import { SelectionDesk, type SelectionDeskLimits, type SelectionScheduler } from './selection-desk.js';
import { type StateCopier, StateCopies, type StateCopyLimits } from './state-copies.js';
import { type StoreSelection, unreadable } from './store-selection.js';
import type {
  MemberRole,
  MemberStatus,
  ReadOptions,
  ScrubSummary,
  SelectionHandle,
  SelectionSink,
  ServiceUsage,
  StoreService,
  WatchHandle,
  WatchSink,
  WatchStart,
} from './store-service.js';
import { StoreWatch, type WatchSurroundings } from './store-watch.js';
import { checkSelection } from './transaction-checks.js';
import { FairWatchTurns } from './watch-turns.js';

/** The limits that the services keep; names and units as in the server's configuration. */
export interface ServiceLimits extends RequestLimits, AccessServiceLimits, StateCopyLimits, SelectionDeskLimits {
  readonly requestTimeoutMsDefault: number;
  readonly requestTimeoutMsMax: number;
  readonly rangeBytesMax: number;
  readonly rangeRecordsMax: number;
  readonly watchPageBytes: number;
  readonly watchTurnMs: number;
  readonly quotaBytes: number;
}

export interface ServiceOptions {
  /** The one that the node runs on: deadlines are in its time. */
  readonly scheduler: SelectionScheduler;
  readonly limits: ServiceLimits;
  /** The last time that everything on disk was verified; absent: it never is. */
  readonly lastScrub?: () => ScrubSummary | null;
  /** Unix time; by default this machine's. */
  readonly wallClockMs?: () => number;
  /** In the place of the tokens that are the default. */
  readonly jwtTokens?: JwtTokens | undefined;
  /** An exception came out of the core while a front end called it: ends the process. Absent: it is thrown, no more. */
  readonly coreFailed?: (failure: CoreFailure) => void;
}

export function createStoreService(node: EnsembleNode, options: ServiceOptions): StoreService {
  const boundary = new CoreBoundary(options.coreFailed ?? (() => undefined));
  return new BoundaryService(new NodeStoreService(node, options, boundary), boundary, options.limits);
}

type RangeDone = (error: StoreError | null, result: Extract<RangeResult, { type: 'range' }> | null) => void;

/** Behind the boundary; commands were checked in front of it. */
class NodeStoreService implements StoreService {
  readonly access: AccessService;
  private readonly node: EnsembleNode;
  private readonly scheduler: Pick<Scheduler, 'nowMs' | 'defer' | 'after'>;
  private readonly limits: ServiceLimits;
  private readonly turns: FairWatchTurns;
  private readonly selections: SelectionDesk;
  private readonly watchSurroundings: WatchSurroundings;
  private readonly copies: StateCopies;
  private readonly lastScrub: () => ScrubSummary | null;
  /** Asked for and not done. */
  private hashes = 0;

  constructor(node: EnsembleNode, options: ServiceOptions, boundary: CoreBoundary) {
    this.node = node;
    this.scheduler = options.scheduler;
    this.limits = options.limits;
    this.lastScrub = options.lastScrub ?? (() => null);
    const { watchTurnMs, watchPageBytes, rangeRecordsMax } = options.limits;
    this.access = new NodeAccessService(node, {
      limits: options.limits,
      deadline: (timeoutMs) => this.deadline(timeoutMs),
      wallClockMs: options.wallClockMs ?? Date.now,
      jwtTokens: options.jwtTokens,
    });
    this.turns = new FairWatchTurns(options.scheduler, watchTurnMs);
    this.selections = new SelectionDesk({ tree: node.tree, scheduler: options.scheduler, boundary }, options.limits);
    this.watchSurroundings = {
      tree: node.tree,
      boundary,
      turns: this.turns,
      pageBytes: watchPageBytes,
      pageRecords: rangeRecordsMax,
    };
    const reviewWatches = (): void => this.turns.reviewAll();
    node.tree.onSpaceChange(spaces.access, { changed: reviewWatches, reset: reviewWatches });
    this.copies = new StateCopies({ tree: node.tree, scheduler: options.scheduler, boundary }, options.limits);
  }

  get appliedZxid(): Zxid {
    return this.node.tree.appliedZxid;
  }

  get revision(): Revision {
    return this.node.tree.revision;
  }

  get epoch(): Epoch {
    return this.node.epoch;
  }

  get openWatches(): number {
    return this.turns.size;
  }

  write(envelope: CommandEnvelope, timeoutMs: number, done: (result: CommandResult) => void): void {
    this.node.submit(withActor(envelope), this.deadline(timeoutMs), done);
  }

  get(key: Bytes, options: ReadOptions, done: (error: StoreError | null, result: ReadResult | null) => void): void {
    const refusal = checkKey(key, this.limits);
    if (refusal !== null) {
      done(refusal, null);
      return;
    }
    const keys = { from: key, to: undefined, single: true };
    this.readOnce(options, { permitted: this.reading(options, keys), read: () => this.node.tree.get(key) }, done);
  }

  range(request: RangeRequest, options: ReadOptions, done: RangeDone): void {
    const refusal = checkRange(request.from, request.to, this.limits);
    if (refusal !== null) {
      done(refusal, null);
      return;
    }
    const { from, to } = request;
    const permitted = this.reading(options, { from, to, single: false });
    this.readOnce(options, { permitted, read: () => this.readRange(request) }, done);
  }

  select(selection: RangeSelection, options: ReadOptions, sink: SelectionSink): SelectionHandle {
    const reading = this.selections.create(selection, sink);
    const asked = { keys: selection, options };
    const refusal = checkSelection(selection, this.limits.keyBytesMax);
    if (refusal !== null) reading.fail(refusal);
    else if (this.mayReadNow(options)) this.beginSelection(reading, asked, null);
    else this.whenReadable(options, (error) => this.beginSelection(reading, asked, error));
    return reading;
  }

  leases(options: ReadOptions, done: Parameters<StoreService['leases']>[1]): void {
    const permitted = (): StoreError | null => leaseListRefusal(this.node.tree, options.actor);
    this.readOnce(options, { permitted, read: () => ({ ids: this.leaseIds(), revision: this.revision }) }, done);
  }

  watch(start: WatchStart, sink: WatchSink): WatchHandle {
    const refusal = start.single ? checkKey(start.from, this.limits) : checkRange(start.from, start.to, this.limits);
    if (refusal !== null) throw refusal;
    if (start.withInitial && start.fromRevision !== undefined) {
      throw new StoreError('INVALID_ARGUMENT', 'A watch begins with the state as it is or from a revision, not both');
    }
    const denied = readRefusal(this.node.tree.access, start.actor, start);
    if (denied !== null) throw denied;
    const watch = new StoreWatch(start, sink, this.watchSurroundings);
    if (start.seen <= this.node.tree.appliedZxid) watch.begin();
    else this.beginOnceApplied(watch, start.seen);
    return watch;
  }

  adminRefusal(actor: Actor): StoreError | null {
    const refusal = this.node.tree.access.judge.adminRefusal(actor);
    return refusal === undefined ? null : new StoreError(refusal.code, refusal.message);
  }

  get alarms(): readonly Alarm[] {
    return this.node.tree.alarms;
  }

  usage(): ServiceUsage {
    return { ...this.node.tree.usage(), quotaBytes: this.limits.quotaBytes };
  }

  barrier(timeoutMs: number, done: (error: StoreError | null) => void): void {
    this.node.readBarrier(this.deadline(timeoutMs), done);
  }

  hashVersions(at: Revision | undefined, done: Parameters<StoreService['hashVersions']>[1]): void {
    const { tree } = this.node;
    const refusal = at === undefined ? null : unreadable(at, tree);
    if (refusal !== null) done(refusal, null);
    else if (this.hashes >= hashesMax) done(new StoreError('OVERLOADED', `${hashesMax} hashes are asked for`), null);
    else {
      this.hashes += 1;
      tree.hashVersions(at ?? tree.revision, (error, hash) => {
        this.hashes -= 1;
        done(error === null ? null : storeErrorOf(error), hash);
      });
    }
  }

  reclaim(done: (error: StoreError | null) => void): void {
    this.node.tree.reclaim((error) => done(error === null ? null : storeErrorOf(error)));
  }

  broadcast(payload: Bytes, timeoutMs: number, done: (error: StoreError | null) => void): void {
    const refusal = checkPayload(payload, this.limits);
    if (refusal === null) this.node.broadcast(payload, this.deadline(timeoutMs), done);
    else done(refusal);
  }

  onBroadcast(listener: (payload: Bytes) => void): () => void {
    return this.node.onBroadcast(listener);
  }

  status(): MemberStatus {
    const status = this.node.status();
    const role = memberRoles[status.role];
    // The core leads from its election on, until a quorum follows or it gives up; to everybody else that is an election.
    const lastScrub = this.lastScrub();
    if (role === 'leader' && !status.serving) return { ...status, role: 'looking', leader: null, lastScrub };
    return { ...status, role, lastScrub };
  }

  copyState(actor: Actor | undefined, copier: StateCopier): void {
    const refusal = this.node.tree.access.judge.adminRefusal(actor ?? anonymous);
    if (refusal === undefined) this.copies.begin(copier);
    else copier.failed(new StoreError(refusal.code, refusal.message));
  }

  digest(done: (error: StoreError | null, result: DigestResult | null) => void): void {
    this.node.tree.digest((error, result) => done(error === null ? null : storeErrorOf(error), result));
  }

  digestAll(timeoutMs: number, done: Parameters<StoreService['digestAll']>[1]): void {
    this.node.digestAll(this.deadline(timeoutMs), done);
  }

  private deadline(timeoutMs: number): number {
    const { requestTimeoutMsDefault, requestTimeoutMsMax } = this.limits;
    const clamped = timeoutMs > 0 ? Math.min(timeoutMs, requestTimeoutMsMax) : requestTimeoutMsDefault;
    return this.scheduler.nowMs() + clamped;
  }

  private leaseIds(): bigint[] {
    const ids: bigint[] = [];
    this.node.tree.scanSpace(spaces.leases, emptyBytes, undefined, ({ key }) => ids.push(leaseIdOf(key)) > 0);
    return ids;
  }

  private beginSelection(
    reading: StoreSelection,
    { keys, options }: { readonly keys: KeySelection; readonly options: ReadOptions },
    error: StoreError | null,
  ): void {
    if (error !== null) {
      reading.fail(error);
      return;
    }
    if (options.wanted?.() === false) {
      reading.cancel();
      return;
    }
    // Judged when it is read, by the state that is read; what takes more turns reads that state to its end.
    const refusal = readRefusal(this.node.tree.access, options.actor, keys);
    if (refusal === null) reading.begin();
    else reading.fail(refusal);
  }

  private mayReadNow(options: ReadOptions): boolean {
    return options.local && options.seen <= this.node.tree.appliedZxid;
  }

  private reading({ actor }: ReadOptions, keys: KeySelection): () => StoreError | null {
    return () => readRefusal(this.node.tree.access, actor, keys);
  }

  private readOnce<T>(
    options: ReadOptions,
    what: { readonly permitted: () => StoreError | null; readonly read: () => T },
    done: (error: StoreError | null, result: T | null) => void,
  ): void {
    const readable = (error: StoreError | null): void => {
      if (error !== null || options.wanted?.() === false) {
        done(error, null);
        return;
      }
      // Judged when it is read, by the state that is read.
      const refusal = what.permitted();
      if (refusal === null) answerRead(what.read, done);
      else done(refusal, null);
    };
    if (this.mayReadNow(options)) readable(null);
    else this.whenReadable(options, readable);
  }

  private whenReadable(options: ReadOptions, done: (error: StoreError | null) => void): void {
    const deadlineMs = this.deadline(options.timeoutMs);
    if (options.local) this.node.waitApplied(options.seen, deadlineMs, done);
    else this.node.readBarrier(deadlineMs, done);
  }

  private readRange(request: RangeRequest): Extract<RangeResult, { type: 'range' }> {
    const { rangeBytesMax, rangeRecordsMax } = this.limits;
    const limit = request.limit > 0 ? Math.min(request.limit, rangeRecordsMax) : rangeRecordsMax;
    const bytesMax = Math.min(request.bytesMax, rangeBytesMax);
    const result = this.node.tree.range({ ...request, limit, bytesMax });
    switch (result.type) {
      case 'range':
        return withinBytes(result, bytesMax);
      case 'compacted':
        throw new CompactedError(`Revision ${request.at}`, result.compactedRevision);
      case 'future':
        throw new StoreError('FUTURE_REVISION', `Revision ${request.at} is not reached yet: now is ${result.revision}`);
    }
  }

  /** The client saw a newer state elsewhere: this watch must not begin with an older one. */
  private beginOnceApplied(watch: StoreWatch, seen: Zxid): void {
    this.node.waitApplied(seen, this.deadline(0), (error) => {
      if (error === null) watch.begin();
      else watch.fail(error);
    });
  }
}

/**
 * Only the ensemble's own requests go without an actor, and those do not come this way. Written out, since a spread costs
 * more than all else that is done here.
 */
function withActor(envelope: CommandEnvelope): CommandEnvelope {
  const { command, identity, actor } = envelope;
  if (actor !== undefined) return envelope;
  return identity === undefined ? { command, actor: anonymous } : { command, identity, actor: anonymous };
}

/** Hashes over versions that may be asked for at a time: each reads all of them. */
const hashesMax = 16;

const memberRoles = {
  looking: 'looking',
  following: 'follower',
  leading: 'leader',
} as const satisfies Record<NodeStatus['role'], MemberRole>;

/** Bytes that a record costs in an answer beside its key and value. */
const recordOverheadBytes = 64;

/** Cuts a page so that it stays inside its bytes, with one record at least: the last one read may have passed them. */
function withinBytes(
  page: Extract<RangeResult, { type: 'range' }>,
  bytesMax: number,
): Extract<RangeResult, { type: 'range' }> {
  let bytes = 0;
  for (let index = 0; index < page.records.length; index++) {
    const record = page.records[index];
    if (record === undefined) break;
    bytes += record.key.length + record.value.length + recordOverheadBytes;
    if (bytes > bytesMax && index > 0) return { ...page, records: page.records.slice(0, index), next: record.key };
  }
  return page;
}

/** Damage found in the store is an answer; anything else that is thrown is a defect and goes on. */
function answerRead<T>(read: () => T, done: (error: StoreError | null, result: T | null) => void): void {
  let result: T;
  try {
    result = read();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    done(error, null);
    return;
  }
  done(null, result);
}

function storeErrorOf(error: Error): StoreError {
  return error instanceof StoreError ? error : new StoreError('INTERNAL', 'The tree cannot be read', { cause: error });
}
