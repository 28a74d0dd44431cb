// Reads through the layers: staged over committed generations over the store, points and ranges, now or at an older
// revision. Holds nothing open between calls and changes nothing.

import type { Bytes } from '../shared/bytes.js';
import { compareBytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import { type SpaceId, spaces } from './delta.js';
import { type Generation, versionAt } from './generation.js';
import type { KeyText } from './key-text.js';
import type { ChainCursor } from './sorted-chains.js';
import type { KeyRecord, KeyState, TreeStore, VersionWrite } from './store.js';

/** The committed layers of a tree. `generations` is newest first. */
export interface Layers {
  readonly store: TreeStore;
  readonly generations: readonly Generation[];
  readonly keyText: KeyText;
}

export interface ScanRange {
  readonly space: SpaceId;
  readonly from: Bytes;
  /** Exclusive; undefined = to the end of the space. */
  readonly to: Bytes | undefined;
  /** undefined = now. */
  readonly at: Revision | undefined;
  readonly keysOnly: boolean;
  /** As in StoreRange. */
  readonly borrowed?: boolean;
  /** Keys of the store to look at, deleted ones included; absent: all. */
  readonly rowsMax?: number;
}

/** Newest committed record of a key; `text` is the key's text. */
export function readCommitted(layers: Layers, space: SpaceId, key: Bytes, text: string): KeyRecord | undefined {
  for (const generation of layers.generations) {
    const chain = generation.chain(space, text);
    if (chain !== undefined) return chain.newest.record ?? undefined;
  }
  return layers.store.get(space, key, undefined);
}

/** The record of a user's key that was current at a revision which is kept. */
export function readCommittedAt(layers: Layers, key: Bytes, at: Revision): KeyRecord | undefined {
  const text = layers.keyText(key);
  for (const generation of layers.generations) {
    const chain = generation.chain(spaces.user, text);
    const version = chain === undefined ? undefined : versionAt(chain, at);
    if (version !== undefined) return version.record ?? undefined;
  }
  return layers.store.get(spaces.user, key, at);
}

/** Newest committed version of a user's key without its value; `text` is the key's text. */
export function readCommittedState(layers: Layers, key: Bytes, text: string): KeyState | undefined {
  for (const generation of layers.generations) {
    const chain = generation.chain(spaces.user, text);
    if (chain !== undefined) return chain.newest.record ?? undefined;
  }
  return layers.store.state(key);
}

/**
 * Visits the committed records of a range in key order until the callback returns false. Returns the key to go on from when
 * it stopped for rowsMax.
 */
export function scanCommitted(
  layers: Layers,
  range: ScanRange,
  visit: (record: KeyRecord) => boolean,
): Bytes | undefined {
  const overlay = new OverlayCursor(layers, range);
  let stopped = false;
  const take = (record: KeyRecord): boolean => {
    stopped = !visit(record);
    return !stopped;
  };
  const next = layers.store.scan(range.space, range, (record) => {
    while (overlay.key !== undefined) {
      const order = compareBytes(overlay.key, record.key);
      if (order > 0) break;
      const version = overlay.version;
      overlay.advance();
      if (version === undefined) continue;
      if (version.record !== null && !take(version.record)) return false;
      if (order === 0) return true;
    }
    return take(record);
  });
  while (!stopped && overlay.key !== undefined) {
    if (next !== undefined && compareBytes(overlay.key, next) >= 0) break;
    const record = overlay.version?.record;
    if (record !== undefined && record !== null) take(record);
    overlay.advance();
  }
  return stopped ? undefined : next;
}

/** The keys of all generations merged in order, each with its version at the revision asked for. */
class OverlayCursor {
  /** Key at the cursor, undefined at the end. */
  key: Bytes | undefined;
  /** Its version; undefined when no generation has one that old, so that the store's counts. */
  version: VersionWrite | undefined;
  private readonly cursors: ChainCursor[] = [];
  private readonly end: string | undefined;
  private readonly at: Revision | undefined;

  constructor(layers: Layers, range: ScanRange) {
    this.end = range.to === undefined ? undefined : layers.keyText(range.to);
    this.at = range.at;
    const from = layers.keyText(range.from);
    for (const generation of layers.generations) {
      const order = generation.order(range.space);
      if (order.count > 0) this.cursors.push(order.seek(from));
    }
    this.advance();
  }

  advance(): void {
    let least: string | undefined;
    for (const cursor of this.cursors) {
      const text = cursor.current?.text;
      if (text !== undefined && (least === undefined || text < least)) least = text;
    }
    this.key = undefined;
    this.version = undefined;
    if (least === undefined || (this.end !== undefined && least >= this.end)) return;
    // Newest generation first: the first version found is the one that counts.
    for (const cursor of this.cursors) {
      const chain = cursor.current;
      if (chain === undefined || chain.text !== least) continue;
      this.key = chain.newest.key;
      this.version ??= versionAt(chain, this.at);
      cursor.advance();
    }
  }
}
