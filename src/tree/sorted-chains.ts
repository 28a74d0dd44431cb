// The keys of one overlay generation in order: a list of sorted blocks. Insertion costs two short binary searches and a
// small move; appending in order costs next to nothing. Keys are never removed: a generation goes as a whole.

import type { VersionWrite } from './store.js';

/** One key of a generation with its versions there. Most keys have one: only further ones take a list. */
export interface KeyChain {
  readonly text: string;
  newest: VersionWrite;
  /** Those before the newest, oldest first; null when there are none. */
  older: VersionWrite[] | null;
}

const blockMax = 256;

export class SortedChains {
  readonly blocks: KeyChain[][] = [];
  count = 0;

  /** The chain's text must not be there yet. */
  insert(chain: KeyChain): void {
    this.count += 1;
    const blocks = this.blocks;
    const last = blocks[blocks.length - 1];
    if (last === undefined) {
      blocks.push([chain]);
      return;
    }
    if ((last[last.length - 1] as KeyChain).text < chain.text) {
      if (last.length < blockMax) last.push(chain);
      else blocks.push([chain]);
      return;
    }
    const at = this.blockOf(chain.text);
    const block = blocks[at] as KeyChain[];
    block.splice(indexIn(block, chain.text), 0, chain);
    if (block.length > blockMax) blocks.splice(at + 1, 0, block.splice(blockMax / 2));
  }

  /** Position of the first chain at or after `text`. */
  seek(text: string): ChainCursor {
    if (this.blocks.length === 0) return new ChainCursor(this.blocks, 0, 0);
    const at = this.blockOf(text);
    const block = this.blocks[at] as KeyChain[];
    return new ChainCursor(this.blocks, at, indexIn(block, text));
  }

  /** Every version of every key, in key order, oldest first. */
  collect(into: VersionWrite[]): void {
    for (const block of this.blocks) {
      for (const chain of block) {
        if (chain.older !== null) for (const version of chain.older) into.push(version);
        into.push(chain.newest);
      }
    }
  }

  /** The last block whose first text is at or below `text`, or the first block. */
  private blockOf(text: string): number {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const first = (this.blocks[middle] as KeyChain[])[0] as KeyChain;
      if (first.text <= text) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Index of the first chain at or after `text` in a block. */
function indexIn(block: readonly KeyChain[], text: string): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((block[middle] as KeyChain).text < text) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Walks chains in order. Valid only while nothing is inserted. */
export class ChainCursor {
  private readonly blocks: readonly (readonly KeyChain[])[];
  private block: number;
  private index: number;

  constructor(blocks: readonly (readonly KeyChain[])[], block: number, index: number) {
    this.blocks = blocks;
    this.block = block;
    this.index = index;
    this.settle();
  }

  get current(): KeyChain | undefined {
    return this.blocks[this.block]?.[this.index];
  }

  advance(): void {
    this.index += 1;
    this.settle();
  }

  private settle(): void {
    const block = this.blocks[this.block];
    if (block !== undefined && this.index >= block.length) {
      this.block += 1;
      this.index = 0;
    }
  }
}
