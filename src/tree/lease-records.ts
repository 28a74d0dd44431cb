// How leases and the keys that they hold are kept in the tree, as bytes. No clock: a record says what was granted and
// what was left when somebody last wrote that down, never when it ends.

import { assert } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';

export interface LeaseRecord {
  readonly grantedSeconds: number;
  /** What remained at the last checkpoint; 0: there was none since it was granted or renewed. */
  readonly remainingSeconds: number;
}

const idBytes = 8;
const recordBytes = 16;

/** Key of a lease in its space: its id, as 64 bits in order of magnitude. */
export function leaseKey(id: bigint): Bytes {
  const key = new Uint8Array(idBytes);
  new DataView(key.buffer).setBigUint64(0, BigInt.asUintN(64, id));
  return key;
}

export function leaseIdOf(key: Bytes): bigint {
  assert(key.length >= idBytes, `Cannot read a lease id: its key has ${key.length} bytes`);
  return new DataView(key.buffer, key.byteOffset, idBytes).getBigInt64(0);
}

export function encodeLeaseRecord({ grantedSeconds, remainingSeconds }: LeaseRecord): Bytes {
  const record = new Uint8Array(recordBytes);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(grantedSeconds));
  view.setBigUint64(8, BigInt(remainingSeconds));
  return record;
}

export function decodeLeaseRecord(record: Bytes): LeaseRecord {
  assert(record.length === recordBytes, `Cannot read a lease: its record has ${record.length} bytes`);
  const view = new DataView(record.buffer, record.byteOffset, recordBytes);
  return {
    grantedSeconds: Number(view.getBigUint64(0)),
    remainingSeconds: Number(view.getBigUint64(8)),
  };
}

/** Where the index says that a lease holds a user's key. */
export function leasedKey(id: bigint, key: Bytes): Bytes {
  const indexKey = new Uint8Array(idBytes + key.length);
  indexKey.set(leaseKey(id));
  indexKey.set(key, idBytes);
  return indexKey;
}

/** The user's key that an entry of the index names. */
export function keyOfLeased(indexKey: Bytes): Bytes {
  return indexKey.subarray(idBytes);
}
