// The composition root: the one place that opens the disk, the sockets and the clock, and wires them to one node of the
// ensemble and its front ends. Starts and stops everything in order; decides nothing else.

import { randomBytes } from 'node:crypto';
import { membershipHash, type NodeConfig } from '../config/node-config.js';
import { Ensemble } from '../ensemble/ensemble.js';
import type { NodeStorage } from '../ensemble/ports.js';
import type { Log } from '../observability/log.js';
import { createStoreService } from '../service/service.js';
import { type EnsembleId, groupZero } from '../shared/ids.js';
import { LmdbTreeStoreOpener } from '../storage/lmdb-tree-store.js';
import { openNodeStorage } from '../storage/node-storage.js';
import { UdpElectionNetwork } from '../transport/election-network.js';
import { TcpPeerNetwork } from '../transport/peer-network.js';
import { ClientPort } from './client-port.js';
import { nativeKeyText } from './native-key-text.js';
import { NodeScheduler } from './node-scheduler.js';

export interface RunningServer {
  /** Port on which clients are answered, as bound. */
  readonly requestPort: number;
  /** Stops taking requests, leaves the ensemble, finishes what is being written, releases the directory. */
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly config: NodeConfig;
  readonly log: Log;
  /** This node can no longer keep its promises; the process must end. Everything is closed but the disk. */
  readonly onHalt: (reason: string) => void;
}

/** Between attempts to allocate a log segment on a full disk. */
const fullDiskRetryMs = 1_000;

/** Opens, binds and joins. Rejects with one clear error when the directory or a port cannot be had. */
export async function startServer({ config, log, onHalt }: ServerOptions): Promise<RunningServer> {
  const scheduler = new NodeScheduler();
  const storage = await openNodeStorage({
    directory: config.dataDir,
    serverId: config.self.id,
    treeStores: new LmdbTreeStoreOpener(),
    segmentBytes: config.limits.logSegmentBytes,
    fullDiskRetryMs,
    warn: (text) => log.warn(text),
  });
  const network = {
    group: groupZero,
    self: config.self.id,
    members: config.members,
    membershipHash: membershipHash(config.members),
    ensembleName: config.ensembleName,
    clusterKey: config.clusterKey,
    listenElection: config.listen.election,
    listenMessage: config.listen.message,
    incarnation: storage.incarnation,
    boot: storage.boot,
    requestAddr: config.requestAddr,
    limits: config.limits,
    log,
  };
  const electionNetwork = new UdpElectionNetwork(network);
  const peerNetwork = new TcpPeerNetwork(network);
  const ensemble = new Ensemble({
    config,
    scheduler,
    electionNetwork,
    peerNetwork,
    storage,
    log,
    seed: randomBytes(6).readUIntBE(0, 6),
    newEnsembleId: randomBytes(16).toString('hex') as EnsembleId,
    onHalt,
    keyText: nativeKeyText,
  });
  const service = createStoreService(ensemble, { scheduler, limits: config.limits });
  const clientPort = new ClientPort({ service, config, log });
  const close = async (): Promise<void> => {
    await clientPort.close();
    ensemble.stop();
    await closeStorage(storage);
  };
  try {
    await Promise.all([electionNetwork.listen(), peerNetwork.listen(), clientPort.listen()]);
    await startEnsemble(ensemble);
  } catch (error) {
    await close();
    throw error;
  }
  return { requestPort: clientPort.boundPort, close };
}

function startEnsemble(ensemble: Ensemble): Promise<void> {
  return new Promise((resolve, reject) => {
    ensemble.start((error) => (error === null ? resolve() : reject(error)));
  });
}

function closeStorage(storage: NodeStorage): Promise<void> {
  return new Promise((resolve) => storage.close(resolve));
}
