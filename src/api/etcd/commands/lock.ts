// The service Lock: a lock is a queue of keys, held by whoever's key is at its head. What it does with keys is what
// etcd's own does, so that clients which lock by themselves and clients of this service exclude each other.

import type { Bytes } from '../../../shared/bytes.js';
import type { Revision } from '../../../shared/ids.js';
import { bytesOf, decodeMessage, encodeMessage } from '../codec/generated-codec.js';
import { bigintOf } from '../codec/int64.js';
import { headerFields } from '../codec/response-header.js';
import type { EtcdContext } from '../context.js';
import { etcdFailures } from '../errors.js';
import { v3lockpb as pb } from '../generated/messages.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { answer, envelopeOf, type MethodEntries, unary } from '../grpc-methods.js';
import {
  deletionOf,
  exactly,
  firstRecord,
  ifCreatedAt,
  oldestOf,
  putWith,
  QueueCall,
  queueKey,
  queuePrefix,
} from '../key-queue.js';

export function lockMethods(context: EtcdContext): MethodEntries {
  return [
    unary(context, '/v3lockpb.Lock/Lock', (call, request) => lock(context, call, request)),
    unary(context, '/v3lockpb.Lock/Unlock', (call, request) => unlock(context, call, request)),
  ];
}

function lock(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const request = decodeMessage(pb.LockRequest, bytes);
  const prefix = queuePrefix(bytesOf(request.name));
  const queue = new QueueCall(context, call);
  queue.lease(bigintOf(request.lease), (lease) => {
    const key = queueKey(prefix, lease);
    const owner = { type: 'range', selection: oldestOf(prefix) } as const;
    const mine = { type: 'range', selection: exactly(key) } as const;
    // A key of this lease may be there already: locking twice is locking once.
    queue.transact(ifCreatedAt(key, 0, [putWith(lease, key), owner], [mine, owner]), (outcome, revision) => {
      const created = outcome.succeeded ? revision : (firstRecord(outcome, 0)?.createRevision ?? revision);
      const held = (at: Revision): void => answerLocked(context, call, key, at);
      const head = firstRecord(outcome, 1);
      if (head === undefined || head.createRevision === created) {
        held(revision);
        return;
      }
      queue.onAbandoned(() => withdraw(context, call, key));
      queue.afterOlder(prefix, (created - 1) as Revision, () =>
        queue.first(exactly(key), (record, at) => {
          if (record === undefined) queue.fail('mutex: session is expired');
          else held(at);
        }),
      );
    });
  });
}

function unlock(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const key = bytesOf(decodeMessage(pb.UnlockRequest, bytes).key);
  const queue = new QueueCall(context, call);
  if (key.length === 0) {
    queue.fail(etcdFailures.emptyKey.message);
    return;
  }
  queue.transact({ compares: [], success: [deletionOf(key)], failure: [] }, (_outcome, revision) =>
    answer(call, encodeMessage(pb.UnlockResponse, { header: headerFields(context.headers.at(revision)) })),
  );
}

function answerLocked(context: EtcdContext, call: GrpcCall, key: Bytes, revision: Revision): void {
  answer(call, encodeMessage(pb.LockResponse, { header: headerFields(context.headers.at(revision)), key }));
}

/** Nobody waits any more; what comes of it nobody is told, and the lease's end does the same. */
function withdraw(context: EtcdContext, call: GrpcCall, key: Bytes): void {
  const transaction = { compares: [], success: [deletionOf(key)], failure: [] };
  context.service.write(envelopeOf(context, call, { type: 'transact', transaction }), 0, () => undefined);
}
