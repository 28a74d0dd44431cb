// Every flag that etcd has, by its name: what it takes, and what becomes of it here. Each can be given as ETCD_… in the
// environment as well. Translates nothing.

export interface EtcdFlag {
  readonly kind: 'text' | 'truth';
  /**
   * used: it is translated. ignored: it has no meaning here, and a value other than the default brings a warning.
   * refused: it has a meaning that is not to be had, and a value other than the default is an error.
   */
  readonly fate: 'used' | 'ignored' | 'refused';
  /** etcd's. */
  readonly byDefault: string;
  /** Of a used one, where it is not etcd's: what counts here when nothing is given. */
  readonly countsHere?: string;
  /** Of an ignored or a refused one: why. */
  readonly why?: string;
}

const used = (byDefault: string): EtcdFlag => ({ kind: 'text', fate: 'used', byDefault });
const usedElse = (byDefault: string, countsHere: string): EtcdFlag => ({ ...used(byDefault), countsHere });
const usedTruth: EtcdFlag = { kind: 'truth', fate: 'used', byDefault: 'false' };
const ignored = (byDefault: string, why: string): EtcdFlag => ({ kind: 'text', fate: 'ignored', byDefault, why });
const ignoredTruth = (byDefault: string, why: string): EtcdFlag => ({ kind: 'truth', fate: 'ignored', byDefault, why });
const refused = (byDefault: string, why: string): EtcdFlag => ({ kind: 'text', fate: 'refused', byDefault, why });
const refusedTruth = (why: string): EtcdFlag => ({ kind: 'truth', fate: 'refused', byDefault: 'false', why });

const ownLog = 'the log has its own way to stay small';
const ownDisk = 'the store writes in its own way';
const noProxy = 'there is no proxy';
const noVersion2 = 'there is no API of version 2';
const discovery = 'members are named by --initial-cluster';
const ownHost = "a member's certificate has to be for the host of its URL";
const fixedMembers = 'members of a running cluster do not change';
const keepAlive = 'connections are watched in another way';
const corruptCheck = 'members always compare their data';

