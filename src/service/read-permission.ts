// Whether somebody may read keys, judged by the state that this node has applied: the one that is read.

import { StoreError } from '../shared/errors.js';
import { mayRead } from '../tree/access/access-judge.js';
import type { AppliedAccess } from '../tree/access/tree-access.js';
import type { Actor } from '../tree/command.js';
import type { KeySelection } from '../tree/transaction.js';
import { anonymous } from './access-service.js';

/** Null: it may. No actor is nobody. */
export function readRefusal(access: AppliedAccess, actor: Actor | undefined, keys: KeySelection): StoreError | null {
  const { judge } = access;
  if (!judge.enabled) return null;
  const grants = judge.grantsOf(actor ?? anonymous);
  if (grants.type === 'failure') return new StoreError(grants.code, grants.message);
  return mayRead(grants, keys) ? null : new StoreError('PERMISSION_DENIED', 'Permission denied');
}
