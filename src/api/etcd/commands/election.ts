// The service Election: an election is a queue of keys, led by whoever's key is at its head; the value is what the leader
// proclaims. What it does with keys is what etcd's own does, so that both kinds of candidates see each other.

import { type Bytes, equalBytes } from '../../../shared/bytes.js';
import type { Revision } from '../../../shared/ids.js';
import type { WatchEvent } from '../../../tree/replicated-tree.js';
import type { KeyRecord } from '../../../tree/store.js';
import { bytesOf, decodeMessage, encodeMessage } from '../codec/generated-codec.js';
import { bigintOf, int64Of, numberOf } from '../codec/int64.js';
import { headerFields } from '../codec/response-header.js';
import type { EtcdContext } from '../context.js';
import { etcdFailures } from '../errors.js';
import { type mvccpb, v3electionpb as pb } from '../generated/messages.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { answer, envelopeOf, type MethodEntries, unary } from '../grpc-methods.js';
import {
  deletionOf,
  exactly,
  firstRecord,
  ifCreatedAt,
  oldestOf,
  prefixed,
  putWith,
  QueueCall,
  queueKey,
  queuePrefix,
} from '../key-queue.js';

export function electionMethods(context: EtcdContext): MethodEntries {
  return [
    unary(context, '/v3electionpb.Election/Campaign', (call, request) => campaign(context, call, request)),
    unary(context, '/v3electionpb.Election/Proclaim', (call, request) => proclaim(context, call, request)),
    unary(context, '/v3electionpb.Election/Leader', (call, request) => leader(context, call, request)),
    unary(context, '/v3electionpb.Election/Observe', (call, request) => observe(context, call, request)),
    unary(context, '/v3electionpb.Election/Resign', (call, request) => resign(context, call, request)),
  ];
}

const notLeader = 'election: not leader';
const noLeader = 'election: no leader';
const leaderMissing = '"leader" field must be provided';

function campaign(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const request = decodeMessage(pb.CampaignRequest, bytes);
  const name = bytesOf(request.name);
  const value = bytesOf(request.value);
  const prefix = queuePrefix(name);
  const queue = new QueueCall(context, call);
  queue.lease(bigintOf(request.lease), (lease) => {
    const key = queueKey(prefix, lease);
    const put = putWith(lease, key, value);
    const mine = { type: 'range', selection: exactly(key) } as const;
    queue.transact(ifCreatedAt(key, 0, [put], [mine]), (outcome, revision) => {
      const there = outcome.succeeded ? undefined : firstRecord(outcome, 0);
      const created = there?.createRevision ?? revision;
      queue.onAbandoned(() => withdraw(context, call, key, created));
      const wait = (): void =>
        queue.afterOlder(prefix, (created - 1) as Revision, () => {
          const header = headerFields(context.headers.at(revision));
          const won = { name, key, rev: int64Of(created), lease: int64Of(lease) };
          answer(call, encodeMessage(pb.CampaignResponse, { header, leader: won }));
        });
      // A candidate that comes again with another value proclaims it.
      if (there === undefined || equalBytes(there.value, value)) wait();
      else {
        queue.transact(ifCreatedAt(key, created, [put]), ({ succeeded }) => {
          if (succeeded) wait();
          else queue.fail(notLeader);
        });
      }
    });
  });
}

function proclaim(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const request = decodeMessage(pb.ProclaimRequest, bytes);
  const queue = new QueueCall(context, call);
  const held = leaderKeyOf(queue, request.leader);
  if (held === undefined) return;
  const put = putWith(held.lease, held.key, bytesOf(request.value));
  queue.transact(ifCreatedAt(held.key, held.created, [put]), ({ succeeded }, revision) => {
    if (!succeeded) queue.fail(notLeader);
    else answer(call, encodeMessage(pb.ProclaimResponse, { header: headerFields(context.headers.at(revision)) }));
  });
}

function resign(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const queue = new QueueCall(context, call);
  const held = leaderKeyOf(queue, decodeMessage(pb.ResignRequest, bytes).leader);
  if (held === undefined) return;
  queue.transact(ifCreatedAt(held.key, held.created, [deletionOf(held.key)]), (_outcome, revision) =>
    answer(call, encodeMessage(pb.ResignResponse, { header: headerFields(context.headers.at(revision)) })),
  );
}

function leader(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const prefix = queuePrefix(bytesOf(decodeMessage(pb.LeaderRequest, bytes).name));
  const queue = new QueueCall(context, call);
  queue.first(oldestOf(prefix), (record, revision) => {
    if (record === undefined) queue.fail(noLeader);
    else answer(call, leaderResponse(context, record, revision));
  });
}

/** Tells the proclamation of whoever leads, every later one, and then those of the next leader, without end. */
function observe(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const prefix = queuePrefix(bytesOf(decodeMessage(pb.LeaderRequest, bytes).name));
  const queue = new QueueCall(context, call);
  const look = (): void =>
    queue.first(oldestOf(prefix), (record, revision) => {
      if (record === undefined) awaitLeader(revision);
      else followLeader(record, revision);
    });
  const awaitLeader = (revision: Revision): void =>
    queue.follow(
      prefixed(prefix),
      revision,
      ({ record }) => (record === undefined ? null : () => followLeader(record, record.modRevision)),
      look,
    );
  const followLeader = (record: KeyRecord, revision: Revision): void => {
    queue.send(leaderResponse(context, record, revision));
    const onEvent = ({ record, modRevision }: WatchEvent): (() => void) | null => {
      if (record === undefined) return look;
      queue.send(leaderResponse(context, record, modRevision));
      return null;
    };
    queue.follow({ from: record.key, to: undefined, single: true }, (revision + 1) as Revision, onEvent, look);
  };
  look();
}

function leaderResponse(context: EtcdContext, record: KeyRecord, revision: Revision): Bytes {
  const kv: mvccpb.IKeyValue = {
    key: record.key,
    create_revision: int64Of(record.createRevision),
    mod_revision: int64Of(record.modRevision),
    version: int64Of(record.version),
    value: record.value,
    lease: int64Of(record.lease),
  };
  return encodeMessage(pb.LeaderResponse, { header: headerFields(context.headers.at(revision)), kv });
}

interface LeaderKey {
  readonly key: Bytes;
  readonly created: number;
  readonly lease: bigint;
}

/** Undefined: there is none, and the caller was told. */
function leaderKeyOf(queue: QueueCall, leader: pb.ILeaderKey | null | undefined): LeaderKey | undefined {
  const key = bytesOf(leader?.key);
  if (leader === null || leader === undefined) queue.fail(leaderMissing);
  else if (key.length === 0) queue.fail(etcdFailures.emptyKey.message);
  else {
    // No key was created at a negative revision, as none was at one that is never reached.
    const created = numberOf(leader.rev);
    return { key, created: created < 0 ? Number.MAX_SAFE_INTEGER : created, lease: bigintOf(leader.lease) };
  }
  return undefined;
}

/** Nobody waits any more; what comes of it nobody is told, and the lease's end does the same. */
function withdraw(context: EtcdContext, call: GrpcCall, key: Bytes, created: number): void {
  const transaction = ifCreatedAt(key, created, [deletionOf(key)]);
  context.service.write(envelopeOf(context, call, { type: 'transact', transaction }), 0, () => undefined);
}
