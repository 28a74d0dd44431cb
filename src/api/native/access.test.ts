// Access control over the native protocol: no way around it, and none of its secrets on the way.

import { afterEach, describe, expect, it } from 'vitest';
import { SingleNode } from '../../../test/support/single-node.js';
import { tcpTransport } from '../../client/tcp-transport.js';
import { ZabtreeClient } from '../../client/zabtree-client.js';
import { nodeConfigOf } from '../../config/node-config.js';
import { createLog } from '../../observability/log.js';
import { ClientPort } from '../../server/client-port.js';
import { type AccessRequest, type AskedChange, anonymous } from '../../service/access-service.js';
import { createStoreService } from '../../service/service.js';
import type { StoreService } from '../../service/store-service.js';
import type { ClientId } from '../../shared/ids.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(): Promise<{ readonly service: StoreService; readonly peer: string }> {
  const node = new SingleNode();
  const config = nodeConfigOf({
    self: { electionAddr: '127.0.0.1:1', messageAddr: '127.0.0.1:2' },
    peers: [],
    requestAddr: '127.0.0.1:3',
    listen: { request: '127.0.0.1:0' },
  });
  const service = createStoreService(node, { scheduler: node.scheduler, limits: config.limits });
  const port = new ClientPort({ config, log: createLog({ level: 'error', format: 'text' }) });
  port.serve({ service });
  await port.listen();
  cleanups.push(() => port.close());
  return { service, peer: `127.0.0.1:${port.boundPort}` };
}

function clientOf(peer: string, user?: string, password = `${user}-pw`): ZabtreeClient {
  const credentials = user === undefined ? {} : { credentials: { user, password } };
  const client = new ZabtreeClient({ peers: [peer], transport: tcpTransport, timeoutMs: 15_000, ...credentials });
  cleanups.push(() => client.close());
  return client;
}

async function change(service: StoreService, request: AccessRequest): Promise<void> {
  const { access } = service;
  const actor = access.enabled ? access.actorOfUser('root') : anonymous;
  const { code } = await new Promise<{ readonly code: string }>((resolve) =>
    access.change(request, { actor, timeoutMs: 0 }, resolve),
  );
  expect(code).toBe('OK');
}

async function enable(service: StoreService): Promise<void> {
  await change(service, { type: 'userAdd', user: 'root', password: 'root-pw', noPassword: false });
  await change(service, { type: 'userGrantRole', user: 'root', role: 'root' });
  await change(service, { type: 'userAdd', user: 'u', password: 'u-pw', noPassword: false });
  await change(service, { type: 'roleAdd', role: 'r' });
  const permission = { type: 'readwrite', key: Buffer.from('a'), rangeEnd: Buffer.from('b') } as const;
  await change(service, { type: 'roleGrantPermission', role: 'r', permission });
  await change(service, { type: 'userGrantRole', user: 'u', role: 'r' });
  await change(service, { type: 'enable' });
}

const code = (expected: string): { readonly code: string } => expect.objectContaining({ code: expected });

