// What a simulated disk holds of one tree: versions by key, changes by revision, sessions, meta. Changed only by whole
// flushes, slices of compaction and images; the twin of the LMDB tables, made for clearness and not for size.

import { type Bytes, compareBytes } from '../shared/bytes.js';
import { type ClientId, type Revision, revisionFirst, zxidZero } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type {
  FlushBatch,
  KeyRecord,
  RetainedVersion,
  SessionRecord,
  StoreUsage,
  TreeMeta,
  VersionWrite,
} from '../tree/store.js';
import { userSpace } from './tree-rows.js';

const emptyMeta: TreeMeta = {
  appliedZxid: zxidZero,
  revision: revisionFirst,
  compactedRevision: 0 as Revision,
  sessionsEvictedThrough: zxidZero,
};

export class MemoryTreeContent {
  meta: TreeMeta = emptyMeta;
  /** An image was begun here and not finished: cannot be opened. */
  incomplete = false;
  /** By space, then by key text: versions, oldest first; only the user space keeps more than the newest. */
  private readonly spaces = new Map<SpaceId, Map<string, VersionWrite[]>>();
  /** Changes of the user space by revision, then key. */
  private changes: VersionWrite[] = [];
  /** Changes at the revision that it is compacted to: they are still history. */
  private changesAtCompacted: VersionWrite[] = [];
  readonly sessions = new Map<ClientId, SessionRecord>();
  /** Sorted key texts of a space; dropped when a key comes or goes. */
  private readonly sorted = new Map<SpaceId, string[]>();
  /** Of all versions of all spaces. */
  private bytes = 0;

  apply(batch: FlushBatch): void {
    const changes = batch.versions.filter((version) => version.space === userSpace);
    changes.sort((a, b) => a.modRevision - b.modRevision || compareBytes(a.key, b.key));
    for (const change of changes) this.changes.push(change);
    for (const version of batch.versions) this.add(version);
    for (const session of batch.sessions) this.sessions.set(session.client, session);
    for (const client of batch.sessionsEvicted) this.sessions.delete(client);
    this.meta = batch.meta;
  }

  usage(): StoreUsage {
    return { usedBytes: this.bytes, fileBytes: this.bytes, keys: this.space(userSpace).size };
  }

  get(space: SpaceId, key: Bytes, at: Revision | undefined): KeyRecord | undefined {
    return newestAt(this.space(space).get(textOf(key)), at)?.record ?? undefined;
  }

  /** Records of a range in key order, as a list: it stays what it is when the content changes. */
  range(space: SpaceId, from: Bytes, to: Bytes | undefined, at: Revision | undefined): KeyRecord[] {
    const texts = this.sortedTexts(space);
    const end = to === undefined ? undefined : textOf(to);
    const records: KeyRecord[] = [];
    for (let i = lowerBound(texts, textOf(from)); i < texts.length; i++) {
      const text = texts[i] as string;
      if (end !== undefined && text >= end) break;
      const record = newestAt(this.space(space).get(text), at)?.record;
      if (record !== undefined && record !== null) records.push(record);
    }
    return records;
  }

  changesFrom(from: Revision): readonly VersionWrite[] {
    const first = this.changes.findIndex((change) => change.modRevision >= from);
    const later = first === -1 ? [] : this.changes.slice(first);
    const [compacted] = this.changesAtCompacted;
    return compacted === undefined || compacted.modRevision < from ? later : [...this.changesAtCompacted, ...later];
  }

  /** Revisions of the versions of a user's key, ascending. */
  revisionsOf(key: Bytes): Revision[] {
    return (this.space(userSpace).get(textOf(key)) ?? []).map(({ modRevision }) => modRevision);
  }

  /** The retained versions of user keys: all from the compacted revision on, and what was current there. */
  retainedVersions(): RetainedVersion[] {
    const { compactedRevision } = this.meta;
    const retained: RetainedVersion[] = [];
    for (const versions of this.space(userSpace).values()) {
      const floor = newestAt(versions, compactedRevision);
      for (const version of versions) {
        if (version.modRevision > compactedRevision || isFloorAt(version, floor, compactedRevision))
          retained.push(version);
      }
    }
    return retained.sort((a, b) => a.modRevision - b.modRevision || compareBytes(a.key, b.key));
  }

