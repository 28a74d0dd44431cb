// Which settings can be given outside the configuration file, under which environment variable and flag, and how the
// layers are laid over each other: flags over environment over file. Validates nothing.

import { limits } from './limits.js';
import { defaultTiming } from './node-config.js';
import { pascalCase } from './pascal-case.js';

export interface Setting {
  /** Where it lives in the file. */
  readonly path: readonly string[];
  readonly environment: string;
  /** Long flag without the dashes; undefined: environment and file only. */
  readonly flag?: string;
  readonly kind: 'text' | 'number' | 'boolean';
  /** For `--help`. */
  readonly description: string;
}

const textSettings: readonly Setting[] = [
  text(['DataDir'], 'data-dir', "directory of this node's log and tree (default: ./data)"),
  text(['EnsembleName'], 'ensemble-name', 'name shared by all members (default: zabtree)'),
  text(['ClusterKeyFile'], 'cluster-key-file', 'file with the secret that authenticates members to each other'),
  { path: ['ClusterKey'], environment: 'ZABTREE_CLUSTER_KEY', kind: 'text', description: 'the secret itself' },
  text(['LogLevel'], 'log-level', 'error, warn, info or debug (default: info)'),
  text(['LogFormat'], 'log-format', 'text or json (default: text)'),
  text(['Host', 'Name'], 'name', 'what this member is called (default: its MessageAddr)'),
  text(['Host', 'ElectionAddr'], 'election-addr', 'advertised UDP address for elections'),
  text(['Host', 'MessageAddr'], 'message-addr', 'advertised TCP address for members'),
  text(['Host', 'RequestAddr'], 'request-addr', 'advertised TCP address for clients'),
  text(['Host', 'ListenElectionAddr'], 'listen-election-addr', 'address to bind, where it differs'),
  text(['Host', 'ListenMessageAddr'], 'listen-message-addr', 'address to bind, where it differs'),
  text(['Host', 'ListenRequestAddr'], 'listen-request-addr', 'address to bind, where it differs'),
  text(['PeerTls', 'CertFile'], 'peer-cert-file', 'certificate (PEM) of this member, for TLS between members'),
  text(['PeerTls', 'KeyFile'], 'peer-key-file', 'its private key (PEM)'),
  text(['PeerTls', 'TrustedCaFile'], 'peer-trusted-ca-file', "authorities (PEM) that members' certificates need"),
  text(['PeerTls', 'AllowedCommonName'], 'peer-cert-allowed-cn', "common name that members' certificates need"),
  text(['PeerTls', 'AllowedHostname'], 'peer-cert-allowed-hostname', "host that members' certificates have to be for"),
  text(['ClientTls', 'CertFile'], 'client-cert-file', 'certificate (PEM) for clients that come with TLS'),
  text(['ClientTls', 'KeyFile'], 'client-key-file', 'its private key (PEM)'),
  text(['ClientTls', 'TrustedCaFile'], 'client-trusted-ca-file', "authorities (PEM) that clients' certificates need"),
  text(['JwtTokens', 'SignMethod'], 'jwt-sign-method', "tokens of users are JWT, signed by this method, e.g. 'RS256'"),
  text(['JwtTokens', 'PublicKeyFile'], 'jwt-public-key-file', 'key (PEM) that verifies them'),
  text(['JwtTokens', 'PrivateKeyFile'], 'jwt-private-key-file', 'key (PEM, or the secret of HS…) that signs them'),
];

/** Every setting that a flag or the environment can give. */
export const settings: readonly Setting[] = [
  ...textSettings,
  truth(['Bootstrap'], 'bootstrap', 'form a new ensemble with a quorum of its members, without the missing ones'),
  truth(['ClientTls', 'ClientCertAuth'], 'client-cert-auth', 'refuse clients without a certificate'),
  truth(['ClientTls', 'AllowPlain'], 'client-allow-plain', 'serve clients without TLS, too'),
  number('JwtTokens', 'ttlMs'),
  number('AutoCompaction', 'periodMs'),
  number('AutoCompaction', 'revisionsKept'),
  ...Object.keys(defaultTiming).map((name) => number('Timing', name)),
  ...Object.keys(limits).map((name) => number('Limits', name)),
];

function text(path: readonly string[], flag: string, description: string): Setting {
  return { path, environment: variableOf(flag), flag, kind: 'text', description };
}

function truth(path: readonly string[], flag: string, description: string): Setting {
  return { path, environment: variableOf(flag), flag, kind: 'boolean', description };
}

function variableOf(flag: string): string {
  return `ZABTREE_${flag.replaceAll('-', '_').toUpperCase()}`;
}

function number(section: string, name: string): Setting {
  const key = pascalCase(name);
  const environment = `ZABTREE_${section}_${key}`.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
  return { path: [section, key], environment, kind: 'number', description: `${section}.${key}` };
}

/** Values of flags by their long name. */
export type FlagValues = Readonly<Record<string, string | boolean | undefined>>;

/** A parsed file, or what is laid over it. */
export type ConfigDocument = { [key: string]: unknown };

export interface Layers {
  readonly document: ConfigDocument;
  /** `Path.To.Key` -> the flag or variable that set it. */
  readonly origins: ReadonlyMap<string, string>;
}

/** Lays the environment and the flags over a document, which is not changed. */
export function layOver(document: ConfigDocument, environment: NodeJS.ProcessEnv, flags: FlagValues): Layers {
  const result = structuredClone(document);
  const origins = new Map<string, string>();
  for (const setting of settings) {
    const variable = environment[setting.environment];
    if (variable !== undefined && variable !== '') put(result, setting, variable, setting.environment, origins);
    const flag = setting.flag === undefined ? undefined : flags[setting.flag];
    if (flag !== undefined) put(result, setting, flag, `--${setting.flag}`, origins);
  }
  return { document: result, origins };
}

function put(
  document: ConfigDocument,
  setting: Setting,
  value: string | boolean,
  origin: string,
  origins: Map<string, string>,
): void {
  let object = document;
  for (const part of setting.path.slice(0, -1)) {
    const child = object[part] ?? {};
    if (typeof child !== 'object' || Array.isArray(child)) return;
    object[part] = child;
    object = child as ConfigDocument;
  }
  const key = setting.path.at(-1) ?? '';
  // One layer's key file replaces another layer's key and the other way round; both in one layer stay and are refused.
  if (key === 'ClusterKeyFile' && origins.get('ClusterKey') === undefined) delete object['ClusterKey'];
  if (key === 'ClusterKey' && origins.get('ClusterKeyFile') === undefined) delete object['ClusterKeyFile'];
  object[key] = settingValue(setting, value);
  origins.set(setting.path.join('.'), origin);
}

/** A text that is not of the setting's kind stays as it is: validation then says so. */
function settingValue(setting: Setting, value: string | boolean): unknown {
  if (typeof value === 'boolean') return value;
  if (setting.kind === 'number' && /^\d+$/.test(value)) return Number(value);
  if (setting.kind === 'boolean' && /^(true|1|yes)$/i.test(value)) return true;
  if (setting.kind === 'boolean' && /^(false|0|no)$/i.test(value)) return false;
  return value;
}
