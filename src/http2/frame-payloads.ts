// What lies in the payloads of DATA and HEADERS beside padding and priorities (RFC 9113, 6.1 and 6.2). The pieces given are
// views of the frame's memory; nothing is copied.

import { priorityBytes } from './frame-rules.js';
import { errorCode, flag, Http2Error } from './frames.js';

/** Throws Http2Error. */
export function dataOf(flags: number, memory: Buffer, start: number, end: number): Buffer {
  const padded = (flags & flag.padded) !== 0;
  const padding = padded ? 1 + (memory[start] ?? 0) : 0;
  if (padding > end - start) throw new Http2Error(errorCode.protocol, 'More padding than frame');
  const from = padded ? start + 1 : start;
  return memory.subarray(from, from + (end - start) - padding);
}

/** The piece of a header block. Throws Http2Error. */
export function headerBlockOf(flags: number, memory: Buffer, start: number, end: number): Buffer {
  const padded = (flags & flag.padded) !== 0;
  const skipped = (padded ? 1 : 0) + ((flags & flag.priority) === 0 ? 0 : priorityBytes);
  if (skipped > end - start) throw new Http2Error(errorCode.frameSize, 'HEADERS are cut short');
  const padding = padded ? (memory[start] ?? 0) : 0;
  if (skipped + padding > end - start) throw new Http2Error(errorCode.protocol, 'More padding than frame');
  return memory.subarray(start + skipped, end - padding);
}
