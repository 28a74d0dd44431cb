// Hostile inputs for the three ports of a running ensemble: the client port in its three protocols, the peer port before
// and after the handshake, the election port. Each attack throws a number of inputs and returns when they are sent. It
// judges nothing: whoever runs it watches the servers.

import { createSecretKey, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { membershipHash, type NodeConfig } from '../../src/config/node-config.js';
import { type Address, parseAddress } from '../../src/shared/address.js';
import { groupZero, type ServerId } from '../../src/shared/ids.js';
import { clusterKeyOf } from '../../src/transport/cluster-key.js';
import { type HandshakeOptions, PeerHandshake } from '../../src/transport/peer-handshake.js';
import { decodeElectionDatagram, encodeElectionDatagram } from '../../src/wire/election-codec.js';
import { encodePreface, FrameSplitter, frameOf } from '../../src/wire/native-framing.js';
import { batchBodies, bulkMessages, electionDatagrams, frames, handshakes, peerMessages, requests } from './corpus.js';
import { HostileSocket } from './hostile-socket.js';
import { Mutator } from './mutator.js';

export interface AttackedNode {
  readonly id: ServerId;
  readonly electionAddr: string;
  readonly messageAddr: string;
  readonly requestAddr: string;
}

export interface AttackOptions {
  readonly nodes: readonly AttackedNode[];
  /** Configuration of a member that does not run: the attacker plays it. */
  readonly absent: NodeConfig;
  readonly seed: number;
}

export interface Attack {
  readonly name: string;
  /** Throws this many inputs at the ports of all nodes in turn. */
  readonly run: (inputs: number) => Promise<void>;
}

/** Inputs under way at a time, each on a connection of its own. */
const lanesOfStrangers = 8;
/** First byte of a datagram with a plain message behind it, and with a tag behind that. */
const datagramMarks = [0x7a, 0x7b] as const;
/** An input that is neither answered nor refused within this is followed by the next one, milliseconds. */
const answerWithinMs = 2;
/** And so long a connection that was ended is left to the server. */
const farewellWithinMs = 50;
/** Longest input that is sent a byte at a time. */
const byteByByteMax = 64;

const httpRequests = [
  'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /nothing?query=1 HTTP/1.1\r\nHost: a\r\nX-Header: value\r\n\r\n',
  'POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  upgradeRequest(),
].map((text) => new Uint8Array(Buffer.from(text)));

function upgradeRequest(): string {
  return [
    'GET /v1/ws HTTP/1.1',
    'Host: a',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    '\r\n',
  ].join('\r\n');
}

/** A masked frame of a client, with a mask of zeros: the payload stands as it is. */
export function webSocketFrame(payload: Uint8Array, opcode = 2, fin = true): Uint8Array {
  const head = [(fin ? 0x80 : 0) | opcode];
  if (payload.length < 126) head.push(0x80 | payload.length);
  else if (payload.length < 0x1_0000) head.push(0x80 | 126, payload.length >>> 8, payload.length & 0xff);
  else {
    const long = Buffer.alloc(8);
    long.writeBigUInt64BE(BigInt(payload.length));
    head.push(0x80 | 127, ...long);
  }
  return new Uint8Array(Buffer.concat([Uint8Array.from(head), new Uint8Array(4), payload]));
}

export function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (typeof address === 'string') throw new Error(address);
  return address;
}

/** Attacks of strangers: whoever can reach the ports and has no cluster key. */
export function strangersAttacks(options: AttackOptions): readonly Attack[] {
  const { nodes, seed } = options;
  const mutator = new Mutator(seed);
  const requestStreams = [new Uint8Array(Buffer.concat([encodePreface(), ...requests.map(frameOf)]))];
  const webSocketFrames = [
    ...requests.map((request) => webSocketFrame(frameOf(request))),
    webSocketFrame(encodePreface(), 2, false),
    webSocketFrame(new Uint8Array(4), 9),
    webSocketFrame(Uint8Array.of(3, 0xe8), 8),
  ];
  const anything = [...frames, ...handshakes, ...batchBodies, ...requests];
  return [
    {
      name: 'client port, requests',
      run: perInput(
        nodes,
        ({ requestAddr }) => new ReusedConnection(addressOf(requestAddr), encodePreface()),
        (lane) => lane.send(frameOf(mutator.next(requests))),
      ),
    },
    {
      name: 'client port, streams',
      run: perInput(
        nodes,
        ({ requestAddr }) => addressOf(requestAddr),
        (address) => throwStream(address, mutator.next(requestStreams), mutator),
      ),
    },
    {
      name: 'client port, HTTP',
      run: perInput(
        nodes,
        ({ requestAddr }) => addressOf(requestAddr),
        (address) => throwStream(address, mutator.next(httpRequests), mutator),
      ),
    },
    {
      name: 'client port, WebSocket',
      run: perInput(
        nodes,
        ({ requestAddr }) => new ReusedConnection(addressOf(requestAddr), Buffer.from(upgradeRequest())),
        (lane) => lane.send(mutator.next(webSocketFrames)),
      ),
    },
    {
      name: 'peer port, handshakes',
      run: perInput(
        nodes,
        (node) => node,
        (node) => throwHandshake(node, options, mutator),
      ),
    },
    {
      name: 'peer port, streams',
      run: perInput(
        nodes,
        ({ messageAddr }) => addressOf(messageAddr),
        (address) => throwStream(address, mutator.next(anything.map(frameOf)), mutator),
      ),
    },
    { name: 'election port', run: (inputs) => throwDatagrams(options, mutator, inputs) },
  ];
}

