import { describe, expect, it } from 'vitest';
import { emptyBytes } from '../../shared/bytes.js';
import { Secret } from '../../shared/secret.js';
import { type AccessChange, executeAccessChange } from './access-change.js';
import type { PermissionType } from './access-records.js';
import { AccessState, StagedAccess } from './access-state.js';

const bytesMax = 10_000;
const secret = (text: string): Secret => new Secret(new Uint8Array(Buffer.from(text)));
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

/** Makes the change, and says what came of it: a code, or how many rows. */
function change(state: AccessState, wanted: AccessChange, limit = bytesMax): string | number {
  const outcome = executeAccessChange(wanted, state, limit);
  if (outcome.type === 'failure') return outcome.code;
  for (const { key, value } of outcome.rows) {
    const record = value === null ? null : { key, value, createRevision: 1, modRevision: 1, version: 1, lease: 0n };
    state.apply({ key, record } as Parameters<AccessState['apply']>[0]);
  }
  return outcome.rows.length;
}

const addUser = (user: string): AccessChange => ({ type: 'userAdd', user, password: secret(user), noPassword: false });
const grant = (role: string, key: string, rangeEnd = '', type: PermissionType = 'read'): AccessChange => ({
  type: 'roleGrantPermission',
  role,
  permission: { type, key: bytes(key), rangeEnd: bytes(rangeEnd) },
});

function enabled(): AccessState {
  const state = new AccessState();
  change(state, addUser('root'));
  change(state, { type: 'userGrantRole', user: 'root', role: 'root' });
  change(state, { type: 'enable', tokenSecret: secret('s1') });
  return state;
}

describe('changes of access control', () => {
  it('enable needs the user root with the role root, and does not count as a change', () => {
    const state = new AccessState();
    const enable: AccessChange = { type: 'enable', tokenSecret: secret('s1') };
    expect(change(state, enable)).toBe('ROOT_USER_MISSING');
    change(state, addUser('root'));
    expect(change(state, enable)).toBe('ROOT_ROLE_MISSING');
    // The role root may be granted without being there.
    expect(change(state, { type: 'userGrantRole', user: 'root', role: 'root' })).toBe(2);
    expect(state.settings.revision).toBe(3);
    expect(change(state, enable)).toBe(1);
    expect(state.settings).toMatchObject({ enabled: true, revision: 3 });
    expect(change(state, { type: 'enable', tokenSecret: secret('s2') })).toBe(0);
    expect(state.settings.tokenSecret.reveal()).toEqual(bytes('s1'));
  });

  it('disable counts as a change, once, and the next enable brings another secret', () => {
    const state = enabled();
    expect(change(state, { type: 'disable' })).toBe(1);
    expect(change(state, { type: 'disable' })).toBe(0);
    expect(state.settings).toMatchObject({ enabled: false, revision: 4 });
    change(state, { type: 'enable', tokenSecret: secret('s2') });
    expect(state.settings.tokenSecret.reveal()).toEqual(bytes('s2'));
  });

  it('keeps root what it is while access control is on, and lets go of it when it is off', () => {
    const state = enabled();
    change(state, { type: 'roleAdd', role: 'root' });
    const changes: AccessChange[] = [
      { type: 'userRevokeRole', user: 'root', role: 'root' },
      { type: 'roleDelete', role: 'root' },
      { type: 'userDelete', user: 'root' },
    ];
    for (const wanted of changes) expect(change(state, wanted)).toBe('ACCESS_INVALID_CHANGE');
    change(state, { type: 'disable' });
    for (const wanted of changes) expect(change(state, wanted)).toBe(2);
  });

  it('refuses users and roles that are there, are not there, or have no name', () => {
    const state = new AccessState();
    expect(change(state, addUser(''))).toBe('USER_NAME_EMPTY');
    expect(change(state, { type: 'roleAdd', role: '' })).toBe('ROLE_NAME_EMPTY');
    change(state, addUser('u'));
    expect(change(state, addUser('u'))).toBe('USER_EXISTS');
    change(state, { type: 'roleAdd', role: 'r' });
    expect(change(state, { type: 'roleAdd', role: 'r' })).toBe('ROLE_EXISTS');
    expect(change(state, { type: 'userDelete', user: 'x' })).toBe('USER_NOT_FOUND');
    expect(change(state, { type: 'roleDelete', role: 'x' })).toBe('ROLE_NOT_FOUND');
    expect(change(state, { type: 'userChangePassword', user: 'x', password: secret('p') })).toBe('USER_NOT_FOUND');
    expect(change(state, { type: 'userGrantRole', user: 'x', role: 'x' })).toBe('USER_NOT_FOUND');
    expect(change(state, { type: 'userGrantRole', user: 'u', role: 'x' })).toBe('ROLE_NOT_FOUND');
    expect(change(state, { type: 'userRevokeRole', user: 'u', role: 'r' })).toBe('ROLE_NOT_GRANTED');
    expect(change(state, grant('x', 'a'))).toBe('ROLE_NOT_FOUND');
  });

  it('a role that is granted twice is granted, and changes nothing', () => {
    const state = new AccessState();
    change(state, addUser('u'));
    for (const role of ['b', 'a']) change(state, { type: 'roleAdd', role });
    for (const role of ['b', 'a']) expect(change(state, { type: 'userGrantRole', user: 'u', role })).toBe(2);
    const { revision } = state.settings;
    expect(change(state, { type: 'userGrantRole', user: 'u', role: 'a' })).toBe(0);
    expect(state.settings.revision).toBe(revision);
    expect(state.user('u')?.roles).toEqual(['a', 'b']);
  });

  it('deleting a role takes it from all who have it', () => {
    const state = new AccessState();
    for (const role of ['r', 'other']) change(state, { type: 'roleAdd', role });
    for (const user of ['a', 'b', 'c']) change(state, addUser(user));
    for (const user of ['a', 'c']) change(state, { type: 'userGrantRole', user, role: 'r' });
    change(state, { type: 'userGrantRole', user: 'c', role: 'other' });
    expect(change(state, { type: 'roleDelete', role: 'r' })).toBe(4);
    expect(state.user('a')?.roles).toEqual([]);
    expect(state.user('c')?.roles).toEqual(['other']);
  });

  it('grants one permission a range, replacing its type, and revokes by the very range', () => {
    const state = new AccessState();
    change(state, { type: 'roleAdd', role: 'r' });
    change(state, grant('r', 'b', 'c'));
    change(state, grant('r', 'a'));
    change(state, grant('r', 'b', 'c', 'write'));
    change(state, grant('r', 'b', '\0'));
    expect(state.role('r')?.permissions.map(({ type, key }) => [type, Buffer.from(key).toString()])).toEqual([
      ['read', 'a'],
      ['read', 'b'],
      ['write', 'b'],
    ]);
    const revoke = { type: 'roleRevokePermission', role: 'r', key: bytes('b'), rangeEnd: emptyBytes } as const;
    expect(change(state, revoke)).toBe('PERMISSION_NOT_GRANTED');
    expect(change(state, { ...revoke, rangeEnd: bytes('c') })).toBe(2);
    expect(change(state, { ...revoke, role: 'x' })).toBe('ROLE_NOT_FOUND');
  });

  it('grants no permission that is missing or holds no key', () => {
    const state = new AccessState();
    change(state, { type: 'roleAdd', role: 'r' });
    expect(change(state, { type: 'roleGrantPermission', role: 'r' })).toBe('PERMISSION_MISSING');
    expect(change(state, grant('r', ''))).toBe('ACCESS_INVALID_CHANGE');
    expect(change(state, grant('r', 'b', 'b'))).toBe('ACCESS_INVALID_CHANGE');
    expect(change(state, grant('r', 'b', 'a'))).toBe('ACCESS_INVALID_CHANGE');
    expect(change(state, grant('r', '\0', '\0'))).toBe(2);
  });

  it('a new password makes a new credential, unless the user has none', () => {
    const state = new AccessState();
    change(state, addUser('u'));
    change(state, { ...addUser('n'), noPassword: true } as AccessChange);
    expect(state.user('u')?.credentialRevision).toBe(2);
    change(state, { type: 'userChangePassword', user: 'u', password: secret('new') });
    expect(state.user('u')?.credentialRevision).toBe(4);
    expect(state.user('u')?.password.reveal()).toEqual(bytes('new'));
    change(state, { type: 'userChangePassword', user: 'n', password: secret('new') });
    expect(state.user('n')?.password.reveal()).toEqual(bytes('n'));
  });

  it('stays inside its bytes, and can always shrink', () => {
    const state = new AccessState();
    let added = 0;
    while (change(state, addUser(`user-${added}`), 500) === 2) added++;
    expect(change(state, addUser('one-more'), 500)).toBe('TOO_LARGE');
    expect(state.bytes).toBeLessThanOrEqual(500 + 20);
    expect(change(state, { type: 'userDelete', user: 'user-0' }, 500)).toBe(2);
    expect(change(state, addUser('user-0'), 500)).toBe(2);
  });
});

