// What putting a user's key is made of, for every command that puts one: the record, and the index of what leases hold. Judges
// nothing but whether there is the lease.

import { type Bytes, emptyBytes } from '../shared/bytes.js';
import { formatLease, type Revision } from '../shared/ids.js';
import { type Failure, failure } from './command-outcome.js';
import type { CommandView } from './command-view.js';
import { type Operation, spaces } from './delta.js';
import { leasedKey, leaseKey } from './lease-records.js';
import type { KeyState } from './store.js';

type PutOperation = Extract<Operation, { readonly type: 'put' }>;

export interface PutPlace {
  /** What the key is before. */
  readonly current: KeyState | undefined;
  /** 0n: none. */
  readonly lease: bigint;
  readonly revision: Revision;
}

/** The whole of it: the key goes from the lease that held it to the one that is named. */
export function putOperations(key: Bytes, value: Bytes, place: PutPlace): readonly Operation[] {
  const operation = putOperation(key, value, place);
  const held = place.current === undefined ? 0n : place.current.lease;
  return held === place.lease ? [operation] : [operation, ...moveToLease(operation, held)];
}

export function putOperation(key: Bytes, value: Bytes, { current, lease, revision }: PutPlace): PutOperation {
  return {
    type: 'put',
    space: spaces.user,
    key,
    value,
    createRevision: current === undefined ? ((revision + 1) as Revision) : current.createRevision,
    version: current === undefined ? 1 : current.version + 1,
    lease,
  };
}

/** Lets go of the lease that held the key, and has the new one hold it. */
export function moveToLease(put: PutOperation, from: bigint): Operation[] {
  const { key, lease, createRevision } = put;
  const operations: Operation[] = [];
  if (from !== 0n) operations.push({ type: 'delete', space: spaces.leaseKeys, key: leasedKey(from, key) });
  if (lease !== 0n) {
    const index = { space: spaces.leaseKeys, key: leasedKey(lease, key), value: emptyBytes, createRevision };
    operations.push({ type: 'put', ...index, version: 1, lease: 0n });
  }
  return operations;
}

export function missingLease(lease: bigint, view: CommandView): Failure | null {
  if (lease === 0n || view.recordIn(spaces.leases, leaseKey(lease)) !== undefined) return null;
  return failure('LEASE_NOT_FOUND', `Cannot put a key with lease ${formatLease(lease)}: there is no such lease`);
}
