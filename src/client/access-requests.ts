// What a client asks about access control: users, roles and permissions, and whether they count. Knows no connection; no
// password is kept or shown.

import { emptyBytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';
import type { AccessAnswer, AccessChange, AccessQuestion, KeyPermission } from '../wire/native-messages.js';
import { utf8Encode } from '../wire/protobuf/utf8.js';
import { type RangeOptions, selectionOf } from './key-range.js';
import type { RequestOptions, WriteResult } from './request-options.js';

export type { KeyPermission };

export interface AccessStatusResult {
  readonly enabled: boolean;
  /** Every change of users, roles and permissions adds one. */
  readonly accessRevision: number;
}

/** How requests about access control are sent. */
export interface AccessPort {
  change(change: AccessChange, options: RequestOptions): Promise<WriteResult>;
  ask(question: AccessQuestion, options: RequestOptions): Promise<AccessAnswer>;
}

/** How etcd writes "to the last key". */
const noEnd = new Uint8Array([0]);

export class AccessRequests {
  readonly #port: AccessPort;

  constructor(port: AccessPort) {
    this.#port = port;
  }

  /** Fails with ROOT_USER_MISSING or ROOT_ROLE_MISSING where nobody could turn it off again. */
  enable(options: RequestOptions = {}): Promise<WriteResult> {
    return this.#port.change({ type: 'enable', tokenSecret: new Secret(emptyBytes) }, options);
  }

  disable(options: RequestOptions = {}): Promise<WriteResult> {
    return this.#port.change({ type: 'disable' }, options);
  }

  async status(options: RequestOptions = {}): Promise<AccessStatusResult> {
    const { enabled, accessRevision } = await this.#port.ask({ type: 'status' }, options);
    return { enabled, accessRevision };
  }

  /** `password` undefined: a user that only a certificate can name. */
  addUser(user: string, password: string | undefined, options: RequestOptions = {}): Promise<WriteResult> {
    const noPassword = password === undefined;
    return this.#port.change({ type: 'userAdd', user, password: secretOf(password ?? ''), noPassword }, options);
  }

  deleteUser(user: string, options: RequestOptions = {}): Promise<WriteResult> {
    return this.#port.change({ type: 'userDelete', user }, options);
  }

  changePassword(user: string, password: string, options: RequestOptions = {}): Promise<WriteResult> {
    return this.#port.change({ type: 'userChangePassword', user, password: secretOf(password) }, options);
  }

  grantRole(user: string, role: string, options: RequestOptions = {}): Promise<WriteResult> {
    return this.#port.change({ type: 'userGrantRole', user, role }, options);
  }

  revokeRole(user: string, role: string, options: RequestOptions = {}): Promise<WriteResult> {
    return this.#port.change({ type: 'userRevokeRole', user, role }, options);
  }

  /** Names in order; so for all of them. */
  async users(options: RequestOptions = {}): Promise<readonly string[]> {
    return (await this.#port.ask({ type: 'users' }, options)).names;
  }

  async rolesOf(user: string, options: RequestOptions = {}): Promise<readonly string[]> {
    return (await this.#port.ask({ type: 'rolesOfUser', name: user }, options)).names;
  }

  addRole(role: string, options: RequestOptions = {}): Promise<WriteResult> {
    return this.#port.change({ type: 'roleAdd', role }, options);
  }

  /** Users lose it, too. */
  deleteRole(role: string, options: RequestOptions = {}): Promise<WriteResult> {
    return this.#port.change({ type: 'roleDelete', role }, options);
  }

  async roles(options: RequestOptions = {}): Promise<readonly string[]> {
    return (await this.#port.ask({ type: 'roles' }, options)).names;
  }

  async permissionsOf(role: string, options: RequestOptions = {}): Promise<readonly KeyPermission[]> {
    return (await this.#port.ask({ type: 'permissionsOfRole', name: role }, options)).permissions;
  }

  /** Replaces what the role had for this very range. */
  async grantPermission(
    role: string,
    type: KeyPermission['type'],
    range: RangeOptions,
    options: RequestOptions = {},
  ): Promise<WriteResult> {
    const permission = { type, ...permittedRange(range) };
    return await this.#port.change({ type: 'roleGrantPermission', role, permission }, options);
  }

  /** The range has to be the one that was granted, not a part of it. */
  async revokePermission(role: string, range: RangeOptions, options: RequestOptions = {}): Promise<WriteResult> {
    return await this.#port.change({ type: 'roleRevokePermission', role, ...permittedRange(range) }, options);
  }
}

function secretOf(password: string): Secret {
  return new Secret(utf8Encode(password));
}

function permittedRange(range: RangeOptions): Pick<KeyPermission, 'key' | 'rangeEnd'> {
  const { from, to, single } = selectionOf(range);
  // Nothing is before this key, so that it can only be meant as no end at all: which has to be left out.
  if (to?.length === 1 && to[0] === 0) {
    throw new StoreError('INVALID_ARGUMENT', 'Cannot take the range: it ends before every key');
  }
  return { key: from, rangeEnd: single ? emptyBytes : (to ?? noEnd) };
}
