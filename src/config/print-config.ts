// A NodeConfig as the document that would produce it: what `zabtree config print --effective` shows. Never shows a key.

import type { ConfigDocument } from './config-settings.js';
import type { AutoCompactionConfig, ClientListenerConfig, NodeConfig } from './node-config.js';
import { pascalCase } from './pascal-case.js';

export const redacted = '(set, not shown)';

/** Every setting with its value, defaults included, under the names of the file. */
export function effectiveDocument(config: NodeConfig): ConfigDocument {
  return {
    Host: {
      ...(config.self.name === undefined ? {} : { Name: config.self.name }),
      ElectionAddr: config.self.electionAddr,
      MessageAddr: config.self.messageAddr,
      RequestAddr: config.requestAddr,
      ListenElectionAddr: config.listen.election,
      ListenMessageAddr: config.listen.message,
      ListenRequestAddr: config.listen.request,
      ...(config.furtherListeners.length === 0
        ? {}
        : { FurtherListeners: config.furtherListeners.map(listenerSection) }),
    },
    Peer: config.members
      .filter((member) => member.id !== config.self.id)
      .map(({ name, electionAddr, messageAddr }) => ({
        ...(name === undefined ? {} : { Name: name }),
        ElectionAddr: electionAddr,
        MessageAddr: messageAddr,
      })),
    EnsembleName: config.ensembleName,
    DataDir: config.dataDir,
    ...(config.clusterKey === undefined ? {} : { ClusterKey: redacted }),
    ...(config.peerTls === undefined ? {} : { PeerTls: pascalCased(config.peerTls) }),
    ...(config.clientTls === undefined ? {} : { ClientTls: pascalCased(config.clientTls) }),
    ...(config.jwtTokens === undefined ? {} : { JwtTokens: pascalCased(config.jwtTokens) }),
    ...(config.autoCompaction === undefined ? {} : { AutoCompaction: autoCompactionSection(config.autoCompaction) }),
    Bootstrap: config.bootstrap,
    Timing: pascalCased(config.timing),
    Limits: pascalCased(config.limits),
    LogLevel: config.logLevel,
    LogFormat: config.logFormat,
  };
}

/** The document of a file with its secret hidden. */
export function withoutSecrets(document: ConfigDocument): ConfigDocument {
  return document['ClusterKey'] === undefined ? document : { ...document, ClusterKey: redacted };
}

function listenerSection({ address, tls, serves }: ClientListenerConfig): ConfigDocument {
  return { Addr: address, Tls: tls, Serves: serves };
}

function autoCompactionSection({ type, ...bound }: AutoCompactionConfig): ConfigDocument {
  return pascalCased(bound);
}

function pascalCased(section: object): ConfigDocument {
  const given = Object.entries(section).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [pascalCase(name), value as unknown]));
}
