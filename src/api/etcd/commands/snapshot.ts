// Maintenance.Snapshot: this node's state as a snapshot file, piece by piece, in turns of the event loop and no faster than
// the client takes it. The state is pinned meanwhile; nothing stops for it.

import type { SnapshotMember } from '../../../etcd-snapshot/snapshot-content.js';
import { SnapshotFileError } from '../../../etcd-snapshot/snapshot-file-error.js';
import {
  clusterVersion,
  measureSnapshot,
  type SnapshotSize,
  writeSnapshot,
} from '../../../etcd-snapshot/snapshot-writer.js';
import { snapshotContentOf } from '../../../etcd-snapshot/store-content.js';
import { StoreError } from '../../../shared/errors.js';
import type { StoreContents } from '../../../tree/store.js';
import { bytesFieldSize, ProtoWriter } from '../../../wire/protobuf/proto-writer.js';
import { headerFieldSize, type ResponseHeader, writeHeaderField } from '../codec/response-header.js';
import type { EtcdContext } from '../context.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { failCall, type MethodEntries, unary, within } from '../grpc-methods.js';

/** Work on one snapshot in one turn of the event loop. */
const turnMs = 4;

export function snapshotMethods(context: EtcdContext): MethodEntries {
  return [unary(context, '/etcdserverpb.Maintenance/Snapshot', (call) => begin(context, call))];
}

function begin(context: EtcdContext, call: GrpcCall): void {
  let stream: SnapshotStream | undefined;
  context.service.copyState(context.actorOf(call), {
    opened: (contents) => {
      try {
        if (!call.over) {
          stream = new SnapshotStream(context, call, contents);
          stream.start();
        }
      } catch (error) {
        failCall(context, call, error);
      }
      if (call.over) contents.close();
    },
    failed: within(context, call, (error) => {
      if (stream !== undefined) stream.fail(error);
      else if (!call.over) failCall(context, call, error);
    }),
  });
}

class SnapshotStream {
  private readonly context: EtcdContext;
  private readonly call: GrpcCall;
  private readonly contents: StoreContents;
  private readonly content: ReturnType<typeof snapshotContentOf>;
  private readonly header: ResponseHeader;
  private measuring: Generator<null, SnapshotSize, undefined> | null;
  private pages: Generator<Buffer | null, undefined, undefined> | null = null;
  /** Of the database, without the checksum behind it. */
  private remaining = 0;
  /** Pages that are not sent yet, and their bytes. */
  private unsent: Buffer[] = [];
  private unsentBytes = 0;
  private stalled: NodeJS.Timeout | null = null;
  private ended = false;

  constructor(context: EtcdContext, call: GrpcCall, contents: StoreContents) {
    this.context = context;
    this.call = call;
    this.contents = contents;
    this.header = context.headers.at(contents.meta.revision);
    this.content = snapshotContentOf(contents, membersOf(context));
    this.measuring = measureSnapshot(this.content);
  }

  start(): void {
    this.call.onCancelled(() => this.end());
    this.call.onDrain(() => {
      if (this.stalled === null) return;
      clearTimeout(this.stalled);
      this.stalled = null;
      this.turn();
    });
    this.turn();
  }

  fail(error: unknown): void {
    if (this.ended) return;
    this.end();
    // The content is the store's own: what cannot be written of it is a defect, not a bad file.
    failCall(this.context, this.call, error instanceof SnapshotFileError ? new Error(error.message) : error);
  }

  private turn(): void {
    if (this.ended) return;
    const endsAt = performance.now() + turnMs;
    try {
      while (performance.now() < endsAt) {
        const goesOn = this.measuring !== null ? this.measure(this.measuring) : this.write();
        if (!goesOn) return;
      }
    } catch (error) {
      this.fail(error);
      return;
    }
    setImmediate(() => this.turn());
  }

  private measure(measuring: Generator<null, SnapshotSize, undefined>): boolean {
    const next = measuring.next();
    if (next.done !== true) return true;
    this.measuring = null;
    this.remaining = next.value.databaseBytes;
    this.pages = writeSnapshot(this.content, next.value);
    return true;
  }

  /** False: nothing more now. */
  private write(): boolean {
    const chunkBytes = this.context.limits.snapshotChunkBytes;
    const next = this.pages?.next();
    if (next === undefined || next.done === true) {
      this.end();
      this.call.finish();
      return false;
    }
    if (next.value === null) return true;
    this.unsent.push(next.value);
    this.unsentBytes += next.value.length;
    const isChecksum = this.unsentBytes > this.remaining;
    const isLastPage = this.unsentBytes === this.remaining;
    if (this.unsentBytes < chunkBytes && !isLastPage && !isChecksum) return true;
    return this.sendUnsent(chunkBytes);
  }

  private sendUnsent(chunkBytes: number): boolean {
    const bytes = this.unsent.length === 1 ? (this.unsent[0] ?? Buffer.alloc(0)) : Buffer.concat(this.unsent);
    this.unsent = [];
    this.unsentBytes = 0;
    let hasRoom = true;
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const blob = bytes.subarray(at, at + chunkBytes);
      this.remaining = Math.max(0, this.remaining - blob.length);
      hasRoom = this.call.send(this.encode(blob));
    }
    if (hasRoom) return true;
    const { stateCopyStallMs } = this.context.limits;
    this.stalled = setTimeout(() => {
      const reason = `the client took nothing for ${stateCopyStallMs} ms (stateCopyStallMs)`;
      this.fail(new StoreError('TIMEOUT', `Cannot go on sending a snapshot: ${reason}`));
    }, stateCopyStallMs);
    return false;
  }

  /** etcdserverpb.SnapshotResponse. */
  private encode(blob: Buffer): Uint8Array {
    const writer = new ProtoWriter(headerFieldSize(this.header) + bytesFieldSize(blob.length) + 32);
    writeHeaderField(writer, this.header);
    writer.varintField(2, this.remaining);
    writer.bytesField(3, blob);
    writer.stringField(4, clusterVersion);
    return writer.written();
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    if (this.stalled !== null) clearTimeout(this.stalled);
    this.contents.close();
  }
}

function membersOf({ service }: EtcdContext): readonly SnapshotMember[] {
  return service.status().members.map(({ id, messageAddr, requestAddr }) => ({
    id: BigInt(id),
    name: messageAddr,
    peerUrls: [`http://${messageAddr}`],
    clientUrls: requestAddr === undefined ? [] : [`http://${requestAddr}`],
  }));
}
