// The answer to one Range, written while it is read: its length is known before its first record, and a client that
// reads slowly holds up the reading, so no more than a page of it is ever in memory.

import type { SelectionHandle, SelectionHead, SelectionSink } from '../../service/store-service.js';
import type { Bytes } from '../../shared/bytes.js';
import type { StoreError } from '../../shared/errors.js';
import type { Revision } from '../../shared/ids.js';
import type { KeyRecord } from '../../tree/store.js';
import type { RangeSelection } from '../../tree/transaction.js';
import { ProtoWriter } from '../../wire/protobuf/proto-writer.js';
import {
  answerWriter,
  rangeRecordSize,
  rangeTailSize,
  writeRangeRecord,
  writeRangeTail,
} from './codec/operation-responses.js';
import { headerFieldSize, writeHeaderField } from './codec/response-header.js';
import type { EtcdContext } from './context.js';
import type { GrpcCall } from './grpc/grpc-call.js';
import { failCall, readOptions } from './grpc-methods.js';

/** Answers up to this are sent in one piece. */
const wholeBytesMax = 64 * 2 ** 10;

export class RangeAnswer implements SelectionSink {
  private readonly context: EtcdContext;
  private readonly call: GrpcCall;
  private handle: SelectionHandle | null = null;
  private head: SelectionHead | null = null;
  private at: Revision | undefined;
  /** What was written and not given to the call yet. */
  private writer = new ProtoWriter(0);
  private inPieces = false;

  constructor(context: EtcdContext, call: GrpcCall) {
    this.context = context;
    this.call = call;
  }

  select(selection: RangeSelection, serializable: boolean): void {
    const { context, call } = this;
    this.at = selection.at;
    const options = readOptions(context, call, { local: serializable });
    this.handle = context.service.select(selection, options, this);
    call.onDrain(() => this.handle?.resume());
    call.onCancelled(() => this.handle?.cancel());
  }

  sizeOf(record: KeyRecord): number {
    return rangeRecordSize(record);
  }

  begin(head: SelectionHead): void {
    try {
      this.beginAnswer(head);
    } catch (error) {
      failCall(this.context, this.call, error);
    }
  }

  records(page: readonly KeyRecord[]): boolean {
    try {
      return this.addRecords(page);
    } catch (error) {
      failCall(this.context, this.call, error);
      return false;
    }
  }

  end(error: StoreError | null): void {
    try {
      this.endAnswer(error);
    } catch (thrown) {
      failCall(this.context, this.call, thrown);
    }
  }

  private beginAnswer(head: SelectionHead): void {
    this.head = head;
    const header = this.context.headers.ofRange(this.at, head);
    const headerBytes = headerFieldSize(header);
    const wholeBytes = headerBytes + head.bytes + rangeTailSize(head);
    this.inPieces = wholeBytes > wholeBytesMax;
    if (this.inPieces) this.call.beginMessage(wholeBytes);
    this.writer = answerWriter(this.inPieces ? headerBytes : wholeBytes);
    writeHeaderField(this.writer, header);
  }

  private addRecords(page: readonly KeyRecord[]): boolean {
    const { writer } = this;
    if (this.inPieces) {
      let pageBytes = 0;
      for (const record of page) pageBytes += rangeRecordSize(record);
      writer.reserve(pageBytes);
    }
    for (const record of page) writeRangeRecord(writer, record);
    return this.inPieces ? this.call.sendPiece(this.take()) : true;
  }

  private endAnswer(error: StoreError | null): void {
    const { call, head, writer } = this;
    if (call.over) return;
    if (error !== null || head === null) {
      failCall(this.context, call, error);
      return;
    }
    writeRangeTail(writer, head);
    if (!this.inPieces) call.send(writer.written());
    else if (writer.position > 0) call.sendPiece(writer.written());
    call.finish();
  }

  /** The pieces belong to the call once they were given to it. */
  private take(): Bytes {
    const piece = this.writer.written();
    this.writer = new ProtoWriter(0);
    return piece;
  }
}
