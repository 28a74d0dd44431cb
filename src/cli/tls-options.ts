// Whether and how a command speaks TLS: by its options, the environment, or the configuration that names its peers. The
// options are etcdctl's.

import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { type Command, Option } from 'commander';
import type { TlsTransportOptions } from '../client/tls-transport.js';
import { ConfigError } from '../config/config-error.js';
import { reasonOf } from '../config/config-file.js';
import type { PeerTls } from '../config/load-client-config.js';
import { holdsCertificate } from '../shared/pem.js';

export interface TlsFlags {
  readonly tls?: boolean;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecureSkipTlsVerify?: boolean;
}

export function tlsOptions(command: Command): Command {
  return command
    .option('--tls', 'speak TLS; so do the options that follow')
    .addOption(new Option('--cacert <file>', 'authorities (PEM) that vouch for servers').env('ZABTREE_CACERT'))
    .addOption(new Option('--cert <file>', 'certificate (PEM) of this client').env('ZABTREE_CERT'))
    .addOption(new Option('--key <file>', 'its private key (PEM)').env('ZABTREE_KEY'))
    .option('--insecure-skip-tls-verify', 'believe any server; for tests alone');
}

/** What the environment says, for commands without these options. */
export function tlsOfEnvironment(): TlsFlags {
  const { ZABTREE_CACERT: cacert, ZABTREE_CERT: cert, ZABTREE_KEY: key } = process.env;
  return {
    ...(cacert === undefined ? {} : { cacert }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Undefined: no TLS. Throws ConfigError for files that cannot be read. */
export function tlsOf(flags: TlsFlags, configured: PeerTls | undefined): TlsTransportOptions | undefined {
  const ca = flags.cacert ?? configured?.caFile;
  const cert = flags.cert ?? configured?.certFile;
  const key = flags.key ?? configured?.keyFile;
  const trusting = flags.insecureSkipTlsVerify === true || isTrue('ZABTREE_INSECURE_SKIP_TLS_VERIFY');
  const named = ca !== undefined || cert !== undefined || key !== undefined;
  if (flags.tls !== true && !isTrue('ZABTREE_TLS') && configured === undefined && !named && !trusting) return undefined;
  if ((cert === undefined) !== (key === undefined)) {
    throw new ConfigError(`Cannot speak TLS: a client's certificate and its key are given together (--cert and --key)`);
  }
  return {
    ...(ca === undefined ? {} : { ca: authoritiesOf(ca) }),
    ...(ca === undefined && configured?.ownCertFile !== undefined ? { ca: believed(configured.ownCertFile) } : {}),
    ...(cert === undefined || key === undefined ? {} : { cert: textOf(cert), key: textOf(key) }),
    verify: !trusting,
  };
}

/** Whom Node believes, and the server itself; not those who vouch for it and stand behind it in the file. */
function believed(ownCertFile: string): readonly string[] {
  const [own = ''] = /-+BEGIN CERTIFICATE-+[^-]*-+END CERTIFICATE-+/.exec(textOf(ownCertFile)) ?? [];
  return [...rootCertificates, own];
}

function isTrue(variable: string): boolean {
  return /^(true|1|yes)$/i.test(process.env[variable] ?? '');
}

function authoritiesOf(file: string): string {
  const pem = textOf(file);
  if (!holdsCertificate(pem)) throw new ConfigError(`Cannot speak TLS: the file "${file}" holds no certificate (PEM)`);
  return pem;
}

function textOf(file: string): string {
  // The key itself in the place of its file: it must not be repeated.
  if (file.includes('-----BEGIN')) throw new ConfigError('Cannot speak TLS: expected the path of a PEM file, not PEM');
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`Cannot speak TLS: the file "${file}" cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}
