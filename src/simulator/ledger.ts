// The truth of a run: the one committed history, built from what nodes deliver, and a plain model of the tree that it
// makes. Checkers judge nodes and clients by it. It shares no code with the tree, only the entries' decoder.

import { assert } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';
import { type Epoch, epochOf, formatZxid, type Revision, revisionFirst, type Zxid, zxidZero } from '../shared/ids.js';
import { type Entry, type Operation, spaces } from '../tree/delta.js';
import { decodeBatch } from '../wire/batch-codec.js';
import { keyText } from './byte-text.js';
import { mixNumber } from './content-hash.js';
import { emptyHistoryHash, extendHistory, type MirroredBatch } from './log-mirror.js';

/** What a key holds from `zxid` on; value undefined: it is absent. */
export interface ModelVersion {
  readonly zxid: Zxid;
  readonly revision: Revision;
  readonly value: Bytes | undefined;
  readonly createRevision: Revision;
  readonly version: number;
  /** Lease id or 0n. */
  readonly lease: bigint;
}

/** What a lease was from `zxid` on; grantedSeconds 0: there is none. */
export interface ModelLease {
  readonly zxid: Zxid;
  readonly grantedSeconds: number;
  readonly remainingSeconds: number;
}

/** A lease that ended. */
export interface LeaseEnd {
  readonly id: bigint;
  readonly zxid: Zxid;
  /** No client's request: its time was over. */
  readonly expired: boolean;
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
  /** Where it begins: behind the tree of a snapshot, or with nothing. Nobody had to agree on what is up to here. */
  begin: Zxid = zxidZero;
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
  /** Entries committed so far; what was restored does not count. */
  entries = 0;
  readonly leaseEnds: LeaseEnd[] = [];
  /** What entries did to keys of leases that they should not have. */
  readonly leaseFaults: string[] = [];
  private readonly leases = new Map<bigint, ModelLease[]>();
  /** Changes by the entry that made them. */
  private readonly changesOf = new Map<Zxid, readonly ModelChange[]>();
  private readonly batchEnds: Zxid[] = [];
  private readonly hashes = new Map<Zxid, number>([[zxidZero, emptyHistoryHash]]);
  private readonly keys = new Map<string, ModelVersion[]>();
  /** Revision as it stood after each entry, ascending. */
  private readonly revisions: { readonly zxid: Zxid; readonly revision: Revision }[] = [];

  /** Hash of the committed history up to `zxid`; undefined when that is not the end of a committed batch. */
  hashAt(zxid: Zxid): number | undefined {
    return this.hashes.get(zxid);
  }

  /** What everything began with, before the first entry was committed: the tree of a snapshot, at `zxid`. */
  restore(zxid: Zxid, entries: readonly Entry[]): void {
    assert(this.last === zxidZero, `Cannot restore a snapshot: ${formatZxid(this.last)} is committed`);
    for (const entry of entries) this.take(entry);
    this.begin = zxid;
    this.last = zxid;
    this.lastHash = mixNumber(emptyHistoryHash, zxid);
    this.hashes.set(zxid, this.lastHash);
    this.batchEnds.push(zxid);
  }

  append({ batch }: MirroredBatch): void {
    assert(batch.first > this.last, `Cannot commit ${formatZxid(batch.first)}: ${formatZxid(this.last)} is committed`);
    this.last = batch.last;
    this.lastHash = extendHistory(this.lastHash, batch);
    this.hashes.set(batch.last, this.lastHash);
    this.batchEnds.push(batch.last);
    for (const entry of decodeBatch(batch.body.slice(), batch.first)) {
      this.entries += 1;
      this.take(entry);
    }
  }

  /** End of what is committed of the epochs before this one. */
  lastBefore(epoch: Epoch): Zxid {
    return newest(this.batchEnds, (end) => epochOf(end) < epoch) ?? zxidZero;
  }

  /** The end of the committed batch that this entry is part of. */
  batchEndOf(zxid: Zxid): Zxid | undefined {
    const before = newest(this.batchEnds, (end) => end < zxid);
    return this.batchEnds[before === undefined ? 0 : this.batchEnds.indexOf(before) + 1];
  }

  /** Every key that was ever written, sorted. */
  allKeys(): string[] {
    return [...this.keys.keys()].sort();
  }

  /** What the key holds once everything up to `zxid` is applied. */
  at(key: string, zxid: Zxid): ModelVersion | undefined {
    return newest(this.keys.get(key) ?? [], (version) => version.zxid <= zxid);
  }

  /** What this entry did to users' keys, in key order. */
  changesBy(zxid: Zxid): readonly ModelChange[] {
    return this.changesOf.get(zxid) ?? [];
  }

