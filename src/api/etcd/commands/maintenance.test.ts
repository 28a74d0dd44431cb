// Maintenance and Cluster over the real service and tree: what a member says of itself, alarms, hashes, what is refused.

import { beforeEach, describe, expect, it } from 'vitest';
import { EtcdCall } from '../../../../test/support/etcd-call.js';
import { SingleNode } from '../../../../test/support/single-node.js';
import { until } from '../../../../test/support/until.js';
import { limits } from '../../../config/limits.js';
import { createLog } from '../../../observability/log.js';
import { createStoreService } from '../../../service/service.js';
import type { StoreService } from '../../../service/store-service.js';
import type { Bytes } from '../../../shared/bytes.js';
import type { Revision } from '../../../shared/ids.js';
import type { Command } from '../../../tree/command.js';
import { FrontEndGuard } from '../../front-end-guard.js';
import { decodeMessage, encodeMessage } from '../codec/generated-codec.js';
import { bigintOf, int64Of, numberOf } from '../codec/int64.js';
import { type EtcdContext, plainAddresses } from '../context.js';
import { etcdserverpb as pb } from '../generated/messages.js';
import { grpcStatus } from '../grpc/grpc-status.js';
import { ResponseHeaders } from '../response-headers.js';
import { clusterMethods } from './cluster.js';
import { maintenanceMethods } from './maintenance.js';

let node: SingleNode;
let service: StoreService;
let context: EtcdContext;

async function call(name: string, request: Bytes = new Uint8Array(0)): Promise<EtcdCall> {
  const method = new Map([...maintenanceMethods(context), ...clusterMethods(context)]).get(`/etcdserverpb.${name}`);
  if (method?.type !== 'unary') throw new Error(`${name} is not there`);
  const made = new EtcdCall();
  method.handle(made, request);
  await until(`an answer to ${name}`, () => made.over);
  return made;
}

async function answerOf(name: string, request?: Bytes): Promise<Bytes> {
  const made = await call(name, request);
  expect(made.failure).toBeNull();
  expect(made.finished).toBe(true);
  return made.sent[0] ?? new Uint8Array(0);
}

function write(command: Command): Promise<string> {
  return new Promise((resolve) => service.write({ command }, 0, ({ code }) => resolve(code)));
}

const key = new Uint8Array([107]);
const set: Command = { type: 'set', key, value: key };

const { GET, ACTIVATE, DEACTIVATE } = pb.AlarmRequest.AlarmAction;

async function alarm(action: pb.AlarmRequest.AlarmAction, type = pb.AlarmType.NONE, member = 5n): Promise<string[]> {
  const request = encodeMessage(pb.AlarmRequest, { action, alarm: type, memberID: int64Of(member) });
  const response = decodeMessage(pb.AlarmResponse, await answerOf('Maintenance/Alarm', request));
  expect(numberOf(response.header?.revision)).toBe(service.revision);
  return response.alarms.map((raised) => `${BigInt.asUintN(64, bigintOf(raised.memberID))} ${raised.alarm}`);
}

