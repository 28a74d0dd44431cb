// Reads of committed state that answer a client: a range at a revision, and the changes of a range since one. Bounded by
// bytes and rows; what does not fit is named so that the caller can go on.

import type { Bytes } from '../shared/bytes.js';
import { compareBytes, equalBytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import { spaces } from './delta.js';
import type { Generation } from './generation.js';
import type {
  ChangesOptions,
  RangeRequest,
  RangeResult,
  ReplicatedTree,
  WatchEvent,
  WatchRequest,
} from './replicated-tree.js';
import { byteLengthOf } from './resolve-entry.js';
import { withoutValue } from './select-records.js';
import type { KeyRecord, VersionWrite } from './store.js';
import { type Layers, readCommittedAt, scanCommitted } from './tree-view.js';
import { CommittedEvent, type PastReader } from './watch-event.js';

export type ChangesResult = ReturnType<ReplicatedTree['changes']>;

/** The revisions that a tree can answer for. */
export interface ReadableRevisions {
  readonly revision: Revision;
  readonly compactedRevision: Revision;
}

export function readRange(layers: Layers, readable: ReadableRevisions, request: RangeRequest): RangeResult {
  const { revision, compactedRevision } = readable;
  const { from, to, at, keysOnly } = request;
  if (at !== undefined && at > revision) return { type: 'future', revision };
  if (at !== undefined && at < compactedRevision) return { type: 'compacted', compactedRevision };
  const records: KeyRecord[] = [];
  let bytes = 0;
  let next: Bytes | undefined;
  const past = at === revision ? undefined : at;
  scanCommitted(layers, { space: spaces.user, from, to, at: past, keysOnly }, (record) => {
    if (records.length > 0 && (records.length >= request.limit || bytes >= request.bytesMax)) {
      next = record.key;
      return false;
    }
    bytes += record.key.length + (keysOnly ? 0 : record.value.length);
    records.push(keysOnly ? withoutValue(record) : record);
    return true;
  });
  return { type: 'range', records, next, revision: at ?? revision };
}

/** The record of a user's key at a past revision; undefined when it had none, or when that is compacted. */
export function readPast(layers: Layers, readable: ReadableRevisions, key: Bytes, at: Revision): KeyRecord | undefined {
  return at < readable.compactedRevision ? undefined : readCommittedAt(layers, key, at);
}

export interface ChangesRequest extends ChangesOptions {
  readonly request: WatchRequest;
  readonly from: Revision;
  readonly past: PastReader;
  /** History rows of the store to look at, matching or not. */
  readonly rowsMax: number;
}

export function readChanges(layers: Layers, readable: ReadableRevisions, wanted: ChangesRequest): ChangesResult {
  const { request, from, bytesMax, rowsMax, past, withPrevious = false, fromCompacted = false } = wanted;
  const { revision, compactedRevision } = readable;
  const readableFrom = fromCompacted ? compactedRevision : compactedRevision + 1;
  if (from < readableFrom) return { type: 'compacted', compactedRevision };
  const events: WatchEvent[] = [];
  let bytes = 0;
  let last = from;
  const wants = (key: Bytes): boolean => holds(request, key);
  /** Takes whole revisions only: false at the first change of a revision for which there is no room. */
  const take = (version: VersionWrite): boolean => {
    if (bytes >= bytesMax && events.length > 0 && version.modRevision !== last) return false;
    last = version.modRevision;
    const event = new CommittedEvent(version, past);
    bytes += byteLengthOf(version) + (withPrevious ? (event.previous?.value.length ?? 0) : 0);
    events.push(event);
    return true;
  };
  // The store may already show a flush that has not been reported: only the overlay's word on those revisions counts.
  const flushed = (layers.generations[layers.generations.length - 1] as Generation).baseRevision;
  let next = from;
  if (request.single) {
    const stopped = keyChanges(layers, { key: request.from, from, flushed, rowsMax }, take);
    if (stopped !== 'many') return { type: 'changes', events, next: stopped ?? ((revision + 1) as Revision) };
  }
  if (from <= flushed) {
    next = layers.store.history({ from, to: flushed, rowsMax, wants }, take);
    if (next <= flushed) return { type: 'changes', events, next };
  }
  next = overlayChanges(layers, next, wants, take) ?? (Math.max(next, revision + 1) as Revision);
  return { type: 'changes', events, next };
}

/** Changes held by the overlay from a revision on; returns the revision of the first not taken, if any. */
function overlayChanges(
  layers: Layers,
  from: Revision,
  wants: (key: Bytes) => boolean,
  take: (version: VersionWrite) => boolean,
): Revision | undefined {
  for (let layer = layers.generations.length - 1; layer >= 0; layer--) {
    const generation = layers.generations[layer] as Generation;
    const history = generation.history;
    for (let i = generation.historyIndex(from); i < history.length; i++) {
      const version = history[i] as VersionWrite;
      if (wants(version.key) && !take(version)) return version.modRevision;
    }
  }
  return undefined;
}

/**
 * Changes of one key from a revision on, found by the key: thousands of watches of a key each catch up at once when their
 * client comes back, and most have nothing to catch up on. Returns the revision of the first not taken, if any; 'many'
 * when there are too many in the store to be told this way, and nothing was taken.
 */
function keyChanges(
  layers: Layers,
  wanted: { readonly key: Bytes; readonly from: Revision; readonly flushed: Revision; readonly rowsMax: number },
  take: (version: VersionWrite) => boolean,
): Revision | undefined | 'many' {
  const { key, from, flushed, rowsMax } = wanted;
  const { store, generations } = layers;
  const stored = from <= flushed ? store.keyRevisions(key, from, rowsMax) : [];
  if (stored === undefined) return 'many';
  for (const modRevision of stored) {
    if (modRevision > flushed) break;
    const record = store.get(spaces.user, key, modRevision) ?? null;
    if (!take({ space: spaces.user, key, modRevision, record })) return modRevision;
  }
  const text = layers.keyText(key);
  for (let layer = generations.length - 1; layer >= 0; layer--) {
    const chain = (generations[layer] as Generation).chain(spaces.user, text);
    if (chain === undefined) continue;
    for (const version of [...(chain.older ?? []), chain.newest]) {
      if (version.modRevision >= from && !take(version)) return version.modRevision;
    }
  }
  return undefined;
}

function holds(request: WatchRequest, key: Bytes): boolean {
  if (request.single) return equalBytes(request.from, key);
  if (compareBytes(request.from, key) > 0) return false;
  return request.to === undefined || compareBytes(key, request.to) < 0;
}
