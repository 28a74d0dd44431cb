// The services as front ends have them: each call crosses the line to the core (core-boundary.ts). A command is judged by
// itself before that: what goes wrong there has changed nothing. Does no more than that.

import type { Bytes } from '../shared/bytes.js';
import type { Epoch, Revision, Zxid } from '../shared/ids.js';
import type { Alarm } from '../tree/alarm.js';
import type { Actor, CommandEnvelope, CommandResult } from '../tree/command.js';
import type { RangeRequest } from '../tree/replicated-tree.js';
import type { RangeSelection } from '../tree/transaction.js';
import type { AccessService } from './access-service.js';
import { BoundaryAccess } from './boundary-access.js';
import type { CoreBoundary } from './core-boundary.js';
import { checkCommand, type RequestLimits } from './request-checks.js';
import type { StateCopier } from './state-copies.js';
import type {
  MemberStatus,
  ReadOptions,
  SelectionHandle,
  SelectionSink,
  ServiceUsage,
  StoreService,
  WatchHandle,
  WatchSink,
  WatchStart,
} from './store-service.js';

export class BoundaryService implements StoreService {
  readonly access: AccessService;
  private readonly inner: StoreService;
  private readonly boundary: CoreBoundary;
  private readonly limits: RequestLimits;

  constructor(inner: StoreService, boundary: CoreBoundary, limits: RequestLimits) {
    this.access = new BoundaryAccess(inner.access, boundary);
    this.inner = inner;
    this.boundary = boundary;
    this.limits = limits;
  }

  // ---- what is only looked at ----

  get appliedZxid(): Zxid {
    return this.inner.appliedZxid;
  }

  get revision(): Revision {
    return this.inner.revision;
  }

  get epoch(): Epoch {
    return this.inner.epoch;
  }

  get openWatches(): number {
    return this.inner.openWatches;
  }

  get alarms(): readonly Alarm[] {
    return this.inner.alarms;
  }

  // ---- on the path of every request: written out, since a function for each call would be made in vain ----

  write(envelope: CommandEnvelope, timeoutMs: number, done: (result: CommandResult) => void): void {
    const refusal = checkCommand(envelope, this.limits);
    if (refusal !== null) {
      done({ code: refusal.code, message: refusal.message, revision: this.revision, zxid: this.appliedZxid });
      return;
    }
    try {
      this.inner.write(envelope, timeoutMs, done);
    } catch (error) {
      throw this.boundary.thrown(error);
    }
  }

  get(key: Bytes, options: ReadOptions, done: Parameters<StoreService['get']>[2]): void {
    try {
      this.inner.get(key, options, done);
    } catch (error) {
      throw this.boundary.thrown(error);
    }
  }

  range(request: RangeRequest, options: ReadOptions, done: Parameters<StoreService['range']>[2]): void {
    try {
      this.inner.range(request, options, done);
    } catch (error) {
      throw this.boundary.thrown(error);
    }
  }

  select(selection: RangeSelection, options: ReadOptions, sink: SelectionSink): SelectionHandle {
    try {
      return this.inner.select(selection, options, sink);
    } catch (error) {
      throw this.boundary.thrown(error);
    }
  }

  // ---- the others ----

  leases(options: ReadOptions, done: Parameters<StoreService['leases']>[1]): void {
    this.boundary.enter(() => this.inner.leases(options, done));
  }

  watch(start: WatchStart, sink: WatchSink): WatchHandle {
    return this.boundary.enter(() => this.inner.watch(start, sink));
  }

  adminRefusal(actor: Actor): ReturnType<StoreService['adminRefusal']> {
    return this.boundary.enter(() => this.inner.adminRefusal(actor));
  }

  usage(): ServiceUsage {
    return this.boundary.enter(() => this.inner.usage());
  }

  barrier(timeoutMs: number, done: Parameters<StoreService['barrier']>[1]): void {
    this.boundary.enter(() => this.inner.barrier(timeoutMs, done));
  }

  hashVersions(at: Revision | undefined, done: Parameters<StoreService['hashVersions']>[1]): void {
    this.boundary.enter(() => this.inner.hashVersions(at, done));
  }

  reclaim(done: Parameters<StoreService['reclaim']>[0]): void {
    this.boundary.enter(() => this.inner.reclaim(done));
  }

  broadcast(payload: Bytes, timeoutMs: number, done: Parameters<StoreService['broadcast']>[2]): void {
    this.boundary.enter(() => this.inner.broadcast(payload, timeoutMs, done));
  }

  onBroadcast(listener: (payload: Bytes) => void): () => void {
    return this.boundary.enter(() => this.inner.onBroadcast(listener));
  }

  status(): MemberStatus {
    return this.boundary.enter(() => this.inner.status());
  }

  copyState(actor: Actor | undefined, copier: StateCopier): void {
    this.boundary.enter(() => this.inner.copyState(actor, copier));
  }

  digest(done: Parameters<StoreService['digest']>[0]): void {
    this.boundary.enter(() => this.inner.digest(done));
  }

  digestAll(timeoutMs: number, done: Parameters<StoreService['digestAll']>[1]): void {
    this.boundary.enter(() => this.inner.digestAll(timeoutMs, done));
  }
}
