// Who may do what, judged by one view of access control: its users' permissions, merged over their roles and kept until
// the view changes. Gives refusals as data and changes nothing.

import type { ErrorCode } from '../../shared/errors.js';
import type { Actor } from '../command.js';
import type { KeySelection } from '../transaction.js';
import { isOpenEnd } from './access-change.js';
import { isRoot, type KeyPermission, type UserRecord } from './access-records.js';
import type { AccessView } from './access-state.js';
import { type KeyRange, KeyRanges, rangeOfKey } from './key-ranges.js';

export interface Refusal {
  readonly type: 'failure';
  readonly code: ErrorCode;
  readonly message: string;
}

/** What one user may read and write. */
export interface Grants {
  readonly type: 'grants';
  /** Everything: the user has the role root, or access control is off. */
  readonly all: boolean;
  readonly read: KeyRanges;
  readonly write: KeyRanges;
}

const nothing = new KeyRanges([]);
const everything: Grants = { type: 'grants', all: true, read: nothing, write: nothing };

export const permissionDenied = refusal('PERMISSION_DENIED', 'Permission denied');
const noUser = refusal('USER_NAME_EMPTY', 'Access control is on, and the request names no user');
const accessChanged = refusal(
  'ACCESS_CHANGED',
  'Users, roles or permissions have changed since the request was admitted',
);
const unknownUser = refusal('USER_NOT_FOUND', 'There is no user of this name');

export class AccessJudge {
  private readonly view: AccessView;
  private readonly rangesMax: number;
  private readonly kept = new Map<string, Grants>();
  /** Ranges of all that is kept. */
  private ranges = 0;
  private stamp = -1;

  /** `rangesMax`: ranges kept for all users together. */
  constructor(view: AccessView, rangesMax: number) {
    this.view = view;
    this.rangesMax = rangesMax;
  }

  get enabled(): boolean {
    return this.view.settings.enabled;
  }

  /** What the actor may do, if it may do anything at all; in etcd's order of checks. */
  grantsOf(actor: Actor): Grants | Refusal {
    const { settings } = this.view;
    if (!settings.enabled) return everything;
    if (actor.user === '') return noUser;
    if (actor.accessRevision < settings.revision) return accessChanged;
    const user = this.view.user(actor.user);
    if (user === undefined) return permissionDenied;
    return isRoot(user) ? everything : this.merged(user);
  }

  /** Undefined: the actor may administer. Judged by the state alone: changes of it may follow each other closely. */
  adminRefusal(actor: Actor): Refusal | undefined {
    if (!this.enabled) return undefined;
    if (actor.user === '') return noUser;
    const user = this.view.user(actor.user);
    if (user === undefined) return unknownUser;
    return isRoot(user) ? undefined : permissionDenied;
  }

  private merged(user: UserRecord): Grants {
    if (this.stamp !== this.view.stamp) {
      this.kept.clear();
      this.ranges = 0;
      this.stamp = this.view.stamp;
    }
    const kept = this.kept.get(user.name);
    if (kept !== undefined) return kept;
    const grants = this.merge(user);
    this.kept.set(user.name, grants);
    this.ranges += sizeOf(grants);
    for (const [name, oldest] of this.kept) {
      if (this.ranges <= this.rangesMax || this.kept.size === 1) break;
      this.kept.delete(name);
      this.ranges -= sizeOf(oldest);
    }
    return grants;
  }

  private merge(user: UserRecord): Grants {
    const read: KeyRange[] = [];
    const write: KeyRange[] = [];
    for (const roleName of user.roles) {
      for (const permission of this.view.role(roleName)?.permissions ?? []) {
        const range = rangeOf(permission);
        if (permission.type !== 'write') read.push(range);
        if (permission.type !== 'read') write.push(range);
      }
    }
    return { type: 'grants', all: false, read: new KeyRanges(read), write: new KeyRanges(write) };
  }
}

export function mayRead(grants: Grants, keys: KeySelection): boolean {
  return grants.all || holds(grants.read, keys);
}

export function mayWrite(grants: Grants, keys: KeySelection): boolean {
  return grants.all || holds(grants.write, keys);
}

function holds(ranges: KeyRanges, { from, to, single }: KeySelection): boolean {
  return single ? ranges.rangeAt(from) !== undefined : ranges.covers(from, to);
}

function rangeOf({ key, rangeEnd }: KeyPermission): KeyRange {
  if (rangeEnd.length === 0) return rangeOfKey(key);
  return { from: key, to: isOpenEnd(rangeEnd) ? undefined : rangeEnd };
}

/** A user without permissions takes a place too. */
function sizeOf(grants: Grants): number {
  return 1 + grants.read.size + grants.write.size;
}

function refusal(code: ErrorCode, message: string): Refusal {
  return { type: 'failure', code, message };
}