  /** Takes what retainedVersions gave, in the same order. */
  addRetained(version: RetainedVersion, compactedRevision: Revision): void {
    const added: VersionWrite = { space: userSpace, ...version };
    this.add(added);
    if (version.modRevision > compactedRevision) this.changes.push(added);
    else if (version.modRevision === compactedRevision) this.changesAtCompacted.push(added);
  }

  /** Drops versions that a read at `revision` or later does not need; at most versionsMax changes a call. */
  compact(revision: Revision, versionsMax: number): boolean {
    // Deletions at the revision that it came to last were kept until now.
    for (const { key, modRevision } of this.changesAtCompacted) {
      if (modRevision < revision) this.prune(textOf(key), revision);
    }
    let count = 0;
    for (const change of this.changes) {
      if (change.modRevision > revision || count >= versionsMax) break;
      count += 1;
      this.prune(textOf(change.key), revision);
    }
    const gone = this.changes.slice(0, count);
    const isHistory = (change: VersionWrite): boolean => change.modRevision === revision;
    this.changesAtCompacted = [...this.changesAtCompacted, ...gone].filter(isHistory);
    this.changes = this.changes.slice(count);
    const next = this.changes[0];
    return next !== undefined && next.modRevision <= revision;
  }

  add(version: VersionWrite): void {
    const { space, key, record } = version;
    const text = textOf(key);
    const keys = this.space(space);
    const versions = keys.get(text);
    if (versions === undefined) {
      if (record === null && space !== userSpace) return;
      this.sorted.delete(space);
      this.bytes += bytesOf(version);
      keys.set(text, [version]);
    } else if (space === userSpace) {
      this.bytes += bytesOf(version);
      versions.push(version);
    } else if (record === null) {
      for (const old of versions) this.bytes -= bytesOf(old);
      this.sorted.delete(space);
      keys.delete(text);
    } else {
      for (const old of versions) this.bytes -= bytesOf(old);
      this.bytes += bytesOf(version);
      versions[0] = version;
    }
  }

  clearSpace(space: SpaceId): void {
    for (const versions of this.space(space).values()) for (const old of versions) this.bytes -= bytesOf(old);
    this.spaces.delete(space);
    this.sorted.delete(space);
  }

  private prune(text: string, revision: Revision): void {
    const keys = this.space(userSpace);
    const versions = keys.get(text);
    if (versions === undefined) return;
    const newest = newestAt(versions, revision);
    const kept = versions.filter((version) => version.modRevision > revision || isFloorAt(version, newest, revision));
    for (const version of versions) if (!kept.includes(version)) this.bytes -= bytesOf(version);
    if (kept.length > 0) keys.set(text, kept);
    else {
      keys.delete(text);
      this.sorted.delete(userSpace);
    }
  }

  private space(space: SpaceId): Map<string, VersionWrite[]> {
    let keys = this.spaces.get(space);
    if (keys === undefined) {
      keys = new Map();
      this.spaces.set(space, keys);
    }
    return keys;
  }

  private sortedTexts(space: SpaceId): string[] {
    let texts = this.sorted.get(space);
    if (texts === undefined) {
      texts = [...this.space(space).keys()].sort();
      this.sorted.set(space, texts);
    }
    return texts;
  }
}

/** A deletion is needed no longer than a watch may begin at it. */
function isFloorAt(version: VersionWrite, newest: VersionWrite | undefined, revision: Revision): boolean {
  return version === newest && (version.record !== null || version.modRevision === revision);
}

function bytesOf({ key, record }: VersionWrite): number {
  return key.length + (record?.value.length ?? 0);
}

function newestAt(versions: readonly VersionWrite[] | undefined, at: Revision | undefined): VersionWrite | undefined {
  if (versions === undefined) return undefined;
  if (at === undefined) return versions[versions.length - 1];
  for (let i = versions.length - 1; i >= 0; i--) {
    const version = versions[i] as VersionWrite;
    if (version.modRevision <= at) return version;
  }
  return undefined;
}

function lowerBound(texts: readonly string[], text: string): number {
  let low = 0;
  let high = texts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((texts[middle] as string) < text) low = middle + 1;
    else high = middle;
  }
  return low;
}

function textOf(key: Bytes): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}
