// Access control as data: users, roles with their permissions, and whether they count. etcd's model. Names are text,
// what is secret is wrapped; nothing here decides anything.

import { type Bytes, compareBytes, emptyBytes } from '../../shared/bytes.js';
import { Secret } from '../../shared/secret.js';
import { utf8Bytes } from '../../shared/utf8.js';

/** The user without whom access control cannot be on, and the role that may do everything. */
export const rootName = 'root';

export type PermissionType = 'read' | 'write' | 'readwrite';

/** One key, or with a `rangeEnd` a range; a `rangeEnd` of one zero byte: from `key` to the last key. */
export interface KeyPermission {
  readonly type: PermissionType;
  readonly key: Bytes;
  readonly rangeEnd: Bytes;
}

export interface UserRecord {
  readonly name: string;
  /** What the service made of the password; empty with `noPassword`. */
  readonly password: Secret;
  /** May not log in with a password, only be named by a certificate. */
  readonly noPassword: boolean;
  /** In the order of their UTF-8 bytes, each once. */
  readonly roles: readonly string[];
  /** Access revision that created the user or changed the password: what was signed for an older one counts no more. */
  readonly credentialRevision: number;
}

export interface RoleRecord {
  readonly name: string;
  /** By key and range end. */
  readonly permissions: readonly KeyPermission[];
}

export interface AccessSettings {
  readonly enabled: boolean;
  /** From 1; every change of users, roles and permissions adds one. */
  readonly revision: number;
  /** What signs tokens; drawn anew whenever access control is enabled, empty before. */
  readonly tokenSecret: Secret;
}

export const firstSettings: AccessSettings = { enabled: false, revision: 1, tokenSecret: new Secret(emptyBytes) };

export function compareNames(a: string, b: string): number {
  return compareBytes(utf8Bytes(a), utf8Bytes(b));
}

export function isRoot(user: UserRecord): boolean {
  return user.roles.includes(rootName);
}
