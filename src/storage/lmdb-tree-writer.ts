// The writing half of the LMDB tree store; runs on the writer thread and blocks it at will. Each call is one durable
// transaction: all of it is on disk when it returns, or an error is thrown and nothing of it is.

import type { Bytes } from '../shared/bytes.js';
import { type ClientId, type Revision, type Zxid, zxidZero } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type { KeyRecord, TreeMeta } from '../tree/store.js';
import { type PackedVersion, PackedVersions, sameKey } from './flush-buffer.js';
import { ByteCursor, GrowingBuffer } from './growing-buffer.js';
import { ImageLoad } from './image-load.js';
import {
  compactedKey,
  decodeMetaRow,
  encodeCompacted,
  encodeMetaRow,
  type MetaState,
  metaKey,
  readCompacted,
  sessionKey,
} from './lmdb-meta.js';
import { appendRow, type LmdbTables, type Table } from './lmdb-tables.js';
import { readHead } from './lmdb-tree-reads.js';
import type { CompactProgress } from './lmdb-writer-messages.js';
import { decodeKeyRecord, decodeSession, encodeSession } from './tree-image.js';
import {
  decodeState,
  encodeHead,
  encodeVersion,
  type Head,
  headKey,
  isDeletion,
  localSpace,
  newestOf,
  readLinks,
  readRevision,
  revisionBytes,
  seal,
  spaceEnd,
  userSpace,
  verify,
  versionKey,
  versionStart,
  writeLinks,
} from './tree-rows.js';
import { emptyChain, extendChain, noRevision } from './version-links.js';

/** Versions of an image are collected to this many bytes, so that a page of `heads` is written for many of them. */
const imageBatchBytes = 16 * 2 ** 20;

/** Bytes of versions that one slice of compaction looks at, unless a single revision has more. */
const compactBytesMax = 16 * 2 ** 20;

export interface FlushInput {
  readonly meta: TreeMeta;
  /** PackedVersions. Links and checksums are filled in here. */
  readonly versions: Buffer;
  /** Encoded sessions, one after the other. */
  readonly sessions: Buffer;
  readonly sessionsEvicted: readonly ClientId[];
}

/** A head that is being written; heads come in order. */
interface HeadWrite {
  readonly row: Bytes;
  /** Behind all keys that the table had before, so that it cannot be there. */
  readonly isLast: boolean;
  head: Head | undefined;
}

export class LmdbTreeWriter {
  private readonly tables: LmdbTables;
  private readonly scratch = new GrowingBuffer(64 * 1024);
  private loading: ImageLoad | null = null;
  /** Where the last flush led to, if it failed: whether it is on the disk is not known. */
  private uncertain: Zxid | null = null;

  constructor(tables: LmdbTables) {
    this.tables = tables;
  }

  flush(input: FlushInput): void {
    // A flush that failed may have reached the disk all the same: it is not to be added again.
    if (this.uncertain === input.meta.appliedZxid && this.storedZxid() === input.meta.appliedZxid) return;
    this.uncertain = input.meta.appliedZxid;
    this.writeFlush(input);
    this.uncertain = null;
  }

  private storedZxid(): Zxid {
    const row = this.tables.meta.getBinary(metaKey);
    return row === undefined ? zxidZero : decodeMetaRow('', row).appliedZxid;
  }

  private writeFlush(input: FlushInput): void {
    this.tables.root.transactionSync(() => {
      this.writeVersions(new PackedVersions(input.versions));
      this.writeSessions(new ByteCursor(input.sessions));
      for (const client of input.sessionsEvicted) void this.tables.sessions.remove(sessionKey(client));
      this.writeMeta('complete', input.meta);
    });
  }

  /**
   * Looks at up to about rowsMax versions, whole revisions and not too many bytes, and removes what they replaced at or
   * below `revision`, and deletions below it: one at it is still told to a watch that begins there.
   */
  compact(revision: Revision, rowsMax: number): CompactProgress {
    const { root, versions, heads, meta } = this.tables;
    return root.transactionSync(() => {
      const compacted = readCompacted(this.tables);
      if (compacted >= revision) return { more: false, through: compacted };
      // Deletions at the revision that it came to last were kept until now.
      const start = versionStart(compacted);
      const replaced: Bytes[] = [];
      const deletions: Bytes[] = [];
      let count = 0;
      let bytes = 0;
      let through = compacted;
      let more = false;
      for (const { key: row, value } of versions.getRange({ start, end: versionStart((revision + 1) as Revision) })) {
        const at = readRevision(row, 0);
        more = (count >= rowsMax || bytes >= compactBytesMax) && at !== through;
        if (more) break;
        verify('versions', row, value);
        if (isDeletion(value) && at < revision) deletions.push(row);
        if (at === compacted) continue;
        count += 1;
        bytes += value.length;
        through = at;
        const { previous } = readLinks(value);
        if (previous !== noRevision) replaced.push(versionKey(previous, row.subarray(revisionBytes)));
      }
      if (!more) through = revision;
      // In order, neighbours share a page.
      for (const row of replaced.sort(Buffer.compare)) void versions.remove(row);
      for (const row of deletions) {
        void versions.remove(row);
        const headRow = row.subarray(revisionBytes);
        const head = readHead(this.tables, headRow);
        if (head !== undefined && newestOf(head) === readRevision(row, 0)) void heads.remove(headRow);
      }
      void meta.put(compactedKey, encodeCompacted(through));
      return { more, through };
    });
  }

