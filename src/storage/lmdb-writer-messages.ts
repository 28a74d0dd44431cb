// What the LMDB tree store and its writer thread tell each other. Every request is answered once, in order, except that
// a digest or a hash is answered when it is done while flushes go on.

import type { ClientId, Revision } from '../shared/ids.js';
import type { StoreDigest, TreeMeta, VersionsHash } from '../tree/store.js';
import type { ScrubPosition, ScrubSlice } from './tree-store-opener.js';

/** How far a slice of compaction came. */
export interface CompactProgress {
  readonly more: boolean;
  readonly through: Revision;
}

export type WriterRequest =
  | {
      readonly type: 'flush';
      readonly id: number;
      readonly meta: TreeMeta;
      /** PackedVersions in the first `versionBytes` of it; comes back with the answer. */
      readonly memory: ArrayBuffer;
      readonly versionBytes: number;
      readonly sessions: Uint8Array;
      readonly sessionsEvicted: readonly ClientId[];
    }
  | { readonly type: 'compact'; readonly id: number; readonly revision: Revision; readonly rowsMax: number }
  | { readonly type: 'digest'; readonly id: number }
  | { readonly type: 'hashVersions'; readonly id: number; readonly through: Revision }
  | { readonly type: 'scrub'; readonly id: number; readonly from: ScrubPosition | null }
  | { readonly type: 'writeImage'; readonly id: number; readonly chunk: Uint8Array }
  | { readonly type: 'finishImage'; readonly id: number }
  | { readonly type: 'importLocal'; readonly id: number; readonly exported: Uint8Array }
  | { readonly type: 'close'; readonly id: number };

/** An error as it crosses the thread: `code` is a StoreError's, or the system's, e.g. ENOSPC. */
export interface WriterFailure {
  readonly code: string;
  readonly message: string;
}

export interface WriterAnswer {
  readonly id: number;
  readonly failure: WriterFailure | null;
  readonly compacted?: CompactProgress;
  /** finishImage: what the image said, null when it is incomplete. */
  readonly meta?: TreeMeta | null;
  readonly digest?: StoreDigest;
  readonly versionsHash?: VersionsHash;
  readonly scrubbed?: ScrubSlice;
  /** flush: the memory that came with it. */
  readonly memory?: ArrayBuffer;
}

export interface WriterSettings {
  readonly directory: string;
}
