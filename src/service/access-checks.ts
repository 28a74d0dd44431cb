// What a change of access control must satisfy before anything is asked of the ensemble: sizes, judged by named limits.

import { StoreError } from '../shared/errors.js';
import type { AccessChange } from '../tree/access/access-change.js';

/** Names and units as in the server's configuration. */
export interface AccessCheckLimits {
  readonly accessNameBytesMax: number;
  readonly keyBytesMax: number;
}

export function checkAccessChange(change: AccessChange, limits: AccessCheckLimits): StoreError | null {
  switch (change.type) {
    case 'enable':
    case 'disable':
      return null;
    case 'userAdd':
    case 'userDelete':
    case 'userChangePassword':
      return checkName(change.user, limits);
    case 'userGrantRole':
    case 'userRevokeRole':
      return checkName(change.user, limits) ?? checkName(change.role, limits);
    case 'roleAdd':
    case 'roleDelete':
      return checkName(change.role, limits);
    case 'roleGrantPermission': {
      const { permission } = change;
      const badName = checkName(change.role, limits);
      return badName !== null || permission === undefined ? badName : checkKeys(permission, limits);
    }
    case 'roleRevokePermission':
      return checkName(change.role, limits) ?? checkKeys(change, limits);
  }
}

function checkName(name: string, { accessNameBytesMax }: AccessCheckLimits): StoreError | null {
  if (Buffer.byteLength(name) <= accessNameBytesMax) return null;
  return new StoreError('TOO_LARGE', `A name is longer than ${accessNameBytesMax} bytes (accessNameBytesMax)`);
}

function checkKeys(
  { key, rangeEnd }: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array },
  { keyBytesMax }: AccessCheckLimits,
): StoreError | null {
  if (key.length <= keyBytesMax && rangeEnd.length <= keyBytesMax) return null;
  return new StoreError('TOO_LARGE', `A permission's key is longer than ${keyBytesMax} bytes (keyBytesMax)`);
}