describe('StagedAccess', () => {
  const rowsOf = (outcome: ReturnType<typeof executeAccessChange>): Parameters<StagedAccess['stage']>[0] => {
    if (outcome.type === 'failure') throw new Error(outcome.code);
    return outcome.rows.map(({ key, value }) => ({
      key,
      record: value === null ? null : { key, value, createRevision: 1, modRevision: 1, version: 1, lease: 0n },
    })) as unknown as Parameters<StagedAccess['stage']>[0];
  };

  it('shows what is staged over what is applied, until it is applied or dropped', () => {
    const applied = enabled();
    const staged = new StagedAccess(applied);
    const first = rowsOf(executeAccessChange(addUser('u'), applied, bytesMax));
    staged.stage(first);
    const second = rowsOf(executeAccessChange({ type: 'userDelete', user: 'u' }, staged, bytesMax));
    staged.stage(second);
    expect(staged.user('u')).toBeUndefined();
    expect([...staged.userNames()]).toEqual(['root']);
    expect(staged.settings.revision).toBe(applied.settings.revision + 2);
    for (const row of first) applied.apply(row);
    staged.committed();
    // The newest stays on top until all are applied.
    expect(applied.user('u')).toBeDefined();
    expect(staged.user('u')).toBeUndefined();
    expect(staged.empty).toBe(false);
    const before = staged.stamp;
    staged.clear();
    expect(staged.empty).toBe(true);
    expect(staged.user('u')).toBeDefined();
    expect(staged.stamp).toBeGreaterThan(before);
  });

  it('counts its bytes as the applied state will', () => {
    const applied = enabled();
    const staged = new StagedAccess(applied);
    const stagedRows = ['u', 'v'].map((user) => {
      const rows = rowsOf(executeAccessChange(addUser(user), staged, bytesMax));
      staged.stage(rows);
      return rows;
    });
    stagedRows.push(rowsOf(executeAccessChange({ type: 'userDelete', user: 'u' }, staged, bytesMax)));
    staged.stage(stagedRows[2] ?? []);
    const { bytes: expected } = staged;
    for (const row of stagedRows.flat()) applied.apply(row);
    expect(applied.bytes).toBe(expected);
    const reloaded = new AccessState();
    reloaded.load((take) => {
      for (const { key, record } of stagedRows.flat())
        if (record !== null && record.value.length > 0) take(key, record.value);
    });
    expect(reloaded.user('v')).toBeDefined();
  });
});