/** Attacks of one who is let in as the absent member: only without a cluster key, or with the right one. */
export function membersAttacks(options: AttackOptions): readonly Attack[] {
  const mutator = new Mutator(options.seed);
  const attack = (name: string, channel: 'quorum' | 'bulk', messages: readonly Uint8Array[]): Attack => ({
    name,
    run: perInput(
      options.nodes,
      (node) => new MemberConnection(node, options.absent, channel),
      (lane) => lane.send(frameOf(mutator.next(messages))),
      // A second connection of the same member would end the first.
      options.nodes.length,
    ),
  });
  return [
    attack('a member, quorum channel', 'quorum', peerMessages),
    attack('a member, bulk channel', 'bulk', bulkMessages),
  ];
}

/** Runs inputs on a few lanes at a time; each lane belongs to one node. */
function perInput<Lane>(
  nodes: readonly AttackedNode[],
  laneOf: (node: AttackedNode) => Lane,
  throwOne: (lane: Lane) => Promise<void>,
  lanes = lanesOfStrangers,
): (inputs: number) => Promise<void> {
  return async (inputs) => {
    let left = inputs;
    const all = Array.from({ length: lanes }, async (_, index) => {
      const node = nodes[index % nodes.length];
      if (node === undefined) throw new Error('Cannot attack: there are no nodes');
      const lane = laneOf(node);
      while (left > 0) {
        left--;
        await throwOne(lane);
      }
      if (lane instanceof ReusedConnection || lane instanceof MemberConnection) lane.close();
    });
    await Promise.all(all);
  };
}

/** One stream on a connection of its own: whole, in pieces or byte by byte; then closed, reset, or ended half-way. */
async function throwStream(address: Address, bytes: Uint8Array, mutator: Mutator): Promise<void> {
  const socket = await HostileSocket.open(address);
  const cut = mutator.below(4);
  const sent = cut === 0 ? bytes.subarray(0, byteByByteMax) : bytes;
  const pieces = cut === 0 ? [...sent].map((byte) => Uint8Array.of(byte)) : cut === 1 ? mutator.pieces(sent) : [sent];
  for (const piece of pieces) await socket.write(piece);
  switch (mutator.below(3)) {
    case 0:
      socket.reset();
      return;
    case 1:
      socket.socket.end();
      await socket.answered(farewellWithinMs);
      socket.close();
      return;
    default:
      socket.close();
  }
}

/** Opens a connection with valid first bytes and throws input after input, on a new one whenever it was closed. */
class ReusedConnection {
  private readonly address: Address;
  private readonly greeting: Uint8Array;
  private socket: HostileSocket | undefined;

  constructor(address: Address, greeting: Uint8Array) {
    this.address = address;
    this.greeting = greeting;
  }

  async send(bytes: Uint8Array): Promise<void> {
    if (this.socket === undefined || this.socket.closed) {
      this.socket?.close();
      this.socket = await HostileSocket.open(this.address);
      await this.socket.write(this.greeting);
      await this.socket.answered();
    }
    await this.socket.write(bytes);
    await this.socket.answered(answerWithinMs);
  }

  close(): void {
    this.socket?.close();
  }
}

function handshakeOptions(config: NodeConfig): HandshakeOptions {
  return {
    group: groupZero,
    self: config.self.id,
    members: config.members,
    membershipHash: membershipHash(config.members),
    ensembleName: config.ensembleName,
    incarnation: randomBytes(16).toString('hex'),
    boot: 1,
    requestAddr: config.requestAddr,
  };
}

/** A connection on which the handshake was finished as the absent member; opened anew whenever it was closed. */
class MemberConnection {
  private readonly node: AttackedNode;
  private readonly config: NodeConfig;
  private readonly channel: 'quorum' | 'bulk';
  private socket: HostileSocket | undefined;

  constructor(node: AttackedNode, config: NodeConfig, channel: 'quorum' | 'bulk') {
    this.node = node;
    this.config = config;
    this.channel = channel;
  }

