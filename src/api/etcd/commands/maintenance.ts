// The service Maintenance: what a member is, which alarms are raised, hashes to compare members by. Snapshot is elsewhere
// (commands/snapshot.ts); leadership and the version are not moved by clients.

import { etcdServerVersion } from '../../../config/etcd-version.js';
import type { StoreService } from '../../../service/store-service.js';
import type { Bytes } from '../../../shared/bytes.js';
import type { StoreError } from '../../../shared/errors.js';
import type { Revision } from '../../../shared/ids.js';
import type { Alarm, AlarmKind } from '../../../tree/alarm.js';
import type { CommandResult } from '../../../tree/command.js';
import { decodeMessage, encodeMessage } from '../codec/generated-codec.js';
import { bigintOf, int64Of, numberOf } from '../codec/int64.js';
import { headerFields } from '../codec/response-header.js';
import type { EtcdContext } from '../context.js';
import { EtcdError, etcdFailures } from '../errors.js';
import { etcdserverpb as pb } from '../generated/messages.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { grpcStatus } from '../grpc/grpc-status.js';
import { afterReclaim, answer, failCall, failWithCode, type MethodEntries, unary, within } from '../grpc-methods.js';

export function maintenanceMethods(context: EtcdContext): MethodEntries {
  const admin = (call: GrpcCall, go: () => void): void => onlyForAdmins(context, call, go);
  return [
    unary(context, '/etcdserverpb.Maintenance/Status', (call) => status(context, call)),
    unary(context, '/etcdserverpb.Maintenance/Alarm', (call, request) => alarm(context, call, request)),
    unary(context, '/etcdserverpb.Maintenance/Hash', (call) => admin(call, () => hash(context, call))),
    unary(context, '/etcdserverpb.Maintenance/HashKV', (call, request) => {
      const { revision } = decodeMessage(pb.HashKVRequest, request);
      admin(call, () => hashVersions(context, call, numberOf(revision)));
    }),
    unary(context, '/etcdserverpb.Maintenance/Defragment', (call) => admin(call, () => defragment(context, call))),
    unary(context, '/etcdserverpb.Maintenance/MoveLeader', () => {
      throw unimplemented('the leader cannot be moved on request');
    }),
    unary(context, '/etcdserverpb.Maintenance/Downgrade', () => {
      throw unimplemented('a version cannot be downgraded');
    }),
  ];
}

/** For requests that etcd knows and zabtree does not carry out. */
export function unimplemented(why: string): EtcdError {
  return new EtcdError({ status: grpcStatus.unimplemented, message: `etcdserver: not supported: ${why}` });
}

/** Asks nobody else: a member without a quorum says so. */
function status(context: EtcdContext, call: GrpcCall): void {
  const { service, headers } = context;
  const { leader, zxid, epoch } = service.status();
  const { usedBytes, fileBytes, quotaBytes } = service.usage();
  const errors = [
    ...(leader === null ? [etcdFailures.noLeader.message] : []),
    ...service.alarms.map(({ kind, member }) => `memberID:${member} alarm:${alarmNames[kind]} `),
  ];
  const response = {
    header: headerFields(headers.now()),
    version: etcdServerVersion,
    dbSize: int64Of(fileBytes),
    dbSizeInUse: int64Of(usedBytes),
    dbSizeQuota: int64Of(quotaBytes),
    leader: int64Of(leader ?? 0),
    raftIndex: int64Of(zxid),
    raftAppliedIndex: int64Of(zxid),
    raftTerm: int64Of(epoch),
    errors,
  };
  answer(call, encodeMessage(pb.StatusResponse, response));
}

const alarmTypes: Readonly<Record<AlarmKind, pb.AlarmType>> = {
  noSpace: pb.AlarmType.NOSPACE,
  corrupt: pb.AlarmType.CORRUPT,
};

const alarmNames: Readonly<Record<AlarmKind, string>> = { noSpace: 'NOSPACE', corrupt: 'CORRUPT' };

/** undefined: NONE, or a type that is not known here. */
function kindOf(type: pb.AlarmType | null | undefined): AlarmKind | undefined {
  return (Object.keys(alarmTypes) as AlarmKind[]).find((kind) => alarmTypes[kind] === type);
}

