// Byte-string helpers for pure code: no Buffer, no TextEncoder. Keys and values are raw bytes everywhere.

/** Immutable by convention: nobody writes into bytes that it did not allocate. */
export type Bytes = Uint8Array;

export const emptyBytes: Bytes = new Uint8Array(0);

/** Lexicographic order of unsigned bytes; a prefix sorts first. */
export function compareBytes(a: Bytes, b: Bytes): number {
  const length = a.length < b.length ? a.length : b.length;
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

/** A copy that shares no memory with the source, e.g. before keeping a slice of a network buffer. */
export function copyBytes(source: Bytes): Bytes {
  // Not slice(): on a subclass of Uint8Array it may return a view.
  return new Uint8Array(source);
}

/** Up to here a loop copies faster than a view and a call. */
const loopBytesMax = 64;

/**
 * A copy of bytes [start, end), for paths where every row counts: a view of a small array is the dearer one, for the
 * array's memory has to move for it.
 */
export function copyPart(source: Bytes, start: number, end: number): Bytes {
  const length = end - start;
  const copy = new Uint8Array(length);
  if (length > loopBytesMax) copy.set(new Uint8Array(source.buffer, source.byteOffset + start, length));
  else for (let i = 0; i < length; i++) copy[i] = source[start + i] as number;
  return copy;
}

/** The least byte string greater than every string that starts with `prefix`; undefined when there is none (all 0xff). */
export function prefixEnd(prefix: Bytes): Bytes | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] as number;
    if (byte < 0xff) {
      const end = new Uint8Array(prefix.subarray(0, i + 1));
      end[i] = byte + 1;
      return end;
    }
  }
  return undefined;
}
