// What a decoder is held to: it returns a value or throws the error that it declares; what it returns takes memory in
// proportion to the input, and encoded and decoded again it is the same. Anything else is a finding.

import { isDeepStrictEqual } from 'node:util';
import { getHeapStatistics } from 'node:v8';

export interface DecoderTarget {
  readonly name: string;
  /** Valid bytes that inputs are made from. */
  readonly inputs: readonly Uint8Array[];
  /** Slow ones get one input where others get so many; undefined = 1. */
  readonly slowness?: number;
  /** `choice` is a number below 2^32 that belongs to the input, for targets that vary how they are fed. */
  decode(bytes: Uint8Array, choice: number): unknown;
  /** Whether the decoder is said to throw this for bytes that it refuses. */
  declares(error: unknown): boolean;
  /** undefined: this value has no encoding of its own. Without it nothing is encoded. */
  encode?(value: unknown): Uint8Array | undefined;
  /** Puts right the checksums of mutated bytes, so that what is behind them is reached. Used for every other input. */
  seal?(bytes: Uint8Array): Uint8Array;
}

/** Bytes of memory that a decoded value may take: so many, and for each byte of input. */
const retainedBytesBase = 4_096;
const retainedBytesPerByte = 128;
/** Bytes that decoding may take on the way, garbage included, measured coarsely. */
const allocatedBytesBase = 4 * 2 ** 20;
const allocatedBytesPerByte = 2_048;

/** True: the input was accepted; false: it was refused as declared. Throws what is wrong with the decoder. */
export function judge(target: DecoderTarget, bytes: Uint8Array, choice: number): boolean {
  const before = allocatedBytes();
  let value: unknown;
  try {
    value = target.decode(bytes, choice);
  } catch (error) {
    if (target.declares(error)) return false;
    throw new Error(`it threw ${describe(error)}`, { cause: error });
  }
  const allocated = allocatedBytes() - before;
  if (allocated > allocatedBytesBase + allocatedBytesPerByte * bytes.length) {
    throw new Error(`it took ${allocated} bytes of memory for an input of ${bytes.length}`);
  }
  const retained = retainedBytes(value, bytes.buffer);
  if (retained > retainedBytesBase + retainedBytesPerByte * bytes.length) {
    throw new Error(`its value takes about ${retained} bytes for an input of ${bytes.length}`);
  }
  checkSecondRound(target, value, choice);
  return true;
}

function checkSecondRound(target: DecoderTarget, value: unknown, choice: number): void {
  const encoded = target.encode?.(value);
  if (encoded === undefined) return;
  let again: unknown;
  try {
    again = target.decode(encoded, choice);
  } catch (error) {
    throw new Error(`it refuses its own value, encoded: ${describe(error)}`, { cause: error });
  }
  if (!isDeepStrictEqual(again, value)) throw new Error('its value is another one after encoding and decoding');
}

function allocatedBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

/** Roughly what a value keeps alive: objects, text, and byte memory that is not the input's own. */
function retainedBytes(value: unknown, input: ArrayBufferLike): number {
  const seen = new Set<unknown>();
  const pending: unknown[] = [value];
  let bytes = 0;
  while (pending.length > 0) {
    const item = pending.pop();
    if (typeof item === 'string') bytes += 16 + 2 * item.length;
    else if (typeof item === 'bigint') bytes += 24;
    else if (typeof item === 'object' && item !== null && !seen.has(item)) {
      seen.add(item);
      if (ArrayBuffer.isView(item)) {
        bytes += 96;
        if (item.buffer !== input && !seen.has(item.buffer)) bytes += item.buffer.byteLength;
        seen.add(item.buffer);
      } else {
        const parts = Object.values(item);
        bytes += 24 + 8 * parts.length;
        for (const part of parts) pending.push(part);
      }
    }
  }
  return bytes;
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.constructor.name}: ${error.message}` : String(error);
}
