// GET /health, /livez and /readyz, as monitors of etcd ask: may this node be sent requests, does it live. Answers are
// etcd's to the letter; the node's own view of itself is at /healthz.

import type { StoreService } from '../../../service/store-service.js';
import type { StoreError } from '../../../shared/errors.js';
import { zxidZero } from '../../../shared/ids.js';
import type { AlarmKind } from '../../../tree/alarm.js';
import { contained } from '../../front-end-guard.js';
import type { HttpHandler, HttpRequest, HttpResponse, HttpRoute } from '../../http-handler.js';

/** How often each question was answered and how: copied into the metrics. */
export interface ProbeCounts {
  healthy: number;
  unhealthy: number;
  /** By `livez/check` or `readyz/check`. */
  readonly checks: Map<string, { passed: number; failed: number }>;
}

export function newProbeCounts(): ProbeCounts {
  return { healthy: 0, unhealthy: 0, checks: new Map() };
}

/** Ends with null, or with why it failed. */
type Check = (service: StoreService, done: (failure: string | null) => void) => void;

const localRead: Check = (service, done) => {
  service.range({ ...anything, limit: 1 }, { ...asked, local: true }, (error) => done(reasonOf(error)));
};
const linearizableRead: Check = (service, done) => service.barrier(probeTimeoutMs, (error) => done(reasonOf(error)));
const noCorruption: Check = (service, done) =>
  done(service.alarms.some(({ kind }) => kind === 'corrupt') ? 'alarm activated: CORRUPT' : null);
/** Every member votes. */
const nonLearner: Check = (_service, done) => done(null);

const probeTimeoutMs = 5_000;
const anything = { from: new Uint8Array(0), to: undefined, at: undefined, bytesMax: 1, keysOnly: true } as const;
const asked = { seen: zxidZero, timeoutMs: probeTimeoutMs } as const;

const checksOf = {
  '/livez': { serializable_read: localRead },
  '/readyz': {
    data_corruption: noCorruption,
    serializable_read: localRead,
    linearizable_read: linearizableRead,
    non_learner: nonLearner,
  },
} satisfies Readonly<Record<string, Readonly<Record<string, Check>>>>;

export function probeRoutes(service: StoreService, counts: ProbeCounts): readonly HttpRoute[] {
  const checked = Object.entries(checksOf).map(([root, checks]) => ({
    prefix: root,
    handle: checkHandler(service, counts, root, checks),
  }));
  return [{ prefix: '/health', handle: healthHandler(service, counts) }, ...checked];
}

const alarmNames: Readonly<Record<AlarmKind, string>> = { noSpace: 'NOSPACE', corrupt: 'CORRUPT' };

function healthHandler(service: StoreService, counts: ProbeCounts): HttpHandler {
  return (request, response) => {
    if (request.path !== '/health') return false;
    if (!isGet(request, response)) return true;
    const excluded = new Set(request.query.getAll('exclude'));
    const answer = (reason: string | null): void => {
      if (reason === null) counts.healthy += 1;
      else counts.unhealthy += 1;
      const body = JSON.stringify({ health: String(reason === null), reason: reason ?? '' });
      if (reason === null) response.answer(200, plainText, body);
      else response.answer(503, unsniffedText, `${body}\n`);
    };
    const alarm = service.alarms.find(({ kind }) => !excluded.has(alarmNames[kind]));
    const local = request.query.get('serializable') === 'true';
    if (alarm !== undefined) answer(`ALARM ${alarmNames[alarm.kind]}`);
    else if (!local && service.status().leader === null) answer('RAFT NO LEADER');
    else {
      const asked = local ? localRead : linearizableRead;
      asked(
        service,
        contained(response, (why) => answer(why === null ? null : `RANGE ERROR:${why}`)),
      );
    }
    return true;
  };
}

function checkHandler(
  service: StoreService,
  counts: ProbeCounts,
  root: string,
  checks: Readonly<Record<string, Check>>,
): HttpHandler {
  return (request, response) => {
    const { path, query } = request;
    const single = path.slice(root.length + 1);
    if (path !== root && !(path.startsWith(`${root}/`) && Object.hasOwn(checks, single))) return false;
    if (!isGet(request, response)) return true;
    const excluded = new Set(query.getAll('exclude'));
    const names = path === root ? Object.keys(checks).filter((name) => !excluded.has(name)) : [single];
    const done = contained(response, (failures: ReadonlyMap<string, string>): void => {
      let report = '';
      for (const name of names) {
        const failure = failures.get(name) ?? null;
        countCheck(counts, `${root.slice(1)}/${name}`, failure === null);
        report += failure === null ? `[+]${name} ok\n` : `[-]${name} failed: ${failure}\n`;
      }
      if (failures.size > 0) response.answer(503, unsniffedText, `${report}\n`);
      else response.answer(200, unsniffedText, `${query.has('verbose') ? report : ''}ok\n`);
    });
    runChecks(service, names, checks, done);
    return true;
  };
}

/** Gives the failures by name, once all have ended. */
function runChecks(
  service: StoreService,
  names: readonly string[],
  checks: Readonly<Record<string, Check>>,
  done: (failures: ReadonlyMap<string, string>) => void,
): void {
  const failures = new Map<string, string>();
  let left = names.length;
  if (left === 0) done(failures);
  for (const name of names) {
    checks[name]?.(service, (failure) => {
      if (failure !== null) failures.set(name, failure);
      left -= 1;
      if (left === 0) done(failures);
    });
  }
}

function countCheck({ checks }: ProbeCounts, name: string, passed: boolean): void {
  let count = checks.get(name);
  if (count === undefined) {
    count = { passed: 0, failed: 0 };
    checks.set(name, count);
  }
  if (passed) count.passed += 1;
  else count.failed += 1;
}

/** What a read without a name is told where access control is on. It is judged once the state could be read. */
const refusedAfterReading: ReadonlySet<string> = new Set(['USER_NAME_EMPTY', 'UNAUTHENTICATED', 'PERMISSION_DENIED']);

function reasonOf(error: StoreError | null): string | null {
  if (error === null || refusedAfterReading.has(error.code)) return null;
  return error.code === 'TIMEOUT' ? 'context deadline exceeded' : error.message;
}

const plainText = { 'content-type': 'text/plain; charset=utf-8' } as const;
const unsniffedText = { ...plainText, 'x-content-type-options': 'nosniff' } as const;

function isGet({ method }: HttpRequest, response: HttpResponse): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  response.answer(405, { ...unsniffedText, allow: 'GET' }, 'Method Not Allowed\n');
  return false;
}
