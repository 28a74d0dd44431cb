// What the leader sends one follower on its quorum connection, strictly in order. Live proposals go straight to the
// socket; during a synchronization, or when the follower is slow, they are not queued: the log is read instead, so a
// slow follower costs no memory. Knows the order of things, not their meaning.

import type { Bytes } from '../shared/bytes.js';
import { Fifo } from '../shared/fifo.js';
import { formatZxid, type Zxid } from '../shared/ids.js';
import type { Batch } from '../zab/messages.js';
import type { CommitLog } from './ports.js';

export interface FollowerLinkHost {
  log(): Pick<CommitLog, 'base' | 'read' | 'pin'>;
  send(chunks: readonly Bytes[]): void;
  queuedBytes(): number;
  /** The chunks of a proposal that carries this batch. */
  proposal(batch: Batch): readonly Bytes[];
  /** Starts the transfer of a snapshot; `done` with the zxid that the follower has installed. */
  sendSnapshot(done: (installed: Zxid) => void): void;
  /** The link cannot go on: close it and tell the core. */
  broken(reason: string): void;
}

type Item =
  | { readonly type: 'message'; readonly chunks: readonly Bytes[] }
  /** Send every batch after `position` up to `through`. */
  | { readonly type: 'log'; through: Zxid }
  | { readonly type: 'snapshot' };

/** Past this many unsent bytes the link reads from the log once they have drained, instead of queueing more. */
const liveQueueBytesMax = 4 * 2 ** 20;
/** Bytes read from the log at a time while catching up. */
const catchUpReadBytes = 1 * 2 ** 20;

export class FollowerLink {
  private readonly host: FollowerLinkHost;
  private items = new Fifo<Item>();
  /** Everything up to here has been sent or is known to be there. */
  private position: Zxid = 0 as Zxid;
  private busy = false;
  private closed = false;
  private unpin: (() => void) | null = null;

  constructor(host: FollowerLinkHost) {
    this.host = host;
  }

  /** True while a message would have to wait for the log or a snapshot. */
  get catchingUp(): boolean {
    return this.items.length > 0 || this.busy;
  }

  send(chunks: readonly Bytes[]): void {
    if (this.catchingUp) this.items.push({ type: 'message', chunks });
    else this.host.send(chunks);
  }

  /** From the log: everything after `after` up to `through`. */
  streamLog(after: Zxid, through: Zxid): void {
    this.pinAt(after);
    this.position = after;
    this.items.push({ type: 'log', through });
    this.pump();
  }

  /** A snapshot, then everything after it up to `through`. */
  streamSnapshot(through: Zxid): void {
    // Whatever the image's zxid will be, it is at or after the log's base as it is now.
    this.pinAt(this.host.log().base);
    this.items.push({ type: 'snapshot' });
    this.items.push({ type: 'log', through });
    this.pump();
  }

  /** A live batch, with the chunks of its proposal as encoded once for everyone. */
  propose(batch: Batch, chunks: readonly Bytes[]): void {
    if (batch.last <= this.position && !this.catchingUp) return;
    if (!this.catchingUp && this.host.queuedBytes() <= liveQueueBytesMax) {
      this.position = batch.last;
      this.host.send(chunks);
      return;
    }
    if (!this.catchingUp) this.pinAt(this.position);
    const last = this.items.peekLast();
    if (last?.type === 'log') last.through = batch.last;
    else this.items.push({ type: 'log', through: batch.last });
    this.pump();
  }

  /** The socket can take more. */
  drained(): void {
    this.pump();
  }

  close(): void {
    this.closed = true;
    this.items.clear();
    this.release();
  }

  private pump(): void {
    while (!this.closed && !this.busy) {
      const item = this.items.peek();
      if (item === undefined) {
        this.release();
        return;
      }
      if (item.type === 'message') {
        this.items.shift();
        this.host.send(item.chunks);
      } else if (item.type === 'snapshot') {
        this.busy = true;
        this.host.sendSnapshot((installed) => {
          if (this.closed) return;
          this.busy = false;
          this.items.shift();
          this.position = installed;
          this.pinAt(installed);
          this.pump();
        });
      } else if (this.position >= item.through) this.items.shift();
      else if (this.host.queuedBytes() > liveQueueBytesMax) return;
      else this.readLog(item.through);
    }
  }

  private readLog(through: Zxid): void {
    this.busy = true;
    const after = this.position;
    this.host.log().read(after, catchUpReadBytes, (error, batches) => {
      if (this.closed) return;
      this.busy = false;
      if (error !== null || batches.length === 0) {
        this.host.broken(`cannot read the log after ${formatZxid(after)}: ${error?.message ?? 'it ends there'}`);
        return;
      }
      for (const batch of batches) {
        if (batch.last > through) break;
        this.position = batch.last;
        this.host.send(this.host.proposal(batch));
      }
      this.pinAt(this.position);
      this.pump();
    });
  }

  private pinAt(after: Zxid): void {
    const previous = this.unpin;
    this.unpin = this.host.log().pin(after);
    previous?.();
  }

  private release(): void {
    this.unpin?.();
    this.unpin = null;
  }
}
