// Sends each write where it can be executed now: to this node's own prepare queue, or over to the leader; until there
// is a leader it waits here, within a bound and its deadline. A write is routed once.

import { Fifo } from '../shared/fifo.js';
import type { Forwarder } from './forwarding.js';
import type { LeaderRequests } from './leader-requests.js';
import { answer, failure, type PendingRequest } from './request.js';

/** Who serves requests now: this node, a leader that it is connected to, or nobody. */
export type Route = 'lead' | 'follow' | 'none';

export class WriteRouter {
  private readonly routeNow: () => Route;
  private readonly leaderRequests: LeaderRequests;
  private readonly forwarder: Forwarder;
  private readonly parkedMax: number;
  private parked = new Fifo<PendingRequest>();

  constructor(parts: {
    readonly route: () => Route;
    readonly leaderRequests: LeaderRequests;
    readonly forwarder: Forwarder;
    readonly parkedMax: number;
  }) {
    this.routeNow = parts.route;
    this.leaderRequests = parts.leaderRequests;
    this.forwarder = parts.forwarder;
    this.parkedMax = parts.parkedMax;
  }

  submit(request: PendingRequest): void {
    switch (this.routeNow()) {
      case 'lead':
        this.leaderRequests.submit(request);
        return;
      case 'follow':
        this.forwarder.submit(request);
        return;
      case 'none':
        if (this.parked.length < this.parkedMax) this.parked.push(request);
        else answer(request, failure('NO_QUORUM', 'there is no leader, and as many requests wait for one as may'));
        return;
    }
  }

  /** There may be a route now: those who waited go first, in their order. */
  retry(): void {
    if (this.parked.length === 0 || this.routeNow() === 'none') return;
    const { parked } = this;
    this.parked = new Fifo();
    for (const request of parked) if (!request.answered) this.submit(request);
  }

  expire(nowMs: number): void {
    if (this.parked.length === 0) return;
    const kept = new Fifo<PendingRequest>();
    for (const request of this.parked) {
      if (request.deadlineMs > nowMs) kept.push(request);
      else answer(request, failure('NO_QUORUM', 'no leader with a quorum within the deadline'));
    }
    this.parked = kept;
  }

  /** The node is stopping. */
  stop(): void {
    for (let request = this.parked.shift(); request !== undefined; request = this.parked.shift()) {
      answer(request, failure('UNAVAILABLE', 'this node is stopping'));
    }
  }
}
