// What monitors are told: probes, version and metrics over the real service, with the counters between them.

import { beforeEach, describe, expect, it } from 'vitest';
import { SingleNode } from '../../test/support/single-node.js';
import { until } from '../../test/support/until.js';
import { FrontEndGuard } from '../api/front-end-guard.js';
import { versionRoute } from '../api/http/commands/version.js';
import type { HttpRequest, HttpResponse, HttpRoute } from '../api/http-handler.js';
import { limits } from '../config/limits.js';
import { createLog } from '../observability/log.js';
import { type AccessRequest, anonymous } from '../service/access-service.js';
import { createStoreService } from '../service/service.js';
import type { StoreService } from '../service/store-service.js';
import { DurationHistogram } from '../shared/duration-histogram.js';
import { newPeerCounters } from '../transport/transport-counters.js';
import type { CommandResult } from '../tree/command.js';
import { observationRoutes } from './observation-routes.js';

let node: SingleNode;
let service: StoreService;
let routes: readonly HttpRoute[];
let walSyncs: DurationHistogram;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** undefined: nothing is at this path. */
async function get(url: string, method = 'GET'): Promise<Answer | undefined> {
  const [path = '', query = ''] = url.split('?');
  let answer: Answer | undefined;
  const request: HttpRequest = {
    method,
    path,
    query: new URLSearchParams(query),
    body: new Uint8Array(0),
    commonName: undefined,
    header: () => undefined,
  };
  const response: HttpResponse = {
    over: false,
    reserve: () => true,
    answer: (status, _headers, body) => {
      answer = { status, body: Buffer.from(body).toString() };
    },
    begin: () => undefined,
    send: () => true,
    finish: () => undefined,
    onDrain: () => undefined,
    onGone: () => undefined,
    broken: (error) => {
      throw error;
    },
  };
  const taken = routes.some(({ prefix, handle }) => path.startsWith(prefix) && handle(request, response));
  if (taken) await until(`an answer to ${url}`, () => answer !== undefined);
  return answer;
}

function alarm(kind: 'noSpace' | 'corrupt', active: boolean): Promise<unknown> {
  const command = { type: 'alarm', active, alarm: { kind, member: 1n } } as const;
  return new Promise((resolve) => service.write({ command }, 0, resolve));
}

describe('observationRoutes()', () => {
  beforeEach(() => {
    node = new SingleNode();
    service = createStoreService(node, { scheduler: node.scheduler, limits });
    walSyncs = new DurationHistogram();
    const observed = observationRoutes({
      service,
      node: { leaderChanges: 3, requests: { pending: 1, failed: 2 }, tree: node.tree },
      client: {
        connectionCount: 4,
        heldBytes: 5,
        callCount: 6,
        grpcCounts: undefined,
        guard: new FrontEndGuard({ error: () => undefined }),
      },
      peers: newPeerCounters(),
      logBytes: () => 7,
      walSyncs,
      flushes: new DurationHistogram(),
      log: createLog({ level: 'error', format: 'text' }),
    });
    routes = [versionRoute, ...observed];
  });

  it('/health is true, or says why it is not', async () => {
    expect(await get('/health')).toEqual({ status: 200, body: '{"health":"true","reason":""}' });
    await alarm('noSpace', true);
    expect(await get('/health')).toEqual({ status: 503, body: '{"health":"false","reason":"ALARM NOSPACE"}\n' });
    expect((await get('/health?exclude=NOSPACE'))?.status).toBe(200);
    await alarm('noSpace', false);
    node.serving = false;
    expect((await get('/health'))?.body).toBe(`{"health":"false","reason":"RAFT NO LEADER"}\n`);
    expect((await get('/health?serializable=true'))?.status).toBe(200);
    expect((await get('/health', 'POST'))?.status).toBe(405);
  });

  it('/livez asks the node alone, /readyz for a quorum too; one check is a path of its own', async () => {
    expect(await get('/readyz')).toEqual({ status: 200, body: 'ok\n' });
    node.serving = false;
    expect(await get('/livez?verbose')).toEqual({ status: 200, body: '[+]serializable_read ok\nok\n' });
    const ready = await get('/readyz');
    expect(ready?.status).toBe(503);
    expect(ready?.body).toMatch(
      /^\[\+\]data_corruption ok\n\[\+\]serializable_read ok\n\[-\]linearizable_read failed: /,
    );
    expect((await get('/readyz?exclude=linearizable_read'))?.status).toBe(200);
    await expect(get('/readyz/serializable_read')).resolves.toEqual({ status: 200, body: 'ok\n' });
    expect(await get('/readyz/toString')).toBeUndefined();
    expect(await get('/livezz')).toBeUndefined();
  });

  it('probes need no user where access control is on', async () => {
    const change = (request: AccessRequest): Promise<CommandResult> =>
      new Promise((resolve) => service.access.change(request, { actor: anonymous, timeoutMs: 0 }, resolve));
    await change({ type: 'userAdd', user: 'root', password: 'secret', noPassword: false });
    await change({ type: 'userGrantRole', user: 'root', role: 'root' });
    expect((await change({ type: 'enable' })).code).toBe('OK');
    expect(await get('/livez')).toEqual({ status: 200, body: 'ok\n' });
    expect(await get('/readyz')).toEqual({ status: 200, body: 'ok\n' });
    expect((await get('/health'))?.status).toBe(200);
  });

  it('/readyz says of corruption', async () => {
    await alarm('corrupt', true);
    expect((await get('/readyz'))?.body).toContain('[-]data_corruption failed: alarm activated: CORRUPT\n');
    expect((await get('/livez'))?.status).toBe(200);
  });

  it('/version is of the API that is implemented', async () => {
    const version: unknown = JSON.parse((await get('/version'))?.body ?? '');
    expect(version).toEqual({ etcdserver: expect.stringMatching(/^3\.5\.\d+$/), etcdcluster: '3.5.0' });
  });

  it('/metrics has the names that dashboards bind to, with what was counted', async () => {
    await get('/health');
    for (const elapsedMs of [0.5, 1.5, 1.5]) walSyncs.record(elapsedMs);
    await new Promise((resolve) =>
      service.write({ command: { type: 'set', key: new Uint8Array([1]), value: new Uint8Array(1) } }, 0, resolve),
    );
    const page = (await get('/metrics'))?.body ?? '';
    for (const line of [
      'etcd_server_has_leader 1',
      'etcd_server_is_leader 1',
      'etcd_server_leader_changes_seen_total 3',
      'etcd_server_proposals_applied_total 1',
      'etcd_server_proposals_pending 1',
      'etcd_server_proposals_failed_total 2',
      'etcd_server_health_success 1',
      `etcd_server_quota_backend_bytes ${limits.quotaBytes}`,
      'etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 1',
      'etcd_disk_wal_fsync_duration_seconds_bucket{le="0.002"} 3',
      'etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 3',
      'etcd_disk_wal_fsync_duration_seconds_sum 0.0035',
      'etcd_disk_wal_fsync_duration_seconds_count 3',
      '# TYPE etcd_disk_backend_commit_duration_seconds histogram',
      'etcd_mvcc_put_total 1',
      'etcd_debugging_mvcc_current_revision 2',
      'etcd_network_client_grpc_sent_bytes_total 0',
      'zabtree_log_bytes 7',
      'zabtree_front_end_exceptions_total{front_end="native"} 0',
    ]) {
      expect(page.split('\n')).toContain(line);
    }
    for (const name of [
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
      'etcd_mvcc_db_total_size_in_bytes',
    ]) {
      expect(page).toMatch(new RegExp(`^${name} `, 'm'));
    }
  });
});