describe('the native protocol with access control', () => {
  it('refuses everything but status to a connection that nobody has logged in on', async () => {
    const { service, peer } = await serve();
    const client = clientOf(peer);
    await client.set('a', '1');
    await enable(service);
    const all = [
      client.set('a', '2'),
      client.get('a'),
      client.digest(),
      client.digestAll(),
      client.broadcast('x'),
      client.snapshot().next(),
    ];
    for (const outcome of await Promise.allSettled(all)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: code('UNAUTHENTICATED') });
    }
    await expect(client.list({}).next()).rejects.toEqual(code('UNAUTHENTICATED'));
    await expect(client.watch({})[Symbol.asyncIterator]().next()).rejects.toEqual(code('UNAUTHENTICATED'));
    expect((await client.status()).role).toBe('leader');
  });

  it('does for a user what the user may do', async () => {
    const { service, peer } = await serve();
    await enable(service);
    const user = clientOf(peer, 'u');
    await user.set('a1', '1');
    expect((await user.get('a1')).record).toBeDefined();
    await expect(user.set('c', '1')).rejects.toEqual(code('PERMISSION_DENIED'));
    await expect(user.get('c')).rejects.toEqual(code('PERMISSION_DENIED'));
    await expect(user.digest()).rejects.toEqual(code('PERMISSION_DENIED'));
    await expect(user.snapshot().next()).rejects.toEqual(code('PERMISSION_DENIED'));
    const root = clientOf(peer, 'root');
    await root.set('c', '1');
    await root.digest();
    expect((await root.snapshot().next()).value?.length).toBeGreaterThan(0);
  });

  it('hangs keys on a lease, and lists leases, for whom all keys that they hold are', async () => {
    const { service, peer } = await serve();
    await enable(service);
    const root = clientOf(peer, 'root');
    const user = clientOf(peer, 'u');
    const { id: lease } = await root.leases.grant(60, { id: 7n });
    await user.set('a1', '1', { lease });
    expect((await user.leases.list()).ids).toEqual([lease]);
    await root.add('c', '1', { lease });
    await expect(user.set('a1', '2', { lease })).rejects.toEqual(code('PERMISSION_DENIED'));
    await expect(user.add('a2', '2', { lease })).rejects.toEqual(code('PERMISSION_DENIED'));
    await expect(user.leases.list()).rejects.toEqual(code('PERMISSION_DENIED'));
    expect((await root.leases.list()).ids).toEqual([lease]);
    await user.set('a1', '2');
  });

  it('says at once that a password is wrong, and does not show it', async () => {
    const { service, peer } = await serve();
    await enable(service);
    const error: unknown = await clientOf(peer, 'u', 'hunter2')
      .get('a')
      .catch((reason: unknown) => reason);
    expect(error).toEqual(code('AUTHENTICATION_FAILED'));
    expect(`${error}`).not.toContain('hunter2');
  });

  it('takes credentials where they are not needed', async () => {
    const { peer } = await serve();
    await clientOf(peer, 'u').set('a', '1');
  });

  it('ends what a connection may do with the password that it logged in by', async () => {
    const { service, peer } = await serve();
    await enable(service);
    const user = clientOf(peer, 'u');
    await user.get('a1');
    await change(service, { type: 'userChangePassword', user: 'u', password: 'other' });
    await expect(user.get('a1')).rejects.toEqual(code('UNAUTHENTICATED'));
  });

  it('administers users, roles and permissions for administrators alone, and once', async () => {
    const { service, peer } = await serve();
    const { access } = clientOf(peer);
    await access.addUser('root', 'root-pw');
    await expect(access.addUser('root', 'other')).rejects.toEqual(code('USER_EXISTS'));
    await expect(access.enable()).rejects.toEqual(code('ROOT_ROLE_MISSING'));
    await access.grantRole('root', 'root');
    await access.addUser('u', 'u-pw');
    await access.addUser('certified', undefined);
    await access.addRole('r');
    await access.grantPermission('r', 'readwrite', { prefix: 'a' });
    await access.grantPermission('r', 'read', { from: 'x' });
    await access.grantPermission('r', 'write', { key: 'k' });
    await access.grantRole('u', 'r');
    expect(await access.status()).toEqual({ enabled: false, accessRevision: 10 });
    await access.enable();
    await expect(access.users()).rejects.toEqual(code('UNAUTHENTICATED'));
    await expect(access.disable()).rejects.toEqual(code('UNAUTHENTICATED'));

    const user = clientOf(peer, 'u');
    await user.set('a1', '1');
    await expect(user.access.users()).rejects.toEqual(code('PERMISSION_DENIED'));
    await expect(user.access.addRole('more')).rejects.toEqual(code('PERMISSION_DENIED'));
    await expect(user.access.changePassword('root', 'mine')).rejects.toEqual(code('PERMISSION_DENIED'));
    expect(await user.access.rolesOf('u')).toEqual(['r']);
    expect(await user.access.permissionsOf('r')).toEqual([
      { type: 'readwrite', key: new Uint8Array([97]), rangeEnd: new Uint8Array([98]) },
      { type: 'write', key: new Uint8Array([107]), rangeEnd: new Uint8Array(0) },
      { type: 'read', key: new Uint8Array([120]), rangeEnd: new Uint8Array([0]) },
    ]);

    const root = clientOf(peer, 'root').access;
    expect(await root.users()).toEqual(['certified', 'root', 'u']);
    await expect(root.grantPermission('r', 'read', { from: 'x', to: '\0' })).rejects.toEqual(code('INVALID_ARGUMENT'));
    await root.revokePermission('r', { prefix: 'a' });
    await expect(user.set('a1', '2')).rejects.toEqual(code('PERMISSION_DENIED'));
    await root.changePassword('u', 'changed');
    await clientOf(peer, 'u', 'changed').get('x');
    await root.deleteRole('r');
    expect([await root.roles(), await root.rolesOf('u')]).toEqual([[], []]);
    await root
      .revokeRole('certified', 'root')
      .catch((error: unknown) => expect(error).toEqual(code('ROLE_NOT_GRANTED')));
    await root.deleteUser('certified');
    await root.disable();
    expect(service.access.enabled).toBe(false);
  });

  it('tells a repetition of a change what became of the first', async () => {
    const { service } = await serve();
    const { access } = service;
    const asked = (repeated: boolean): AskedChange => ({
      actor: anonymous,
      timeoutMs: 0,
      identity: { client: 5 as ClientId, request: 1, acknowledgedBelow: 1, bornAt: service.appliedZxid, repeated },
    });
    const request: AccessRequest = { type: 'userAdd', user: 'u', password: 'u-pw', noPassword: false };
    const ask = (repeated: boolean): Promise<{ readonly code: string }> =>
      new Promise((resolve) => access.change(request, asked(repeated), resolve));
    const first = asked(false);
    await new Promise((resolve) => access.change(request, first, resolve));
    expect((await ask(false)).code).toBe('OK');
    expect((await ask(true)).code).toBe('OK');
    const wrong = { ...first, identity: { ...asked(false).identity, request: 2, acknowledgedBelow: 3 } };
    expect(await new Promise((resolve) => access.change(request, wrong as AskedChange, resolve))).toEqual(
      code('INVALID_ARGUMENT'),
    );
  });
});
