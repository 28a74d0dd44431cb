// Maintenance.Snapshot: this node's state as a snapshot file, piece by piece, in turns of the event loop and no faster than
// the client takes it. The state is pinned meanwhile; nothing stops for it.

import { SnapshotFileError } from '../../../etcd-snapshot/snapshot-file-error.js';
import { type SnapshotChunk, SnapshotSource, snapshotTurnMs } from '../../../etcd-snapshot/snapshot-source.js';
import { clusterVersion } from '../../../etcd-snapshot/snapshot-writer.js';
import { StoreError } from '../../../shared/errors.js';
import type { StoreContents } from '../../../tree/store.js';
import { bytesFieldSize, ProtoWriter } from '../../../wire/protobuf/proto-writer.js';
import { headerFieldSize, type ResponseHeader, writeHeaderField } from '../codec/response-header.js';
import type { EtcdContext } from '../context.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { failCall, type MethodEntries, unary, within } from '../grpc-methods.js';

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
  private readonly source: SnapshotSource;
  private readonly header: ResponseHeader;
  private stalled: NodeJS.Timeout | null = null;
  private ended = false;

  constructor(context: EtcdContext, call: GrpcCall, contents: StoreContents) {
    this.context = context;
    this.call = call;
    this.contents = contents;
    this.header = context.headers.at(contents.meta.revision);
    const { members } = context.service.status();
    this.source = new SnapshotSource(contents, members, context.limits.snapshotChunkBytes);
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
    const endsAt = performance.now() + snapshotTurnMs;
    try {
      while (performance.now() < endsAt) if (!this.step()) return;
    } catch (error) {
      this.fail(error);
      return;
    }
    setImmediate(() => this.turn());
  }

  /** False: nothing more now. */
  private step(): boolean {
    const next = this.source.next();
    if (next === 'not yet') return true;
    if (next === 'end') {
      this.end();
      this.call.finish();
      return false;
    }
    if (this.call.send(this.encode(next))) return true;
    const { stateCopyStallMs } = this.context.limits;
    this.stalled = setTimeout(() => {
      const reason = `the client took nothing for ${stateCopyStallMs} ms (stateCopyStallMs)`;
      this.fail(new StoreError('TIMEOUT', `Cannot go on sending a snapshot: ${reason}`));
    }, stateCopyStallMs);
    return false;
  }

  /** etcdserverpb.SnapshotResponse. */
  private encode({ bytes, remaining }: SnapshotChunk): Uint8Array {
    const writer = new ProtoWriter(headerFieldSize(this.header) + bytesFieldSize(bytes.length) + 32);
    writeHeaderField(writer, this.header);
    writer.varintField(2, remaining);
    writer.bytesField(3, bytes);
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
