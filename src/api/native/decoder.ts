// The client's half of a native connection: preface, then requests, out of whatever pieces the bytes come in. Bytes of
// a request are views into those pieces; a tree copies what it keeps.

import { emptyBytes } from '../../shared/bytes.js';
import { decodePreface, FrameSplitter, prefaceBytes } from '../../wire/native-framing.js';
import type { ReceivedRequest } from '../../wire/native-messages.js';
import { readRequest } from '../../wire/native-request-codec.js';
import { ProtoReader } from '../../wire/protobuf/proto-reader.js';

export class RequestDecoder {
  private readonly frames: FrameSplitter;
  private readonly reader = new ProtoReader(emptyBytes);

  constructor(frameBytesMax: number) {
    this.frames = new FrameSplitter(frameBytesMax);
  }

  /** Bytes received and not decoded yet. */
  get pendingBytes(): number {
    return this.frames.pendingBytes;
  }

  /** Bytes of the frame that has begun and is not whole; 0 when there is none or its length is not known. */
  get awaitedBytes(): number {
    return this.frames.awaitedBytes;
  }

  /** Takes memory for the whole frame that has begun. */
  makeRoom(): void {
    this.frames.makeRoom();
  }

  push(chunk: Uint8Array): void {
    this.frames.push(chunk);
  }

  /** Nothing more of it will be decoded. */
  clear(): void {
    this.frames.clear();
  }

  /** Version that the client speaks; undefined until its preface is there. Throws WireError. */
  preface(): number | undefined {
    const bytes = this.frames.take(prefaceBytes);
    return bytes === undefined ? undefined : decodePreface(bytes);
  }

  /** The next request; undefined until it is whole. Throws WireError, after which the stream cannot go on. */
  next(): ReceivedRequest | undefined {
    const body = this.frames.next();
    if (body === undefined) return undefined;
    this.reader.reset(body);
    return readRequest(this.reader);
  }
}