  /** Adds one chunk of an image to an empty store; until `finishImage` the store counts as incomplete. */
  writeImage(chunk: Buffer): void {
    const first = this.loading === null;
    this.loading ??= new ImageLoad();
    const { loading } = this;
    loading.decoder.read(chunk, (item) => loading.take(item));
    if (first || loading.bytes >= imageBatchBytes) this.writeLoaded(loading, 'incomplete');
  }

  finishImage(): TreeMeta | null {
    const { loading } = this;
    if (loading === null || loading.meta === null || !loading.decoder.complete) return null;
    this.writeLoaded(loading, 'complete');
    this.loading = null;
    return loading.meta;
  }

  importLocal(exported: Buffer): void {
    const { root, records } = this.tables;
    root.transactionSync(() => {
      for (const row of [...records.getKeys({ start: Buffer.from([localSpace]), end: spaceEnd(localSpace) })]) {
        void records.remove(row);
      }
      const cursor = new ByteCursor(exported);
      while (!cursor.done) this.putRecord(localSpace, decodeKeyRecord(cursor));
    });
  }

  /** Versions come by space and key; the head of each key is written once. */
  private writeVersions(versions: PackedVersions): void {
    const added: PackedVersion[] = [];
    const last = lastKey(this.tables.heads);
    let writing: HeadWrite | null = null;
    for (let version = versions.next(); version !== undefined; version = versions.next()) {
      const { space, headKey: row, stored } = version;
      if (space !== userSpace) {
        this.writeRecord(row, stored);
        continue;
      }
      if (writing === null || !sameKey(writing.row, row)) {
        if (writing !== null) this.writeHead(writing);
        const isLast = last === undefined || Buffer.compare(row, last) > 0;
        writing = { row, isLast, head: isLast ? undefined : readHead(this.tables, row) };
      }
      writing.head = linkVersion(version, writing.head);
      added.push(version);
    }
    if (writing !== null) this.writeHead(writing);
    // In order of revision they only ever grow the table at its end.
    added.sort((a, b) => a.modRevision - b.modRevision || Buffer.compare(a.headKey, b.headKey));
    for (const version of added) {
      seal(version.versionKey, version.stored);
      appendRow(this.tables.versions, version.versionKey, version.stored);
    }
  }

  private writeHead({ row, isLast, head }: HeadWrite): void {
    if (head === undefined) return;
    this.scratch.clear();
    encodeHead(this.scratch, head);
    const stored = seal(row, this.scratch.view());
    if (isLast) appendRow(this.tables.heads, row, stored);
    else void this.tables.heads.put(row, stored);
  }

  private writeRecord(row: Bytes, stored: Buffer): void {
    if (isDeletion(stored)) void this.tables.records.remove(row);
    else void this.tables.records.put(row, seal(row, stored));
  }

  private putRecord(space: SpaceId, record: KeyRecord): void {
    this.scratch.clear();
    encodeVersion(this.scratch, record);
    this.writeRecord(headKey(space, record.key), this.scratch.view());
  }

  private writeSessions(cursor: ByteCursor): void {
    while (!cursor.done) {
      const start = cursor.at;
      const { client } = decodeSession(cursor);
      this.putSession(client, Buffer.from(cursor.source.subarray(start, cursor.at)));
    }
  }

  private putSession(client: ClientId, encoded: Buffer): void {
    const row = Buffer.allocUnsafe(4 + encoded.length);
    encoded.copy(row, 4);
    const key = sessionKey(client);
    void this.tables.sessions.put(key, seal(key, row));
  }

  private writeMeta(state: MetaState, meta: TreeMeta): void {
    void this.tables.meta.put(metaKey, encodeMetaRow(state, meta));
  }

  private writeLoaded(loading: ImageLoad, state: MetaState): void {
    const { meta } = loading;
    if (meta === null) return;
    this.tables.root.transactionSync(() => {
      this.writeVersions(new PackedVersions(loading.packedVersions()));
      for (const { space, record } of loading.records) this.putRecord(space, record);
      for (const session of loading.sessions) {
        const encoded = new GrowingBuffer(256);
        encodeSession(encoded, session);
        this.putSession(session.client, encoded.view());
      }
      this.writeMeta(state, meta);
      // An image has nothing that compaction would remove.
      if (state === 'complete') void this.tables.meta.put(compactedKey, encodeCompacted(meta.compactedRevision));
    });
    loading.clear();
  }
}

function lastKey(table: Table): Bytes | undefined {
  for (const key of table.getKeys({ reverse: true, limit: 1 })) return key;
  return undefined;
}

/** Fills in the links of a version that follows what `head` says; gives the head with it. */
function linkVersion({ modRevision, stored }: PackedVersion, head: Head | undefined): Head {
  const { chain, links } = extendChain(head?.chain ?? emptyChain, modRevision);
  writeLinks(stored, { ...links, previousDeleted: head?.deleted ?? false });
  if (isDeletion(stored)) return { deleted: true, createRevision: noRevision, version: 0, lease: 0n, chain };
  const { createRevision, version, lease } = decodeState(stored);
  return { deleted: false, createRevision, version, lease, chain };
}
