// Whether somebody may read keys, judged by the state that this node has applied: the one that is read.

import { type Bytes, emptyBytes, prefixEnd } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import { mayRead } from '../tree/access/access-judge.js';
import type { KeyRanges } from '../tree/access/key-ranges.js';
import type { AppliedAccess } from '../tree/access/tree-access.js';
import type { Actor } from '../tree/command.js';
import { spaces } from '../tree/delta.js';
import { keyOfLeased, leasedKey, leaseIdOf, leaseKey } from '../tree/lease-records.js';
import type { ReplicatedTree } from '../tree/replicated-tree.js';
import type { KeySelection } from '../tree/transaction.js';
import { anonymous } from './access-service.js';

/** Null: it may. No actor is nobody. */
export function readRefusal(access: AppliedAccess, actor: Actor | undefined, keys: KeySelection): StoreError | null {
  const { judge } = access;
  if (!judge.enabled) return null;
  const grants = judge.grantsOf(actor ?? anonymous);
  if (grants.type === 'failure') return new StoreError(grants.code, grants.message);
  return mayRead(grants, keys) ? null : denied();
}

/** Whoever asks for all leases must be able to read all keys that they hold. */
export function leaseListRefusal(tree: ReplicatedTree, actor: Actor | undefined): StoreError | null {
  const { judge } = tree.access;
  if (!judge.enabled) return null;
  const grants = judge.grantsOf(actor ?? anonymous);
  if (grants.type === 'failure') return new StoreError(grants.code, grants.message);
  return grants.all || holdsLeasedKeys(grants.read, tree) ? null : denied();
}

/** Goes from range to range and from lease to lease, not from key to key. */
function holdsLeasedKeys(ranges: KeyRanges, tree: ReplicatedTree): boolean {
  for (let from: Bytes | undefined = emptyBytes; from !== undefined; ) {
    let entry: Bytes | undefined;
    tree.scanSpace(spaces.leaseKeys, from, undefined, ({ key }) => {
      entry = key;
      return false;
    });
    if (entry === undefined) return true;
    const range = ranges.rangeAt(keyOfLeased(entry));
    if (range === undefined) return false;
    const lease = leaseIdOf(entry);
    from = range.to === undefined ? prefixEnd(leaseKey(lease)) : leasedKey(lease, range.to);
  }
  return true;
}

function denied(): StoreError {
  return new StoreError('PERMISSION_DENIED', 'Permission denied');
}
