// Items of a tree image on their way into LMDB tables: collected from chunks, handed out in the order that a flush has.

import { compareBytes } from '../shared/bytes.js';
import type { SpaceId } from '../tree/delta.js';
import type { KeyRecord, RetainedVersion, SessionRecord, TreeMeta } from '../tree/store.js';
import { packVersion } from './flush-buffer.js';
import { GrowingBuffer } from './growing-buffer.js';
import { ImageDecoder, type ImageItem } from './tree-image.js';
import { userSpace } from './tree-rows.js';

/** What an item costs in memory beside its bytes, roughly. */
const itemOverheadBytes = 200;
/** And a remembered result. */
const resultBytes = 64;

export class ImageLoad {
  readonly decoder = new ImageDecoder();
  meta: TreeMeta | null = null;
  records: { readonly space: SpaceId; readonly record: KeyRecord }[] = [];
  sessions: SessionRecord[] = [];
  /** Of what waits to be written. */
  bytes = 0;
  private versions: RetainedVersion[] = [];

  take(item: ImageItem): void {
    this.bytes += itemOverheadBytes;
    switch (item.type) {
      case 'header':
        this.meta = item.meta;
        return;
      case 'version':
        this.bytes += item.version.key.length + (item.version.record?.value.length ?? 0);
        this.versions.push(item.version);
        return;
      case 'record':
        this.bytes += item.record.key.length + item.record.value.length;
        this.records.push(item);
        return;
      case 'session':
        this.bytes += item.session.results.length * resultBytes;
        this.sessions.push(item.session);
        return;
      case 'end':
    }
  }

  /** The collected versions packed in order of key and revision. */
  packedVersions(): Buffer {
    const sorted = this.versions.sort((a, b) => compareBytes(a.key, b.key) || a.modRevision - b.modRevision);
    const buffer = new GrowingBuffer(this.bytes + 1024);
    for (const version of sorted) packVersion(buffer, { space: userSpace, ...version });
    return buffer.view();
  }

  /** Forgets what was handed out. */
  clear(): void {
    this.versions = [];
    this.records = [];
    this.sessions = [];
    this.bytes = 0;
  }
}
