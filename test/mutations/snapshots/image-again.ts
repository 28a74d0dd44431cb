// The image of a tree, unpacked and packed again with something wrong in it: what broken snapshots are made of.

import { ImageDecoder, ImageEncoder, type ImageItem } from '../../../src/storage/tree-image.js';
import type { StoreImage, TreeMeta } from '../../../src/tree/store.js';

type Item = Exclude<ImageItem, { readonly type: 'end' }>;

const chunkBytes = 1 << 20;

/** An image that says `meta` of itself, and holds what `source` has when its first chunk is asked for. */
export function imageAgain(meta: TreeMeta, source: () => StoreImage): StoreImage {
  let chunks: Uint8Array[] | undefined;
  return {
    meta,
    next: (bytesMax) => {
      chunks ??= packed(meta, itemsOf(source()), bytesMax);
      return chunks.shift() ?? null;
    },
    close: () => {
      chunks = [];
    },
  };
}

function itemsOf(image: StoreImage): Item[] {
  const decoder = new ImageDecoder();
  const items: Item[] = [];
  for (let chunk = image.next(chunkBytes); chunk !== null; chunk = image.next(chunkBytes)) {
    decoder.read(chunk, (item) => {
      if (item.type !== 'end') items.push(item);
    });
  }
  image.close();
  return items;
}

function packed(meta: TreeMeta, items: readonly Item[], bytesMax: number): Uint8Array[] {
  const encoder = new ImageEncoder(bytesMax);
  const chunks: Uint8Array[] = [];
  for (const item of items) {
    encoder.add(item.type === 'header' ? { type: 'header', meta } : item);
    if (encoder.length >= bytesMax) chunks.push(encoder.take());
  }
  encoder.end();
  chunks.push(encoder.take());
  return chunks;
}
