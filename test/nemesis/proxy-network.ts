// Every node's election and message address is a proxy's; the node itself listens elsewhere on loopback. The proxy of a
// node knows who speaks to it, by the datagram's source and by the Hello that begins a connection, and so a direction
// between two nodes can be held back. Needs no privilege. Bytes held on a connection are delivered when it heals, as TCP
// would; datagrams are lost.

import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePorts } from '../../src/cli/local-ensemble/free-ports.js';
import { defaultEnsembleName, serverIdOf } from '../../src/config/node-config.js';
import { SeededRandom } from '../../src/shared/random.js';
import { decodeHandshake } from '../../src/wire/handshake-codec.js';
import type { Degradation, NemesisNetwork, NodePlace } from './nemesis-network.js';

const host = '127.0.0.1';
const portsPerNode = 5;
const lengthBytes = 4;
const helloBytesMax = 16_384;

interface NodePorts {
  readonly election: number;
  readonly message: number;
  readonly request: number;
  readonly realElection: number;
  readonly realMessage: number;
}

export class ProxyNetwork implements NemesisNetwork {
  readonly kind = 'proxy';
  readonly cannotDegrade = null;
  readonly places: readonly NodePlace[];
  private readonly ports: readonly NodePorts[];
  private readonly random: SeededRandom;
  private readonly cuts = new Set<string>();
  private readonly degraded = new Map<number, Degradation>();
  private readonly datagramSockets: DatagramSocket[] = [];
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly directions = new Set<Direction>();
  private closed = false;

  private constructor(ports: readonly NodePorts[], seed: number) {
    this.ports = ports;
    this.random = new SeededRandom(seed);
    this.places = ports.map((own) => ({
      addresses: {
        ElectionAddr: `${host}:${own.election}`,
        MessageAddr: `${host}:${own.message}`,
        RequestAddr: `${host}:${own.request}`,
      },
      host: {
        ListenElectionAddr: `${host}:${own.realElection}`,
        ListenMessageAddr: `${host}:${own.realMessage}`,
      },
      launcher: [],
    }));
  }

  static async create(nodes: number, seed: number): Promise<ProxyNetwork> {
    const free = await freePorts(nodes * portsPerNode);
    const ports = Array.from({ length: nodes }, (_, node) => {
      const [election = 0, message = 0, request = 0, realElection = 0, realMessage = 0] = free.slice(
        node * portsPerNode,
      );
      return { election, message, request, realElection, realMessage };
    });
    const network = new ProxyNetwork(ports, seed);
    try {
      for (const node of ports.keys()) await network.listen(node);
    } catch (error) {
      network.close();
      throw error;
    }
    return network;
  }

  async cut(from: number, to: number, isCut: boolean): Promise<void> {
    if (isCut) this.cuts.add(`${from}>${to}`);
    else this.cuts.delete(`${from}>${to}`);
    for (const direction of [...this.directions]) direction.flush();
  }

  async degrade(from: number, degradation: Degradation | null): Promise<void> {
    if (degradation === null) this.degraded.delete(from);
    else this.degraded.set(from, degradation);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const socket of this.datagramSockets) socket.close();
    for (const server of this.servers) server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private isCut(from: number, to: number): boolean {
    return this.cuts.has(`${from}>${to}`);
  }

