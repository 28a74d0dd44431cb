// The table of all methods of the etcd front end, by their paths. What carries calls to them is not known here.

import { copyBytes } from '../../shared/bytes.js';
import type { StoreError } from '../../shared/errors.js';
import type { CallActors } from './call-actors.js';
import { authMethods } from './commands/auth.js';
import { clusterMethods } from './commands/cluster.js';
import { electionMethods } from './commands/election.js';
import { healthMethods } from './commands/health.js';
import { kvMethods } from './commands/kv.js';
import { leaseMethods } from './commands/lease.js';
import { lockMethods } from './commands/lock.js';
import { maintenanceMethods } from './commands/maintenance.js';
import { snapshotMethods } from './commands/snapshot.js';
import { watchMethods } from './commands/watch.js';
import type { EtcdContext } from './context.js';
import { etcdFailures } from './errors.js';
import type { GrpcCall, GrpcMethod, GrpcMethods, MessageStream } from './grpc/grpc-call.js';
import { closedStream, failCall, within } from './grpc-methods.js';
import { LeaderMonitor } from './leader-monitor.js';

/** `actors`: those that the context asks. */
export function etcdMethods(context: EtcdContext, actors: CallActors): GrpcMethods {
  const monitor = new LeaderMonitor(context.service);
  const entries = [
    ...kvMethods(context),
    ...leaseMethods(context),
    ...authMethods(context),
    ...lockMethods(context),
    ...electionMethods(context),
    ...maintenanceMethods(context),
    ...snapshotMethods(context),
    ...clusterMethods(context),
    ...healthMethods(context, monitor),
  ];
  return new Map([
    ...entries.map(([path, method]) => {
      const judged = onceJudgeable(context, method, actors);
      return [path, requiringLeader(path, judged, monitor)] as const;
    }),
    // Streams of watches look after their leader by themselves.
    ...watchMethods(context),
  ]);
}

/** Calls that take one message and go on answering. */
const endless: ReadonlySet<string> = new Set([
  '/etcdserverpb.KV/RangeStream',
  '/etcdserverpb.Maintenance/Snapshot',
  '/v3electionpb.Election/Observe',
  '/grpc.health.v1.Health/Watch',
]);

/** A token that another member has just issued may rest on a change that is still on its way to this one. */
function onceJudgeable(context: EtcdContext, method: GrpcMethod, actors: CallActors): GrpcMethod {
  if (method.type === 'stream') return method;
  const { handle } = method;
  return {
    type: 'unary',
    handle: (call, request) => {
      try {
        if (actors.canJudge(call)) {
          handle(call, request);
          return;
        }
        const kept = copyBytes(request);
        const judgeable = within(context, call, (error: StoreError | null) => {
          if (call.over) return;
          if (error === null) handle(call, kept);
          else failCall(context, call, error);
        });
        actors.whenJudgeable(call, judgeable);
      } catch (error) {
        // Of the token: whatever the methods themselves throw has ended the call before it comes here.
        failCall(context, call, error);
      }
    },
  };
}

/** A client may ask to be refused while there is no leader, and to have its streams ended when there is none any more. */
function requiringLeader(path: string, method: GrpcMethod, monitor: LeaderMonitor): GrpcMethod {
  const admitted = (call: GrpcCall): boolean => {
    if (call.header('hasleader') !== 'true') return true;
    if (!monitor.hasLeader) {
      call.fail(etcdFailures.noLeader.status, etcdFailures.noLeader.message);
      return false;
    }
    if (method.type === 'stream' || endless.has(path)) monitor.watchCall(call);
    return true;
  };
  if (method.type === 'stream') {
    return { type: 'stream', open: (call): MessageStream => (admitted(call) ? method.open(call) : closedStream) };
  }
  return {
    type: 'unary',
    handle: (call, request) => {
      if (admitted(call)) method.handle(call, request);
    },
  };
}
