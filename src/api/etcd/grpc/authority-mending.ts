// Makes the first call of a connection readable whose client puts a URL where HTTP/2 wants host and port: clients of
// etcd 3.4 do so when they ask one member by its URL (`etcdctl --endpoints http://… endpoint status`). grpc-go takes
// that; nghttp2 resets the stream, and node:http2 has no say in it. Changes bytes in place and never their number, so
// that what the peers remember of the headers stays the same. Reads no socket.

/** Length (3), type (1), flags (1), stream (4). */
export const frameHeadBytes = 9;
export const prefaceBytes = 24;
export const frameType = { headers: 1, settings: 4 } as const;
export const acknowledged = 1;
const flags = { endHeaders: 4, padded: 8, priority: 32 } as const;
const priorityBytes = 5;

/** Index of `:authority` in HPACK's static table. */
const authorityIndex = 1;
const dot = 0x2e;
/** A slash and a dot in HPACK's Huffman code, six bits each. */
const dotCode = 0b010111;
const codeBits = 6;

/** How a URL begins, plain and in Huffman code: bits of the scheme with its colon, which the two slashes follow. */
const schemes = [
  // h 100111, t 01001, t 01001, p 101011, : 1011100, / 011000, / 011000
  { plain: 'http://', code: bitsOf('100111', '01001', '01001', '101011', '1011100', '011000', '011000') },
  // The same, with s 01000.
  { plain: 'https://', code: bitsOf('100111', '01001', '01001', '101011', '01000', '1011100', '011000', '011000') },
] as const;

function bitsOf(...codes: readonly string[]): string {
  return codes.join('');
}

/** Mends the headers of a frame, head included, if they have such an authority and are not spread over several frames. */
export function mendHeaders(frame: Uint8Array): void {
  const frameFlags = frame[4] ?? 0;
  if ((frameFlags & flags.endHeaders) === 0) return;
  const padded = (frameFlags & flags.padded) !== 0;
  const padding = padded ? (frame[frameHeadBytes] ?? 0) : 0;
  const begin = frameHeadBytes + (padded ? 1 : 0) + ((frameFlags & flags.priority) === 0 ? 0 : priorityBytes);
  const value = authorityOf(frame.subarray(begin, Math.max(begin, frame.length - padding)));
  if (value === undefined) return;
  if (value.huffman) mendCode(value.bytes);
  else mendText(value.bytes);
}

interface Literal {
  readonly huffman: boolean;
  readonly bytes: Uint8Array;
}

/** The literal value of `:authority` in a block of headers (RFC 7541, 6.); undefined: there is none, or it is no block. */
function authorityOf(block: Uint8Array): Literal | undefined {
  const reader = new BlockReader(block);
  while (!reader.done) {
    const first = reader.first;
    if ((first & 0x80) !== 0) reader.integer(7);
    else if ((first & 0xe0) === 0x20) reader.integer(5);
    else {
      const index = reader.integer((first & 0x40) === 0 ? 4 : 6);
      if (index === 0) reader.literal();
      const value = reader.literal();
      if (index === authorityIndex) return value;
    }
  }
  return undefined;
}

/** Goes to the end at the first thing that is no header. */
class BlockReader {
  private readonly block: Uint8Array;
  private at = 0;

  constructor(block: Uint8Array) {
    this.block = block;
  }

  get done(): boolean {
    return this.at >= this.block.length;
  }

  get first(): number {
    return this.block[this.at] ?? 0;
  }

  integer(prefixBits: number): number {
    const full = 2 ** prefixBits - 1;
    let value = (this.block[this.at++] ?? 0) & full;
    if (value < full) return value;
    for (let scale = 1; this.at < this.block.length && scale <= 2 ** 21; scale *= 128) {
      const byte = this.block[this.at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    this.at = this.block.length;
    return 0;
  }

  literal(): Literal | undefined {
    const huffman = (this.first & 0x80) !== 0;
    const length = this.integer(7);
    const end = this.at + length;
    if (end > this.block.length) {
      this.at = this.block.length;
      return undefined;
    }
    const bytes = this.block.subarray(this.at, end);
    this.at = end;
    return { huffman, bytes };
  }
}

function mendText(bytes: Uint8Array): void {
  const scheme = schemes.find(({ plain }) => [...plain].every((char, at) => bytes[at] === char.charCodeAt(0)));
  if (scheme !== undefined) bytes.fill(dot, scheme.plain.length - 2, scheme.plain.length);
}

function mendCode(bytes: Uint8Array): void {
  const scheme = schemes.find(({ code }) => [...code].every((bit, at) => bitAt(bytes, at) === Number(bit)));
  if (scheme === undefined) return;
  for (let at = 0; at < 2 * codeBits; at++) {
    const bit = (dotCode >> (codeBits - 1 - (at % codeBits))) & 1;
    setBit(bytes, scheme.code.length - 2 * codeBits + at, bit);
  }
}

function bitAt(bytes: Uint8Array, at: number): number | undefined {
  const byte = bytes[at >> 3];
  return byte === undefined ? undefined : (byte >> (7 - (at & 7))) & 1;
}

function setBit(bytes: Uint8Array, at: number, bit: number): void {
  const mask = 1 << (7 - (at & 7));
  const byte = bytes[at >> 3] ?? 0;
  bytes[at >> 3] = bit === 1 ? byte | mask : byte & ~mask;
}
