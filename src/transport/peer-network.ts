// TCP connections between members: listens on this node's MessageAddr, connects to the others', lets only handshaken
// members through. One link per (peer, channel, direction): the newest wins. Never retries on its own: every `connect` is
// answered once, and what follows is the caller's.

import type { KeyObject } from 'node:crypto';
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import type { Channel, PeerNetwork, PeerNetworkHandler } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';
import type { ServerId } from '../shared/ids.js';
import { clusterKeyOf } from './cluster-key.js';
import { CrowdByAddress } from './crowd-by-address.js';
import { listenFailure, parseListenAddress, reasonOf } from './listen-address.js';
import type { NetworkMember, NetworkOptions } from './network-options.js';
import { type HandshakeResult, PeerHandshake } from './peer-handshake.js';
import { PeerLink } from './peer-link.js';
import { PeerOpening } from './peer-opening.js';
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

export class TcpPeerNetwork implements PeerNetwork {
  readonly counters: PeerCounters = newPeerCounters();
  readonly #options: NetworkOptions;
  readonly #key: KeyObject | undefined;
  readonly #log: RateLimitedLog;
  readonly #listenText: string;
  readonly #server: Server;
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
    const self = this.#member(options.self);
    assert(self !== undefined, `Cannot make a peer network: server ${options.self} is not among its members`);
    this.#listenText = options.listenMessage ?? self.messageAddr;
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveDelayMs }, (socket) =>
      this.#accept(socket),
    );
  }

  /** Resolves once connections can arrive; rejects with a StoreError that says why they cannot. */
  listen(): Promise<void> {
    const { host, port } = parseListenAddress(this.#listenText, 'MessageAddr');
    const server = this.#server;
    return new Promise((resolve, reject) => {
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
    this.#handler = handler;
  }

  connect(peer: ServerId, channel: Channel): void {
    const member = this.#member(peer);
    if (member === undefined || peer === this.#options.self) {
      process.nextTick(() => this.#connectFailed(peer, channel, `server ${peer} is not another member`));
      return;
    }
    const { host, port } = parseListenAddress(member.messageAddr, 'MessageAddr');
    const socket = connectTcp({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveDelayMs });
    const { handshake, first } = PeerHandshake.connect(this.#options, this.#key, peer, channel);
    this.#open(socket, { handshake, first, outgoing: true }, (reason) =>
      this.#connectFailed(peer, channel, `Cannot connect to ${member.messageAddr}: ${reason}`),
    );
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

  #connectFailed(peer: ServerId, channel: Channel, reason: string): void {
    if (!this.#stopped) this.#handler?.failed(peer, channel, reason);
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
    const handshake = PeerHandshake.accept(this.#options, this.#key);
    const opening = this.#open(socket, { handshake, first: undefined, outgoing: false }, (reason) =>
      this.#log.warn('refused', `Refused a peer connection from ${remote}: ${reason}`),
    );
    this.#acceptedOpenings.add(remote, opening);
  }

  #open(
    socket: Socket,
    way: { readonly handshake: PeerHandshake; readonly first: Bytes | undefined; readonly outgoing: boolean },
    failed: (reason: string) => void,
  ): PeerOpening {
    const opening = new PeerOpening({
      socket,
      handshake: way.handshake,
      first: way.first,
      limits: this.#options.limits,
      counters: this.counters,
      handler: {
        opened: (result, opened, rest) => {
          this.#forgetOpening(opening);
          this.#finish(opened, way.outgoing, result, rest);
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
    const id = ++this.#lastLink;
    const key = `${result.peer}/${result.channel}/${outgoing ? 'out' : 'in'}`;
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
    if (result.requestAddr !== '') this.#requestAddresses.set(result.peer, result.requestAddr);
    if (older !== undefined) {
      this.#forget(older);
      older.link.destroy();
      this.#handler?.closed(older.id, 'a newer connection of the same peer took its place');
    }
    this.#handler?.opened(id, result.peer, result.channel, outgoing);
    link.begin(rest);
  }

  #forget(open: OpenLink): void {
    if (!this.#links.delete(open.id)) return;
    this.counters.linksClosed++;
    if (this.#linksByKey.get(open.key) === open) this.#linksByKey.delete(open.key);
  }
}