  private async listen(node: number): Promise<void> {
    const own = this.portsOf(node);
    const datagrams = createSocket('udp4');
    this.datagramSockets.push(datagrams);
    datagrams.on('message', (bytes, remote) => this.forward(node, bytes, remote.port));
    await new Promise<void>((resolve, reject) => {
      datagrams.once('error', reject);
      datagrams.bind(own.election, host, () => {
        // An answer that nobody listens to any more comes back as an error: as good as lost.
        datagrams.removeListener('error', reject).on('error', () => undefined);
        resolve();
      });
    });
    const server = createServer({ noDelay: true }, (socket) => this.accept(node, socket));
    this.servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(own.message, host, () => resolve());
    });
  }

  /** To its receiver it comes from the sender's own ElectionAddr. */
  private forward(to: number, bytes: Buffer, sourcePort: number): void {
    const from = this.ports.findIndex((ports) => ports.realElection === sourcePort);
    const sender = this.datagramSockets[from];
    if (sender === undefined || this.isCut(from, to)) return;
    const { lossPercent = 0, delayMs = 0 } = this.degraded.get(from) ?? {};
    if (this.random.chance(lossPercent / 100)) return;
    setTimeout(() => {
      // Closed in the meantime: the run is over.
      if (!this.closed) sender.send(bytes, this.portsOf(to).realElection, host);
    }, delayMs);
  }

  private accept(to: number, socket: Socket): void {
    this.track(socket);
    let received: Buffer = Buffer.alloc(0);
    const read = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      const from = this.senderOf(received);
      if (from === undefined) return;
      socket.removeListener('data', read);
      socket.pause();
      if (from < 0) socket.destroy();
      else this.join(from, to, socket, received);
    };
    socket.on('data', read);
  }

  /** undefined: the Hello is not complete yet; -1: this is none. */
  private senderOf(received: Buffer): number | undefined {
    if (received.length < lengthBytes) return undefined;
    const length = received.readUInt32BE(0);
    if (length > helloBytesMax) return -1;
    if (received.length < lengthBytes + length) return undefined;
    const hello = decodeHandshake(received.subarray(lengthBytes, lengthBytes + length));
    if (hello.type !== 'hello') return -1;
    return this.ports.findIndex(
      ({ message }) => serverIdOf(defaultEnsembleName, `${host}:${message}`) === hello.serverId,
    );
  }

  private join(from: number, to: number, near: Socket, first: Buffer): void {
    const far = connect({ host, port: this.portsOf(to).realMessage, noDelay: true });
    this.track(far);
    const delayOf = (sender: number) => () => this.degraded.get(sender)?.delayMs ?? 0;
    const there = new Direction(near, far, () => this.isCut(from, to), delayOf(from));
    const back = new Direction(far, near, () => this.isCut(to, from), delayOf(to));
    there.push(first);
    for (const direction of [there, back]) {
      this.directions.add(direction);
      direction.ended = () => this.directions.delete(direction);
    }
    near.resume();
  }

  private track(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    // How a connection ended is told by its close.
    socket.on('error', () => undefined);
  }

  private portsOf(node: number): NodePorts {
    const ports = this.ports[node];
    if (ports === undefined) throw new Error(`Cannot use node ${node}: there are ${this.ports.length}`);
    return ports;
  }
}

/** One direction of a connection: passes bytes and the end on in order, late or not while it is cut. */
class Direction {
  ended: () => void = () => undefined;
  private readonly to: Socket;
  private readonly isCut: () => boolean;
  private readonly delayMs: () => number;
  /** null: the end. */
  private readonly queue: { readonly bytes: Buffer | null; readonly dueMs: number }[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, isCut: () => boolean, delayMs: () => number) {
    this.to = to;
    this.isCut = isCut;
    this.delayMs = delayMs;
    from.on('data', (chunk: Buffer) => this.push(chunk));
    from.on('close', () => this.push(null));
  }

  push(bytes: Buffer | null): void {
    this.queue.push({ bytes, dueMs: performance.now() + this.delayMs() });
    this.flush();
  }

  flush(): void {
    clearTimeout(this.timer);
    while (!this.isCut()) {
      const next = this.queue[0];
      if (next === undefined) return;
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0) {
        this.timer = setTimeout(() => this.flush(), waitMs);
        return;
      }
      this.queue.shift();
      if (next.bytes !== null) {
        this.to.write(next.bytes);
      } else {
        this.to.destroySoon();
        this.ended();
      }
    }
  }
}
