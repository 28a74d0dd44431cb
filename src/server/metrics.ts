// Which numbers of a node stand on its metrics page, under the names that etcd's dashboards bind to, and zabtree's own. Only
// reads them; they are counted where things happen.

import type { GrpcCounts, MethodCounts } from '../api/etcd/grpc/grpc-counts.js';
import { grpcStatus } from '../api/etcd/grpc/grpc-status.js';
import type { FrontEndGuard } from '../api/front-end-guard.js';
import type { ProbeCounts } from '../api/http/commands/probes.js';
import { etcdClusterVersion, etcdServerVersion } from '../config/etcd-version.js';
import type { Metric, MetricValue } from '../observability/metrics-page.js';
import type { StoreService } from '../service/store-service.js';
import type { DurationHistogram } from '../shared/duration-histogram.js';
import type { PeerCounters } from '../transport/transport-counters.js';

export interface MetricSources {
  readonly service: StoreService;
  /** Of the ensemble's driver and its tree. */
  readonly node: {
    readonly leaderChanges: number;
    readonly requests: { readonly pending: number; readonly failed: number };
    readonly tree: {
      readonly counts: { readonly entries: number; readonly puts: number; readonly deletes: number };
      readonly overlayBytes: number;
    };
  };
  readonly client: {
    readonly connectionCount: number;
    readonly heldBytes: number;
    readonly callCount: number;
    readonly grpcCounts: GrpcCounts | undefined;
    readonly guard: Pick<FrontEndGuard, 'counts'>;
  };
  readonly peers: PeerCounters;
  readonly logBytes: () => number;
  readonly walSyncs: DurationHistogram;
  readonly flushes: DurationHistogram;
  readonly probes: ProbeCounts;
}

export function metricsOf(sources: MetricSources): readonly Metric[] {
  return [...serverMetrics(sources), ...storeMetrics(sources), ...grpcMetrics(sources), ...ownMetrics(sources)];
}

type Read = () => number | readonly MetricValue[];

function gauge(name: string, help: string, read: Read): Metric {
  return { type: 'gauge', name, help, read };
}

function counter(name: string, help: string, read: Read): Metric {
  return { type: 'counter', name, help, read };
}

/** Whether a sentence is true, in a label. */
function said(label: string, value: () => string): Read {
  return () => [{ labels: { [label]: value() }, value: 1 }];
}

function serverMetrics({ service, node, probes }: MetricSources): readonly Metric[] {
  const { tree, requests } = node;
  const status = () => service.status();
  return [
    gauge('etcd_server_has_leader', 'Whether or not a leader exists. 1 is existence, 0 is not.', () =>
      Number(status().leader !== null),
    ),
    gauge('etcd_server_is_leader', 'Whether or not this member is a leader. 1 if is, 0 otherwise.', () =>
      Number(status().role === 'leader'),
    ),
    gauge('etcd_server_is_learner', 'Whether or not this member is a learner. 1 if is, 0 otherwise.', () => 0),
    counter('etcd_server_leader_changes_seen_total', 'The number of leader changes seen.', () => node.leaderChanges),
    gauge(
      'etcd_server_proposals_committed_total',
      'The total number of consensus proposals committed, since this member was started.',
      () => tree.counts.entries,
    ),
    gauge(
      'etcd_server_proposals_applied_total',
      'The total number of consensus proposals applied, since this member was started.',
      () => tree.counts.entries,
    ),
    gauge(
      'etcd_server_proposals_pending',
      'The current number of pending proposals to commit.',
      () => requests.pending,
    ),
    counter('etcd_server_proposals_failed_total', 'The total number of failed proposals seen.', () => requests.failed),
    gauge(
      'etcd_server_quota_backend_bytes',
      'Current backend storage quota size in bytes.',
      () => service.usage().quotaBytes,
    ),
    counter('etcd_server_health_success', 'The total number of successful health checks', () => probes.healthy),
    counter('etcd_server_health_failures', 'The total number of failed health checks', () => probes.unhealthy),
    counter('etcd_server_healthchecks_total', 'The total number of each health check.', () => checksOf(probes)),
    gauge(
      'etcd_server_id',
      'Server or member ID in hexadecimal format.',
      said('server_id', () => status().id.toString(16)),
    ),
    gauge(
      'etcd_server_version',
      'Which version is running.',
      said('server_version', () => etcdServerVersion),
    ),
    gauge(
      'etcd_cluster_version',
      'Which version is running.',
      said('cluster_version', () => etcdClusterVersion),
    ),
  ];
}

function checksOf({ checks }: ProbeCounts): readonly MetricValue[] {
  return [...checks].flatMap(([check, { passed, failed }]) => {
    const [type = '', name = ''] = check.split('/');
    return [
      { labels: { type, name, status: 'success' }, value: passed },
      { labels: { type, name, status: 'error' }, value: failed },
    ];
  });
}