  async send(bytes: Uint8Array): Promise<void> {
    if (this.socket === undefined || this.socket.closed) {
      this.socket?.close();
      this.socket = await this.open();
    }
    await this.socket.write(bytes);
    await this.socket.answered(answerWithinMs);
  }

  close(): void {
    this.socket?.close();
  }

  private async open(): Promise<HostileSocket> {
    const { config, node } = this;
    const key = config.clusterKey === undefined ? undefined : clusterKeyOf(config.clusterKey);
    const { handshake, first } = PeerHandshake.connect(handshakeOptions(config), key, node.id, this.channel);
    const socket = await HostileSocket.open(addressOf(node.messageAddr));
    const splitter = new FrameSplitter(2 ** 16);
    const opened = new Promise<void>((resolve) => {
      const onData = (chunk: Buffer): void => {
        splitter.push(new Uint8Array(chunk));
        for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
          const step = handshake.receive(frame);
          if (step.send !== undefined) socket.socket.write(frameOf(step.send));
          if (step.type === 'continue') continue;
          socket.socket.off('data', onData);
          resolve();
          return;
        }
      };
      socket.socket.on('data', onData);
      socket.socket.once('close', () => resolve());
    });
    await socket.write(frameOf(first));
    await opened;
    return socket;
  }
}

/** Hellos that are wrong in every way, as whoever the sender says it is, and proofs that prove nothing. */
async function throwHandshake(node: AttackedNode, { absent }: AttackOptions, mutator: Mutator): Promise<void> {
  const options = handshakeOptions(absent);
  const wrongKey = createSecretKey(new Uint8Array(32).fill(mutator.below(256)));
  const variants = [
    { ...options, membershipHash: 'another' },
    { ...options, ensembleName: 'another' },
    { ...options, self: node.id },
    { ...options, self: (node.id + 1) as ServerId },
    options,
  ];
  const variant = variants[mutator.below(variants.length)] ?? options;
  const target = mutator.below(4) === 0 ? variant.self : node.id;
  const channel = mutator.below(2) === 0 ? 'quorum' : 'bulk';
  const { first } = PeerHandshake.connect(variant, mutator.below(2) === 0 ? wrongKey : undefined, target, channel);
  const socket = await HostileSocket.open(addressOf(node.messageAddr));
  const mutated = mutator.below(2) === 0 ? mutator.next([first, ...handshakes]) : first;
  await socket.write(frameOf(mutated));
  if (mutator.below(2) === 0) await socket.answered();
  await socket.write(frameOf(mutator.next([...handshakes, ...peerMessages])));
  socket.close();
}

/** Datagrams between two looks at what the operating system has taken. */
const datagramsAtOnce = 64;

/** From a port of nobody and, where it is free, from the absent member's own; fresh ones and repeated ones. */
async function throwDatagrams({ nodes, absent, seed }: AttackOptions, mutator: Mutator, inputs: number): Promise<void> {
  const genuine = genuineDatagrams(absent, seed);
  const own = addressOf(absent.self.electionAddr);
  const sockets = [createSocket('udp4'), createSocket('udp4')];
  const [stranger, member] = sockets;
  if (stranger === undefined || member === undefined) throw new Error('Cannot attack: no sockets');
  stranger.bind(0);
  await new Promise<void>((resolve, reject) => {
    member.once('error', reject);
    member.bind(own.port, own.host, resolve);
  });
  const send = (bytes: Uint8Array, index: number): Promise<void> => {
    const node = nodes[index % nodes.length];
    const { host, port } = addressOf(node?.electionAddr ?? '');
    const socket = mutator.below(2) === 0 ? stranger : member;
    // What the operating system does not take is lost like any datagram.
    return new Promise((resolve) => socket.send(bytes, port, host, () => resolve()));
  };
  for (let index = 0; index < inputs; ) {
    const batch: Promise<void>[] = [];
    for (let count = 0; count < datagramsAtOnce && index < inputs; count++, index++) {
      const body = mutator.below(8) === 0 ? (genuine[0] ?? new Uint8Array(0)) : mutator.next(genuine);
      const marked = Buffer.concat([Uint8Array.of(datagramMarks[mutator.below(2)] ?? 0), body]);
      batch.push(send(mutator.below(8) === 0 ? mutator.next([marked]) : marked, index));
    }
    await Promise.all(batch);
  }
  for (const socket of sockets) socket.close();
}

/** What the absent member might say, as valid as it gets. */
function genuineDatagrams(absent: NodeConfig, seed: number): Uint8Array[] {
  return electionDatagrams.map((bytes, index) =>
    encodeElectionDatagram({
      ...decodeElectionDatagram(bytes),
      sender: absent.self.id,
      membershipHash: membershipHash(absent.members),
      incarnation: seed.toString(16).padStart(32, '0'),
      sequence: index + 1,
    }),
  );
}
