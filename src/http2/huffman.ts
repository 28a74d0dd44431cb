// The Huffman code of header strings (RFC 7541, appendix B), decoded four bits at a time by a table that is made once.
// It never throws: what is no such code has no text.

import type { Bytes } from '../shared/bytes.js';
import { latin1 } from './latin1.js';

/** "End of string": its 30 ones only ever pad, shortened; whole it is an error. */
const endOfString = 256;

/** Bits of the code of each octet, and of the end of string. The code is canonical: shorter first, then in the order of octets. */
const codeLengths: readonly number[] = [
  ...[13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28], // 0x00
  ...[28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28], // 0x10
  ...[6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6], // space .. /
  ...[5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10], // 0 .. ?
  ...[13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7], // @ .. O
  ...[7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6], // P .. _
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5], // ` .. o
  ...[6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28], // p .. 0x7f
  ...[20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23], // 0x80
  ...[24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24], // 0x90
  ...[22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23], // 0xa0
  ...[21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23], // 0xb0
  ...[26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25], // 0xc0
  ...[19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27], // 0xd0
  ...[20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23], // 0xe0
  ...[26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26], // 0xf0
  30,
];

/** Bits of padding, all ones, that may follow the last octet. */
const paddingBitsMax = 7;

/** A step of the table: the state after four bits, the octet that they complete, whether they do, whether they are an error. */
const stateBits = 0xff;
const octetShift = 8;
const completesShift = 16;
const fails = 1 << 17;

interface DecodingTable {
  /** By state * 16 + four bits. */
  readonly steps: Uint32Array;
  /** By state: 1 where a string may end. */
  readonly mayEnd: Uint8Array;
}

/** Both branches of each inner node of the code's tree: the number of a node, or ~octet. */
function codeTree(): readonly [number, number][] {
  const tree: [number, number][] = [[0, 0]];
  const octets = codeLengths.map((_, octet) => octet);
  // Sorting is stable, so that octets of equal length stay in order.
  octets.sort((a, b) => (codeLengths[a] as number) - (codeLengths[b] as number));
  let code = 0;
  let codeLength = 0;
  for (const octet of octets) {
    const length = codeLengths[octet] as number;
    code *= 2 ** (length - codeLength);
    codeLength = length;
    let node = tree[0] as [number, number];
    for (let bit = length - 1; bit > 0; bit--) {
      const branch = (code >>> bit) & 1;
      if (node[branch] === 0) node[branch] = tree.push([0, 0]) - 1;
      node = tree[node[branch] as number] as [number, number];
    }
    node[code & 1] = ~octet;
    code++;
  }
  return tree;
}

/** The states of the decoder are the inner nodes of the tree, 256 of them. */
function decodingTable(): DecodingTable {
  const tree = codeTree();
  const steps = new Uint32Array(tree.length * 16);
  for (let state = 0; state < tree.length; state++) {
    for (let bits = 0; bits < 16; bits++) steps[state * 16 + bits] = stepOf(tree, state, bits);
  }
  const mayEnd = new Uint8Array(tree.length);
  let padded = 0;
  for (let bits = 0; bits <= paddingBitsMax; bits++) {
    mayEnd[padded] = 1;
    padded = tree[padded]?.[1] as number;
  }
  return { steps, mayEnd };
}

/** The shortest code has five bits, so that four complete one octet at the most. */
function stepOf(tree: readonly [number, number][], state: number, bits: number): number {
  let node = state;
  let step = 0;
  for (let bit = 3; bit >= 0; bit--) {
    node = tree[node]?.[(bits >>> bit) & 1] as number;
    if (node >= 0) continue;
    if (~node === endOfString) return fails;
    step = (~node << octetShift) | (1 << completesShift);
    node = 0;
  }
  return step | node;
}

const { steps, mayEnd } = decodingTable();

/** Holds what is decoded until it becomes text; nothing in it outlives a call. */
const decoded = new Uint8Array(256);
/** One octet of input completes two at the most. */
const decodedFull = decoded.length - 2;

/** The text whose code is bytes[start..end), one character for each octet; undefined when it is none. */
export function decodeHuffman(bytes: Bytes, start: number, end: number): string | undefined {
  let text = '';
  let length = 0;
  let state = 0;
  for (let at = start; at < end; at++) {
    const octet = bytes[at] as number;
    const high = steps[(state << 4) | (octet >>> 4)] as number;
    // Written in any case and overwritten by the next one unless it counts: cheaper than a branch.
    decoded[length] = high >>> octetShift;
    length += (high >>> completesShift) & 1;
    const low = steps[((high & stateBits) << 4) | (octet & 0xf)] as number;
    decoded[length] = low >>> octetShift;
    length += (low >>> completesShift) & 1;
    if (((high | low) & fails) !== 0) return undefined;
    state = low & stateBits;
    if (length > decodedFull) {
      text += latin1(decoded, 0, length);
      length = 0;
    }
  }
  if (mayEnd[state] !== 1) return undefined;
  return text + latin1(decoded, 0, length);
}
