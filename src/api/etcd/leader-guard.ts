// Ends streams whose clients want a leader (the header `hasleader`) once there has been none for a while, so that they look
// for another member. One timer for all of them, and none while there is no such stream.

import type { StoreService } from '../../service/store-service.js';
import { EtcdError, etcdFailures } from './errors.js';
import type { GrpcCall } from './grpc/grpc-call.js';

/** How often it looks within the time that a leader may be missing. */
const looks = 8;

export class LeaderGuard {
  private readonly service: StoreService;
  private readonly noLeaderMs: number;
  /** Streams, and how they end. */
  private readonly calls = new Map<GrpcCall, () => void>();
  private timer: NodeJS.Timeout | null = null;
  /** When there was none for the first time, by the process's clock; null while there is one. */
  private missingSinceMs: number | null = null;

  constructor(service: StoreService, noLeaderMs: number) {
    this.service = service;
    this.noLeaderMs = noLeaderMs;
  }

  /** Throws when the client wants a leader and there is none; calls `lost` once there has been none for too long. */
  admit(call: GrpcCall, lost: () => void): void {
    if (call.header('hasleader') !== 'true') return;
    if (this.service.status().leader === null) throw new EtcdError(etcdFailures.noLeader);
    this.calls.set(call, lost);
    this.timer ??= setInterval(() => this.look(), Math.ceil(this.noLeaderMs / looks)).unref();
  }

  /** The call is over. */
  release(call: GrpcCall): void {
    if (!this.calls.delete(call) || this.calls.size > 0 || this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
    this.missingSinceMs = null;
  }

  private look(): void {
    if (this.service.status().leader !== null) {
      this.missingSinceMs = null;
      return;
    }
    const nowMs = performance.now();
    this.missingSinceMs ??= nowMs;
    if (nowMs - this.missingSinceMs < this.noLeaderMs) return;
    for (const [call, lost] of [...this.calls]) {
      this.release(call);
      lost();
    }
  }
}