function storeMetrics({ service, node, walSyncs, flushes }: MetricSources): readonly Metric[] {
  const { counts } = node.tree;
  const fileBytes = (): number => service.usage().fileBytes;
  const both = (name: string, help: string, read: Read): readonly Metric[] => [
    counter(`etcd_mvcc_${name}`, help, read),
    counter(`etcd_debugging_mvcc_${name}`, help, read),
  ];
  return [
    {
      type: 'histogram',
      name: 'etcd_disk_wal_fsync_duration_seconds',
      help: 'The latency distributions of writes to the log until they are durable.',
      read: () => walSyncs,
    },
    {
      type: 'histogram',
      name: 'etcd_disk_backend_commit_duration_seconds',
      help: 'The latency distributions of flushes of the tree until they are durable.',
      read: () => flushes,
    },
    gauge('etcd_mvcc_db_total_size_in_bytes', 'Size of the file of the tree in bytes.', fileBytes),
    gauge('etcd_debugging_mvcc_db_total_size_in_bytes', 'Size of the file of the tree in bytes.', fileBytes),
    gauge('etcd_mvcc_db_total_size_in_use_in_bytes', 'What of it is in use in bytes.', () => service.usage().usedBytes),
    gauge('etcd_debugging_mvcc_keys_total', 'Total number of keys, as of the last flush.', () => service.usage().keys),
    gauge('etcd_debugging_mvcc_current_revision', 'The current revision of store.', () => service.revision),
    gauge(
      'etcd_debugging_mvcc_compact_revision',
      'The revision of the last compaction in store.',
      () => service.status().compactedRevision,
    ),
    gauge('etcd_debugging_mvcc_watcher_total', 'Total number of watchers.', () => service.openWatches),
    ...both('put_total', 'Total number of puts seen by this member.', () => counts.puts),
    ...both('delete_total', 'Total number of deletes seen by this member.', () => counts.deletes),
  ];
}

/** As gRPC's own library for Go names them. */
const statusNames: Readonly<Record<keyof typeof grpcStatus, string>> = {
  ok: 'OK',
  cancelled: 'Canceled',
  unknown: 'Unknown',
  invalidArgument: 'InvalidArgument',
  deadlineExceeded: 'DeadlineExceeded',
  notFound: 'NotFound',
  alreadyExists: 'AlreadyExists',
  permissionDenied: 'PermissionDenied',
  resourceExhausted: 'ResourceExhausted',
  failedPrecondition: 'FailedPrecondition',
  aborted: 'Aborted',
  outOfRange: 'OutOfRange',
  unimplemented: 'Unimplemented',
  internal: 'Internal',
  unavailable: 'Unavailable',
  dataLoss: 'DataLoss',
  unauthenticated: 'Unauthenticated',
};

function grpcMetrics({ client }: MetricSources): readonly Metric[] {
  const eachMethod = (read: (method: MethodCounts) => number): Read => {
    return () => methodsOf(client.grpcCounts).map((method) => ({ labels: labelsOf(method), value: read(method) }));
  };
  return [
    counter(
      'etcd_network_client_grpc_received_bytes_total',
      'The total number of bytes received from grpc clients.',
      () => client.grpcCounts?.receivedBytes ?? 0,
    ),
    counter(
      'etcd_network_client_grpc_sent_bytes_total',
      'The total number of bytes sent to grpc clients.',
      () => client.grpcCounts?.sentBytes ?? 0,
    ),
    counter(
      'grpc_server_started_total',
      'Total number of RPCs started on the server.',
      eachMethod((m) => m.started),
    ),
    counter(
      'grpc_server_msg_received_total',
      'Total number of RPC stream messages received on the server.',
      eachMethod((m) => m.messagesReceived),
    ),
    counter(
      'grpc_server_msg_sent_total',
      'Total number of gRPC stream messages sent by the server.',
      eachMethod((m) => m.messagesSent),
    ),
    counter(
      'grpc_server_handled_total',
      'Total number of RPCs completed on the server, regardless of success or failure.',
      () => methodsOf(client.grpcCounts).flatMap(handledOf),
    ),
  ];
}

function methodsOf(counts: GrpcCounts | undefined): readonly MethodCounts[] {
  return counts === undefined ? [] : [...counts.methods.values()];
}

function labelsOf({ path, type }: MethodCounts): Readonly<Record<string, string>> {
  const [, service = '', method = ''] = path.split('/');
  const grpcType = type === 'unary' ? 'unary' : 'bidi_stream';
  return { grpc_method: method, grpc_service: service, grpc_type: grpcType };
}

function handledOf(method: MethodCounts): readonly MetricValue[] {
  const labels = labelsOf(method);
  return (Object.keys(grpcStatus) as (keyof typeof grpcStatus)[]).map((name) => ({
    labels: { grpc_code: statusNames[name], ...labels },
    value: method.handled[grpcStatus[name]] ?? 0,
  }));
}

function ownMetrics({ service, node, client, peers, logBytes }: MetricSources): readonly Metric[] {
  return [
    gauge('zabtree_serving', 'Whether this node answers writes and linearizable reads.', () =>
      Number(service.status().serving),
    ),
    gauge('zabtree_epoch', 'The number of the present reign.', () => service.status().epoch),
    gauge('zabtree_applied_zxid', 'What this node has applied.', () => service.appliedZxid),
    gauge('zabtree_alarms', 'Alarms that are raised.', () => service.alarms.length),
    gauge('zabtree_overlay_bytes', 'Bytes that are committed and not flushed.', () => node.tree.overlayBytes),
    gauge('zabtree_log_bytes', 'Bytes of the commit log.', logBytes),
    gauge('zabtree_client_connections', 'Connections of clients.', () => client.connectionCount),
    gauge('zabtree_client_held_bytes', 'Bytes held for clients, unsent or half received.', () => client.heldBytes),
    gauge('zabtree_grpc_calls', 'gRPC calls that are under way.', () => client.callCount),
    counter(
      'zabtree_front_end_exceptions_total',
      'Exceptions that cost a client its call or connection: defects, which the log tells of.',
      () => Object.entries(client.guard.counts).map(([name, value]) => ({ labels: { front_end: name }, value })),
    ),
    counter('zabtree_peer_sent_bytes_total', 'Bytes sent to other members.', () => peers.bytesSent),
    counter('zabtree_peer_received_bytes_total', 'Bytes received from other members.', () => peers.bytesReceived),
    counter(
      'zabtree_peer_links_opened_total',
      'Connections to other members that were opened.',
      () => peers.linksOpened,
    ),
  ];
}
