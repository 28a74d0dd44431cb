// What both networks of a node are told when they are made. They hold no configuration of their own and read no file.

import type { GroupId, ServerId } from '../shared/ids.js';
import type { DatagramKeys } from './datagram-keys.js';

/** A configured member; addresses are `host:port`. They are first used by `start`, not by the constructor. */
export interface NetworkMember {
  readonly id: ServerId;
  readonly electionAddr: string;
  readonly messageAddr: string;
}

/** The bounds that transports keep; names and meanings as in config/limits.ts. */
export interface TransportLimits {
  readonly peerFrameBytesMax: number;
  readonly datagramBytesMax: number;
  readonly peerQueueBytesMax: number;
  readonly peerQueueLowBytes: number;
  readonly peerHandshakesMax: number;
  readonly handshakeTimeoutMs: number;
  readonly handshakeFrameBytesMax: number;
}

/** Where warnings go; a node's log has this shape. */
export interface TransportLog {
  info(text: string, details?: Readonly<Record<string, unknown>>): void;
  warn(text: string, details?: Readonly<Record<string, unknown>>): void;
}

/** TLS between members, each of which shows a certificate: paths of PEM files, and who is spoken to. */
export interface PeerTlsOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** The certificates of other members are vouched for by these authorities. */
  readonly trustedCaFile: string;
  /** Where given, only those with this common name, or for this host, are spoken to. */
  readonly allowedCommonName: string | undefined;
  readonly allowedHostname: string | undefined;
}

export interface NetworkOptions {
  readonly group: GroupId;
  readonly self: ServerId;
  /** All members, self included. */
  readonly members: readonly NetworkMember[];
  /** Equal on two nodes exactly if they have the same members. */
  readonly membershipHash: string;
  readonly ensembleName: string;
  /** Shared secret; when set, nothing unauthenticated is believed on either port. */
  readonly clusterKey?: Uint8Array | undefined;
  /** Undefined: members connect without TLS. */
  readonly peerTls?: PeerTlsOptions | undefined;
  /** With TLS and without a cluster key: one for both networks of a node. */
  readonly datagramKeys?: DatagramKeys | undefined;
  /** Bind addresses, `host:port`, where they differ from self's advertised ones. */
  readonly listenElection?: string | undefined;
  readonly listenMessage?: string | undefined;
  /** Random per data directory; boot counts its openings. Not read before `start`: the directory may be opened later. */
  readonly incarnation: string;
  readonly boot: number;
  /** Advertised address of this node's client port, told to peers. */
  readonly requestAddr: string;
  readonly limits: TransportLimits;
  readonly log: TransportLog;
}
