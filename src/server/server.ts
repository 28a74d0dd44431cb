// The composition root: the one place that opens the disk, the sockets and the clock, and wires them to one node of the
// ensemble and its front ends. Starts and stops everything in order; decides nothing else.

import { randomBytes } from 'node:crypto';
import { CallActors } from '../api/etcd/call-actors.js';
import type { ShownAddresses } from '../api/etcd/context.js';
import { gatewayRoute } from '../api/etcd/gateway/gateway.js';
import type { GrpcCall } from '../api/etcd/grpc/grpc-call.js';
import { etcdMethods } from '../api/etcd/listener.js';
import { ResponseHeaders } from '../api/etcd/response-headers.js';
import { versionRoute } from '../api/http/commands/version.js';
import { membershipHash, type NodeConfig } from '../config/node-config.js';
import { Ensemble } from '../ensemble/ensemble.js';
import type { NodeStorage } from '../ensemble/ports.js';
import type { Log } from '../observability/log.js';
import type { JwtTokens } from '../service/jwt-tokens.js';
import { createStoreService } from '../service/service.js';
import type { ScrubSummary } from '../service/store-service.js';
import { assert } from '../shared/assert.js';
import type { CoreFailure } from '../shared/core-failure.js';
import { DamageError } from '../shared/damage-error.js';
import { DurationHistogram } from '../shared/duration-histogram.js';
import { type EnsembleId, groupZero } from '../shared/ids.js';
import { LmdbTreeStoreOpener } from '../storage/lmdb-tree-store.js';
import { nodeRuntime } from '../storage/node-runtime.js';
import { claimDirectory, type FileNodeStorage } from '../storage/node-storage.js';
import { writeDamageMark } from '../storage/write-damage-mark.js';
import { DatagramKeys } from '../transport/datagram-keys.js';
import { UdpElectionNetwork } from '../transport/election-network.js';
import { TcpPeerNetwork } from '../transport/peer-network.js';
import { ClientPort } from './client-port.js';
import { DiskScrubber } from './disk-scrubber.js';
import { nativeKeyText } from './native-key-text.js';
import { NodeScheduler } from './node-scheduler.js';
import { observationRoutes } from './observation-routes.js';

export interface RunningServer {
  /** Port on which clients are answered, as bound. */
  readonly requestPort: number;
  /** Stops taking requests, leaves the ensemble, finishes what is being written, releases the directory. */
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly config: NodeConfig;
  readonly log: Log;
  /** Called once, when this node answers requests for the first time. */
  readonly onServing?: () => void;
  /** This node can no longer keep its promises; the process must end. Everything is closed but the disk. */
  readonly onHalt: (reason: string) => void;
  /**
   * What this node keeps on disk was found damaged while it ran, and is marked so. The process must end before this
   * returns: whoever read the damage must not go on with it.
   */
  readonly onDamage: (error: DamageError) => void;
  /**
   * An exception that nobody expected came out of the core while a front end called it. The process must end before this
   * returns: the core's state may be half changed.
   */
  readonly onCoreFailure: (failure: CoreFailure) => void;
}

/** A boot that lives this long has come through opening its tree; elections have usually said so before. */
const openedNoteMs = 1_000;
/** Between attempts to allocate a log segment on a full disk. */
const fullDiskRetryMs = 1_000;
/** Between looks whether this node serves already, while it starts. */
const servingLookMs = 20;

