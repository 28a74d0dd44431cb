// From etcd's flags for members to the members themselves and how they speak to each other.

import type { ConfigDocument } from '../../config/config-settings.js';
import { isTrue } from './etcd-arguments.js';
import { bindable, type EtcdValues, type Url, urlsOf, wrong } from './etcd-values.js';

export interface PeerUrls {
  readonly listen: string;
  readonly advertised: string;
  readonly others: readonly { readonly name: string; readonly address: string }[];
  /** All URLs have https; else none has. */
  readonly secure: boolean;
}

export function peerUrls(given: EtcdValues, name: string): PeerUrls {
  const own = urlsOf('initial-advertise-peer-urls', given.text('initial-advertise-peer-urls'));
  const listen = urlsOf('listen-peer-urls', given.text('listen-peer-urls'));
  const cluster = given.text('initial-cluster');
  const members = new Map<string, readonly Url[]>();
  for (const part of cluster === '' ? [] : cluster.split(',')) {
    const equals = part.indexOf('=');
    if (equals <= 0) throw wrong(`--initial-cluster has "${part}", expected name=url`);
    const memberName = part.slice(0, equals).trim();
    const [url] = urlsOf('initial-cluster', part.slice(equals + 1));
    if (url !== undefined) members.set(memberName, [...(members.get(memberName) ?? []), url]);
  }
  if (cluster === '') members.set(name, own);
  const self = members.get(name);
  if (self === undefined) throw wrong(`couldn't find local name "${name}" in the initial cluster configuration`);
  for (const [flag, urls] of [
    ['initial-cluster', self],
    ['initial-advertise-peer-urls', own],
    ['listen-peer-urls', listen],
  ] as const) {
    if (urls.length !== 1)
      throw wrong(`--${flag} names ${urls.length} URLs of this member, expected one: members speak over one address`);
  }
  const [inCluster] = self;
  if (inCluster?.address !== own[0]?.address || inCluster?.scheme !== own[0]?.scheme) {
    const text = '--initial-cluster has a URL of this member that is missing from --initial-advertise-peer-urls';
    throw wrong(`${text}: ${textOf(inCluster)} and ${textOf(own[0])}`);
  }
  const others = [...members].filter(([memberName]) => memberName !== name);
  for (const [memberName, urls] of others) {
    if (urls.length !== 1) throw wrong(`--initial-cluster names ${urls.length} URLs of "${memberName}", expected one`);
  }
  const secure = inCluster?.scheme === 'https';
  for (const { scheme } of [...listen, ...others.flatMap(([, urls]) => urls)])
    if ((scheme === 'https') !== secure)
      throw wrong('URLs for members have http and https: all members speak TLS with each other, or none does');
  return {
    listen: listen.map(bindable)[0] ?? '',
    advertised: inCluster?.address ?? '',
    others: others.flatMap(([memberName, urls]) => urls.map(({ address }) => ({ name: memberName, address }))),
    secure,
  };
}

/** Of PeerTls in a configuration, by the flag. */
const texts = {
  CertFile: 'peer-cert-file',
  KeyFile: 'peer-key-file',
  TrustedCaFile: 'peer-trusted-ca-file',
  AllowedCommonName: 'peer-cert-allowed-cn',
  AllowedHostname: 'peer-cert-allowed-hostname',
} as const;

/** Undefined: members speak without TLS. That every member shows a certificate needs no flag here. */
export function peerTlsOf(given: EtcdValues, secure: boolean): ConfigDocument | undefined {
  const present = Object.entries(texts).filter(([, flag]) => given.text(flag) !== '');
  if (!secure) {
    const [first] = present.map(([, flag]) => flag);
    const flag = first ?? (isTrue(given.text('peer-client-cert-auth')) ? 'peer-client-cert-auth' : undefined);
    if (flag !== undefined) throw wrong(`--${flag} is given, and the URLs for members have http: expected https`);
    return undefined;
  }
  const document: ConfigDocument = Object.fromEntries(present.map(([key, flag]) => [key, given.text(flag)]));
  if (document['CertFile'] === undefined || document['KeyFile'] === undefined)
    throw wrong('PeerKeyFile and PeerCertFile must both be present: a URL for members has https');
  if (document['TrustedCaFile'] === undefined)
    throw wrong('--peer-trusted-ca-file is missing: members are known to each other by the authority of certificates');
  if (document['AllowedCommonName'] !== undefined && document['AllowedHostname'] !== undefined)
    throw wrong('AllowedCN and AllowedHostname are mutually exclusive');
  return document;
}

function textOf(url: Url | undefined): string {
  return `${url?.scheme}://${url?.address}`;
}
