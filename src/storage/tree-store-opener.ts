// How node storage opens, fills and removes tree stores without knowing what they are made of: LMDB directories in
// production (lmdb-tree-store.ts), objects that survive a simulated crash in the simulator (memory-tree-store.ts).

import type { Bytes } from '../shared/bytes.js';
import type { TreeMeta, TreeStore } from '../tree/store.js';

/** Where a scrub of a store goes on. Opaque to its owner. */
export interface ScrubPosition {
  readonly table: number;
  /** The last key that was looked at; null: begin with the table. */
  readonly after: Uint8Array | null;
}

/** What one slice of a scrub has verified. */
export interface ScrubSlice {
  /** null: that was the end. */
  readonly next: ScrubPosition | null;
  readonly rows: number;
  readonly bytes: number;
}

/** A store that is open, with what only its owner may do to it. No callback is called before its call has returned. */
export interface OpenedTreeStore extends TreeStore {
  /**
   * Adds one chunk of a StoreImage, in the order in which `image().next()` gave them. Only on a store that was opened on
   * a directory with nothing in it and has seen no flush. `done` when the next chunk may come; a chunk that cannot be
   * understood is an error. Not durable yet. The chunk may be reused after `done`.
   */
  writeImage(chunk: Bytes, done: (error: Error | null) => void): void;
  /** After the last chunk: makes the image durable together with its meta; an incomplete image is an error. */
  finishImage(done: (error: Error | null, meta: TreeMeta | null) => void): void;
  /** Everything of the space `local`, as one opaque string for `importLocal` of the store that takes this one's place. */
  exportLocal(): Bytes;
  /** Replaces the space `local`, durably. */
  importLocal(exported: Bytes, done: (error: Error | null) => void): void;
  /** Verifies the next few rows; `from` null begins a round. Damage is an error with the code CORRUPT. */
  scrubSlice(from: ScrubPosition | null, done: (error: Error | null, slice: ScrubSlice | null) => void): void;
  /** Waits for what is in flight, then lets go of the directory. The store may not be used from the call on. */
  close(done: (error: Error | null) => void): void;
}

export interface TreeStoreOpener {
  /**
   * Opens the store in this directory, which exists; with nothing in it, a new store whose zxid is 0 and whose revision
   * is the first. Throws when it is damaged, of a newer format or cannot be read, naming the directory. `existing`: there
   * must be a store, nothing is damage.
   */
  open(directory: string, options?: { readonly existing: boolean }): OpenedTreeStore;
  /**
   * Reads the whole of a store that is not open, away from this process: opening damaged pages may end a process. The
   * error is CORRUPT when it is damaged.
   */
  probe(directory: string, done: (error: Error | null) => void): void;
  /** Removes a store that is not open, and its directory. Removing what is not there succeeds. */
  remove(directory: string, done: (error: Error | null) => void): void;
}

/** Opener of a simulated disk: holds every store by its directory name and outlives the simulated process. */
export interface CrashableTreeStoreOpener extends TreeStoreOpener {
  /**
   * The process is gone: open stores are dead (no callback of theirs is called any more), each directory keeps its last
   * completed flush; one in flight is kept whole or lost whole. An unfinished image is left as an incomplete one.
   */
  crash(): void;
}
