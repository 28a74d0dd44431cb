// Election datagrams ↔ bytes (protocol/election.proto), the envelope that orders and places them included. Says nothing
// about who may send one: source, authentication and freshness are the transport's.

import type { Bytes } from '../shared/bytes.js';
import type { GroupId, ServerId } from '../shared/ids.js';
import type { ElectionMessage, Role } from '../zab/messages.js';
import { ensembleIdFromBytes, ensembleIdToBytes } from './ensemble-id-bytes.js';
import { checkVersion } from './frame-header.js';
import { zabtree } from './generated/protocol.js';
import { decodeGenerated, encodeGenerated } from './generated-codec.js';
import { epochField, safeInteger, serverIdField, zxidField } from './id-fields.js';
import { WireError } from './protobuf/wire-error.js';
import { protocolVersion } from './protocol-version.js';

export type { ElectionMessage };

export interface ElectionDatagram {
  readonly group: GroupId;
  readonly sender: ServerId;
  /** Random per data directory of the sender. */
  readonly incarnation: string;
  /** Within one incarnation (boot, sequence) only grows. */
  readonly boot: number;
  readonly sequence: number;
  readonly membershipHash: string;
  readonly message: ElectionMessage;
}

const Generated = zabtree.election.ElectionDatagram;
const what = 'an election datagram';

/** By number in zabtree.election.Role. Never reorder. */
const roles: readonly Role[] = ['looking', 'following', 'leading'];

/** Longest incarnation or membership hash, characters. */
const tokenLengthMax = 64;

export function encodeElectionDatagram({ message, ...envelope }: ElectionDatagram): Bytes {
  return encodeGenerated(Generated, {
    ...envelope,
    ...message,
    version: protocolVersion,
    role: roles.indexOf(message.role),
    ensembleId: ensembleIdToBytes(message.ensembleId),
  });
}

/** Throws WireError for anything but one whole datagram of this protocol version. */
export function decodeElectionDatagram(bytes: Bytes): ElectionDatagram {
  const datagram = decodeGenerated(Generated, what, bytes);
  checkVersion(datagram.version, what);
  const { vote } = datagram;
  const role = roles[datagram.role];
  if (!vote || role === undefined) throw new WireError(`Cannot decode ${what}: its vote or role is missing or unknown`);
  return {
    group: datagram.group as GroupId,
    sender: serverIdField(datagram.sender, what),
    incarnation: token(datagram.incarnation),
    boot: safeInteger(datagram.boot),
    sequence: safeInteger(datagram.sequence),
    membershipHash: token(datagram.membershipHash),
    message: {
      role,
      round: safeInteger(datagram.round),
      vote: {
        epoch: epochField(vote.epoch),
        lastZxid: zxidField(vote.lastZxid),
        serverId: serverIdField(vote.serverId, 'a vote'),
      },
      ensembleId: ensembleIdFromBytes(datagram.ensembleId),
      currentEpoch: epochField(datagram.currentEpoch),
      probation: datagram.probation,
    },
  };
}

/** undefined for anything that is no whole datagram of this protocol version: nothing that arrives may end a listener. */
export function readElectionDatagram(bytes: Bytes): ElectionDatagram | undefined {
  try {
    return decodeElectionDatagram(bytes);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function token(text: string): string {
  if (text.length <= tokenLengthMax) return text;
  throw new WireError(`Cannot decode ${what}: a text passes ${tokenLengthMax} characters`);
}
