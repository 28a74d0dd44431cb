// Access control through the services of a node: logging in, tokens, changes, and what is permitted to whom, for writes,
// reads and watches alike.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SingleNode } from '../../test/support/single-node.js';
import { limits } from '../config/limits.js';
import type { StoreError } from '../shared/errors.js';
import { zxidZero } from '../shared/ids.js';
import type { PermissionType } from '../tree/access/access-records.js';
import type { Actor, Command, CommandResult } from '../tree/command.js';
import type { WatchRequest } from '../tree/replicated-tree.js';
import { type AccessRequest, type Answer, anonymous } from './access-service.js';
import { createStoreService } from './service.js';
import type { StoreService, WatchHandle } from './store-service.js';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

class Stage {
  readonly node = new SingleNode();
  nowMs = 1_000_000;
  readonly service: StoreService;

  constructor() {
    const { scheduler } = this.node;
    this.service = createStoreService(this.node, { scheduler, limits, wallClockMs: () => this.nowMs });
  }

  get access(): StoreService['access'] {
    return this.service.access;
  }

  change(request: AccessRequest, actor: Actor = anonymous): Promise<CommandResult> {
    return new Promise((resolve) => this.access.change(request, { actor, timeoutMs: 0 }, resolve));
  }

  async addUser(user: string, roles: readonly string[] = [], actor: Actor = anonymous): Promise<void> {
    await this.change({ type: 'userAdd', user, password: `${user}-pw`, noPassword: false }, actor);
    for (const role of roles) await this.change({ type: 'userGrantRole', user, role }, actor);
  }

  /** With root, and access control on. */
  async enable(): Promise<void> {
    await this.addUser('root', ['root']);
    expect((await this.change({ type: 'enable' })).code).toBe('OK');
  }

  as(user: string): Actor {
    return this.access.actorOfUser(user);
  }

  answer<T>(ask: (done: Answer<T>) => void): Promise<T | string> {
    return new Promise((resolve) => ask((error, result) => resolve(error === null ? (result as T) : error.code)));
  }

  token(user: string, password = `${user}-pw`): Promise<string> {
    return this.answer<string>((done) => this.access.authenticate(user, password, 0, done));
  }

  async write(command: Command, actor?: Actor): Promise<string> {
    const envelope = actor === undefined ? { command } : { command, actor };
    const result = await new Promise<CommandResult>((resolve) => this.service.write(envelope, 0, resolve));
    return result.code;
  }

  get(key: string, actor?: Actor): Promise<string> {
    const options = { local: false, seen: zxidZero, timeoutMs: 0, actor };
    return new Promise((resolve) => this.service.get(bytes(key), options, (error) => resolve(error?.code ?? 'OK')));
  }

  watch(range: WatchRequest, actor: Actor | undefined, seen: string[] = []): WatchHandle {
    return this.service.watch(
      { ...range, seen: zxidZero, fromRevision: undefined, withInitial: false, actor },
      {
        ready: () => true,
        events: (events) => seen.push(...events.map(({ key }) => Buffer.from(key).toString())),
        initial: () => undefined,
        ended: ({ code }) => seen.push(code),
      },
    );
  }

