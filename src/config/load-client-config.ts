// Which client ports to talk to: from a client's configuration file (gometa's form), from a server's own file, or
// neither. Throws ConfigError.

import { configErrorOf, readConfigFile } from './config-file.js';
import { clientFileShape } from './config-schema.js';
import { loadNodeConfig } from './load-node-config.js';

/** RequestAddr of each peer, in the file's order. A server's file names its own RequestAddr and those it lists. */
export function loadClientPeers(file: string): string[] {
  const document = readConfigFile(file);
  if (document['Host'] !== undefined) {
    const config = loadNodeConfig({ file });
    const listed = (document['Peer'] as { readonly RequestAddr?: string }[] | undefined) ?? [];
    return [...new Set([config.requestAddr, ...listed.flatMap((peer) => peer.RequestAddr ?? [])])];
  }
  const shapeProblems: string[] = [];
  if (!clientFileShape.fits(document, '', shapeProblems)) throw configErrorOf(`configuration "${file}"`, shapeProblems);
  const peers = document.Peer.map((peer) => peer.RequestAddr);
  const repeated = peers.find((peer, index) => peers.indexOf(peer) !== index);
  if (repeated !== undefined) throw configErrorOf(`configuration "${file}"`, [`Peer lists ${repeated} twice`]);
  return peers;
}
