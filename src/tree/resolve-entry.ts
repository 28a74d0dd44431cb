// Turns the operations of one entry into versions: ranges become the keys that they hold now, several changes of one key
// become its last. The same on every node at the same zxid. Copies what is kept; changes nothing.

import { assert, unreachable } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';
import { compareBytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type { Arena } from './arena.js';
import { type Entry, type Operation, type SpaceId, spaces } from './delta.js';
import type { KeyText } from './key-text.js';
import type { KeyRecord, VersionWrite } from './store.js';

/** What one entry does, ready to be put into a layer. */
export interface ResolvedEntry {
  readonly entry: Entry;
  /** By space, then key; each key once. `texts` are their key texts. */
  readonly versions: readonly VersionWrite[];
  readonly texts: readonly string[];
  readonly remember: Extract<Operation, { type: 'remember' }> | null;
  readonly compactTo: Revision | null;
  readonly checkpoint: boolean;
}

/** What resolving reads of the state before the entry. */
export interface ResolveSource {
  readonly arena: Arena;
  readonly keyText: KeyText;
  /** Visits the keys of a range in that state. */
  keys(space: SpaceId, from: Bytes, to: Bytes, visit: (key: Bytes) => void): void;
}

export function resolveEntry(entry: Entry, source: ResolveSource): ResolvedEntry {
  const { operations, revision } = entry;
  const only = operations.length === 1 ? operations[0] : undefined;
  if (only?.type !== 'put') return resolveOperations(entry, source);
  // What most entries are: its lists have just what they hold.
  const versions = [putVersion(only, revision, source.arena)];
  return { entry, versions, texts: [source.keyText(only.key)], remember: null, compactTo: null, checkpoint: false };
}

function resolveOperations(entry: Entry, source: ResolveSource): ResolvedEntry {
  const versions: VersionWrite[] = [];
  let remember: ResolvedEntry['remember'] = null;
  let compactTo: Revision | null = null;
  let checkpoint = false;
  for (const operation of entry.operations) {
    switch (operation.type) {
      case 'put':
        versions.push(putVersion(operation, entry.revision, source.arena));
        break;
      case 'delete':
        versions.push(deletion(operation.space, source.arena.copy(operation.key), entry.revision));
        break;
      case 'deleteRange':
        deleteRange(operation, entry.revision, source, versions);
        break;
      case 'compactTo':
        compactTo = operation.revision;
        break;
      case 'remember':
        remember = operation;
        break;
      case 'checkpoint':
        checkpoint = true;
        break;
      default:
        unreachable(operation);
    }
  }
  const distinct = versions.length > 1 ? lastOfEachKey(versions, source.keyText) : versions;
  const first = distinct[0];
  const texts =
    distinct.length === 1 && first !== undefined
      ? [source.keyText(first.key)]
      : distinct.map((version) => source.keyText(version.key));
  return { entry, versions: distinct, texts, remember, compactTo, checkpoint };
}

function putVersion(put: Extract<Operation, { type: 'put' }>, modRevision: Revision, arena: Arena): VersionWrite {
  assert(put.space !== spaces.local, 'Cannot replicate a put into the local space');
  return new PutVersion(put, arena, modRevision);
}

/**
 * A version that is its own record. The overlay holds very many of them, so that key and value are views made when they
 * are asked for: an object that lives is what the garbage collector pays for.
 */
class PutVersion implements VersionWrite, KeyRecord {
  readonly space: SpaceId;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  readonly version: number;
  readonly lease: bigint;
  private readonly memory: Uint8Array;
  private readonly at: number;
  private readonly keyBytes: number;
  private readonly valueBytes: number;

  constructor(put: Extract<Operation, { type: 'put' }>, arena: Arena, modRevision: Revision) {
    const { key, value } = put;
    this.space = put.space;
    this.createRevision = put.createRevision;
    this.modRevision = modRevision;
    this.version = put.version;
    this.lease = put.lease;
    arena.reserve(key.length + value.length);
    this.memory = arena.memory;
    this.at = arena.at;
    this.keyBytes = key.length;
    this.valueBytes = value.length;
    this.memory.set(key, this.at);
    this.memory.set(value, this.at + key.length);
  }

  get key(): Bytes {
    return this.memory.subarray(this.at, this.at + this.keyBytes);
  }

  get value(): Bytes {
    const at = this.at + this.keyBytes;
    return this.memory.subarray(at, at + this.valueBytes);
  }

  get byteLength(): number {
    return this.keyBytes + this.valueBytes;
  }

  get record(): KeyRecord {
    return this;
  }
}

/** Bytes of a version's key and value. */
export function byteLengthOf(version: VersionWrite): number {
  const { byteLength } = version;
  if (byteLength !== undefined) return byteLength;
  const { key, record } = version;
  return key.length + (record === null ? 0 : record.value.length);
}

function deletion(space: SpaceId, key: Bytes, modRevision: Revision): VersionWrite {
  assert(space !== spaces.local, 'Cannot replicate a delete in the local space');
  return { space, key, modRevision, record: null };
}

function deleteRange(
  operation: Extract<Operation, { type: 'deleteRange' }>,
  revision: Revision,
  source: ResolveSource,
  versions: VersionWrite[],
): void {
  const { space, from, to } = operation;
  const earlier = versions.length;
  source.keys(space, from, to, (key) => versions.push(deletion(space, source.arena.copy(key), revision)));
  // Keys that this very entry has put before are in the range too.
  for (let i = 0; i < earlier; i++) {
    const version = versions[i] as VersionWrite;
    const inside = compareBytes(from, version.key) <= 0 && compareBytes(version.key, to) < 0;
    if (version.space === space && inside) versions.push(deletion(space, version.key, revision));
  }
}

function lastOfEachKey(versions: readonly VersionWrite[], keyText: KeyText): VersionWrite[] {
  const last = new Map<string, VersionWrite>();
  for (const version of versions) last.set(`${version.space} ${keyText(version.key)}`, version);
  return [...last.values()].sort((a, b) => a.space - b.space || compareBytes(a.key, b.key));
}
