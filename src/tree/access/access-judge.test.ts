// Permissions against a naive model: a user may do something to a range when every key that could matter is granted.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, compareBytes } from '../../shared/bytes.js';
import { Secret } from '../../shared/secret.js';
import type { KeySelection } from '../transaction.js';
import { AccessJudge, mayRead, mayWrite } from './access-judge.js';
import type { KeyPermission, PermissionType, RoleRecord, UserRecord } from './access-records.js';
import type { AccessView } from './access-state.js';

const key = fc.array(fc.constantFrom(0, 97, 98, 255), { minLength: 1, maxLength: 3 }).map((at) => new Uint8Array(at));
const successor = (of: Bytes): Bytes => new Uint8Array([...of, 0]);
const before = (a: Bytes, b: Bytes | undefined): boolean => b === undefined || compareBytes(a, b) < 0;

const range = fc
  .tuple(key, fc.constantFrom('one', 'to', 'open'), key)
  .filter(([from, kind, to]) => kind !== 'to' || (compareBytes(from, to) < 0 && !(to.length === 1 && to[0] === 0)));

const permission: fc.Arbitrary<KeyPermission> = fc
  .tuple(range, fc.constantFrom<PermissionType>('read', 'write', 'readwrite'))
  .map(([[from, kind, to], type]) => ({
    type,
    key: from,
    rangeEnd: kind === 'one' ? new Uint8Array(0) : kind === 'open' ? new Uint8Array([0]) : to,
  }));

const selection: fc.Arbitrary<KeySelection> = range.map(([from, kind, to]) => ({
  from,
  to: kind === 'to' ? to : undefined,
  single: kind === 'one',
}));

const roles = fc.array(fc.array(permission, { maxLength: 6 }), { minLength: 1, maxLength: 4 });

class Fixed implements AccessView {
  readonly settings = { enabled: true, revision: 7, tokenSecret: new Secret(new Uint8Array(0)) };
  readonly bytes = 0;
  stamp = 1;
  readonly users = new Map<string, UserRecord>();
  readonly rolesByName = new Map<string, RoleRecord>();

  constructor(permissions: readonly (readonly KeyPermission[])[], granted: readonly number[], user = 'u') {
    permissions.forEach((held, at) => void this.rolesByName.set(`${at}`, { name: `${at}`, permissions: held }));
    this.add(user, granted.map(String));
  }

  add(name: string, names: readonly string[]): void {
    const password = new Secret(new Uint8Array(0));
    this.users.set(name, { name, password, noPassword: false, roles: names, credentialRevision: 1 });
  }

  user(name: string): UserRecord | undefined {
    return this.users.get(name);
  }

  role(name: string): RoleRecord | undefined {
    return this.rolesByName.get(name);
  }

  userNames(): Iterable<string> {
    return this.users.keys();
  }

  roleNames(): Iterable<string> {
    return this.rolesByName.keys();
  }
}

const endOf = ({ key: from, rangeEnd }: KeyPermission): Bytes | undefined =>
  rangeEnd.length === 0 ? successor(from) : rangeEnd.length === 1 && rangeEnd[0] === 0 ? undefined : rangeEnd;

/** Between two neighbouring ends of ranges nothing changes, so that the ends themselves stand for all keys. */
function permitted(held: readonly KeyPermission[], type: 'read' | 'write', wanted: KeySelection): boolean {
  const counting = held.filter((one) => one.type === type || one.type === 'readwrite');
  const to = wanted.single ? successor(wanted.from) : wanted.to;
  const ends = [wanted.from, ...counting.flatMap((one) => [one.key, endOf(one) ?? one.key])];
  const inside = ends.filter((end) => compareBytes(wanted.from, end) <= 0 && before(end, to));
  return inside.every((at) => counting.some((one) => compareBytes(one.key, at) <= 0 && before(at, endOf(one))));
}

const grantsOf = (
  judge: AccessJudge,
  user: string,
): Exclude<ReturnType<AccessJudge['grantsOf']>, { type: 'failure' }> => {
  const grants = judge.grantsOf({ user, accessRevision: 7 });
  if (grants.type === 'failure') throw new Error(grants.code);
  return grants;
};

describe('AccessJudge', () => {
  it('grants what the permissions of all roles of a user grant together, and nothing else', () => {
    let denied = 0;
    let granted = 0;
    fc.assert(
      fc.property(roles, fc.uniqueArray(fc.nat(3)), fc.array(selection, { minLength: 1 }), (all, names, wanted) => {
        const judge = new AccessJudge(new Fixed(all, names), 1000);
        const held = names.flatMap((name) => all[name] ?? []);
        for (const keys of wanted) {
          const grants = grantsOf(judge, 'u');
          expect(mayRead(grants, keys)).toBe(permitted(held, 'read', keys));
          expect(mayWrite(grants, keys)).toBe(permitted(held, 'write', keys));
          if (permitted(held, 'read', keys)) granted++;
          else denied++;
        }
      }),
      { numRuns: 500 },
    );
    expect(Math.min(denied, granted)).toBeGreaterThan(100);
  });

  it('keeps no more merged ranges than it may, and forgets them when the view changes', () => {
    const one = (from: string): KeyPermission => ({
      type: 'readwrite',
      key: Buffer.from(from),
      rangeEnd: new Uint8Array(0),
    });
    const view = new Fixed([[one('a'), one('c')], [one('e')]], [0, 1]);
    for (const name of ['v', 'w']) view.add(name, ['1']);
    const judge = new AccessJudge(view, 4);
    const kept = grantsOf(judge, 'w');
    expect(grantsOf(judge, 'w')).toBe(kept);
    grantsOf(judge, 'u');
    expect(grantsOf(judge, 'w')).not.toBe(kept);
    const again = grantsOf(judge, 'w');
    view.stamp++;
    expect(grantsOf(judge, 'w')).not.toBe(again);
  });

  it('refuses in the order of etcd: nobody, too old, unknown', () => {
    const judge = new AccessJudge(new Fixed([], []), 100);
    expect(judge.grantsOf({ user: '', accessRevision: 1 })).toMatchObject({ code: 'USER_NAME_EMPTY' });
    expect(judge.grantsOf({ user: 'x', accessRevision: 6 })).toMatchObject({ code: 'ACCESS_CHANGED' });
    expect(judge.grantsOf({ user: 'x', accessRevision: 7 })).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(judge.adminRefusal({ user: '', accessRevision: 7 })).toMatchObject({ code: 'USER_NAME_EMPTY' });
    expect(judge.adminRefusal({ user: 'x', accessRevision: 1 })).toMatchObject({ code: 'USER_NOT_FOUND' });
    expect(judge.adminRefusal({ user: 'u', accessRevision: 1 })).toMatchObject({ code: 'PERMISSION_DENIED' });
  });
});
