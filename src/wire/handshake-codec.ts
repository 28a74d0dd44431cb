// Messages of the handshake between two members ↔ frames (zabtree.peer.HandshakeFrame). They come from a stranger: every
// text and list is bounded, and a Hello of another version is still read so that its sender can be told so.

import type { Bytes } from '../shared/bytes.js';
import type { GroupId, ServerId } from '../shared/ids.js';
import { zabtree } from './generated/protocol.js';
import { bytesOf, decodeGenerated, encodeGenerated } from './generated-codec.js';
import { safeInteger } from './id-fields.js';
import { ProtoReader } from './protobuf/proto-reader.js';
import { WireError } from './protobuf/wire-error.js';

/** keys: only for what the Proofs tell. */
export type HandshakeChannel = 'quorum' | 'bulk' | 'keys';

export interface Hello {
  readonly type: 'hello';
  readonly version: number;
  readonly group: GroupId;
  readonly serverId: ServerId;
  /** Whom the sender means to speak to. */
  readonly targetId: ServerId;
  readonly incarnation: string;
  readonly boot: number;
  readonly ensembleName: string;
  readonly membershipHash: string;
  /** MessageAddr of every member, sorted: only to explain a refusal. */
  readonly members: readonly string[];
  readonly channel: HandshakeChannel;
  /** Where the sender's clients connect. */
  readonly requestAddr: string;
  /** The sender has a cluster key and speaks to nobody who has not. */
  readonly keyed: boolean;
  /** `nonceBytes` random bytes. */
  readonly nonce: Bytes;
}

export interface Proof {
  readonly type: 'proof';
  /** Empty without a cluster key. */
  readonly mac: Bytes;
  /** `datagramKeyBytes` of the sender's, a secret; undefined: it tells none. */
  readonly datagramKey: Bytes | undefined;
}

export type HandshakeMessage = Hello | Proof | { readonly type: 'refusal'; readonly reason: string };

const what = 'a handshake';
export const nonceBytes = 32;
export const datagramKeyBytes = 32;
/** "zabt": what connects to the peer port by mistake is told apart by this. */
const magic = 0x7a616274;
/** By number in zabtree.peer.Channel. Never reorder. */
const channels: readonly HandshakeChannel[] = ['quorum', 'bulk', 'keys'];
const textLengthMax = 300;
const reasonLengthMax = 1_000;
/** Members beyond these are left out of a Hello: the hash still tells that lists differ. */
const membersMax = 32;

export function encodeHandshake(message: HandshakeMessage): Bytes {
  return encodeGenerated(zabtree.peer.HandshakeFrame, frameOf(message));
}

function frameOf(message: HandshakeMessage): zabtree.peer.HandshakeFrame.$Properties {
  switch (message.type) {
    case 'hello': {
      const members = message.members.slice(0, membersMax);
      return { hello: { ...message, magic, members, channel: channels.indexOf(message.channel) } };
    }
    case 'proof':
      return { proof: { mac: message.mac, datagramKey: message.datagramKey ?? null } };
    case 'refusal':
      return { refusal: { reason: message.reason.slice(0, reasonLengthMax) } };
  }
}

/** Throws WireError for anything but one handshake message. Bytes share the frame's memory. */
export function decodeHandshake(frame: Bytes): HandshakeMessage {
  const reader = new ProtoReader(frame);
  const field = reader.nextField();
  if (field < 1 || field > 3) throw new WireError(`Cannot decode ${what}: this is not a zabtree peer`);
  const body = reader.bytesView();
  if (reader.nextField() !== 0) throw new WireError(`Cannot decode ${what}: more than one message in a frame`);
  if (field === 1) return readHello(body);
  if (field === 2) {
    return readProof(body);
  }
  const { reason } = decodeGenerated(zabtree.peer.Refusal, what, body);
  return { type: 'refusal', reason: printable(reason).slice(0, reasonLengthMax) };
}

function readProof(body: Bytes): Proof {
  const { mac, datagramKey } = decodeGenerated(zabtree.peer.Proof, what, body);
  if (datagramKey.length !== 0 && datagramKey.length !== datagramKeyBytes)
    throw new WireError(`Cannot decode ${what}: its datagram key has the wrong length`);
  return { type: 'proof', mac: bytesOf(mac), datagramKey: datagramKey.length === 0 ? undefined : bytesOf(datagramKey) };
}

function readHello(body: Bytes): Hello {
  const hello = decodeGenerated(zabtree.peer.Hello, what, body);
  if (hello.magic !== magic) throw new WireError(`Cannot decode ${what}: this is not a zabtree peer`);
  const serverId = safeInteger(hello.serverId) as ServerId;
  const targetId = safeInteger(hello.targetId) as ServerId;
  if (serverId === 0 || targetId === 0) throw new WireError(`Cannot decode ${what}: a server id is missing`);
  const channel = channels[hello.channel];
  if (channel === undefined) throw new WireError(`Cannot decode ${what}: its channel is not known here`);
  if (hello.nonce.length !== nonceBytes) throw new WireError(`Cannot decode ${what}: its nonce has the wrong length`);
  if (hello.members.length > membersMax) throw new WireError(`Cannot decode ${what}: too many members`);
  return {
    type: 'hello',
    version: hello.version,
    group: hello.group as GroupId,
    serverId,
    targetId,
    incarnation: boundedText(hello.incarnation),
    boot: safeInteger(hello.boot),
    ensembleName: boundedText(hello.ensembleName),
    membershipHash: boundedText(hello.membershipHash),
    members: hello.members.map(boundedText),
    channel,
    requestAddr: boundedText(hello.requestAddr),
    keyed: hello.keyed,
    nonce: hello.nonce,
  };
}

function boundedText(text: string): string {
  if (text.length <= textLengthMax) return printable(text);
  throw new WireError(`Cannot decode ${what}: a text passes ${textLengthMax} characters`);
}

/** What a stranger sends ends up in logs: no control characters. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
