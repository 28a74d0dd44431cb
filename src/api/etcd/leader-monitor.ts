// Who wants to be told when there is no leader: streams whose client asked for that end with etcd's "no leader", and
// watches of the server's health hear of it. Looks at intervals while anybody is listening, and not at all otherwise.

import type { StoreService } from '../../service/store-service.js';
import { etcdFailures } from './errors.js';
import type { GrpcCall } from './grpc/grpc-call.js';

const lookIntervalMs = 250;
/** An election that ends in this time goes unnoticed. */
const leaderlessMsMax = 1_000;

export class LeaderMonitor {
  private readonly service: StoreService;
  private readonly calls = new Set<GrpcCall>();
  private readonly listeners = new Set<(serving: boolean) => void>();
  private timer: NodeJS.Timeout | null = null;
  private leaderlessMs = 0;
  private serving = false;

  constructor(service: StoreService) {
    this.service = service;
  }

  get hasLeader(): boolean {
    return this.service.status().leader !== null;
  }

  get isServing(): boolean {
    return this.service.status().serving;
  }

  /** Fails the call when there has been no leader for a while, unless it is over before. */
  watchCall(call: GrpcCall): void {
    this.calls.add(call);
    this.start();
  }

  /** Tells when the server begins to serve or stops. The returned function ends it. */
  onServingChanged(listener: (serving: boolean) => void): () => void {
    this.listeners.add(listener);
    this.start();
    return () => void this.listeners.delete(listener);
  }

  private start(): void {
    if (this.timer !== null) return;
    this.leaderlessMs = 0;
    this.serving = this.isServing;
    this.timer = setInterval(() => this.look(), lookIntervalMs);
    this.timer.unref();
  }

  private look(): void {
    this.leaderlessMs = this.hasLeader ? 0 : this.leaderlessMs + lookIntervalMs;
    for (const call of this.calls) {
      if (call.over) this.calls.delete(call);
      else if (this.leaderlessMs >= leaderlessMsMax) {
        this.calls.delete(call);
        call.fail(etcdFailures.noLeader.status, etcdFailures.noLeader.message);
      }
    }
    const { isServing } = this;
    if (isServing !== this.serving) {
      this.serving = isServing;
      for (const listener of this.listeners) listener(isServing);
    }
    if (this.calls.size === 0 && this.listeners.size === 0 && this.timer !== null) {
      clearInterval(this.timer);
      this.timer = null;
    }
  }
}