export const etcdFlags: Readonly<Record<string, EtcdFlag>> = {
  'config-file': used(''),
  name: used('default'),
  'data-dir': used(''),
  'listen-peer-urls': used('http://localhost:2380'),
  'listen-client-urls': used('http://localhost:2379'),
  'listen-metrics-urls': used(''),
  'initial-advertise-peer-urls': used('http://localhost:2380'),
  'advertise-client-urls': used('http://localhost:2379'),
  'initial-cluster': used(''),
  'initial-cluster-state': used('new'),
  'initial-cluster-token': used('etcd-cluster'),
  'heartbeat-interval': used('100'),
  'election-timeout': usedElse('1000', '2000'),
  'quota-backend-bytes': used('0'),
  'max-txn-ops': used('128'),
  'max-request-bytes': used('1572864'),
  'auto-compaction-mode': used('periodic'),
  'auto-compaction-retention': used('0'),
  'auth-token': used('simple'),
  'auth-token-ttl': used('300'),
  'log-level': used('info'),
  'log-format': usedElse('json', 'text'),
  debug: usedTruth,
  'cert-file': used(''),
  'key-file': used(''),
  'trusted-ca-file': used(''),
  'client-cert-auth': usedTruth,
  'peer-cert-file': used(''),
  'peer-key-file': used(''),
  'peer-trusted-ca-file': used(''),
  'peer-client-cert-auth': usedTruth,
  'peer-cert-allowed-cn': used(''),
  'peer-cert-allowed-hostname': used(''),
  'max-wals': ignored('5', ownLog),
  'max-snapshots': ignored('5', ownLog),
  'snapshot-count': ignored('100000', ownLog),
  'snapshot-catchup-entries': ignored('5000', ownLog),
  'experimental-snapshot-catchup-entries': ignored('5000', ownLog),
  'wal-dir': ignored('', 'the log is in the data directory'),
  'backend-batch-interval': ignored('', ownDisk),
  'backend-batch-limit': ignored('0', ownDisk),
  'backend-bbolt-freelist-type': ignored('map', ownDisk),
  'experimental-backend-bbolt-freelist-type': ignored('map', ownDisk),
  'experimental-bootstrap-defrag-threshold-megabytes': ignored('0', ownDisk),
  'experimental-memory-mlock': ignoredTruth('false', ownDisk),
  'unsafe-no-fsync': ignoredTruth('false', 'every write is synced before it is answered'),
  'initial-election-tick-advance': ignoredTruth('true', 'elections have their own timing'),
  'pre-vote': ignoredTruth('true', 'a member that comes back deposes nobody'),
  'strict-reconfig-check': ignoredTruth('true', fixedMembers),
  'max-concurrent-streams': ignored('4294967295', 'calls have limits of their own'),
  'grpc-keepalive-min-time': ignored('5s', keepAlive),
  'grpc-keepalive-interval': ignored('2h', keepAlive),
  'grpc-keepalive-timeout': ignored('20s', keepAlive),
  'socket-reuse-port': ignoredTruth('false', 'ports are not shared'),
  'socket-reuse-address': ignoredTruth('false', 'ports are not shared'),
  'enable-v2': ignoredTruth('false', noVersion2),
  'v2-deprecation': ignored('not-yet', noVersion2),
  'experimental-enable-v2v3': ignored('', noVersion2),
  cors: ignored('*', 'requests from other origins are not told apart'),
  'host-whitelist': ignored('*', 'names of hosts are not looked at'),
  'bcrypt-cost': ignored('10', 'passwords are hashed by scrypt'),
  'enable-pprof': ignoredTruth('false', 'there is no profile of Go'),
  metrics: ignored('basic', 'all metrics are there'),
  logger: ignored('zap', 'lines go to standard error'),
  'log-outputs': ignored('default', 'lines go to standard error'),
  'enable-log-rotation': ignoredTruth('false', 'lines go to standard error'),
  'log-rotation-config-json': ignored('', 'lines go to standard error'),
  'log-package-levels': ignored('', 'there is one level for all'),
  'experimental-initial-corrupt-check': ignoredTruth('false', corruptCheck),
  'experimental-corrupt-check-time': ignored('0s', corruptCheck),
  'experimental-compact-hash-check-enabled': ignoredTruth('false', corruptCheck),
  'experimental-compact-hash-check-time': ignored('1m0s', corruptCheck),
  'experimental-enable-lease-checkpoint': ignoredTruth('false', 'what remains of leases is always kept'),
  'experimental-enable-lease-checkpoint-persist': ignoredTruth('false', 'what remains of leases is always kept'),
  'experimental-compaction-batch-limit': ignored('1000', 'compaction has its own pace'),
  'experimental-compaction-sleep-interval': ignored('10ms', 'compaction has its own pace'),
  'experimental-watch-progress-notify-interval': ignored('10m0s', 'progress is told at its own interval'),
  'experimental-warning-apply-duration': ignored('100ms', 'slow requests are not logged'),
  'experimental-warning-unary-request-duration': ignored('300ms', 'slow requests are not logged'),
  'experimental-downgrade-check-time': ignored('5s', 'there is nothing to downgrade to'),
  'experimental-max-learners': ignored('1', fixedMembers),
  'experimental-wait-cluster-ready-timeout': ignored('5s', 'the cluster is waited for as long as it takes'),
  'experimental-txn-mode-write-with-shared-buffer': ignoredTruth('true', ownDisk),
  'experimental-stop-grpc-service-on-defrag': ignoredTruth('false', 'defragmentation stops nothing'),
  'experimental-enable-distributed-tracing': ignoredTruth('false', 'there is no tracing'),
  'experimental-distributed-tracing-address': ignored('localhost:4317', 'there is no tracing'),
  'experimental-distributed-tracing-service-name': ignored('etcd', 'there is no tracing'),
  'experimental-distributed-tracing-instance-id': ignored('', 'there is no tracing'),
  'experimental-distributed-tracing-sampling-rate': ignored('0', 'there is no tracing'),
  'cipher-suites': ignored('', 'TLS uses what Node.js holds to be safe'),
  'tls-min-version': ignored('TLS1.2', 'TLS uses what Node.js holds to be safe'),
  'tls-max-version': ignored('', 'TLS uses what Node.js holds to be safe'),
  'proxy-failure-wait': ignored('5000', noProxy),
  'proxy-refresh-interval': ignored('30000', noProxy),
  'proxy-dial-timeout': ignored('1000', noProxy),
  'proxy-write-timeout': ignored('5000', noProxy),
  'proxy-read-timeout': ignored('0', noProxy),
  'discovery-fallback': ignored('proxy', discovery),
  'discovery-proxy': ignored('', discovery),
  'discovery-srv-name': ignored('', discovery),
  proxy: refused('off', noProxy),
  discovery: refused('', discovery),
  'discovery-srv': refused('', discovery),
  'force-new-cluster': refusedTruth('restore a snapshot instead'),
  'client-crl-file': refused('', 'certificates that were revoked are not known here'),
  'client-cert-allowed-hostname': refused('', 'only authorities are asked for'),
  'client-cert-file': refused('', 'the server does not connect to itself'),
  'client-key-file': refused('', 'the server does not connect to itself'),
  'auto-tls': refusedTruth('give --cert-file and --key-file'),
  'self-signed-cert-validity': ignored('1', 'no certificates are made'),
  'peer-client-cert-file': refused('', 'a member has one certificate, --peer-cert-file'),
  'peer-client-key-file': refused('', 'a member has one certificate, --peer-cert-file'),
  'peer-crl-file': refused('', 'certificates that were revoked are not known here'),
  'peer-auto-tls': refusedTruth('give --peer-cert-file, --peer-key-file and --peer-trusted-ca-file'),
  'peer-skip-client-san-verification': ignoredTruth('false', ownHost),
  'experimental-peer-skip-client-san-verification': ignoredTruth('false', ownHost),
};

export function environmentName(flag: string): string {
  return `ETCD_${flag.replaceAll('-', '_').toUpperCase()}`;
}
