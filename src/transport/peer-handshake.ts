// One side of the handshake on a peer connection: Hello, Hello, Proof, Proof, and a Refusal with its reason at any point.
// Frames in, frames and one outcome out; no sockets and no clock. With a cluster key each side proves that it knows the
// key by a MAC over both Hellos, which hold fresh random numbers, and both derive keys for the frames that follow. Inside
// TLS a Proof also tells the key of its sender's datagrams: only to whom the Hellos, and the certificates, make a member.

import { type KeyObject, randomBytes } from 'node:crypto';
import type { Bytes } from '../shared/bytes.js';
import type { ServerId } from '../shared/ids.js';
import {
  decodeHandshake,
  encodeHandshake,
  type HandshakeChannel,
  type HandshakeMessage,
  type Hello,
  nonceBytes,
  type Proof,
} from '../wire/handshake-codec.js';
import { WireError } from '../wire/protobuf/wire-error.js';
import { protocolVersion } from '../wire/protocol-version.js';
import { derive, equalTags, FrameSealer, mac } from './cluster-key.js';
import { parseListenAddress } from './listen-address.js';
import type { NetworkOptions } from './network-options.js';

export type HandshakeStep =
  /** Send these frames and wait for the next one. */
  | { readonly type: 'continue'; readonly send: Bytes | undefined }
  /** Send the frame, if any; the connection is open. */
  | { readonly type: 'open'; readonly send: Bytes | undefined; readonly result: HandshakeResult }
  /** Send the frame, if any, then close. */
  | { readonly type: 'refused'; readonly send: Bytes | undefined; readonly reason: string; readonly byPeer: boolean };

export interface HandshakeResult {
  readonly peer: ServerId;
  readonly channel: HandshakeChannel;
  readonly requestAddr: string;
  /** Both undefined without a cluster key. */
  readonly outgoing: FrameSealer | undefined;
  readonly incoming: FrameSealer | undefined;
  /** Of the process at the other end. */
  readonly incarnation: string;
  readonly boot: number;
  /** What its datagrams are tagged with, where it says so inside TLS. */
  readonly datagramKey: Bytes | undefined;
}

/** Of a handshake inside TLS. */
export interface SecureHandshake {
  /** Is the certificate of the other side one for this host? */
  readonly certifies: (host: string) => boolean;
  /** What this side's datagrams are tagged with: told to members, a secret. */
  readonly datagramKey: Bytes | undefined;
}

/** What a handshake needs of the node. */
export type HandshakeOptions = Pick<
  NetworkOptions,
  'group' | 'self' | 'members' | 'membershipHash' | 'ensembleName' | 'incarnation' | 'boot' | 'requestAddr'
>;

type Side = 'connector' | 'acceptor';

export class PeerHandshake {
  readonly #options: HandshakeOptions;
  readonly #key: KeyObject | undefined;
  readonly #side: Side;
  readonly #secure: SecureHandshake | undefined;
  /** The connector knows whom it wants; an acceptor learns both from the Hello. */
  readonly #target: ServerId | undefined;
  #channel: HandshakeChannel;
  #ownHello: Bytes | undefined;
  #peerHello: { readonly hello: Hello; readonly frame: Bytes } | undefined;

  private constructor(
    options: HandshakeOptions,
    key: KeyObject | undefined,
    secure: SecureHandshake | undefined,
    wanted?: { readonly target: ServerId; readonly channel: HandshakeChannel },
  ) {
    this.#options = options;
    this.#key = key;
    this.#secure = secure;
    this.#side = wanted === undefined ? 'acceptor' : 'connector';
    this.#target = wanted?.target;
    this.#channel = wanted?.channel ?? 'quorum';
  }

