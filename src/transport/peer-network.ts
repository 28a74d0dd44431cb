// Connections between members: listens on this node's MessageAddr, connects to the others', lets only handshaken members
// through. One link per (peer, channel, direction): the newest wins. Never retries on its own: every `connect` is
// answered once, and what follows is the caller's.

import type { KeyObject } from 'node:crypto';
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import type { Channel, PeerNetwork, PeerNetworkHandler } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';
import type { ServerId } from '../shared/ids.js';
import type { HandshakeChannel } from '../wire/handshake-codec.js';
import { clusterKeyOf } from './cluster-key.js';
import { CrowdByAddress } from './crowd-by-address.js';
import { listenFailure, parseListenAddress, reasonOf } from './listen-address.js';
import type { NetworkMember, NetworkOptions } from './network-options.js';
import { type HandshakeResult, PeerHandshake, type SecureHandshake } from './peer-handshake.js';
import { PeerLink } from './peer-link.js';
import { PeerOpening, type PeerOpeningOptions } from './peer-opening.js';
import { type PeerSocket, type PeerSockets, PlainPeerSockets, TlsPeerSockets } from './peer-sockets.js';
import { RateLimitedLog, warnIntervalMs } from './rate-limited-log.js';
import { newPeerCounters, type PeerCounters } from './transport-counters.js';

interface OpenLink {
  readonly id: number;
  /** Peer, channel and direction: at most one link of each. */
  readonly key: string;
  readonly link: PeerLink;
  readonly socket: Socket;
}

const keepAliveDelayMs = 5_000;
/** Members that are started together are often not there at the first attempts. */
const keyAttemptsUnlogged = 2;

