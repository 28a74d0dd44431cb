// The server's half of `zabtree rebuild`: locks the data directory of a member that does not run, says what is in it, finds
// out where the others take clients, and clears the directory. Asks nobody for permission: that is the command's part.

import { randomBytes } from 'node:crypto';
import { membershipHash, type NodeConfig } from '../config/node-config.js';
import { groupZero, type ServerId } from '../shared/ids.js';
import { nodeRuntime } from '../storage/node-runtime.js';
import { claimDirectory } from '../storage/node-storage.js';
import { type DamagedDirectory, discard, putAside, surveyDirectory } from '../storage/put-aside.js';
import { TcpPeerNetwork } from '../transport/peer-network.js';

export interface RebuildClaim {
  readonly found: DamagedDirectory;
  /** Name of the directory that has the old data now. */
  putAside(): Promise<string>;
  discard(): Promise<void>;
  /** Lets go of the directory. */
  release(): Promise<void>;
}

/** Rejects with one clear error when there is nothing to rebuild, a server is running, or it is another member's. */
export async function claimForRebuild(config: NodeConfig): Promise<RebuildClaim> {
  const { dataDir } = config;
  const { files } = nodeRuntime;
  const cannot = (reason: string): Error => new Error(`Cannot rebuild "${dataDir}": ${reason}`);
  if (!(await files.isDirectory(dataDir).catch(() => false))) throw cannot('there is no such directory');
  const claim = await claimDirectory(dataDir, nodeRuntime);
  try {
    const found = await surveyDirectory(files, dataDir);
    const owner = found.manifest?.serverId;
    if (owner !== undefined && owner !== config.self.id)
      throw cannot(`it belongs to server ${owner}, expected ${config.self.id}`);
    if (found.names.length === 0) throw cannot('there is no data in it');
    return {
      found,
      putAside: () => putAside(files, dataDir, found.names),
      discard: () => discard(files, dataDir, found.names),
      release: () => claim.release(),
    };
  } catch (error) {
    await claim.release();
    throw error;
  }
}

/** Where the other members take clients, as they say in a handshake; and why some did not say. */
export interface AskedMembers {
  readonly addresses: readonly string[];
  readonly failures: readonly string[];
}

export async function askRequestAddresses(config: NodeConfig): Promise<AskedMembers> {
  const others = config.members.filter(({ id }) => id !== config.self.id);
  const waiting = new Set<ServerId>(others.map(({ id }) => id));
  const addresses: string[] = [];
  const failures: string[] = [];
  const network = new TcpPeerNetwork({
    group: groupZero,
    self: config.self.id,
    members: config.members,
    membershipHash: membershipHash(config.members),
    ensembleName: config.ensembleName,
    clusterKey: config.clusterKey,
    peerTls: config.peerTls,
    incarnation: randomBytes(16).toString('hex'),
    boot: 0,
    requestAddr: config.requestAddr,
    limits: config.limits,
    log: { info: () => undefined, warn: () => undefined },
  });
  try {
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => {
        for (const { id, messageAddr } of others) if (waiting.has(id)) failures.push(`${messageAddr}: no answer`);
        resolve();
      }, config.limits.handshakeTimeoutMs);
      const answered = (peer: ServerId): void => {
        waiting.delete(peer);
        if (waiting.size > 0) return;
        clearTimeout(late);
        resolve();
      };
      network.start({
        opened: (link, peer) => {
          const address = network.requestAddressOf(peer);
          if (address !== undefined && waiting.has(peer)) addresses.push(address);
          network.close(link);
          answered(peer);
        },
        failed: (peer, _channel, reason) => {
          if (waiting.has(peer)) failures.push(reason);
          answered(peer);
        },
        received: () => undefined,
        closed: () => undefined,
        drained: () => undefined,
      });
      for (const { id } of others) network.connect(id, 'bulk');
    });
  } finally {
    network.stop();
  }
  return { addresses, failures };
}
