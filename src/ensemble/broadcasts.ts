// Ephemeral messages to the listeners of every node: through the leader to everyone, stored nowhere, lost with a
// connection. The sender learns when the leader has passed its message on, no more.

import type { Bytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { ServerId } from '../shared/ids.js';
import type { BulkMessage } from '../wire/bulk-messages.js';
import type { Role } from '../zab/messages.js';

export interface BroadcastsHost {
  role(): { readonly role: Role; readonly leader: ServerId | null };
  /** False when there is no connection to a leader. */
  sendToLeader(message: BulkMessage): boolean;
  sendToFollowers(message: BulkMessage): void;
}

interface Sent {
  readonly deadlineMs: number;
  readonly done: (error: StoreError | null) => void;
}

/** Broadcasts of this node that the leader has not passed on yet. */
const outstandingMax = 4096;

export class Broadcasts {
  private readonly host: BroadcastsHost;
  private readonly listeners = new Set<(payload: Bytes) => void>();
  private outstanding = new Map<number, Sent>();
  private nextId = 1;

  constructor(host: BroadcastsHost) {
    this.host = host;
  }

  listen(listener: (payload: Bytes) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  send(payload: Bytes, deadlineMs: number, done: (error: StoreError | null) => void): void {
    const id = this.nextId++;
    if (this.host.role().role === 'leading') {
      this.received(payload);
      done(null);
    } else if (this.outstanding.size >= outstandingMax) {
      done(new StoreError('OVERLOADED', `${outstandingMax} broadcasts are under way already`));
    } else if (this.host.sendToLeader({ type: 'broadcast', id, payload }))
      this.outstanding.set(id, { deadlineMs, done });
    else done(new StoreError('NO_QUORUM', 'there is no leader to pass the broadcast on'));
  }

  /** From a follower on the leader, from the leader on a follower. */
  received(payload: Bytes): void {
    if (this.host.role().role === 'leading') this.host.sendToFollowers({ type: 'broadcast', id: 0, payload });
    for (const listener of this.listeners) listener(payload);
  }

  confirmed(id: number): void {
    const sent = this.outstanding.get(id);
    if (sent === undefined) return;
    this.outstanding.delete(id);
    sent.done(null);
  }

  leaderLost(): void {
    const { outstanding } = this;
    this.outstanding = new Map();
    for (const { done } of outstanding.values())
      done(new StoreError('OUTCOME_UNKNOWN', 'the leader was lost while it passed the broadcast on'));
  }

  expire(nowMs: number): void {
    for (const [id, sent] of this.outstanding) {
      if (sent.deadlineMs > nowMs) continue;
      this.outstanding.delete(id);
      sent.done(new StoreError('TIMEOUT', 'the leader has not passed the broadcast on within the deadline'));
    }
  }
}
