// The answer to one RangeStream: messages that merged are the answer to the same Range. First what the answer is about,
// then records as they are read, last how many there are. A client that reads slowly holds up the reading.

import type { SelectionHead } from '../../service/store-service.js';
import type { KeyRecord } from '../../tree/store.js';
import { ProtoWriter } from '../../wire/protobuf/proto-writer.js';
import { rangeRecordSize, writeRangeRecord, writeRangeTail } from './codec/operation-responses.js';
import { writeHeaderField } from './codec/response-header.js';
import { SelectionAnswer } from './selection-answer.js';

/** Room for a header or a tail, and for a message's own tag and length. */
const frameBytes = 64;

export class RangeStreamAnswer extends SelectionAnswer {
  protected beginAnswer(head: SelectionHead): void {
    this.send(frameBytes, (writer) => writeHeaderField(writer, this.context.headers.ofRange(this.at, head)));
  }

  protected addRecords(page: readonly KeyRecord[]): boolean {
    let bytes = frameBytes;
    for (const record of page) bytes += rangeRecordSize(record);
    return this.send(bytes, (writer) => {
      for (const record of page) writeRangeRecord(writer, record);
    });
  }

  protected endAnswer(head: SelectionHead): void {
    this.send(frameBytes, (writer) => writeRangeTail(writer, head));
  }

  private send(bytes: number, write: (writer: ProtoWriter) => void): boolean {
    const writer = new ProtoWriter(bytes);
    const response = writer.beginMessage(1, bytes);
    write(writer);
    writer.endMessage(response);
    return this.call.send(writer.written());
  }
}
