// Which client ports to talk to, and whether by TLS: from a client's configuration file (gometa's form), from a server's own file, or
// neither. Throws ConfigError.

import { configErrorOf, readConfigFile } from './config-file.js';
import { clientFileShape } from './config-schema.js';
import { loadNodeConfig } from './load-node-config.js';
import type { NodeConfig } from './node-config.js';

/** How clients speak TLS with the peers of a configuration. Paths of PEM files. */
export interface PeerTls {
  /** Authorities that vouch for servers. */
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  /** A server's own certificate, which is believed where no authorities are named. */
  readonly ownCertFile: string | undefined;
}

export interface ClientConfig {
  /** RequestAddr of each peer, in the file's order. A server's file names its own RequestAddr and those it lists. */
  readonly peers: readonly string[];
  /** Undefined: they need not be spoken TLS with. */
  readonly tls: PeerTls | undefined;
}

export function loadClientConfig(file: string): ClientConfig {
  const document = readConfigFile(file);
  if (document['Host'] !== undefined) {
    const config = loadNodeConfig({ file });
    const listed = (document['Peer'] as { readonly RequestAddr?: string }[] | undefined) ?? [];
    const peers = [...new Set([config.requestAddr, ...listed.flatMap((peer) => peer.RequestAddr ?? [])])];
    return { peers, tls: tlsOfServer(config) };
  }
  const shapeProblems: string[] = [];
  if (!clientFileShape.fits(document, '', shapeProblems)) throw configErrorOf(`configuration "${file}"`, shapeProblems);
  const peers = document.Peer.map((peer) => peer.RequestAddr);
  const repeated = peers.find((peer, index) => peers.indexOf(peer) !== index);
  if (repeated !== undefined) throw configErrorOf(`configuration "${file}"`, [`Peer lists ${repeated} twice`]);
  const { Tls: tls } = document;
  if (tls === undefined) return { peers, tls: undefined };
  return {
    peers,
    tls: { caFile: tls.CaFile, certFile: tls.CertFile, keyFile: tls.KeyFile, ownCertFile: undefined },
  };
}

/** Undefined: it takes clients without TLS, too. The authorities that it believes clients by say nothing of servers. */
export function tlsOfServer({ clientTls }: Pick<NodeConfig, 'clientTls'>): PeerTls | undefined {
  if (clientTls === undefined || clientTls.allowPlain) return undefined;
  return { caFile: undefined, certFile: undefined, keyFile: undefined, ownCertFile: clientTls.certFile };
}
