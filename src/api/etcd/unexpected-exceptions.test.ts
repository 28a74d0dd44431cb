// What no command of the etcd front end expects: everywhere that an answer is made, also where the store calls back, it ends
// the call, and neither the store nor anybody else notices. What comes out of the core is thrown on.

import { beforeEach, describe, expect, it } from 'vitest';
import { EtcdCall } from '../../../test/support/etcd-call.js';
import { SingleNode } from '../../../test/support/single-node.js';
import { until } from '../../../test/support/until.js';
import { limits } from '../../config/limits.js';
import { createStoreService } from '../../service/service.js';
import type { StoreService } from '../../service/store-service.js';
import { CoreFailure } from '../../shared/core-failure.js';
import { toRevision, zxidZero } from '../../shared/ids.js';
import type { CommandResult } from '../../tree/command.js';
import { spaces } from '../../tree/delta.js';
import { CommittedEvent } from '../../tree/watch-event.js';
import { FrontEndGuard } from '../front-end-guard.js';
import { CallActors } from './call-actors.js';
import type { EtcdContext } from './context.js';
import { bytesOfJson } from './gateway/message-json.js';
import { MessageTypes } from './gateway/message-types.js';
import type { GrpcMethod, GrpcMethods, MessageStream } from './grpc/grpc-call.js';
import { grpcStatus } from './grpc/grpc-status.js';
import { etcdMethods } from './listener.js';
import { ResponseHeaders } from './response-headers.js';

const types = new MessageTypes();
const key = 'azE=';
const other = 'azI=';
const end = 'azk=';
const everything = { key: 'AA==', range_end: 'AA==' };

/** A request that gets as far as its answer. */
const requests: Readonly<Record<string, unknown>> = {
  '/etcdserverpb.KV/Range': everything,
  '/etcdserverpb.KV/RangeStream': everything,
  '/etcdserverpb.KV/Put': { key: other, value: other },
  '/etcdserverpb.KV/DeleteRange': { key, range_end: end },
  '/etcdserverpb.KV/Txn': { success: [{ request_put: { key: other, value: other } }] },
  '/etcdserverpb.KV/Compact': { revision: '2' },
  '/etcdserverpb.Lease/LeaseGrant': { ID: '8', TTL: '100' },
  '/etcdserverpb.Lease/LeaseLeases': {},
  '/etcdserverpb.Auth/AuthStatus': {},
  '/etcdserverpb.Auth/UserList': {},
  '/etcdserverpb.Auth/RoleList': {},
  '/etcdserverpb.Auth/RoleAdd': { name: 'r' },
  '/etcdserverpb.Cluster/MemberList': { linearizable: true },
  '/etcdserverpb.Maintenance/Status': {},
  '/etcdserverpb.Maintenance/Alarm': {},
  '/etcdserverpb.Maintenance/Hash': {},
  '/etcdserverpb.Maintenance/HashKV': {},
  '/etcdserverpb.Maintenance/Snapshot': {},
  '/v3lockpb.Lock/Lock': { name: key, lease: '7' },
  '/v3lockpb.Lock/Unlock': { key },
  '/v3electionpb.Election/Campaign': { name: key, lease: '7' },
  '/v3electionpb.Election/Leader': { name: Buffer.from('e').toString('base64') },
  '/v3electionpb.Election/Observe': { name: Buffer.from('e').toString('base64') },
};

const defect = new TypeError('as asked');
function fail(): never {
  throw defect;
}

let node: SingleNode;
let service: StoreService;
let failures: CoreFailure[];
let guard: FrontEndGuard;
let headers: ResponseHeaders;
let methods: GrpcMethods;

/** No answer can be made any more. */
function spoil(): void {
  Object.assign(headers, { at: fail, now: fail, ofRange: fail });
}

function put(name: string, value = 'v'): Promise<CommandResult> {
  const command = { type: 'set', key: Buffer.from(name), value: Buffer.from(value) } as const;
  return new Promise((resolve) => service.write({ command }, 0, resolve));
}

function methodOf<Type extends GrpcMethod['type']>(path: string, type: Type): Extract<GrpcMethod, { type: Type }> {
  const method = methods.get(path);
  if (method?.type !== type) throw new Error(`${path} is not there`);
  return method as Extract<GrpcMethod, { type: Type }>;
}

function ask(path: string, call: EtcdCall): void {
  methodOf(path, 'unary').handle(call, bytesOfJson(types.method(path).request, requests[path]));
}