  /** The side that asked for the connection; `first` is to be sent at once. */
  static connect(
    options: HandshakeOptions,
    key: KeyObject | undefined,
    target: ServerId,
    channel: HandshakeChannel,
    secure?: SecureHandshake,
  ): { handshake: PeerHandshake; first: Bytes } {
    const handshake = new PeerHandshake(options, key, secure, { target, channel });
    return { handshake, first: handshake.#hello(target) };
  }

  static accept(options: HandshakeOptions, key: KeyObject | undefined, secure?: SecureHandshake): PeerHandshake {
    return new PeerHandshake(options, key, secure);
  }

  /** Takes the next frame of the other side. */
  receive(frame: Bytes): HandshakeStep {
    let message: HandshakeMessage;
    try {
      message = decodeHandshake(frame);
    } catch (error) {
      if (error instanceof WireError) return this.#refuse(error.message);
      throw error;
    }
    switch (message.type) {
      case 'refusal':
        return { type: 'refused', send: undefined, reason: message.reason, byPeer: true };
      case 'hello':
        return this.#receiveHello(message, frame);
      case 'proof':
        return this.#receiveProof(message);
    }
  }

  #receiveHello(hello: Hello, frame: Bytes): HandshakeStep {
    if (this.#peerHello !== undefined) return this.#refuse('a second Hello on one connection');
    const reason = this.#objection(hello);
    if (reason !== undefined) return this.#refuse(reason);
    this.#peerHello = { hello, frame: frame.slice() };
    if (this.#side === 'connector') return { type: 'continue', send: this.#proof('connector') };
    this.#channel = hello.channel;
    return { type: 'continue', send: this.#hello(hello.serverId) };
  }

  #receiveProof(proof: Proof): HandshakeStep {
    const peerHello = this.#peerHello?.hello;
    if (peerHello === undefined) return this.#refuse('a Proof before a Hello');
    const peerSide = this.#side === 'connector' ? 'acceptor' : 'connector';
    const expected = this.#proofMac(peerSide);
    if (expected !== undefined && !equalTags(expected, proof.mac)) return this.#refuse('the cluster keys differ');
    const send = this.#side === 'acceptor' ? this.#proof('acceptor') : undefined;
    const result: HandshakeResult = {
      peer: peerHello.serverId,
      channel: this.#channel,
      requestAddr: peerHello.requestAddr,
      outgoing: this.#sealer(this.#side),
      incoming: this.#sealer(peerSide),
      incarnation: peerHello.incarnation,
      boot: peerHello.boot,
      // In the clear it is nobody's.
      datagramKey: this.#secure === undefined ? undefined : proof.datagramKey,
    };
    return { type: 'open', send, result };
  }

  /** Why this Hello's sender is not spoken to; undefined when it is. */
  #objection(hello: Hello): string | undefined {
    const own = this.#options;
    if (hello.version !== protocolVersion) {
      return `protocol versions differ: ${protocolVersion} and ${hello.version}`;
    }
    if (hello.group !== own.group) return `groups differ: ${own.group} and ${hello.group}`;
    if (hello.ensembleName !== own.ensembleName) {
      return `ensemble names differ: "${own.ensembleName}" and "${hello.ensembleName}"`;
    }
    const keyed = this.#key !== undefined;
    if (keyed !== hello.keyed) {
      const [requiring, lacking] = keyed ? [own.self, hello.serverId] : [hello.serverId, own.self];
      return `server ${requiring} requires a cluster key and server ${lacking} has none`;
    }
    if (hello.membershipHash !== own.membershipHash) return this.#membersDiffer(hello);
    if (hello.serverId === own.self) return `server id ${own.self} is used by both sides`;
    const member = own.members.find(({ id }) => id === hello.serverId);
    if (member === undefined) return `server id ${hello.serverId} is not a member`;
    if (hello.targetId !== own.self) {
      return `server ${hello.targetId} was wanted at this address, it is that of server ${own.self}`;
    }
    if (this.#target !== undefined && hello.serverId !== this.#target) {
      return `server ${this.#target} was wanted at this address, it is that of server ${hello.serverId}`;
    }
    if (this.#side === 'connector' && hello.channel !== this.#channel) return 'the channels differ';
    // The connector has looked before it said a word. Whom it called knows only now who it says it is.
    if (this.#secure === undefined) return undefined;
    const { host } = parseListenAddress(member.messageAddr, 'MessageAddr');
    if (this.#secure.certifies(host)) return undefined;
    return `the certificate of server ${member.id} is not for ${host}, where it is a member`;
  }

  #membersDiffer(hello: Hello): string {
    const own = this.#options.members.map((member) => member.messageAddr);
    const onlyOwn = own.filter((address) => !hello.members.includes(address));
    const onlyTheirs = hello.members.filter((address) => !own.includes(address));
    const self = this.#options.self;
    const parts = [
      onlyOwn.length > 0 ? `only server ${self} lists ${onlyOwn.join(', ')}` : '',
      onlyTheirs.length > 0 ? `only server ${hello.serverId} lists ${onlyTheirs.join(', ')}` : '',
    ].filter((part) => part !== '');
    return `members differ: ${parts.join('; ') || 'the same MessageAddr, another ElectionAddr or server id'}`;
  }

  #refuse(reason: string): HandshakeStep {
    return { type: 'refused', send: encodeHandshake({ type: 'refusal', reason }), reason, byPeer: false };
  }

  #hello(targetId: ServerId): Bytes {
    const own = this.#options;
    this.#ownHello = encodeHandshake({
      type: 'hello',
      version: protocolVersion,
      group: own.group,
      serverId: own.self,
      targetId,
      incarnation: own.incarnation,
      boot: own.boot,
      ensembleName: own.ensembleName,
      membershipHash: own.membershipHash,
      members: own.members.map((member) => member.messageAddr).sort(),
      channel: this.#channel,
      requestAddr: own.requestAddr,
      keyed: this.#key !== undefined,
      nonce: randomBytes(nonceBytes),
    });
    return this.#ownHello;
  }

  #proof(side: Side): Bytes {
    const datagramKey = this.#secure?.datagramKey;
    return encodeHandshake({ type: 'proof', mac: this.#proofMac(side) ?? new Uint8Array(0), datagramKey });
  }

  /** Both Hellos as they were sent, the connector's first. */
  #transcript(): readonly Bytes[] {
    const own = this.#ownHello ?? new Uint8Array(0);
    const theirs = this.#peerHello?.frame ?? new Uint8Array(0);
    return this.#side === 'connector' ? [own, theirs] : [theirs, own];
  }

  #proofMac(side: Side): Bytes | undefined {
    if (this.#key === undefined) return undefined;
    return mac(derive(this.#key, `zabtree peer proof of the ${side}`, ...this.#transcript()), []);
  }

  #sealer(side: Side): FrameSealer | undefined {
    if (this.#key === undefined) return undefined;
    return new FrameSealer(derive(this.#key, `zabtree peer frames of the ${side}`, ...this.#transcript()));
  }
}
