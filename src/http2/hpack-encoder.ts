// Writes header blocks (RFC 7541) for answers: the few fields that stand in every answer go into the table of the
// connection once and are one byte from then on; all others are written out. Strings are not Huffman coded.

import { headerTableBytes } from './frames.js';

export interface SentField {
  readonly name: string;
  readonly value: string;
  /** It comes again in most answers: worth a place in the table. There must be few such fields. */
  readonly repeated?: boolean;
}

/** Fields in their order. A list that is the same object each time is encoded once as long as the table stays. */
export type SentFields = readonly SentField[];

/** Fields of the static table that answers have. */
const staticFields: Readonly<Record<string, number>> = {
  ':status 200': 8,
  ':status 400': 12,
  ':status 404': 13,
  ':status 500': 14,
};
const staticNames: Readonly<Record<string, number>> = { ':status': 8, 'content-type': 31 };
const firstDynamicIndex = 62;
const entryOverheadBytes = 32;
/** A client that grants less gets no fields into its table. */
const tableBytesMin = 256;
const encodedListsMax = 16;

export class HpackEncoder {
  /** Of the table, in the order in which they went in. */
  private readonly entries = new Map<string, number>();
  private tableBytes = 0;
  private tableBytesMax = headerTableBytes;
  private updates: readonly number[] = [];
  private readonly encoded = new Map<SentFields, Uint8Array>();

  /** What the client keeps for us. */
  setTableBytesMax(bytes: number): void {
    const allowed = Math.min(bytes, headerTableBytes);
    const usable = allowed < tableBytesMin ? 0 : allowed;
    if (usable === this.tableBytesMax) return;
    // Emptied at the beginning of the next block, before it may be used at its new size.
    this.updates = usable === 0 ? [0] : [0, usable];
    this.tableBytesMax = usable;
    this.tableBytes = 0;
    this.entries.clear();
    this.encoded.clear();
  }

  /** The block of these fields. Do not change it: it may be given again. */
  encode(fields: SentFields): Uint8Array {
    const known = this.encoded.get(fields);
    if (known !== undefined) return known;
    const block: number[] = [];
    for (const bytes of this.updates) writeInteger(block, 0x20, 5, bytes);
    const steady = this.updates.length === 0;
    this.updates = [];
    const entryCount = this.entries.size;
    for (const field of fields) this.write(block, field);
    const bytes = Uint8Array.from(block);
    // What was written into the table now is shorter the next time.
    if (entryCount !== this.entries.size) this.encoded.clear();
    else if (steady && this.encoded.size < encodedListsMax && fields.every(({ repeated }) => repeated === true))
      this.encoded.set(fields, bytes);
    return bytes;
  }

  private write(block: number[], { name, value, repeated }: SentField): void {
    const key = `${name} ${value}`;
    const fixed = staticFields[key];
    if (fixed !== undefined) {
      writeInteger(block, 0x80, 7, fixed);
      return;
    }
    const place = this.entries.get(key);
    if (place !== undefined) {
      writeInteger(block, 0x80, 7, firstDynamicIndex + this.entries.size - 1 - place);
      return;
    }
    const bytes = name.length + value.length + entryOverheadBytes;
    const kept = repeated === true && this.tableBytes + bytes <= this.tableBytesMax;
    if (kept) {
      this.entries.set(key, this.entries.size);
      this.tableBytes += bytes;
    }
    const nameIndex = staticNames[name] ?? 0;
    if (kept) writeInteger(block, 0x40, 6, nameIndex);
    else writeInteger(block, 0, 4, nameIndex);
    if (nameIndex === 0) writeText(block, name);
    writeText(block, value);
  }
}

function writeInteger(block: number[], pattern: number, prefixBits: number, value: number): void {
  const full = 2 ** prefixBits - 1;
  if (value < full) {
    block.push(pattern | value);
    return;
  }
  block.push(pattern | full);
  let rest = value - full;
  for (; rest >= 128; rest = Math.floor(rest / 128)) block.push((rest % 128) | 128);
  block.push(rest);
}

/** Octets of the text: every character has one. */
function writeText(block: number[], text: string): void {
  writeInteger(block, 0, 7, text.length);
  for (let at = 0; at < text.length; at++) block.push(text.charCodeAt(at) & 0xff);
}