describe('Maintenance', () => {
  beforeEach(async () => {
    node = new SingleNode();
    service = createStoreService(node, { scheduler: node.scheduler, limits });
    context = {
      service,
      limits,
      guard: new FrontEndGuard(createLog({ level: 'error', format: 'text' })),
      headers: new ResponseHeaders(service),
      addresses: plainAddresses,
      actorOf: () => undefined,
    };
    await write(set);
  });

  it('Status tells the member, its leader, its terms and sizes, and what is wrong', async () => {
    const status = decodeMessage(pb.StatusResponse, await answerOf('Maintenance/Status'));
    expect(status.version).toMatch(/^3\.5\.\d+$/);
    expect(numberOf(status.leader)).toBe(node.status().id);
    expect(numberOf(status.raftIndex)).toBe(service.appliedZxid);
    expect(numberOf(status.dbSizeQuota)).toBe(limits.quotaBytes);
    expect(status.errors).toEqual([]);
    await alarm(ACTIVATE, pb.AlarmType.NOSPACE, 7n);
    const ill = decodeMessage(pb.StatusResponse, await answerOf('Maintenance/Status'));
    expect(ill.errors).toEqual(['memberID:7 alarm:NOSPACE ']);
  });

  it('Alarm raises, lists by type and disarms; what is not raised is not listed as disarmed', async () => {
    const { NOSPACE, CORRUPT } = pb.AlarmType;
    expect(await alarm(GET)).toEqual([]);
    expect(await alarm(ACTIVATE, NOSPACE)).toEqual([`5 ${NOSPACE}`]);
    expect(await alarm(ACTIVATE, NOSPACE)).toEqual([`5 ${NOSPACE}`]);
    expect(await alarm(ACTIVATE, CORRUPT, 2n ** 64n - 1n)).toEqual([`${2n ** 64n - 1n} ${CORRUPT}`]);
    expect(await alarm(GET)).toHaveLength(2);
    expect(await alarm(GET, NOSPACE)).toEqual([`5 ${NOSPACE}`]);
    expect(await write(set)).toBe('CORRUPT');
    expect(await alarm(DEACTIVATE, CORRUPT, 2n ** 64n - 1n)).toHaveLength(1);
    expect(await write(set)).toBe('QUOTA_EXCEEDED');
    expect(await alarm(DEACTIVATE, NOSPACE, 6n)).toEqual([]);
    expect(await alarm(DEACTIVATE, NOSPACE)).toEqual([`5 ${NOSPACE}`]);
    expect(await write(set)).toBe('OK');
    expect(await alarm(ACTIVATE)).toEqual([]);
  });

  it('HashKV is of the revision asked for, and refuses those that are compacted or not reached', async () => {
    await write(set);
    const hashAt = async (revision: number): Promise<pb.HashKVResponse> =>
      decodeMessage(
        pb.HashKVResponse,
        await answerOf('Maintenance/HashKV', encodeMessage(pb.HashKVRequest, { revision: int64Of(revision) })),
      );
    const now = await hashAt(0);
    expect(numberOf(now.compact_revision)).toBe(-1);
    expect((await hashAt(3)).hash).toBe(now.hash);
    expect((await hashAt(2)).hash).not.toBe(now.hash);
    await write({ type: 'compact', revision: 3 as Revision });
    expect(numberOf((await hashAt(0)).compact_revision)).toBe(3);
    const refused = async (revision: number) =>
      (await call('Maintenance/HashKV', encodeMessage(pb.HashKVRequest, { revision: int64Of(revision) }))).failure;
    expect(await refused(2)).toEqual({
      status: grpcStatus.outOfRange,
      message: 'etcdserver: mvcc: required revision has been compacted',
    });
    expect((await refused(99))?.message).toBe('etcdserver: mvcc: required revision is a future revision');
  });

  it('Hash changes with the data, and Defragment ends when what was compacted is gone', async () => {
    const hash = async (): Promise<number> => decodeMessage(pb.HashResponse, await answerOf('Maintenance/Hash')).hash;
    const before = await hash();
    expect(await hash()).toBe(before);
    await write(set);
    expect(await hash()).not.toBe(before);
    await write({ type: 'compact', revision: service.revision });
    const full = service.usage().usedBytes;
    await answerOf('Maintenance/Defragment');
    expect(service.usage().usedBytes).toBeLessThanOrEqual(full);
  });

  it('MemberList tells the members, and waits for a quorum when it is asked to', async () => {
    const list = decodeMessage(pb.MemberListResponse, await answerOf('Cluster/MemberList'));
    expect(list.members.map(({ peerURLs, clientURLs, isLearner }) => ({ peerURLs, clientURLs, isLearner }))).toEqual([
      { peerURLs: ['http://127.0.0.1:5002'], clientURLs: ['http://127.0.0.1:5003'], isLearner: false },
    ]);
    expect(list.members[0]?.name).not.toBe('');
    node.serving = false;
    await answerOf('Cluster/MemberList');
    const made = await call('Cluster/MemberList', encodeMessage(pb.MemberListRequest, { linearizable: true }));
    expect(made.failure).toEqual({ status: grpcStatus.unavailable, message: 'etcdserver: no leader' });
  });

  it.each([
    'Maintenance/MoveLeader',
    'Maintenance/Downgrade',
    'Cluster/MemberAdd',
    'Cluster/MemberRemove',
    'Cluster/MemberUpdate',
    'Cluster/MemberPromote',
  ])('%s is refused, and says why', async (name) => {
    const { failure } = await call(name);
    expect(failure?.status).toBe(grpcStatus.unimplemented);
    expect(failure?.message).toMatch(/^etcdserver: not supported: the |^etcdserver: not supported: a /);
  });
});