export class TcpPeerNetwork implements PeerNetwork {
  readonly counters: PeerCounters = newPeerCounters();
  readonly #options: NetworkOptions;
  readonly #key: KeyObject | undefined;
  readonly #log: RateLimitedLog;
  readonly #listenText: string;
  readonly #server: Server;
  readonly #sockets: PeerSockets;
  #handler: PeerNetworkHandler | undefined;
  #stopped = false;
  #lastLink = 0;
  readonly #openings = new Set<PeerOpening>();
  /** Accepted ones among the openings, by address: the ones that strangers can make. */
  readonly #acceptedOpenings = new CrowdByAddress<PeerOpening>();
  readonly #links = new Map<number, OpenLink>();
  readonly #linksByKey = new Map<string, OpenLink>();
  /** Given up, with something still to be sent: closed once it is, or after a while. */
  readonly #leaving = new Set<Socket>();
  readonly #requestAddresses = new Map<ServerId, string>();

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#key = options.clusterKey === undefined ? undefined : clusterKeyOf(options.clusterKey);
    this.#log = new RateLimitedLog(options.log, warnIntervalMs);
    this.#sockets =
      options.peerTls === undefined ? new PlainPeerSockets() : new TlsPeerSockets(options.peerTls, options.log);
    const self = this.#member(options.self);
    assert(self !== undefined, `Cannot make a peer network: server ${options.self} is not among its members`);
    this.#listenText = options.listenMessage ?? self.messageAddr;
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveDelayMs }, (socket) =>
      this.#accept(socket),
    );
  }

  /** Resolves once connections can arrive; rejects with an error that says why they cannot. */
  async listen(): Promise<void> {
    this.#sockets.open();
    const { host, port } = parseListenAddress(this.#listenText, 'MessageAddr');
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error): void => reject(listenFailure(this.#listenText, 'MessageAddr', error));
      server.once('error', failed);
      server.listen({ host, port }, () => {
        server.off('error', failed);
        // Accepting can fail for want of file descriptors: connections stay in the backlog, peers try again.
        server.on('error', (error) => this.#log.warn('accept', `Cannot accept peers: ${reasonOf(error)}`));
        resolve();
      });
    });
  }

  /** The port that is listened on, also where 0 was asked for. */
  get boundPort(): number {
    const address = this.#server.address();
    assert(address !== null && typeof address === 'object', 'Cannot tell the bound port: not listening');
    return address.port;
  }

  start(handler: PeerNetworkHandler): void {
    this.#sockets.open();
    this.#handler = handler;
    this.#options.datagramKeys?.start((member) => this.#askForKey(member));
  }

  connect(peer: ServerId, channel: Channel): void {
    this.#dial(peer, channel, (reason) => this.#handler?.failed(peer, channel, reason));
  }

  send(link: number, chunks: readonly Bytes[]): void {
    this.#links.get(link)?.link.send(chunks);
  }

  queuedBytes(link: number): number {
    return this.#links.get(link)?.link.queuedBytes ?? 0;
  }

  close(link: number): void {
    const open = this.#links.get(link);
    if (open === undefined) return;
    this.#forget(open);
    open.link.end();
    this.#leave(open.socket);
  }

  requestAddressOf(peer: ServerId): string | undefined {
    return this.#requestAddresses.get(peer);
  }

  /** Closes everything at once; nothing is called back any more. */
  stop(): void {
    this.#stopped = true;
    this.#server.close();
    this.#sockets.close();
    for (const opening of this.#openings) opening.destroy();
    this.#openings.clear();
    this.#acceptedOpenings.clear();
    for (const { link } of this.#links.values()) link.destroy();
    this.#links.clear();
    this.#linksByKey.clear();
    for (const socket of this.#leaving) socket.destroy();
  }

  #member(id: ServerId): NetworkMember | undefined {
    return this.#options.members.find((member) => member.id === id);
  }

  /** `failed` is not called once this network has stopped, and never before this returns. */
  #dial(peer: ServerId, channel: HandshakeChannel, failed: (reason: string) => void): void {
    if (this.#stopped) return;
    const tell = (reason: string): void => {
      if (!this.#stopped) failed(reason);
    };
    const member = this.#member(peer);
    if (member === undefined || peer === this.#options.self) {
      process.nextTick(() => tell(`server ${peer} is not another member`));
      return;
    }
    const { host, port } = parseListenAddress(member.messageAddr, 'MessageAddr');
    const tcp = connectTcp({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveDelayMs });
    const begin = (made: PeerSocket): ReturnType<PeerOpeningOptions['begin']> =>
      PeerHandshake.connect(this.#options, this.#key, peer, channel, this.#secureHandshake(made));
    this.#open({ tcp, host, begin }, (reason) => tell(`Cannot connect to ${member.messageAddr}: ${reason}`));
  }

  /** By a connection of its own, which ends with its handshake. */
  #askForKey(peer: ServerId): void {
    this.#dial(peer, 'keys', (reason) => {
      const { datagramKeys } = this.#options;
      datagramKeys?.answered(peer);
      if ((datagramKeys?.attemptsAt(peer) ?? 0) > keyAttemptsUnlogged)
        this.#log.warn(`key ${peer}`, `Cannot ask server ${peer} for the key of its election datagrams: ${reason}`);
    });
  }

  #secureHandshake({ certifies }: PeerSocket): SecureHandshake | undefined {
    return certifies === undefined ? undefined : { certifies, datagramKey: this.#options.datagramKeys?.own };
  }

  #accept(socket: Socket): void {
    if (this.#stopped || this.#handler === undefined) {
      socket.destroy();
      return;
    }
    const remote = socket.remoteAddress ?? 'an unknown address';
    // The oldest of the address with the most goes: a flood from one place cannot keep members at others out, however
    // far away they are, and not even those beside it, whose handshakes take milliseconds.
    if (this.#acceptedOpenings.size >= this.#options.limits.peerHandshakesMax) {
      const crowding = this.#acceptedOpenings.oldestOfMost();
      if (crowding !== undefined) {
        this.counters.handshakesEvicted++;
        crowding.fail('too many unfinished handshakes');
      }
    }
    const begin = (made: PeerSocket): ReturnType<PeerOpeningOptions['begin']> => {
      const handshake = PeerHandshake.accept(this.#options, this.#key, this.#secureHandshake(made));
      return { handshake, first: undefined };
    };
    const opening = this.#open({ tcp: socket, host: undefined, begin }, (reason) =>
      this.#log.warn('refused', `Refused a peer connection from ${remote}: ${reason}`),
    );
    this.#acceptedOpenings.add(remote, opening);
  }

  /** `host`: the one that is called; undefined where this side was. `failed` is never called before this returns. */
  #open(way: Pick<PeerOpeningOptions, 'tcp' | 'host' | 'begin'>, failed: (reason: string) => void): PeerOpening {
    const outgoing = way.host !== undefined;
    const opening = new PeerOpening({
      ...way,
      sockets: this.#sockets,
      limits: this.#options.limits,
      counters: this.counters,
      handler: {
        opened: (result, socket, rest) => {
          this.#forgetOpening(opening);
          this.#finish(socket, outgoing, result, rest);
        },
        failed: (reason, leaving) => {
          this.#forgetOpening(opening);
          if (leaving !== undefined) this.#leave(leaving);
          failed(reason);
        },
      },
    });
    this.#openings.add(opening);
    return opening;
  }

  #forgetOpening(opening: PeerOpening): void {
    this.#openings.delete(opening);
    this.#acceptedOpenings.delete(opening);
  }

  /** Closes a socket once all that was written to it is on its way, or after a while. */
  #leave(socket: Socket): void {
    this.#leaving.add(socket);
    const timer = setTimeout(() => socket.destroy(), this.#options.limits.handshakeTimeoutMs);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#leaving.delete(socket);
    });
    socket.resume();
    socket.destroySoon();
  }

  #finish(socket: Socket, outgoing: boolean, result: HandshakeResult, rest: Bytes): void {
    const { peer, channel } = result;
    this.#learnKey(result);
    if (channel === 'keys') {
      if (outgoing && this.#options.datagramKeys?.answered(peer) === true)
        this.#log.warn(`key ${peer}`, `Election datagrams in the name of server ${peer} were dropped: not by its key`);
      this.#leave(socket);
      return;
    }
    const id = ++this.#lastLink;
    const key = `${peer}/${channel}/${outgoing ? 'out' : 'in'}`;
    const link = new PeerLink({
      socket,
      limits: this.#options.limits,
      outgoing: result.outgoing,
      incoming: result.incoming,
      counters: this.counters,
      handler: {
        received: (frame) => this.#handler?.received(id, frame),
        drained: () => this.#handler?.drained(id),
        closed: (reason) => {
          this.#forget(open);
          this.#handler?.closed(id, reason);
        },
      },
    });
    const open: OpenLink = { id, key, link, socket };
    const older = this.#linksByKey.get(key);
    this.#links.set(id, open);
    this.#linksByKey.set(key, open);
    this.counters.linksOpened++;
    if (result.requestAddr !== '') this.#requestAddresses.set(peer, result.requestAddr);
    if (older !== undefined) {
      this.#forget(older);
      older.link.destroy();
      this.#handler?.closed(older.id, 'a newer connection of the same peer took its place');
    }
    this.#handler?.opened(id, peer, channel, outgoing);
    link.begin(rest);
  }

  #learnKey({ peer, incarnation, boot, datagramKey: secret }: HandshakeResult): void {
    if (secret !== undefined) this.#options.datagramKeys?.learn(peer, { incarnation, boot, secret });
  }

  #forget(open: OpenLink): void {
    if (!this.#links.delete(open.id)) return;
    this.counters.linksClosed++;
    if (this.#linksByKey.get(open.key) === open) this.#linksByKey.delete(open.key);
  }
}
