// The answer to one Range, written while it is read: its length is known before its first record, and a client that
// reads slowly holds up the reading, so no more than a page of it is ever in memory.

import type { SelectionHead } from '../../service/store-service.js';
import type { Bytes } from '../../shared/bytes.js';
import type { KeyRecord } from '../../tree/store.js';
import { ProtoWriter } from '../../wire/protobuf/proto-writer.js';
import {
  answerWriter,
  rangeRecordSize,
  rangeTailSize,
  writeRangeRecord,
  writeRangeTail,
} from './codec/operation-responses.js';
import { headerFieldSize, writeHeaderField } from './codec/response-header.js';
import { SelectionAnswer } from './selection-answer.js';

/** Answers up to this are sent in one piece. */
const wholeBytesMax = 64 * 2 ** 10;

export class RangeAnswer extends SelectionAnswer {
  /** What was written and not given to the call yet. */
  private writer = new ProtoWriter(0);
  private inPieces = false;

  protected beginAnswer(head: SelectionHead): void {
    const header = this.context.headers.ofRange(this.at, head);
    const headerBytes = headerFieldSize(header);
    const wholeBytes = headerBytes + head.bytes + rangeTailSize(head);
    this.inPieces = wholeBytes > wholeBytesMax;
    if (this.inPieces) this.call.beginMessage(wholeBytes);
    this.writer = answerWriter(this.inPieces ? headerBytes : wholeBytes);
    writeHeaderField(this.writer, header);
  }

  protected addRecords(page: readonly KeyRecord[]): boolean {
    const { writer } = this;
    if (this.inPieces) {
      let pageBytes = 0;
      for (const record of page) pageBytes += rangeRecordSize(record);
      writer.reserve(pageBytes);
    }
    for (const record of page) writeRangeRecord(writer, record);
    return this.inPieces ? this.call.sendPiece(this.take()) : true;
  }

  protected endAnswer(head: SelectionHead): void {
    const { call, writer } = this;
    writeRangeTail(writer, head);
    if (!this.inPieces) call.send(writer.written());
    else if (writer.position > 0) call.sendPiece(writer.written());
  }

  /** The pieces belong to the call once they were given to it. */
  private take(): Bytes {
    const piece = this.writer.written();
    this.writer = new ProtoWriter(0);
    return piece;
  }
}
