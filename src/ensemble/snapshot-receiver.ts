// The follower's side of a snapshot transfer: asks for it on the bulk channel, writes chunks into a fresh directory and
// switches to it in one manifest write. Until that write the old state stands; an aborted transfer leaves no trace.

import type { EnsembleId, ServerId, Zxid } from '../shared/ids.js';
import type { BulkMessage } from '../wire/bulk-messages.js';
import type { EpochRecord } from '../zab/effects.js';
import type { NodeStorage, SnapshotWriter } from './ports.js';

export interface SnapshotReceiverHost {
  readonly storage: NodeStorage;
  /** False when there is no bulk connection to this peer yet; `bulkOpened` follows. */
  sendBulk(peer: ServerId, message: BulkMessage): boolean;
  /** storage.log and storage.store are the new ones. */
  installed(link: number, zxid: Zxid, ensembleId: EnsembleId): void;
  /** Given up before the switch began: the disk is as it was. Every start ends in this or in `installed`, once. */
  abandoned(link: number): void;
  broken(link: number, reason: string): void;
}

interface Reception {
  readonly peer: ServerId;
  /** The quorum connection that it belongs to. */
  readonly link: number;
  readonly record: EpochRecord;
  requested: boolean;
  begun: { readonly zxid: Zxid; readonly ensembleId: EnsembleId } | null;
  writer: SnapshotWriter | null;
  finishing: boolean;
}

/** Chunks that the leader may have under way: enough to keep disk and network busy together. */
const creditChunks = 4;

export class SnapshotReceiver {
  private readonly host: SnapshotReceiverHost;
  private current: Reception | null = null;

  constructor(host: SnapshotReceiverHost) {
    this.host = host;
  }

  start(peer: ServerId, link: number, record: EpochRecord): void {
    this.abort();
    this.current = { peer, link, record, requested: false, begun: null, writer: null, finishing: false };
    this.bulkOpened(peer);
  }

  /** True once the switch has begun: it completes whatever becomes of the connection. */
  get finishing(): boolean {
    return this.current?.finishing ?? false;
  }

  bulkOpened(peer: ServerId): void {
    const reception = this.current;
    if (reception === null || reception.peer !== peer || reception.requested) return;
    reception.requested = this.host.sendBulk(peer, { type: 'snapshotRequest' });
  }

  bulkClosed(peer: ServerId): void {
    const reception = this.current;
    if (reception === null || reception.peer !== peer || reception.finishing || !reception.requested) return;
    this.fail(reception, 'the bulk connection closed during a snapshot');
  }

  /** The quorum connection is gone. */
  linkClosed(link: number): void {
    if (this.current?.link === link) this.abort();
  }

  received(
    peer: ServerId,
    message: Extract<BulkMessage, { readonly type: 'snapshotBegin' | 'snapshotChunk' | 'snapshotEnd' }>,
  ): void {
    const reception = this.current;
    // What is still under way of a transfer that was given up.
    if (reception === null || reception.peer !== peer) return;
    switch (message.type) {
      case 'snapshotBegin':
        if (reception.begun !== null) this.fail(reception, 'a second snapshotBegin');
        else {
          reception.begun = { zxid: message.zxid, ensembleId: message.ensembleId };
          reception.writer = this.host.storage.receiveSnapshot();
          this.host.sendBulk(peer, { type: 'snapshotCredit', chunks: creditChunks });
        }
        return;
      case 'snapshotChunk':
        if (reception.writer === null || reception.finishing) this.fail(reception, 'snapshotChunk outside a snapshot');
        else {
          reception.writer.write(message.bytes, (error) => {
            if (this.current !== reception) return;
            if (error !== null) this.fail(reception, `cannot write the snapshot: ${error.message}`);
            else this.host.sendBulk(peer, { type: 'snapshotCredit', chunks: 1 });
          });
        }
        return;
      case 'snapshotEnd':
        this.finish(reception);
        return;
    }
  }

  private finish(reception: Reception): void {
    const { writer, begun } = reception;
    if (writer === null || begun === null || reception.finishing) {
      this.fail(reception, 'snapshotEnd outside a snapshot');
      return;
    }
    reception.finishing = true;
    writer.finish(begun.zxid, { ...reception.record, ensembleId: begun.ensembleId }, (error) => {
      this.current = null;
      if (error !== null) {
        this.host.abandoned(reception.link);
        this.host.broken(reception.link, `cannot install the snapshot: ${error.message}`);
        return;
      }
      this.host.sendBulk(reception.peer, { type: 'snapshotInstalled', zxid: begun.zxid });
      this.host.installed(reception.link, begun.zxid, begun.ensembleId);
    });
  }

  private fail(reception: Reception, reason: string): void {
    this.abort();
    this.host.broken(reception.link, reason);
  }

  private abort(): void {
    const reception = this.current;
    if (reception === null || reception.finishing) return;
    this.current = null;
    reception.writer?.abort();
    this.host.abandoned(reception.link);
  }
}
