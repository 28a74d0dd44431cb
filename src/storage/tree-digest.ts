// The hash over a tree's current records that nodes compare: every replicated space in key order, each record as its
// space, its key record encoding, nothing else. It says nothing of versions, layout or anything local.

import { createHash } from 'node:crypto';
import type { SpaceId } from '../tree/delta.js';
import type { KeyRecord } from '../tree/store.js';
import { GrowingBuffer } from './growing-buffer.js';
import { encodeKeyRecord } from './tree-image.js';

/** Records are hashed in pieces of about this size: one call of the hash costs more than a small record. */
const pieceBytes = 64 * 1024;

export class TreeDigest {
  private readonly hash = createHash('sha256');
  private readonly buffer = new GrowingBuffer(2 * pieceBytes);

  add(space: SpaceId, record: KeyRecord): void {
    this.buffer.byte(space);
    encodeKeyRecord(this.buffer, record);
    if (this.buffer.length >= pieceBytes) this.flush();
  }

  /** 32 hexadecimal digits: half of a SHA-256. */
  finish(): string {
    this.flush();
    return this.hash.digest('hex').slice(0, 32);
  }

  private flush(): void {
    this.hash.update(this.buffer.view());
    this.buffer.clear();
  }
}