function openWatch(call: EtcdCall, options: object = {}): MessageStream {
  const path = '/etcdserverpb.Watch/Watch';
  const stream = methodOf(path, 'stream').open(call);
  stream.message(bytesOfJson(types.method(path).request, { create_request: { key, ...options } }));
  return stream;
}

beforeEach(async () => {
  node = new SingleNode();
  failures = [];
  const coreFailed = (failure: CoreFailure): void => void failures.push(failure);
  service = createStoreService(node, { scheduler: node.scheduler, limits, coreFailed });
  guard = new FrontEndGuard({ error: () => undefined });
  headers = new ResponseHeaders(service);
  const actors = new CallActors(service.access);
  const context: EtcdContext = { service, limits, guard, headers, actorOf: (call) => actors.actorOf(call) };
  methods = etcdMethods(context, actors);
  await put('k1');
  await put('e/1');
  const command = { type: 'leaseGrant', id: 7n, ttlSeconds: 100 } as const;
  await new Promise((resolve) => service.write({ command }, 0, resolve));
});

describe('an answer that cannot be made', () => {
  it.each(Object.keys(requests))('ends the call of %s alone', async (path) => {
    spoil();
    const call = new EtcdCall();
    ask(path, call);
    await until('the call is over', () => call.over);
    // Locks and elections say unknown of everything, as etcd does.
    expect([grpcStatus.internal, grpcStatus.unknown]).toContain(call.failure?.status);
    expect(guard.counts.grpc).toBeGreaterThan(0);
    expect((await put('after')).code).toBe('OK');
    expect(failures).toEqual([]);
  });

  it.each([
    ['at the end of the turn', {}],
    ['in the middle of the commit', { prev_kv: true }],
  ])('ends the stream of a watch that is told %s, and no other watch and no write', async (_, options) => {
    const call = new EtcdCall();
    openWatch(call, options);
    const told: number[] = [];
    const watched = { from: Buffer.from('k1'), to: undefined, single: true, seen: zxidZero };
    let live = false;
    service.watch(
      { ...watched, fromRevision: undefined, withInitial: false },
      {
        ready: () => true,
        events: (events) => void told.push(...events.map(({ modRevision }) => modRevision)),
        initial: () => undefined,
        ended: () => undefined,
        liveChanged: (now) => {
          live = now;
        },
      },
    );
    await until('both watches are there', () => call.sent.length > 0 && live);
    await until('the first is live', () => service.openWatches === 2);
    spoil();
    const { code, revision } = await put('k1', 'again');
    expect(code).toBe('OK');
    expect(told).toEqual([revision]);
    await until('the stream is over', () => call.over);
    expect(call.failure?.status).toBe(grpcStatus.internal);
    expect(service.openWatches).toBe(1);
    expect(failures).toEqual([]);
  });

  it('ends the stream of renewals', async () => {
    const call = new EtcdCall();
    const stream = methodOf('/etcdserverpb.Lease/LeaseKeepAlive', 'stream').open(call);
    spoil();
    stream.message(new Uint8Array([8, 1]));
    expect(call.failure?.status).toBe(grpcStatus.internal);
  });
});

describe('what comes out of the core', () => {
  it.each(['/etcdserverpb.KV/Put', '/etcdserverpb.KV/Txn', '/v3lockpb.Lock/Lock', '/etcdserverpb.Auth/RoleAdd'])(
    'while %s is carried out is no front end’s to end',
    (path) => {
      Object.assign(node, { submit: fail });
      const call = new EtcdCall();
      expect(() => ask(path, call)).toThrow(CoreFailure);
      expect(failures).toHaveLength(1);
      expect(guard.counts.grpc).toBe(0);
      expect(call.over).toBe(false);
    },
  );

  it('while a snapshot is begun is thrown on', () => {
    Object.assign(node.tree, { contents: fail });
    expect(() => ask('/etcdserverpb.Maintenance/Snapshot', new EtcdCall())).toThrow(CoreFailure);
    expect(failures).toHaveLength(1);
  });

  it('when a watch asks what an event replaced is thrown on', () => {
    const past = { recordAt: fail };
    const version = { key: Buffer.from('k1'), modRevision: toRevision(3), space: spaces.user, record: null };
    expect(() => new CommittedEvent(version, past).previous).toThrow(CoreFailure);
  });
});
