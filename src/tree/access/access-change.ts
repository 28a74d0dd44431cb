// Changes of access control: etcd's operations with its conditions, in its order of checks. Judged against one state, a
// change gives rows to put and delete, or why it cannot be. Who may ask for it is judged elsewhere.

import { unreachable } from '../../shared/assert.js';
import { type Bytes, compareBytes, equalBytes } from '../../shared/bytes.js';
import type { ErrorCode } from '../../shared/errors.js';
import type { Secret } from '../../shared/secret.js';
import {
  type AccessSettings,
  compareNames,
  isRoot,
  type KeyPermission,
  type RoleRecord,
  rootName,
  type UserRecord,
} from './access-records.js';
import { encodeRole, encodeSettings, encodeUser, roleKey, settingsKey, userKey } from './access-rows.js';
import type { AccessView } from './access-state.js';

export type AccessChange =
  /** The secret signs the tokens of this time; it is ignored when access control is on already. */
  | { readonly type: 'enable'; readonly tokenSecret: Secret }
  | { readonly type: 'disable' }
  /** `password`: what the service made of it; ignored with `noPassword`. */
  | { readonly type: 'userAdd'; readonly user: string; readonly password: Secret; readonly noPassword: boolean }
  | { readonly type: 'userDelete'; readonly user: string }
  | { readonly type: 'userChangePassword'; readonly user: string; readonly password: Secret }
  | { readonly type: 'userGrantRole'; readonly user: string; readonly role: string }
  | { readonly type: 'userRevokeRole'; readonly user: string; readonly role: string }
  | { readonly type: 'roleAdd'; readonly role: string }
  | { readonly type: 'roleDelete'; readonly role: string }
  /** `permission` absent: PERMISSION_MISSING. */
  | { readonly type: 'roleGrantPermission'; readonly role: string; readonly permission?: KeyPermission }
  | {
      readonly type: 'roleRevokePermission';
      readonly role: string;
      readonly key: Bytes;
      readonly rangeEnd: Bytes;
    };

/** A row of the access space; null = delete it. */
export interface AccessRowWrite {
  readonly key: Bytes;
  readonly value: Bytes | null;
}

export type AccessOutcome =
  /** No rows: everything is as it is wanted. */
  | { readonly type: 'rows'; readonly rows: readonly AccessRowWrite[] }
  | { readonly type: 'failure'; readonly code: ErrorCode; readonly message: string };

/** `bytesMax`: how much all rows together may take. */
export function executeAccessChange(change: AccessChange, view: AccessView, bytesMax: number): AccessOutcome {
  switch (change.type) {
    case 'enable':
      return enable(change.tokenSecret, view);
    case 'disable':
      return disable(view);
    case 'userAdd':
      return addUser(change, view, bytesMax);
    case 'userDelete':
      return deleteUser(change.user, view);
    case 'userChangePassword':
      return changePassword(change, view, bytesMax);
    case 'userGrantRole':
      return grantRole(change, view, bytesMax);
    case 'userRevokeRole':
      return revokeRole(change, view);
    case 'roleAdd':
      return addRole(change.role, view, bytesMax);
    case 'roleDelete':
      return deleteRole(change.role, view);
    case 'roleGrantPermission':
      return grantPermission(change, view, bytesMax);
    case 'roleRevokePermission':
      return revokePermission(change, view);
    default:
      return unreachable(change);
  }
}

function enable(tokenSecret: Secret, view: AccessView): AccessOutcome {
  const { settings } = view;
  if (settings.enabled) return noRows;
  const root = view.user(rootName);
  if (root === undefined) return failure('ROOT_USER_MISSING', 'Cannot enable access control: there is no user "root"');
  if (!isRoot(root)) {
    return failure('ROOT_ROLE_MISSING', 'Cannot enable access control: the user "root" lacks the role "root"');
  }
  // As in etcd, this does not count as a change of users, roles or permissions.
  return { type: 'rows', rows: [settingsRow({ ...settings, enabled: true, tokenSecret })] };
}

