// Decodes the header blocks of one connection (HPACK, RFC 7541), in the order in which they came. It judges their
// compression alone: whether names, values and their order are proper HTTP is for others to say.

import { type Bytes, copyBytes, equalBytes } from '../shared/bytes.js';
import { DynamicTable, type HeaderField, headerField, staticTable } from './hpack-tables.js';
import { decodeHuffman } from './huffman.js';
import { latin1 } from './latin1.js';

export type { HeaderField } from './hpack-tables.js';

/** What every peer's table begins with, before it knows our settings. */
const tableBytesInitial = 4096;
/** Octets of an integer behind its prefix: up to 28 bits, more than any length or index. */
const integerOctetsMax = 4;
/** Blocks that are remembered, with their bytes together and each: what a connection takes is bounded by all three. */
const cachedBlocksMax = 64;
const cachedBytesMax = 2048;
const cachedBlockBytesMax = 128;

/** The block is no HPACK, or asks for what it may not: the connection cannot go on (COMPRESSION_ERROR). */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}

interface CachedBlock {
  readonly block: Bytes;
  readonly fields: readonly HeaderField[];
  readonly listBytes: number;
}

/** Once it has thrown, its table is no longer the peer's: it is of no more use. */
export class HpackDecoder {
  private readonly tableBytesMax: number;
  private readonly table: DynamicTable;
  /** Blocks that leave the table as it is, by the hash of their bytes. Valid until the table changes. */
  private readonly cache = new Map<number, CachedBlock>();
  private cachedBytes = 0;
  /** Where the block is read next. */
  private position = 0;

  /**
   * `tableBytesMax`: our SETTINGS_HEADER_TABLE_SIZE. The table begins with 4096 whatever it is, because the peer's does;
   * a peer that has read the setting says in a block which size it takes.
   */
  constructor(tableBytesMax: number) {
    this.tableBytesMax = tableBytesMax;
    const bytesMaxEver = tableBytesMax > tableBytesInitial ? tableBytesMax : tableBytesInitial;
    this.table = new DynamicTable({ bytesMax: tableBytesInitial, bytesMaxEver });
  }

  /**
   * One whole header block. Equal blocks give the same array while the table stays the same: never change it.
   * null: the list is larger than listBytesMax (the table is kept in step all the same). Throws HpackError.
   */
  decode(block: Bytes, listBytesMax: number): readonly HeaderField[] | null {
    // Most clients soon send nothing but references, the same ones for each call of a method.
    if (this.cache.size > 0 && block.length <= cachedBlockBytesMax) {
      const cached = this.cache.get(hashOf(block));
      if (cached !== undefined && equalBytes(cached.block, block)) {
        return cached.listBytes <= listBytesMax ? cached.fields : null;
      }
    }
    return this.read(block, listBytesMax);
  }

  private read(block: Bytes, listBytesMax: number): readonly HeaderField[] | null {
    this.position = 0;
    // Dropped as soon as it is too large: a short block can name a large field very often.
    let fields: HeaderField[] | null = [];
    let listBytes = 0;
    const resized = this.readTableSizes(block);
    let cacheable = !resized && block.length <= cachedBlockBytesMax;
    while (this.position < block.length) {
      const first = block[this.position] as number;
      let field: HeaderField;
      if (first >= 0x80) {
        field = this.entry(this.readInteger(block, 0x7f));
      } else if (first >= 0x40) {
        field = this.readLiteral(block, 0x3f);
        this.table.add(field);
        this.forget();
        cacheable = false;
      } else if (first >= 0x20) {
        throw new HpackError('Cannot decode a header block: the size of the table changes in its midst');
      } else {
        field = this.readLiteral(block, 0x0f);
        // "Never indexed" is said of secrets: they are not kept any longer than needed.
        if (first >= 0x10) cacheable = false;
      }
      if (fields === null) continue;
      listBytes += field.size;
      if (listBytes > listBytesMax) fields = null;
      else fields.push(field);
    }
    if (cacheable && fields !== null) this.remember(block, fields, listBytes);
    return fields;
  }

  /** Changes of the table's size stand at the beginning of a block. True: there was one. */
  private readTableSizes(block: Bytes): boolean {
    while (this.position < block.length && ((block[this.position] as number) & 0xe0) === 0x20) {
      const bytesMax = this.readInteger(block, 0x1f);
      if (bytesMax > this.tableBytesMax) {
        throw new HpackError(
          `Cannot decode a header block: a table of ${bytesMax} bytes, allowed ${this.tableBytesMax}`,
        );
      }
      this.table.resize(bytesMax);
      this.forget();
    }
    return this.position > 0;
  }

  private readLiteral(block: Bytes, prefix: number): HeaderField {
    const index = this.readInteger(block, prefix);
    const name = index === 0 ? this.readString(block) : this.entry(index).name;
    return headerField(name, this.readString(block));
  }

  private readString(block: Bytes): string {
    if (this.position >= block.length) throw cutShort();
    const isHuffman = (block[this.position] as number) >= 0x80;
    const length = this.readInteger(block, 0x7f);
    const start = this.position;
    const end = start + length;
    if (end > block.length) throw cutShort();
    this.position = end;
    if (!isHuffman) return latin1(block, start, end);
    const text = decodeHuffman(block, start, end);
    if (text === undefined) throw new HpackError('Cannot decode a header block: a string is no Huffman code');
    return text;
  }

  /** `prefix`: the bits of the next octet, which has to be there, that belong to the integer. */
  private readInteger(block: Bytes, prefix: number): number {
    let value = (block[this.position++] as number) & prefix;
    if (value !== prefix) return value;
    for (let octets = 0; octets < integerOctetsMax; octets++) {
      if (this.position >= block.length) throw cutShort();
      const octet = block[this.position++] as number;
      value += (octet & 0x7f) << (7 * octets);
      if (octet < 0x80) return value;
    }
    throw new HpackError('Cannot decode a header block: an integer is too large');
  }

  private entry(index: number): HeaderField {
    const age = index - staticTable.length - 1;
    const field = age < 0 ? staticTable[index - 1] : this.table.get(age);
    if (field === undefined) throw new HpackError(`Cannot decode a header block: no table has an index ${index}`);
    return field;
  }

  private remember(block: Bytes, fields: readonly HeaderField[], listBytes: number): void {
    if (this.cache.size >= cachedBlocksMax || this.cachedBytes + block.length > cachedBytesMax) this.forget();
    // The bytes are the connection's, which writes others into them.
    this.cache.set(hashOf(block), { block: copyBytes(block), fields, listBytes });
    this.cachedBytes += block.length;
  }

  private forget(): void {
    if (this.cache.size === 0) return;
    this.cache.clear();
    this.cachedBytes = 0;
  }
}

/** FNV-1a, as many bits as a small integer has. */
function hashOf(block: Bytes): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < block.length; at++) hash = Math.imul(hash ^ (block[at] as number), 0x01000193);
  return hash & 0x3fff_ffff;
}

function cutShort(): HpackError {
  return new HpackError('Cannot decode a header block: it is cut short');
}
