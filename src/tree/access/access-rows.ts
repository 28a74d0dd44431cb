// Rows of the `access` space as bytes: a kind and a name as the key, the record as the value. The store verifies what it
// reads, so a row that cannot be read is a broken invariant.

import { assert } from '../../shared/assert.js';
import { type Bytes, copyBytes, emptyBytes } from '../../shared/bytes.js';
import { Secret } from '../../shared/secret.js';
import { utf8Bytes, utf8Text } from '../../shared/utf8.js';
import type { AccessSettings, KeyPermission, PermissionType, RoleRecord, UserRecord } from './access-records.js';

/** First byte of a row's key. On disk: never renumber. */
const kinds = { settings: 1, user: 2, role: 3 } as const;

/** First byte of a row's value. */
const format = 1;

const permissionTypes = ['read', 'write', 'readwrite'] as const satisfies readonly PermissionType[];

export type AccessRow =
  | { readonly type: 'settings' }
  | { readonly type: 'user'; readonly name: string }
  | { readonly type: 'role'; readonly name: string };

export const settingsKey: Bytes = new Uint8Array([kinds.settings]);

export function userKey(name: string): Bytes {
  return namedKey(kinds.user, name);
}

export function roleKey(name: string): Bytes {
  return namedKey(kinds.role, name);
}

/** What a row's key names; undefined: a kind that only a newer version knows, and that does not count here. */
export function rowOf(key: Bytes): AccessRow | undefined {
  switch (key[0]) {
    case kinds.settings:
      return { type: 'settings' };
    case kinds.user:
      return { type: 'user', name: utf8Text(key.subarray(1)) };
    case kinds.role:
      return { type: 'role', name: utf8Text(key.subarray(1)) };
    default:
      return undefined;
  }
}

export function encodeUser(user: UserRecord): Bytes {
  const row = new RowWriter();
  row.number(user.noPassword ? 1 : 0);
  row.number(user.credentialRevision);
  row.bytes(user.password.reveal());
  row.number(user.roles.length);
  for (const role of user.roles) row.bytes(utf8Bytes(role));
  return row.finish();
}

export function decodeUser(name: string, value: Bytes): UserRecord {
  const row = new RowReader(value);
  const noPassword = row.number() === 1;
  const credentialRevision = row.number();
  const password = new Secret(row.bytes());
  const roles: string[] = [];
  for (let count = row.number(); count > 0; count--) roles.push(utf8Text(row.bytes()));
  return { name, password, noPassword, roles, credentialRevision };
}

export function encodeRole(role: RoleRecord): Bytes {
  const row = new RowWriter();
  row.number(role.permissions.length);
  for (const { type, key, rangeEnd } of role.permissions) {
    row.number(permissionTypes.indexOf(type));
    row.bytes(key);
    row.bytes(rangeEnd);
  }
  return row.finish();
}

export function decodeRole(name: string, value: Bytes): RoleRecord {
  const row = new RowReader(value);
  const permissions: KeyPermission[] = [];
  for (let count = row.number(); count > 0; count--) {
    const type = permissionTypes[row.number()];
    assert(type !== undefined, 'Cannot read a role: it has a permission of an unknown type');
    permissions.push({ type, key: row.bytes(), rangeEnd: row.bytes() });
  }
  return { name, permissions };
}

export function encodeSettings(settings: AccessSettings): Bytes {
  const row = new RowWriter();
  row.number(settings.enabled ? 1 : 0);
  row.number(settings.revision);
  row.bytes(settings.tokenSecret.reveal());
  return row.finish();
}

export function decodeSettings(value: Bytes): AccessSettings {
  const row = new RowReader(value);
  return { enabled: row.number() === 1, revision: row.number(), tokenSecret: new Secret(row.bytes()) };
}

function namedKey(kind: number, name: string): Bytes {
  const text = utf8Bytes(name);
  const key = new Uint8Array(1 + text.length);
  key[0] = kind;
  key.set(text, 1);
  return key;
}

/** Numbers as base-128 varints, byte strings with their length in front. */
class RowWriter {
  private readonly pieces: Bytes[] = [new Uint8Array([format])];

  number(value: number): void {
    const piece: number[] = [];
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) piece.push((rest % 128) | 0x80);
    piece.push(rest);
    this.pieces.push(new Uint8Array(piece));
  }

  bytes(value: Bytes): void {
    this.number(value.length);
    this.pieces.push(value);
  }

  finish(): Bytes {
    const row = new Uint8Array(this.pieces.reduce((length, piece) => length + piece.length, 0));
    let at = 0;
    for (const piece of this.pieces) {
      row.set(piece, at);
      at += piece.length;
    }
    return row;
  }
}

class RowReader {
  private readonly row: Bytes;
  private at = 1;

  constructor(row: Bytes) {
    assert(row[0] === format, `Cannot read a row of access control: its format is ${row[0]}, expected ${format}`);
    this.row = row;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.row[this.at++];
      assert(byte !== undefined, 'Cannot read a row of access control: it ends inside a number');
      value += (byte & 0x7f) * scale;
      if (byte < 128) return value;
    }
  }

  /** A copy: a row may lie in memory that is reused. */
  bytes(): Bytes {
    const length = this.number();
    assert(this.at + length <= this.row.length, 'Cannot read a row of access control: a length passes its end');
    const value = length === 0 ? emptyBytes : copyBytes(this.row.subarray(this.at, this.at + length));
    this.at += length;
    return value;
  }
}
