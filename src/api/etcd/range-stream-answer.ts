// The answer to one RangeStream: messages that merged are the answer to the same Range. First what the answer is about,
// then records as they are read, last how many there are. A client that reads slowly holds up the reading.

import type { SelectionHandle, SelectionHead, SelectionSink } from '../../service/store-service.js';
import type { StoreError } from '../../shared/errors.js';
import type { Revision } from '../../shared/ids.js';
import type { KeyRecord } from '../../tree/store.js';
import type { RangeSelection } from '../../tree/transaction.js';
import { ProtoWriter } from '../../wire/protobuf/proto-writer.js';
import { rangeRecordSize, writeRangeRecord, writeRangeTail } from './codec/operation-responses.js';
import { writeHeaderField } from './codec/response-header.js';
import type { EtcdContext } from './context.js';
import type { GrpcCall } from './grpc/grpc-call.js';
import { failCall, readOptions } from './grpc-methods.js';

/** Room for a header or a tail, and for a message's own tag and length. */
const frameBytes = 64;

export class RangeStreamAnswer implements SelectionSink {
  private readonly context: EtcdContext;
  private readonly call: GrpcCall;
  private handle: SelectionHandle | null = null;
  private head: SelectionHead | null = null;
  private at: Revision | undefined;

  constructor(context: EtcdContext, call: GrpcCall) {
    this.context = context;
    this.call = call;
  }

  select(selection: RangeSelection, serializable: boolean): void {
    const { context, call } = this;
    this.at = selection.at;
    this.handle = context.service.select(selection, readOptions(context, call, { local: serializable }), this);
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
    this.send(frameBytes, (writer) => writeHeaderField(writer, this.context.headers.ofRange(this.at, head)));
  }

  private addRecords(page: readonly KeyRecord[]): boolean {
    let bytes = frameBytes;
    for (const record of page) bytes += rangeRecordSize(record);
    return this.send(bytes, (writer) => {
      for (const record of page) writeRangeRecord(writer, record);
    });
  }

  private endAnswer(error: StoreError | null): void {
    const { call, head } = this;
    if (call.over) return;
    if (error !== null || head === null) {
      failCall(this.context, call, error);
      return;
    }
    this.send(frameBytes, (writer) => writeRangeTail(writer, head));
    call.finish();
  }

  private send(bytes: number, write: (writer: ProtoWriter) => void): boolean {
    const writer = new ProtoWriter(bytes);
    const response = writer.beginMessage(1, bytes);
    write(writer);
    writer.endMessage(response);
    return this.call.send(writer.written());
  }
}
