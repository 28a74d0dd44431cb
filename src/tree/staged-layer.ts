// What the leader has proposed and not yet seen committed: entries in order, the newest staged version of each key, and
// the requests behind them. Dropped as a whole when leadership is lost.

import type { ClientId, Revision, Zxid } from '../shared/ids.js';
import type { CommandResult, RequestIdentity } from './command.js';
import { type SpaceId, spaceSlots } from './delta.js';
import type { ResolvedEntry } from './resolve-entry.js';
import type { VersionWrite } from './store.js';

interface StagedEntry {
  readonly resolved: ResolvedEntry;
  readonly client: ClientId | 0;
  readonly request: number;
}

export class StagedLayer {
  private queue: StagedEntry[] = [];
  private head = 0;
  /** Newest versions by key text, by space. */
  private readonly layers = Array.from({ length: spaceSlots }, () => new Map<string, VersionWrite>());
  private readonly requests = new Map<ClientId, Map<number, CommandResult>>();
  /** Of the state with everything staged; meaningless while nothing is. */
  revision = 0 as Revision;
  compactedRevision = 0 as Revision;
  lastZxid = 0 as Zxid;
  private checkpoints = 0;

  get size(): number {
    return this.queue.length - this.head;
  }

  get hasCheckpoint(): boolean {
    return this.checkpoints > 0;
  }

  /** The newest staged version of a key; its record is null when a staged entry deletes it. */
  newest(space: SpaceId, text: string): VersionWrite | undefined {
    return this.layer(space).get(text);
  }

  /** Visits keys of a space with their newest staged version, in no order. */
  forEach(space: SpaceId, visit: (version: VersionWrite) => void): void {
    this.layer(space).forEach(visit);
  }

  /** Versions of a space that are staged at revisions up to `at`, oldest first. */
  versionsThrough(space: SpaceId, at: Revision, visit: (version: VersionWrite) => void): void {
    for (let i = this.head; i < this.queue.length; i++) {
      const { entry, versions } = (this.queue[i] as StagedEntry).resolved;
      if (entry.revision > at) return;
      for (const version of versions) if (version.space === space) visit(version);
    }
  }

  /** Whether any version of this space is staged. */
  holds(space: SpaceId): boolean {
    return this.layer(space).size > 0;
  }

  /** The answer of a request that is staged. */
  joined(client: ClientId, request: number): CommandResult | undefined {
    return this.requests.get(client)?.get(request);
  }

  add(resolved: ResolvedEntry, identity: RequestIdentity | undefined, result: CommandResult): void {
    const { versions, texts, entry } = resolved;
    for (let i = 0; i < versions.length; i++) {
      const version = versions[i] as VersionWrite;
      this.layer(version.space).set(texts[i] as string, version);
    }
    if (resolved.checkpoint) this.checkpoints += 1;
    if (resolved.compactTo !== null) this.compactedRevision = resolved.compactTo;
    this.revision = entry.revision;
    this.lastZxid = entry.zxid;
    this.queue.push({ resolved, client: identity?.client ?? 0, request: identity?.request ?? 0 });
    if (identity === undefined) return;
    const requests = this.requests.get(identity.client);
    if (requests === undefined) this.requests.set(identity.client, new Map([[identity.request, result]]));
    else requests.set(identity.request, result);
  }

  /** Removes the oldest entry if it is at or below `through`. */
  take(through: Zxid): ResolvedEntry | undefined {
    const staged = this.queue[this.head];
    if (staged === undefined || staged.resolved.entry.zxid > through) return undefined;
    this.head += 1;
    if (this.head === this.queue.length) {
      this.queue = [];
      this.head = 0;
    } else if (this.head >= 4096 && this.head * 2 >= this.queue.length) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
    this.forget(staged);
    return staged.resolved;
  }

  clear(): void {
    this.queue = [];
    this.head = 0;
    for (const layer of this.layers) layer.clear();
    this.requests.clear();
    this.checkpoints = 0;
  }

  private forget(staged: StagedEntry): void {
    const { versions, texts, checkpoint } = staged.resolved;
    for (let i = 0; i < versions.length; i++) {
      const version = versions[i] as VersionWrite;
      const text = texts[i] as string;
      const layer = this.layer(version.space);
      if (layer.get(text) === version) layer.delete(text);
    }
    if (checkpoint) this.checkpoints -= 1;
    if (staged.client === 0) return;
    const requests = this.requests.get(staged.client);
    requests?.delete(staged.request);
    if (requests?.size === 0) this.requests.delete(staged.client);
  }

  private layer(space: SpaceId): Map<string, VersionWrite> {
    return this.layers[space] as Map<string, VersionWrite>;
  }
}