  /** The lease once everything up to `zxid` is applied. */
  leaseAt(id: bigint, zxid: Zxid): ModelLease | undefined {
    const lease = newest(this.leases.get(id) ?? [], (version) => version.zxid <= zxid);
    return lease === undefined || lease.grantedSeconds === 0 ? undefined : lease;
  }

  /** Every lease that there ever was. */
  allLeases(): bigint[] {
    return [...this.leases.keys()];
  }

  /** Leases that have not ended. */
  openLeases(): bigint[] {
    return this.allLeases().filter((id) => this.leaseAt(id, this.last) !== undefined);
  }

  /** Keys that the lease holds once everything up to `zxid` is applied, sorted. */
  leasedKeysAt(id: bigint, zxid: Zxid): string[] {
    return this.allKeys().filter((key) => {
      const version = this.at(key, zxid);
      return version?.value !== undefined && version.lease === id;
    });
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

  private take(entry: Entry): void {
    const first = this.changes.length;
    for (const operation of entry.operations) this.operate(entry, operation);
    if (this.changes.length > first) {
      const changes = this.changes.splice(first).sort((a, b) => (a.key < b.key ? -1 : 1));
      this.changes.push(...changes);
      this.changesOf.set(entry.zxid, changes);
    }
    this.revision = entry.revision;
    this.revisions.push({ zxid: entry.zxid, revision: entry.revision });
    this.judgeLeases(entry);
  }

  private operate(entry: Entry, operation: Operation): void {
    switch (operation.type) {
      case 'put':
        if (operation.space === spaces.user) this.write(entry, operation.key, operation);
        else if (operation.space === spaces.leases) this.writeLease(entry, operation.key, operation.value);
        return;
      case 'delete':
        if (operation.space === spaces.user) this.write(entry, operation.key, undefined);
        else if (operation.space === spaces.leases) this.writeLease(entry, operation.key, undefined);
        return;
      case 'deleteRange':
        if (operation.space === spaces.user) this.deleteRange(entry, keyText(operation.from), keyText(operation.to));
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

  private writeLease(entry: Entry, key: Bytes, record: Bytes | undefined): void {
    const id = new DataView(key.buffer, key.byteOffset, key.byteLength).getBigInt64(0);
    const seconds =
      record === undefined ? undefined : new DataView(record.buffer, record.byteOffset, record.byteLength);
    const version: ModelLease = {
      zxid: entry.zxid,
      grantedSeconds: Number(seconds?.getBigUint64(0) ?? 0n),
      remainingSeconds: Number(seconds?.getBigUint64(8) ?? 0n),
    };
    const versions = this.leases.get(id);
    if (versions === undefined) this.leases.set(id, [version]);
    else versions.push(version);
    if (record === undefined) this.leaseEnds.push({ id, zxid: entry.zxid, expired: !isRequested(entry) });
  }

  /** After an entry: every key that has a lease has one that is there, and nobody but a client deletes keys of others. */
  private judgeLeases(entry: Entry): void {
    const ended = new Set<bigint>();
    for (let i = this.leaseEnds.length - 1; i >= 0; i--) {
      const end = this.leaseEnds[i] as LeaseEnd;
      if (end.zxid !== entry.zxid) break;
      ended.add(end.id);
      const left = this.leasedKeysAt(end.id, entry.zxid);
      if (left.length > 0)
        this.leaseFaults.push(`${formatZxid(entry.zxid)} ends lease ${end.id} and leaves ${left.join()}`);
    }
    for (const { key, version } of this.changesBy(entry.zxid)) {
      if (version.value !== undefined) {
        const holds = version.lease === 0n || this.leaseAt(version.lease, entry.zxid) !== undefined;
        if (!holds)
          this.leaseFaults.push(
            `${formatZxid(entry.zxid)} puts ${key} with lease ${version.lease}, which is not there`,
          );
      } else if (ended.size > 0) {
        const before = this.at(key, (entry.zxid - 1) as Zxid);
        if (before === undefined || !ended.has(before.lease))
          this.leaseFaults.push(`${formatZxid(entry.zxid)} ends leases and deletes ${key}, which none of them held`);
      }
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
      lease: put?.lease ?? 0n,
    };
    const versions = this.keys.get(key);
    if (versions === undefined) this.keys.set(key, [version]);
    else versions.push(version);
    this.changes.push({ revision: entry.revision, zxid: entry.zxid, key, version });
  }
}

/** Some client asked for what the entry does. */
function isRequested({ operations }: Entry): boolean {
  return operations.some(({ type }) => type === 'remember');
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
