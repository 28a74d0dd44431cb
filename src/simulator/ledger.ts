// The truth of a run: the one committed history, built from what nodes deliver, and a plain model of the tree that it
// makes. Checkers judge nodes and clients by it. It shares no code with the tree, only the entries' decoder.

import { assert } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';
import { type Epoch, epochOf, formatZxid, type Revision, revisionFirst, type Zxid, zxidZero } from '../shared/ids.js';
import { type Entry, type Operation, spaces } from '../tree/delta.js';
import { decodeBatch } from '../wire/batch-codec.js';
import { keyText } from './byte-text.js';
import { emptyHistoryHash, extendHistory, type MirroredBatch } from './log-mirror.js';

/** What a key holds from `zxid` on; value undefined: it is absent. */
export interface ModelVersion {
  readonly zxid: Zxid;
  readonly revision: Revision;
  readonly value: Bytes | undefined;
  readonly createRevision: Revision;
  readonly version: number;
}

export interface ModelChange {
  readonly revision: Revision;
  readonly zxid: Zxid;
  readonly key: string;
  readonly version: ModelVersion;
}

export interface RememberedRequest {
  readonly zxid: Zxid;
  readonly revision: Revision;
}

export class Ledger {
  last: Zxid = zxidZero;
  lastHash = emptyHistoryHash;
  revision: Revision = revisionFirst;
  /** Changes of user keys in order. */
  readonly changes: ModelChange[] = [];
  /** Committed requests that succeeded, by `client:request`. */
  readonly requests = new Map<string, RememberedRequest>();
  /** Committed requests that were refused, and the refusal remembered. */
  private readonly refusals = new Set<string>();
  /** Requests that were committed more than once. */
  readonly repeated: string[] = [];
  /** Entries committed so far. */
  entries = 0;
  private readonly batchEnds: Zxid[] = [];
  private readonly hashes = new Map<Zxid, number>([[zxidZero, emptyHistoryHash]]);
  private readonly keys = new Map<string, ModelVersion[]>();
  /** Revision as it stood after each entry, ascending. */
  private readonly revisions: { readonly zxid: Zxid; readonly revision: Revision }[] = [];

  /** Hash of the committed history up to `zxid`; undefined when that is not the end of a committed batch. */
  hashAt(zxid: Zxid): number | undefined {
    return this.hashes.get(zxid);
  }

  append({ batch }: MirroredBatch): void {
    assert(batch.first > this.last, `Cannot commit ${formatZxid(batch.first)}: ${formatZxid(this.last)} is committed`);
    this.last = batch.last;
    this.lastHash = extendHistory(this.lastHash, batch);
    this.hashes.set(batch.last, this.lastHash);
    this.batchEnds.push(batch.last);
    for (const entry of decodeBatch(batch.body.slice(), batch.first)) this.apply(entry);
  }

  /** End of what is committed of the epochs before this one. */
  lastBefore(epoch: Epoch): Zxid {
    return newest(this.batchEnds, (end) => epochOf(end) < epoch) ?? zxidZero;
  }

  /** Every key that was ever written, sorted. */
  allKeys(): string[] {
    return [...this.keys.keys()].sort();
  }

  /** What the key holds once everything up to `zxid` is applied. */
  at(key: string, zxid: Zxid): ModelVersion | undefined {
    return newest(this.keys.get(key) ?? [], (version) => version.zxid <= zxid);
  }

  /** What the key holds at this revision. */
  atRevision(key: string, revision: Revision): ModelVersion | undefined {
    return newest(this.keys.get(key) ?? [], (version) => version.revision <= revision);
  }

  /** True for the zxid of a committed entry, and for the beginning. */
  has(zxid: Zxid): boolean {
    return zxid === zxidZero || newest(this.revisions, (point) => point.zxid <= zxid)?.zxid === zxid;
  }

  /** Revision after everything up to `zxid`. */
  revisionAt(zxid: Zxid): Revision {
    return newest(this.revisions, (point) => point.zxid <= zxid)?.revision ?? revisionFirst;
  }

  private apply(entry: Entry): void {
    this.entries += 1;
    for (const operation of entry.operations) this.operate(entry, operation);
    this.revision = entry.revision;
    this.revisions.push({ zxid: entry.zxid, revision: entry.revision });
  }

  private operate(entry: Entry, operation: Operation): void {
    switch (operation.type) {
      case 'put':
        if (operation.space === spaces.user) this.write(entry, operation.key, operation);
        return;
      case 'delete':
        if (operation.space === spaces.user) this.write(entry, operation.key, undefined);
        return;
      case 'deleteRange':
        this.deleteRange(entry, keyText(operation.from), keyText(operation.to));
        return;
      case 'remember': {
        const name = `${operation.client}:${operation.request}`;
        if (this.requests.has(name) || this.refusals.has(name)) this.repeated.push(name);
        if (operation.code === 'OK') this.requests.set(name, { zxid: entry.zxid, revision: entry.revision });
        else this.refusals.add(name);
        return;
      }
      case 'compactTo':
      case 'checkpoint':
        return;
    }
  }

  private deleteRange(entry: Entry, from: string, to: string): void {
    for (const key of this.allKeys()) {
      if (key >= from && key < to && this.keys.get(key)?.at(-1)?.value !== undefined)
        this.writeText(entry, key, undefined);
    }
  }

  private write(entry: Entry, key: Bytes, put: Extract<Operation, { type: 'put' }> | undefined): void {
    this.writeText(entry, keyText(key), put);
  }

  private writeText(entry: Entry, key: string, put: Extract<Operation, { type: 'put' }> | undefined): void {
    const version: ModelVersion = {
      zxid: entry.zxid,
      revision: entry.revision,
      value: put?.value,
      createRevision: put?.createRevision ?? revisionFirst,
      version: put?.version ?? 0,
    };
    const versions = this.keys.get(key);
    if (versions === undefined) this.keys.set(key, [version]);
    else versions.push(version);
    this.changes.push({ revision: entry.revision, zxid: entry.zxid, key, version });
  }
}

/** The last element for which `holds`, in a list where it holds for a prefix. */
function newest<T>(list: readonly T[], holds: (element: T) => boolean): T | undefined {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(list[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return list[low - 1];
}
