// Writes one bucket's B+ tree as pages, from keys that come in order: leaves first, each branch page as soon as its
// children are written. Holds one unfinished page a level and nothing of what was written.

import { assert } from '../shared/assert.js';
import { type Bytes, compareBytes } from '../shared/bytes.js';
import {
  elementBytes,
  pageFlags,
  pageHeaderBytes,
  writePageHeader,
  writeUint64,
  writtenPageBytes,
} from './bolt-format.js';

/** Hands out page numbers in the order in which pages are written. */
export class PageNumbers {
  private next: number;

  constructor(first: number) {
    this.next = first;
  }

  /** Pages numbered so far, those before the first included. */
  get count(): number {
    return this.next;
  }

  take(pages: number): number {
    const first = this.next;
    this.next += pages;
    return first;
  }
}

/** A page under construction. */
class OpenNode {
  private readonly level: number;
  /** Length of the key and, in a leaf, flags and length of the value; in a branch the child's page. */
  private readonly elements: { readonly keyBytes: number; readonly second: number; readonly flags: number }[] = [];
  private data: Buffer = Buffer.allocUnsafe(writtenPageBytes);
  private used = 0;
  firstKey: Bytes = new Uint8Array(0);

  constructor(level: number) {
    this.level = level;
  }

  get isEmpty(): boolean {
    return this.elements.length === 0;
  }

  /** Another element of so many bytes would need a further page. */
  isFullFor(bytes: number): boolean {
    const size = pageHeaderBytes + (this.elements.length + 1) * elementBytes + this.used + bytes;
    return !this.isEmpty && size > writtenPageBytes;
  }

  addRow(key: Bytes, value: Bytes, flags: number): void {
    this.begin(key);
    this.append(key);
    this.append(value);
    this.elements.push({ keyBytes: key.length, second: value.length, flags });
  }

  addChild(key: Bytes, page: number): void {
    this.begin(key);
    this.append(key);
    this.elements.push({ keyBytes: key.length, second: page, flags: 0 });
  }

  /** The finished page with those that it flows over into. The node is empty again. */
  take(numbers: PageNumbers): { readonly id: number; readonly bytes: Buffer } {
    const head = pageHeaderBytes + this.elements.length * elementBytes;
    const pages = Math.ceil((head + this.used) / writtenPageBytes);
    const bytes = Buffer.alloc(pages * writtenPageBytes);
    const id = numbers.take(pages);
    const flags = this.level === 0 ? pageFlags.leaf : pageFlags.branch;
    writePageHeader(bytes, { id, flags, count: this.elements.length, overflow: pages - 1 });
    let position = head;
    this.elements.forEach((element, index) => {
      const at = pageHeaderBytes + index * elementBytes;
      if (this.level === 0) {
        bytes.writeUInt32LE(element.flags, at);
        bytes.writeUInt32LE(position - at, at + 4);
        bytes.writeUInt32LE(element.keyBytes, at + 8);
        bytes.writeUInt32LE(element.second, at + 12);
        position += element.keyBytes + element.second;
      } else {
        bytes.writeUInt32LE(position - at, at);
        bytes.writeUInt32LE(element.keyBytes, at + 4);
        writeUint64(bytes, element.second, at + 8);
        position += element.keyBytes;
      }
    });
    this.data.copy(bytes, head, 0, this.used);
    this.elements.length = 0;
    this.used = 0;
    // A long value must not keep its memory for the short ones after it.
    if (this.data.length > writtenPageBytes) this.data = Buffer.allocUnsafe(writtenPageBytes);
    return { id, bytes };
  }

  private begin(key: Bytes): void {
    if (this.isEmpty) this.firstKey = new Uint8Array(key);
  }

  private append(bytes: Bytes): void {
    if (this.used + bytes.length > this.data.length) {
      const grown = Buffer.allocUnsafe(this.used + bytes.length);
      this.data.copy(grown, 0, 0, this.used);
      this.data = grown;
    }
    this.data.set(bytes, this.used);
    this.used += bytes.length;
  }
}

export class BucketWriter {
  private readonly numbers: PageNumbers;
  private readonly nodes: OpenNode[] = [new OpenNode(0)];
  private readonly rowFlags: number;
  private lastKey: Bytes | null = null;

  /** `rowFlags`: of every row of the bucket. */
  constructor(numbers: PageNumbers, rowFlags = 0) {
    this.numbers = numbers;
    this.rowFlags = rowFlags;
  }

  /** Adds a row behind all others; gives the pages that this has finished. Key and value may be reused afterwards. */
  *add(key: Bytes, value: Bytes): Generator<Buffer, undefined, undefined> {
    assert(
      this.lastKey === null || compareBytes(this.lastKey, key) < 0,
      'Cannot write a bucket: its keys are out of order',
    );
    const leaf = this.nodeAt(0);
    if (leaf.isFullFor(key.length + value.length)) yield* this.close(0);
    leaf.addRow(key, value, this.rowFlags);
    this.lastKey = new Uint8Array(key);
    return undefined;
  }

  /** Gives the pages that are left and returns the number of the root page. */
  *finish(): Generator<Buffer, number, undefined> {
    for (let level = 0; ; level++) {
      const node = this.nodeAt(level);
      if (level === this.nodes.length - 1) {
        const { id, bytes } = node.take(this.numbers);
        yield bytes;
        return id;
      }
      if (!node.isEmpty) yield* this.close(level);
    }
  }

  /** Writes the node of this level and names it in the level above. */
  private *close(level: number): Generator<Buffer, undefined, undefined> {
    const node = this.nodeAt(level);
    const { firstKey } = node;
    const { id, bytes } = node.take(this.numbers);
    yield bytes;
    if (level + 1 === this.nodes.length) this.nodes.push(new OpenNode(level + 1));
    const parent = this.nodeAt(level + 1);
    if (parent.isFullFor(firstKey.length)) yield* this.close(level + 1);
    parent.addChild(firstKey, id);
    return undefined;
  }

  private nodeAt(level: number): OpenNode {
    const node = this.nodes[level];
    assert(node !== undefined, `Cannot write a bucket: it has no level ${level}`);
    return node;
  }
}
