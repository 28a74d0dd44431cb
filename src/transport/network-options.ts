// What both networks of a node are told when they are made. They hold no configuration of their own and read no file.

import type { GroupId, ServerId } from '../shared/ids.js';

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
  warn(text: string, details?: Readonly<Record<string, unknown>>): void;
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
