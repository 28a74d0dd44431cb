// The hash over the retained versions of user keys that members compare: in order of revision, then key, each version as
// an image holds it. It says nothing of layout, of how far compaction has come in the tables, or of other spaces.

import { createHash } from 'node:crypto';
import type { RetainedVersion } from '../tree/store.js';
import { GrowingBuffer } from './growing-buffer.js';
import { encodeVersionItem } from './tree-image.js';

/** Versions are hashed in pieces of about this size: one call of the hash costs more than a small version. */
const pieceBytes = 64 * 1024;

export class RunningVersionsHash {
  private readonly hash = createHash('sha256');
  private readonly buffer = new GrowingBuffer(2 * pieceBytes);
  private hashed = 0;

  /** Bytes that went in. */
  get bytes(): number {
    return this.hashed + this.buffer.length;
  }

  add(version: RetainedVersion): void {
    encodeVersionItem(this.buffer, version);
    if (this.buffer.length >= pieceBytes) this.flush();
  }

  /** The first 32 bits of a SHA-256. */
  finish(): number {
    this.flush();
    return this.hash.digest().readUInt32BE(0);
  }

  private flush(): void {
    this.hashed += this.buffer.length;
    this.hash.update(this.buffer.view());
    this.buffer.clear();
  }
}