function disable(view: AccessView): AccessOutcome {
  return view.settings.enabled ? changed(view, [], { enabled: false }) : noRows;
}

function addUser(
  change: Extract<AccessChange, { type: 'userAdd' }>,
  view: AccessView,
  bytesMax: number,
): AccessOutcome {
  const { user: name, password, noPassword } = change;
  if (name === '') return failure('USER_NAME_EMPTY', 'Cannot add a user: the name is empty');
  if (view.user(name) !== undefined) return failure('USER_EXISTS', 'Cannot add the user: there is one of this name');
  const user = { name, password, noPassword, roles: [], credentialRevision: view.settings.revision + 1 };
  return within(bytesMax, view, userRow(user), 0);
}

function deleteUser(name: string, view: AccessView): AccessOutcome {
  if (view.settings.enabled && name === rootName) {
    return failure('ACCESS_INVALID_CHANGE', 'Cannot delete the user "root" while access control is on');
  }
  if (view.user(name) === undefined) return noSuchUser;
  return changed(view, [{ key: userKey(name), value: null }]);
}

function changePassword(
  change: Extract<AccessChange, { type: 'userChangePassword' }>,
  view: AccessView,
  bytesMax: number,
): AccessOutcome {
  const user = view.user(change.user);
  if (user === undefined) return noSuchUser;
  const password = user.noPassword ? user.password : change.password;
  const next = { ...user, password, credentialRevision: view.settings.revision + 1 };
  return within(bytesMax, view, userRow(next), encodeUser(user).length);
}

function grantRole(
  change: Extract<AccessChange, { type: 'userGrantRole' }>,
  view: AccessView,
  bytesMax: number,
): AccessOutcome {
  const user = view.user(change.user);
  if (user === undefined) return noSuchUser;
  if (change.role !== rootName && view.role(change.role) === undefined) return noSuchRole;
  if (user.roles.includes(change.role)) return noRows;
  const roles = [...user.roles, change.role].sort(compareNames);
  return within(bytesMax, view, userRow({ ...user, roles }), encodeUser(user).length);
}

function revokeRole(change: Extract<AccessChange, { type: 'userRevokeRole' }>, view: AccessView): AccessOutcome {
  if (view.settings.enabled && change.user === rootName && change.role === rootName) {
    return failure(
      'ACCESS_INVALID_CHANGE',
      'Cannot revoke the role "root" from the user "root" while access control is on',
    );
  }
  const user = view.user(change.user);
  if (user === undefined) return noSuchUser;
  if (!user.roles.includes(change.role)) {
    return failure('ROLE_NOT_GRANTED', 'Cannot revoke the role: the user does not have it');
  }
  return changed(view, [withoutRole(user, change.role)]);
}

function addRole(name: string, view: AccessView, bytesMax: number): AccessOutcome {
  if (name === '') return failure('ROLE_NAME_EMPTY', 'Cannot add a role: the name is empty');
  if (view.role(name) !== undefined) return failure('ROLE_EXISTS', 'Cannot add the role: there is one of this name');
  return within(bytesMax, view, roleRow({ name, permissions: [] }), 0);
}

function deleteRole(name: string, view: AccessView): AccessOutcome {
  if (view.settings.enabled && name === rootName) {
    return failure('ACCESS_INVALID_CHANGE', 'Cannot delete the role "root" while access control is on');
  }
  if (view.role(name) === undefined) return noSuchRole;
  const rows: AccessRowWrite[] = [{ key: roleKey(name), value: null }];
  for (const userName of view.userNames()) {
    const user = view.user(userName);
    if (user?.roles.includes(name)) rows.push(withoutRole(user, name));
  }
  return changed(view, rows);
}

