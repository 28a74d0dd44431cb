// What the head of a frame has to be like (RFC 9113, 6): the streams that its type may name, and the sizes that it may
// have. Knows no state: whether a stream is open, or a frame's turn has come, is judged elsewhere.

import { errorCode, frameType, Http2Error } from './frames.js';

export const priorityBytes = 5;
const resetBytes = 4;
const settingBytes = 6;
const pingBytes = 8;
const goAwayBytesMin = 8;
const windowUpdateBytes = 4;

/** Throws Http2Error: the connection ends. A PRIORITY of a wrong size is the error of its stream alone, and passes. */
export function requireSound(type: number, id: number, bytes: number): void {
  switch (type) {
    case frameType.data:
    case frameType.priority:
      requireStream(id !== 0);
      break;
    case frameType.headers:
    case frameType.continuation:
      requireStream(id % 2 === 1);
      break;
    case frameType.reset:
      requireStream(id !== 0);
      requireSize(bytes === resetBytes);
      break;
    case frameType.settings:
      requireStream(id === 0);
      requireSize(bytes % settingBytes === 0);
      break;
    case frameType.pushPromise:
      throw new Http2Error(errorCode.protocol, 'A client promises nothing');
    case frameType.ping:
      requireStream(id === 0);
      requireSize(bytes === pingBytes);
      break;
    case frameType.goAway:
      requireStream(id === 0);
      requireSize(bytes >= goAwayBytesMin);
      break;
    case frameType.windowUpdate:
      requireSize(bytes === windowUpdateBytes);
      break;
  }
}

function requireStream(right: boolean): void {
  if (!right) throw new Http2Error(errorCode.protocol, 'A frame names a stream that its type may not');
}

function requireSize(right: boolean): void {
  if (!right) throw new Http2Error(errorCode.frameSize, 'A frame has a size that its type may not');
}