/**
 * Locks the directory, binds the ports, opens the directory and joins, in this order: nothing is written before the ports
 * are there, and no port is taken from a process that is in the directory already. Rejects with one clear error when the
 * directory or a port cannot be had.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, log, onServing, onHalt, onDamage, onCoreFailure } = options;
  const damaged = (error: Error): void => {
    const unmarked = writeDamageMark(config.dataDir, error.message, new Date());
    if (unmarked !== null) log.error('Cannot mark the data directory as damaged', { error: unmarked });
    onDamage(new DamageError(`Damage in data directory "${config.dataDir}": ${error.message}`, { cause: error }));
  };
  const failed = (error: Error): void => {
    ensemble?.stop();
    onHalt(`the tree cannot be written: ${error.message}`);
  };
  let ensemble: Ensemble | undefined;
  const walSyncs = new DurationHistogram();
  const flushes = new DurationHistogram();
  const flushed = (elapsedMs: number): void => flushes.record(elapsedMs);
  const jwtTokens = await openJwtTokens(config);
  const claim = await claimDirectory(config.dataDir, nodeRuntime);
  let opened: FileNodeStorage | undefined;
  const ports = portsOf(config, log, () => {
    assert(opened !== undefined, 'Cannot tell the identity of this node: its data directory is not open');
    return opened;
  });
  try {
    await ports.listen();
    opened = await claim.open({
      runtime: nodeRuntime,
      directory: config.dataDir,
      serverId: config.self.id,
      treeStores: new LmdbTreeStoreOpener({ damaged, failed, flushed }),
      damaged,
      synced: (elapsedMs) => walSyncs.record(elapsedMs),
      segmentBytes: config.limits.logSegmentBytes,
      fullDiskRetryMs,
      warn: (text) => log.warn(text),
    });
  } catch (error) {
    await ports.close();
    await claim.release();
    throw error;
  }
  const storage = opened;
  const scheduler = new NodeScheduler();
  const running = new Ensemble({
    config,
    scheduler,
    electionNetwork: ports.election,
    peerNetwork: ports.peer,
    storage,
    log,
    seed: randomBytes(6).readUIntBE(0, 6),
    newEnsembleId: randomBytes(16).toString('hex') as EnsembleId,
    onHalt,
    onDivergence: (reason) => damaged(new Error(reason)),
    keyText: nativeKeyText,
  });
  ensemble = running;
  const { timing, limits } = config;
  const scrubber = new DiskScrubber({
    storage,
    delayMs: timing.scrubDelayMs,
    intervalMs: timing.scrubIntervalMs,
    bytesPerSecondMax: limits.scrubBytesPerSecondMax,
    log,
  });
  const lastScrub = (): ScrubSummary | null => scrubber.lastRound;
  const service = createStoreService(running, { scheduler, limits, lastScrub, jwtTokens, coreFailed: onCoreFailure });
  const actors = new CallActors(service.access);
  const headers = new ResponseHeaders(service);
  const etcd = {
    service,
    limits,
    guard: ports.client.guard,
    headers,
    addresses: shownAddressesOf(config),
    actorOf: (call: GrpcCall) => actors.actorOf(call),
  };
  const methods = etcdMethods(etcd, actors);
  const observed = observationRoutes({
    service,
    node: running,
    client: ports.client,
    peers: ports.peer.counters,
    logBytes: () => storage.log.bytes,
    walSyncs,
    flushes,
    log,
  });
  const routes = [gatewayRoute(methods, limits), versionRoute, ...observed];
  ports.client.serve({ service, methods, routes, monitorRoutes: observed });
  const openedNote = setTimeout(() => storage.noteOpened(), openedNoteMs);
  openedNote.unref();
  const stopLooking =
    onServing === undefined
      ? undefined
      : scheduler.every(servingLookMs, () => {
          if (!running.status().serving) return;
          stopLooking?.();
          onServing();
        });
  const close = async (): Promise<void> => {
    stopLooking?.();
    await ports.client.close();
    clearTimeout(openedNote);
    scrubber.stop();
    running.stop();
    await closeStorage(storage);
  };
  try {
    await startEnsemble(running);
    scrubber.start();
  } catch (error) {
    await close();
    throw error;
  }
  return { requestPort: ports.client.boundPort, close };
}

interface Ports {
  readonly election: UdpElectionNetwork;
  readonly peer: TcpPeerNetwork;
  readonly client: ClientPort;
  listen(): Promise<void>;
  close(): Promise<void>;
}

/** All three, silent until somebody starts them. `identity` is asked when they first speak. */
function portsOf(
  config: NodeConfig,
  log: Log,
  identity: () => { readonly incarnation: string; readonly boot: number },
): Ports {
  const network = {
    group: groupZero,
    self: config.self.id,
    members: config.members,
    membershipHash: membershipHash(config.members),
    ensembleName: config.ensembleName,
    clusterKey: config.clusterKey,
    peerTls: config.peerTls,
    // A cluster key does for datagrams what these do.
    datagramKeys: config.peerTls === undefined || config.clusterKey !== undefined ? undefined : new DatagramKeys(),
    listenElection: config.listen.election,
    listenMessage: config.listen.message,
    get incarnation() {
      return identity().incarnation;
    },
    get boot() {
      return identity().boot;
    },
    requestAddr: config.requestAddr,
    limits: config.limits,
    log,
  };
  const election = new UdpElectionNetwork(network);
  const peer = new TcpPeerNetwork(network);
  const client = new ClientPort({ config, log });
  return {
    election,
    peer,
    client,
    listen: async () => {
      // All are waited for, so that none is bound after it was closed.
      const outcomes = await Promise.allSettled([election.listen(), peer.listen(), client.listen()]);
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    },
    close: async () => {
      election.close();
      peer.stop();
      await client.close();
    },
  };
}

/** Loaded for those who want it. */
async function openJwtTokens({ jwtTokens, limits }: NodeConfig): Promise<JwtTokens | undefined> {
  if (jwtTokens === undefined) return undefined;
  const { JwtTokens } = await import('../service/jwt-tokens.js');
  return new JwtTokens(jwtTokens, limits);
}

function startEnsemble(ensemble: Ensemble): Promise<void> {
  return new Promise((resolve, reject) => {
    ensemble.start((error) => (error === null ? resolve() : reject(error)));
  });
}

function closeStorage(storage: NodeStorage): Promise<void> {
  return new Promise((resolve) => storage.close(resolve));
}

/** How clients of etcd's API are told of the members: by the names that this node's configuration gives them. */
function shownAddressesOf({ members, clientTls, peerTls }: NodeConfig): ShownAddresses {
  const names = new Map(members.map(({ id, name }) => [id, name]));
  return {
    clientScheme: clientTls === undefined ? 'http' : 'https',
    peerScheme: peerTls === undefined ? 'http' : 'https',
    nameOf: (id) => names.get(id),
  };
}
