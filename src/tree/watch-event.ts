// What watchers are told of one version of a key. One object for all of them: the record that it replaced is read once,
// and what a front end makes of it is kept with it, until the last of them lets go of it.

import type { Bytes } from '../shared/bytes.js';
import { CoreFailure } from '../shared/core-failure.js';
import { StoreError } from '../shared/errors.js';
import type { Revision } from '../shared/ids.js';
import type { WatchEvent } from './replicated-tree.js';
import type { KeyRecord, VersionWrite } from './store.js';

/** Reads committed records of the past; see readPast. */
export interface PastReader {
  recordAt(key: Bytes, at: Revision): KeyRecord | undefined;
}

export class CommittedEvent implements WatchEvent {
  encoded: Bytes | undefined = undefined;
  encodedWithPrevious: Bytes | undefined = undefined;
  private readonly version: VersionWrite;
  private readonly past: PastReader;
  /** null: not read yet. */
  private replaced: KeyRecord | undefined | null = null;

  constructor(version: VersionWrite, past: PastReader) {
    this.version = version;
    this.past = past;
  }

  get type(): 'put' | 'delete' {
    return this.version.record === null ? 'delete' : 'put';
  }

  get key(): Bytes {
    return this.version.key;
  }

  get modRevision(): Revision {
    return this.version.modRevision;
  }

  get record(): KeyRecord | undefined {
    return this.version.record ?? undefined;
  }

  get previous(): KeyRecord | undefined {
    if (this.replaced === null) this.replaced = this.readPrevious();
    return this.replaced;
  }

  private readPrevious(): KeyRecord | undefined {
    const { key, modRevision, record } = this.version;
    if (record?.createRevision === modRevision) return undefined;
    try {
      return this.past.recordAt(key, (modRevision - 1) as Revision);
    } catch (error) {
      // Whoever asks is a front end, which may take what it meets for its own.
      throw error instanceof StoreError ? error : new CoreFailure(error);
    }
  }
}
