// One generation of the committed layer: what was applied between two flushes, by key and by revision. It collects,
// then it is frozen and flushed as a whole, and is dropped once the store shows it. It never forgets anything by itself.

import type { ClientId, Revision } from '../shared/ids.js';
import type { SpaceId } from './delta.js';
import { spaceSlots, spaces } from './delta.js';
import { byteLengthOf } from './resolve-entry.js';
import type { SessionTable } from './session-table.js';
import { type KeyChain, SortedChains } from './sorted-chains.js';
import type { SessionRecord, TreeMeta, VersionWrite } from './store.js';

/** What one version costs in memory beside its bytes, roughly: objects, map entry, text. */
export const versionOverheadBytes = 480;

/** What a frozen generation hands to the store. */
export interface FrozenState {
  readonly meta: TreeMeta;
  readonly sessions: readonly SessionRecord[];
  readonly sessionsEvicted: readonly ClientId[];
  /** A checkpoint entry ends this generation: hash the store when it is flushed. */
  readonly checkpoint: boolean;
}

interface SpaceLayer {
  readonly chains: Map<string, KeyChain>;
  readonly order: SortedChains;
}

export class Generation {
  /** By space. */
  private readonly layers = Array.from(
    { length: spaceSlots },
    (): SpaceLayer => ({ chains: new Map(), order: new SortedChains() }),
  );
  /** Changes of the user space by ascending revision, within one revision by key. */
  readonly history: VersionWrite[] = [];
  /** The user revision that this generation builds on. */
  readonly baseRevision: Revision;
  bytes = 0;
  versionCount = 0;
  private readonly sessionsUsed = new Set<ClientId>();
  private readonly sessionsEvicted = new Set<ClientId>();
  /** Set when it is frozen. */
  frozen: FrozenState | null = null;

  constructor(baseRevision: Revision) {
    this.baseRevision = baseRevision;
  }

  chain(space: SpaceId, text: string): KeyChain | undefined {
    return this.layer(space).chains.get(text);
  }

  order(space: SpaceId): SortedChains {
    return this.layer(space).order;
  }

  /** Adds the newest version of its key. Its bytes are kept. */
  add(text: string, version: VersionWrite): void {
    const isUser = version.space === spaces.user;
    const layer = this.layer(version.space);
    const chain = layer.chains.get(text);
    this.bytes += byteLengthOf(version) + versionOverheadBytes;
    this.versionCount += 1;
    if (isUser) this.history.push(version);
    if (chain === undefined) {
      const created: KeyChain = { text, newest: version, older: null };
      layer.chains.set(text, created);
      layer.order.insert(created);
      return;
    }
    // Only the user space has a past; elsewhere the newest record is all there is.
    if (isUser) {
      if (chain.older === null) chain.older = [chain.newest];
      else chain.older.push(chain.newest);
    }
    chain.newest = version;
  }

  /** Notes that a result of this client was remembered and that these clients were evicted by it. */
  sessionUsed(client: ClientId, evicted: readonly ClientId[]): void {
    this.sessionsUsed.add(client);
    this.sessionsEvicted.delete(client);
    for (const gone of evicted) {
      this.sessionsUsed.delete(gone);
      this.sessionsEvicted.add(gone);
    }
  }

  /** Ends collecting. The sessions are copied as they are now. */
  freeze(meta: TreeMeta, table: SessionTable, checkpoint: boolean): void {
    const sessions: SessionRecord[] = [];
    for (const client of this.sessionsUsed) {
      const record = table.record(client);
      if (record !== undefined) sessions.push(record);
    }
    this.frozen = { meta, sessions, sessionsEvicted: [...this.sessionsEvicted], checkpoint };
  }

  /** Every version in (space, key, revision) order. */
  versions(): VersionWrite[] {
    const all: VersionWrite[] = [];
    for (const layer of this.layers) layer.order.collect(all);
    return all;
  }

  /** Index in `history` of the first change at or after `revision`. */
  historyIndex(revision: Revision): number {
    let low = 0;
    let high = this.history.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.history[middle] as VersionWrite).modRevision < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private layer(space: SpaceId): SpaceLayer {
    return this.layers[space] as SpaceLayer;
  }
}

/** Newest version at or below `at` (undefined = newest); undefined when this chain has none that old. */
export function versionAt(chain: KeyChain, at: Revision | undefined): VersionWrite | undefined {
  if (at === undefined || chain.newest.modRevision <= at) return chain.newest;
  const older = chain.older;
  if (older === null) return undefined;
  let low = 0;
  let high = older.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((older[middle] as VersionWrite).modRevision <= at) low = middle + 1;
    else high = middle;
  }
  return older[low - 1];
}