  /** Waits until the condition holds; the test's own deadline ends it. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  }

  codeOf(work: () => unknown): string {
    try {
      work();
      return 'OK';
    } catch (error) {
      return (error as StoreError).code;
    }
  }
}

const set = (key: string): Command => ({ type: 'set', key: bytes(key), value: bytes('v') });

describe('access control', () => {
  it('is off at first: everybody may do everything, and a token is not looked at', async () => {
    const stage = new Stage();
    expect(await stage.write(set('a'))).toBe('OK');
    expect(await stage.get('a')).toBe('OK');
    expect(stage.access.actorOfToken('whatever')).toBe(anonymous);
    expect(await stage.token('root')).toBe('ACCESS_NOT_ENABLED');
    expect((await stage.change({ type: 'enable' })).code).toBe('ROOT_USER_MISSING');
  });

  it('once on, nobody without a name does anything, and root does all', async () => {
    const stage = new Stage();
    await stage.enable();
    expect(await stage.write(set('a'))).toBe('USER_NAME_EMPTY');
    expect(await stage.get('a')).toBe('USER_NAME_EMPTY');
    expect((await stage.change({ type: 'disable' })).code).toBe('USER_NAME_EMPTY');
    expect(await stage.write(set('a'), stage.as('root'))).toBe('OK');
    expect(await stage.get('a', stage.as('root'))).toBe('OK');
    expect(await stage.get('a', stage.as('nobody'))).toBe('PERMISSION_DENIED');
    expect((await stage.change({ type: 'disable' }, stage.as('root'))).code).toBe('OK');
    expect(await stage.write(set('a'))).toBe('OK');
  });

  it('what was admitted before a change of access control is refused after it', async () => {
    const stage = new Stage();
    await stage.enable();
    const before = stage.as('root');
    await stage.addUser('u', [], before);
    expect(await stage.write(set('a'), before)).toBe('ACCESS_CHANGED');
    expect(await stage.get('a', before)).toBe('ACCESS_CHANGED');
    // Changes themselves are judged by who asks, so that they may follow each other closely.
    expect((await stage.change({ type: 'userDelete', user: 'u' }, before)).code).toBe('OK');
  });

  it('judges by what is staged: a write behind its revocation is refused, one before it is not', async () => {
    const stage = new Stage();
    await stage.enable();
    const root = stage.as('root');
    await stage.change({ type: 'roleAdd', role: 'r' }, root);
    const permission = { type: 'write' as PermissionType, key: bytes('a'), rangeEnd: bytes('') };
    await stage.change({ type: 'roleGrantPermission', role: 'r', permission }, root);
    await stage.addUser('u', ['r'], root);
    const { tree } = stage.node;
    const actor = stage.as('u');
    const next = (): number => tree.stagedZxid + 1;
    const run = (command: Command, who: Actor): string =>
      tree.execute({ command, actor: who }, next() as Parameters<typeof tree.execute>[1]).result.code;
    expect(run(set('a'), actor)).toBe('OK');
    expect(run(set('b'), actor)).toBe('PERMISSION_DENIED');
    expect(run({ type: 'access', change: { type: 'userRevokeRole', user: 'u', role: 'r' } }, root)).toBe('OK');
    expect(run(set('a'), actor)).toBe('ACCESS_CHANGED');
    expect(run(set('a'), { ...actor, accessRevision: actor.accessRevision + 1 })).toBe('PERMISSION_DENIED');
    tree.dropStaged();
    expect(run(set('a'), actor)).toBe('OK');
  });

  it('the ensemble itself needs nobody', async () => {
    const stage = new Stage();
    await stage.enable();
    const result = await new Promise<CommandResult>((resolve) =>
      stage.node.submit({ command: set('a') }, 9e9, resolve),
    );
    expect(result.code).toBe('OK');
    expect(await stage.write({ type: 'access', change: { type: 'disable' } }, stage.as('root'))).toBe('UNSUPPORTED');
  });
});

describe('tokens', () => {
  it('are given for the right password only, and no matter why it is wrong', async () => {
    const stage = new Stage();
    await stage.enable();
    await stage.change({ type: 'userAdd', user: 'cert', password: '', noPassword: true }, stage.as('root'));
    expect(await stage.token('root', 'wrong')).toBe('AUTHENTICATION_FAILED');
    expect(await stage.token('unknown', 'x')).toBe('AUTHENTICATION_FAILED');
    expect(await stage.token('cert', '')).toBe('AUTHENTICATION_FAILED');
    const token = await stage.token('root');
    expect(stage.access.actorOfToken(token)).toEqual(stage.as('root'));
    for (const bad of ['', 'x', `${token}x`, token.slice(0, -1), `z1.${'x'.repeat(9_000)}.y`]) {
      expect(stage.codeOf(() => stage.access.actorOfToken(bad))).toBe('UNAUTHENTICATED');
    }
    expect(token).not.toContain('root-pw');
  });

  it('of one user end with its password and with the user, not with the changes of others', async () => {
    const stage = new Stage();
    await stage.enable();
    const root = stage.as('root');
    await stage.addUser('u', [], root);
    const token = await stage.token('u');
    await stage.addUser('other', [], root);
    expect(stage.access.actorOfToken(token)).toEqual(stage.as('u'));
    await stage.change({ type: 'userChangePassword', user: 'u', password: 'new' }, root);
    expect(stage.codeOf(() => stage.access.actorOfToken(token))).toBe('UNAUTHENTICATED');
    const second = await stage.token('u', 'new');
    await stage.change({ type: 'userDelete', user: 'u' }, root);
    await stage.addUser('u', [], root);
    expect(stage.codeOf(() => stage.access.actorOfToken(second))).toBe('UNAUTHENTICATED');
  });

  it('live on while they are used, and end when they are not', async () => {
    const stage = new Stage();
    await stage.enable();
    const token = await stage.token('root');
    for (let use = 0; use < 5; use++) {
      stage.nowMs += limits.accessTokenTtlMs - 1;
      // A change of access control in between does not forget the use.
      await stage.addUser(`u${use}`, [], stage.as('root'));
      expect(stage.access.actorOfToken(token).user).toBe('root');
    }
    stage.nowMs += limits.accessTokenTtlMs;
    expect(stage.codeOf(() => stage.access.actorOfToken(token))).toBe('UNAUTHENTICATED');
  });

  it('do not outlive access control being turned off and on', async () => {
    const stage = new Stage();
    await stage.enable();
    const token = await stage.token('root');
    await stage.change({ type: 'disable' }, stage.as('root'));
    await stage.change({ type: 'enable' });
    expect(stage.codeOf(() => stage.access.actorOfToken(token))).toBe('UNAUTHENTICATED');
  });
});

describe('users and roles', () => {
  it('are told to root, and to users about themselves', async () => {
    const stage = new Stage();
    await stage.enable();
    const root = stage.as('root');
    for (const role of ['s', 'r']) await stage.change({ type: 'roleAdd', role }, root);
    await stage.addUser('u', ['s', 'r'], root);
    const { access } = stage;
    const [admin, user] = [stage.as('root'), stage.as('u')];
    expect(await stage.answer<unknown>((done) => access.users(admin, 0, done))).toEqual(['root', 'u']);
    expect(await stage.answer<unknown>((done) => access.roles(admin, 0, done))).toEqual(['r', 's']);
    expect(await stage.answer<unknown>((done) => access.status(admin, 0, done))).toMatchObject({ enabled: true });
    expect(await stage.answer<unknown>((done) => access.rolesOfUser('u', user, 0, done))).toEqual(['r', 's']);
    expect(await stage.answer<unknown>((done) => access.permissionsOfRole('r', user, 0, done))).toEqual([]);
    for (const refused of [
      stage.answer<unknown>((done) => access.users(user, 0, done)),
      stage.answer<unknown>((done) => access.roles(user, 0, done)),
      stage.answer<unknown>((done) => access.status(user, 0, done)),
      stage.answer<unknown>((done) => access.rolesOfUser('root', user, 0, done)),
      stage.answer<unknown>((done) => access.permissionsOfRole('root', user, 0, done)),
    ]) {
      expect(await refused).toBe('PERMISSION_DENIED');
    }
    expect(await stage.answer<unknown>((done) => access.rolesOfUser('x', admin, 0, done))).toBe('USER_NOT_FOUND');
    expect((await stage.change({ type: 'roleAdd', role: 'mine' }, user)).code).toBe('PERMISSION_DENIED');
    expect((await stage.change({ type: 'userAdd', user: 'x', password: 'p', noPassword: false }, user)).code).toBe(
      'PERMISSION_DENIED',
    );
  });

  it('have names and passwords of bounded length', async () => {
    const stage = new Stage();
    const long = 'x'.repeat(limits.accessNameBytesMax + 1);
    expect((await stage.change({ type: 'roleAdd', role: long })).code).toBe('TOO_LARGE');
    const password = 'x'.repeat(limits.passwordBytesMax + 1);
    expect((await stage.change({ type: 'userAdd', user: 'u', password, noPassword: false })).code).toBe('TOO_LARGE');
  });
});

describe('watches', () => {
  const prefixA: WatchRequest = { from: bytes('a'), to: bytes('b'), single: false };

  async function withReader(stage: Stage): Promise<void> {
    await stage.enable();
    const root = stage.as('root');
    await stage.change({ type: 'roleAdd', role: 'r' }, root);
    const permission = { type: 'read' as PermissionType, key: bytes('a'), rangeEnd: bytes('b') };
    await stage.change({ type: 'roleGrantPermission', role: 'r', permission }, root);
    await stage.addUser('u', ['r'], root);
  }

  it('end when their permission does, before anything that came after it', async () => {
    const stage = new Stage();
    await withReader(stage);
    const seen: string[] = [];
    stage.watch(prefixA, stage.as('u'), seen);
    await stage.write(set('a1'), stage.as('root'));
    await stage.until(() => seen.length === 1);
    // Both in one turn: no step of the watch comes between them.
    stage.node.hold();
    const revoked = stage.change({ type: 'userRevokeRole', user: 'u', role: 'r' }, stage.as('root'));
    const actor = { ...stage.as('root'), accessRevision: stage.as('root').accessRevision + 1 };
    const written = stage.write(set('a2'), actor);
    stage.node.release();
    expect([(await revoked).code, await written]).toEqual(['OK', 'OK']);
    await stage.until(() => seen.length === 2);
    expect(seen).toEqual(['a1', 'PERMISSION_DENIED']);
    expect(stage.service.openWatches).toBe(0);
  });

  it('end also while nothing happens to their keys, and go on when the change was none for them', async () => {
    const stage = new Stage();
    await withReader(stage);
    const [idle, other]: [string[], string[]] = [[], []];
    stage.watch(prefixA, stage.as('u'), idle);
    stage.watch(prefixA, stage.as('root'), other);
    await stage.addUser('unrelated', [], stage.as('root'));
    await stage.write(set('a1'), stage.as('root'));
    await stage.until(() => idle.length === 1 && other.length === 1);
    await stage.change({ type: 'userDelete', user: 'u' }, stage.as('root'));
    await stage.until(() => idle.length === 2);
    await stage.write(set('a2'), stage.as('root'));
    await stage.until(() => other.length === 2);
    expect([idle, other]).toEqual([
      ['a1', 'PERMISSION_DENIED'],
      ['a1', 'a2'],
    ]);
  });

  it('of nobody end when access control is turned on', async () => {
    const stage = new Stage();
    const seen: string[] = [];
    stage.watch(prefixA, undefined, seen);
    await stage.enable();
    await stage.until(() => seen.length === 1);
    expect(seen).toEqual(['PERMISSION_DENIED']);
    expect(stage.codeOf(() => stage.watch(prefixA, undefined))).toBe('USER_NAME_EMPTY');
  });
});

const letters = fc.constantFrom('a', 'b', 'c', 'd');
/** A later permission for the same range would replace the earlier. */
const grants = fc.uniqueArray(
  fc.record({ type: fc.constantFrom<PermissionType>('read', 'write', 'readwrite'), from: letters, to: letters }),
  { maxLength: 5, selector: ({ from, to }) => (from < to ? from + to : from) },
);

describe('every way to a key', () => {
  it('asks for the same permission: writes, reads, ranges, watches', async () => {
    const stage = new Stage();
    await stage.enable();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(grants, letters, letters, async (held, key, end) => {
        const role = `r${run++}`;
        const root = (): Actor => stage.as('root');
        await stage.change({ type: 'roleAdd', role }, root());
        for (const { type, from, to } of held) {
          const permission = { type, key: bytes(from), rangeEnd: bytes(from < to ? to : '') };
          await stage.change({ type: 'roleGrantPermission', role, permission }, root());
        }
        await stage.change({ type: 'userAdd', user: role, password: '', noPassword: true }, root());
        await stage.change({ type: 'userGrantRole', user: role, role }, root());
        const has = (type: PermissionType, at: string): boolean =>
          held.some((one) => {
            const inside = one.from < one.to ? one.from <= at && at < one.to : one.from === at;
            return inside && (one.type === type || one.type === 'readwrite');
          });
        const expected = (may: boolean): string => (may ? 'OK' : 'PERMISSION_DENIED');
        const actor = stage.as(role);
        expect(await stage.get(key, actor)).toBe(expected(has('read', key)));
        expect(await stage.write(set(key), actor)).toBe(expected(has('write', key)));
        if (key >= end) return;
        // Between the letters there are keys that only a range grants.
        const inRange = ['a', 'b', 'c', 'd'].filter((at) => key <= at && at < end);
        const covered = inRange.every((at) =>
          held.some(({ type, from, to }) => type !== 'write' && from < to && from <= at && at < to),
        );
        const options = { local: true, seen: zxidZero, timeoutMs: 0, actor };
        const request = { from: bytes(key), to: bytes(end), at: undefined, limit: 0, bytesMax: 1e6, keysOnly: false };
        const code = await new Promise<string>((resolve) =>
          stage.service.range(request, options, (error) => resolve(error?.code ?? 'OK')),
        );
        expect(code).toBe(expected(covered));
        const watched = { from: bytes(key), to: bytes(end), single: false };
        expect(stage.codeOf(() => stage.watch(watched, actor).cancel())).toBe(expected(covered));
      }),
      { numRuns: 60 },
    );
  });
});