function grantPermission(
  change: Extract<AccessChange, { type: 'roleGrantPermission' }>,
  view: AccessView,
  bytesMax: number,
): AccessOutcome {
  const { permission } = change;
  if (permission === undefined) return failure('PERMISSION_MISSING', 'Cannot grant a permission: none is given');
  if (!isRange(permission)) {
    return failure('ACCESS_INVALID_CHANGE', 'Cannot grant the permission: its range is empty, or has no first key');
  }
  const role = view.role(change.role);
  if (role === undefined) return noSuchRole;
  const others = role.permissions.filter((held) => !sameRange(held, permission));
  const permissions = [...others, permission].sort(
    (a, b) => compareBytes(a.key, b.key) || compareBytes(a.rangeEnd, b.rangeEnd),
  );
  return within(bytesMax, view, roleRow({ ...role, permissions }), encodeRole(role).length);
}

function revokePermission(
  change: Extract<AccessChange, { type: 'roleRevokePermission' }>,
  view: AccessView,
): AccessOutcome {
  const role = view.role(change.role);
  if (role === undefined) return noSuchRole;
  const permissions = role.permissions.filter((held) => !sameRange(held, change));
  if (permissions.length === role.permissions.length) {
    return failure('PERMISSION_NOT_GRANTED', 'Cannot revoke the permission: the role does not have it');
  }
  return changed(view, [roleRow({ ...role, permissions })]);
}

/** One key, a range that holds something, or everything from a key on. */
function isRange({ key, rangeEnd }: KeyPermission): boolean {
  if (key.length === 0) return false;
  return rangeEnd.length === 0 || isOpenEnd(rangeEnd) || compareBytes(key, rangeEnd) < 0;
}

/** etcd's way to say "to the last key". */
export function isOpenEnd(rangeEnd: Bytes): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}

function sameRange(a: Pick<KeyPermission, 'key' | 'rangeEnd'>, b: Pick<KeyPermission, 'key' | 'rangeEnd'>): boolean {
  return equalBytes(a.key, b.key) && equalBytes(a.rangeEnd, b.rangeEnd);
}

function withoutRole(user: UserRecord, role: string): AccessRowWrite {
  return userRow({ ...user, roles: user.roles.filter((held) => held !== role) });
}

function userRow(user: UserRecord): AccessRowWrite {
  return { key: userKey(user.name), value: encodeUser(user) };
}

function roleRow(role: RoleRecord): AccessRowWrite {
  return { key: roleKey(role.name), value: encodeRole(role) };
}

function settingsRow(settings: AccessSettings): AccessRowWrite {
  return { key: settingsKey, value: encodeSettings(settings) };
}

/** The rows, and the settings with the next access revision. */
function changed(
  view: AccessView,
  rows: readonly AccessRowWrite[],
  settings: Partial<AccessSettings> = {},
): AccessOutcome {
  const next = { ...view.settings, ...settings, revision: view.settings.revision + 1 };
  return { type: 'rows', rows: [...rows, settingsRow(next)] };
}

/** A row that may grow; `valueBytes`: of the row that it replaces, 0 when there is none. */
function within(bytesMax: number, view: AccessView, row: AccessRowWrite, valueBytes: number): AccessOutcome {
  const value = row.value?.length ?? 0;
  const grows = valueBytes === 0 ? row.key.length + value : value - valueBytes;
  if (grows > 0 && view.bytes + grows > bytesMax) {
    return failure('TOO_LARGE', `Users and roles take ${view.bytes} bytes: the limit is ${bytesMax} (accessBytesMax)`);
  }
  return changed(view, [row]);
}

const noRows: AccessOutcome = { type: 'rows', rows: [] };
const noSuchUser = failure('USER_NOT_FOUND', 'There is no user of this name');
const noSuchRole = failure('ROLE_NOT_FOUND', 'There is no role of this name');

function failure(code: ErrorCode, message: string): AccessOutcome {
  return { type: 'failure', code, message };
}
