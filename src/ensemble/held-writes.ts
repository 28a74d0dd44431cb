// The leader's side of one follower's connection: writes whose answers would pile up on it are kept here, in their order,
// until it has drained. Nobody else's writes wait for that, and nothing of them was executed.

import { Fifo } from '../shared/fifo.js';
import { answer, failure, type PendingRequest } from './request.js';

export class HeldWrites {
  private readonly hasRoom: () => boolean;
  private readonly resubmit: (request: PendingRequest) => void;
  private held = new Fifo<PendingRequest>();

  constructor(parts: { readonly hasRoom: () => boolean; readonly resubmit: (request: PendingRequest) => void }) {
    this.hasRoom = parts.hasRoom;
    this.resubmit = parts.resubmit;
  }

  /** True when the request is kept here instead of being executed now. What comes behind one that is kept is kept too. */
  take(request: PendingRequest): boolean {
    if (this.held.length === 0 && this.hasRoom()) return false;
    this.held.push(request);
    return true;
  }

  /** The connection has room again. */
  drained(nowMs: number): void {
    const { held } = this;
    this.held = new Fifo();
    for (const request of held) {
      if (request.deadlineMs > nowMs) this.resubmit(request);
      else answer(request, failure('OVERLOADED', 'not executed within the deadline'));
    }
  }

  leadershipLost(): void {
    const { held } = this;
    this.held = new Fifo();
    for (const request of held) {
      answer(request, failure('NO_QUORUM', 'leadership was lost before the request was executed'));
    }
  }
}