function alarm(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const request = decodeMessage(pb.AlarmRequest, bytes);
  const kind = kindOf(request.alarm);
  const { GET, ACTIVATE, DEACTIVATE } = pb.AlarmRequest.AlarmAction;
  switch (request.action ?? GET) {
    case GET:
      listAlarms(context, call, kind);
      return;
    case ACTIVATE:
    case DEACTIVATE: {
      const active = request.action === ACTIVATE;
      // An alarm of no type is none, and there is nothing to be done.
      if (kind === undefined) answerAlarms(context, call, []);
      else setAlarm(context, call, active, { kind, member: BigInt.asUintN(64, bigintOf(request.memberID)) });
      return;
    }
    default:
      answerAlarms(context, call, []);
  }
}

function listAlarms(context: EtcdContext, call: GrpcCall, kind: AlarmKind | undefined): void {
  const done = within(context, call, (error: StoreError | null) => {
    if (call.over) return;
    if (error !== null) failCall(context, call, error);
    else {
      const listed = context.service.alarms.filter((raised) => kind === undefined || raised.kind === kind);
      answerAlarms(context, call, listed);
    }
  });
  context.service.barrier(call.timeoutMs, done);
}

function setAlarm(context: EtcdContext, call: GrpcCall, active: boolean, changed: Alarm): void {
  const command = { type: 'alarm', active, alarm: changed } as const;
  const actor = context.actorOf(call);
  const done = within(context, call, ({ code }: CommandResult) => {
    if (call.over) return;
    if (code === 'OK') answerAlarms(context, call, [changed]);
    // What is not raised cannot be disarmed, and is not listed.
    else if (code === 'KEY_NOT_FOUND') answerAlarms(context, call, []);
    else failWithCode(call, code);
  });
  context.service.write(actor === undefined ? { command } : { command, actor }, call.timeoutMs, done);
}

function answerAlarms({ headers }: EtcdContext, call: GrpcCall, listed: readonly Alarm[]): void {
  const alarms = listed.map(({ kind, member }) => ({ memberID: int64Of(member), alarm: alarmTypes[kind] }));
  answer(call, encodeMessage(pb.AlarmResponse, { header: headerFields(headers.now()), alarms }));
}

/** Of everything that this node has applied and replicates. */
function hash(context: EtcdContext, call: GrpcCall): void {
  const done: Parameters<StoreService['digest']>[0] = (error, result) => {
    if (call.over) return;
    if (error !== null || result === null) failAsUnread(context, call, error);
    else {
      const header = headerFields(context.headers.at(result.revision));
      answer(call, encodeMessage(pb.HashResponse, { header, hash: Number.parseInt(result.digest.slice(0, 8), 16) }));
    }
  };
  context.service.digest(within(context, call, done));
}

/** etcd says so of a store that was never compacted. */
const neverCompacted = -1;

function hashVersions(context: EtcdContext, call: GrpcCall, revision: number): void {
  const { service, headers } = context;
  const at = revision > 0 ? (revision as Revision) : undefined;
  const done: Parameters<StoreService['hashVersions']>[1] = (error, result) => {
    if (call.over) return;
    if (error !== null || result === null) failAsUnread(context, call, error);
    else {
      const response = {
        header: headerFields(headers.now()),
        hash: result.hash,
        compact_revision: int64Of(result.compactedRevision > 0 ? result.compactedRevision : neverCompacted),
        hash_revision: int64Of(result.revision),
      };
      answer(call, encodeMessage(pb.HashKVResponse, response));
    }
  };
  service.hashVersions(at, within(context, call, done));
}

/** Nothing stops for it: what compaction freed is used again by itself. This waits until it is free. */
function defragment(context: EtcdContext, call: GrpcCall): void {
  afterReclaim(context, call, encodeMessage(pb.DefragmentResponse, {}));
}

function failAsUnread(context: EtcdContext, call: GrpcCall, error: StoreError | null): void {
  if (error === null) failWithCode(call, 'INTERNAL');
  else failCall(context, call, error);
}

function onlyForAdmins(context: EtcdContext, call: GrpcCall, go: () => void): void {
  const actor = context.actorOf(call);
  const refusal = actor === undefined ? null : context.service.adminRefusal(actor);
  if (refusal === null) go();
  else failCall(context, call, refusal);
}
