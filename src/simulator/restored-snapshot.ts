// A snapshot from which members of a simulated ensemble are restored before they first start: some keys with a past, as
// entries for the ledger and as an image for trees. Each tree made of it has a secret of its own, as restored ones do.

import { epochZero, type Revision, revisionFirst, type Zxid, zxidOf, zxidZero } from '../shared/ids.js';
import type { SeededRandom } from '../shared/random.js';
import { Secret } from '../shared/secret.js';
import { ImageEncoder } from '../storage/tree-image.js';
import type { OpenedTreeStore } from '../storage/tree-store-opener.js';
import { firstSettings } from '../tree/access/access-records.js';
import { encodeSettings, settingsKey } from '../tree/access/access-rows.js';
import { type Entry, type Operation, spaces } from '../tree/delta.js';
import { bytesOf } from './byte-text.js';

export interface RestoredSnapshot {
  readonly seed: Zxid;
  /** What once made the keys; every one of them is at `seed`. */
  readonly entries: readonly Entry[];
}

const entriesMax = 30;
const chunkBytes = 4096;
const secretBytes = 8;

export function drawSnapshot(random: SeededRandom): RestoredSnapshot {
  const seed = zxidOf(epochZero, 1 + random.below(1000));
  const puts = new Map<string, { readonly createRevision: Revision; readonly version: number }>();
  const entries: Entry[] = [];
  const count = 1 + random.below(entriesMax);
  for (let i = 1; i <= count; i++) {
    const revision = (revisionFirst + i) as Revision;
    // Clients have others.
    const name = `r${random.below(count)}`;
    const before = puts.get(name);
    let operation: Operation;
    if (before !== undefined && random.chance(0.3)) {
      operation = { type: 'delete', space: spaces.user, key: bytesOf(name) };
      puts.delete(name);
    } else {
      const state = { createRevision: before?.createRevision ?? revision, version: (before?.version ?? 0) + 1 };
      const value = bytesOf(`w${i}`);
      operation = { type: 'put', space: spaces.user, key: bytesOf(name), value, lease: 0n, ...state };
      puts.set(name, state);
    }
    entries.push({ zxid: seed, revision, operations: [operation] });
  }
  return { seed, entries };
}

/** Fills an empty tree. */
export async function fillTree(
  store: OpenedTreeStore,
  { seed, entries }: RestoredSnapshot,
  random: SeededRandom,
): Promise<void> {
  const encoder = new ImageEncoder(chunkBytes);
  const revision = entries.at(-1)?.revision ?? revisionFirst;
  const compactedRevision = 0 as Revision;
  encoder.add({
    type: 'header',
    meta: { appliedZxid: seed, revision, compactedRevision, sessionsEvictedThrough: zxidZero },
  });
  for (const entry of entries) {
    for (const operation of entry.operations) {
      if (operation.type !== 'put' && operation.type !== 'delete') continue;
      const { key } = operation;
      const record = operation.type === 'put' ? { ...operation, modRevision: entry.revision } : null;
      encoder.add({ type: 'version', version: { key, modRevision: entry.revision, record } });
    }
  }
  const tokenSecret = new Secret(Uint8Array.from({ length: secretBytes }, () => random.below(256)));
  encoder.add({
    type: 'record',
    space: spaces.access,
    record: {
      key: settingsKey,
      value: encodeSettings({ ...firstSettings, tokenSecret }),
      createRevision: revision,
      modRevision: revision,
      version: 1,
      lease: 0n,
    },
  });
  encoder.end();
  await settled((done) => store.writeImage(encoder.take(), done));
  await settled((done) => store.finishImage(done));
}

function settled(begin: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => begin((error) => (error === null ? resolve() : reject(error))));
}
