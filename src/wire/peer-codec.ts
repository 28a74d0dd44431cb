// Messages of the quorum channel ↔ frames (zabtree.peer.PeerFrame). Proposals, acks, commits and pings are coded by hand,
// the rest by generated code. A proposal's body is never copied or looked into: it is the frame's last bytes, sent as a
// chunk of its own and read as a view.

import { assert } from '../shared/assert.js';
import { type Bytes, emptyBytes } from '../shared/bytes.js';
import { epochOf, type GroupId, type Zxid } from '../shared/ids.js';
import type { Admission, LeaderMessage, PeerMessage } from '../zab/messages.js';
import { ensembleIdFromBytes, ensembleIdToBytes } from './ensemble-id-bytes.js';
import { type Framed, readFrame, writeFrameHeader } from './frame-header.js';
import { zabtree } from './generated/protocol.js';
import { decodeGenerated, encodeGenerated } from './generated-codec.js';
import { epochField, readZxid, zxidField } from './id-fields.js';
import { ProtoReader } from './protobuf/proto-reader.js';
import { ProtoWriter } from './protobuf/proto-writer.js';
import { WireError } from './protobuf/wire-error.js';
import { protocolVersion } from './protocol-version.js';

/** Most epoch ends of an ackEpoch, as zab/messages.ts bounds them. */
const epochEndsMax = 64;

/** By number in zabtree.peer.Admission. Never reorder. */
const admissions: readonly Admission[] = ['voter', 'forming', 'joining', 'returning'];

type HotMessage = Extract<PeerMessage, { type: 'proposal' | 'ack' | 'pong' | 'commit' | 'ping' }>;
type ColdMessage = Exclude<PeerMessage, HotMessage>;

/** Field numbers of zabtree.peer.PeerFrame. */
const fields: Readonly<Record<PeerMessage['type'], number>> = {
  followerInfo: 3,
  ackEpoch: 4,
  ackNewLeader: 5,
  ack: 6,
  pong: 7,
  voterReady: 8,
  leaderInfo: 9,
  truncate: 10,
  snapshot: 11,
  proposal: 12,
  newLeader: 13,
  upToDate: 14,
  commit: 15,
  ping: 16,
};

/** One frame as chunks to be sent in order; a proposal's last chunk is its body itself. */
export function encodePeerMessage(group: GroupId, message: PeerMessage): Bytes[] {
  switch (message.type) {
    case 'proposal':
      return encodeProposal(group, message);
    case 'ack':
      return encodeNumbers(group, message.type, message.durable);
    case 'pong':
      return encodeNumbers(group, message.type, message.nonce);
    case 'commit':
      return encodeNumbers(group, message.type, message.committed);
    case 'ping':
      return encodeNumbers(group, message.type, message.nonce, message.committed);
    default:
      return [encodeGenerated(zabtree.peer.PeerFrame, { version: protocolVersion, group, ...coldFields(message) })];
  }
}

/** A message of one or two numbers. */
function encodeNumbers(group: GroupId, type: HotMessage['type'], one: number, two = 0): Bytes[] {
  const writer = new ProtoWriter(64);
  writeFrameHeader(writer, group);
  const mark = writer.beginMessage(fields[type]);
  writer.varintField(1, one);
  writer.varintField(2, two);
  writer.endMessage(mark);
  return [writer.written()];
}

function encodeProposal(group: GroupId, message: Extract<PeerMessage, { type: 'proposal' }>): Bytes[] {
  const { first, last, body } = message.batch;
  assert(body.length > 0, 'Cannot encode a proposal without a body');
  const inner = new ProtoWriter(48);
  inner.varintField(1, message.committed);
  inner.varintField(2, first);
  inner.varintField(3, last);
  inner.messageHeader(4, body.length);
  const outer = new ProtoWriter(64);
  writeFrameHeader(outer, group);
  outer.messageHeader(fields.proposal, inner.position + body.length);
  outer.raw(inner.written());
  return [outer.written(), body];
}

function coldFields(message: ColdMessage): zabtree.peer.PeerFrame.$Properties {
  switch (message.type) {
    case 'followerInfo':
      return { followerInfo: { ...message, ensembleId: ensembleIdToBytes(message.ensembleId) } };
    case 'ackEpoch':
      return { ackEpoch: { ...message, epochEnds: [...message.epochEnds] } };
    case 'leaderInfo': {
      const admission = admissions.indexOf(message.admission);
      return { leaderInfo: { ...message, ensembleId: ensembleIdToBytes(message.ensembleId), admission } };
    }
    default:
      // Their fields are called in the protocol as they are here.
      return { [message.type]: message };
  }
}

/** Throws WireError for anything but one whole message of this protocol version. A proposal's body shares the frame's memory. */
export function decodePeerMessage(frame: Bytes): Framed<PeerMessage> {
  return readFrame<PeerMessage>(new ProtoReader(frame), 'a peer frame', readBody);
}

function readBody(reader: ProtoReader, field: number): PeerMessage | undefined {
  switch (field) {
    case fields.ack:
      return { type: 'ack', durable: readOne(reader) as Zxid };
    case fields.pong:
      return { type: 'pong', nonce: readOne(reader) };
    case fields.proposal:
      return readProposal(reader);
    case fields.commit:
      return { type: 'commit', committed: readOne(reader) as Zxid };
    case fields.ping:
      return readPing(reader);
    default:
      return readColdMessage(reader.rest(), field);
  }
}

function readColdMessage(body: Bytes, field: number): ColdMessage | undefined {
  const { peer } = zabtree;
  switch (field) {
    case fields.followerInfo:
      return readFollowerInfo(body);
    case fields.ackEpoch:
      return readAckEpoch(body);
    case fields.ackNewLeader: {
      const { epoch, durable } = decodeGenerated(peer.AckNewLeader, 'an ackNewLeader', body);
      return { type: 'ackNewLeader', epoch: epochField(epoch), durable: zxidField(durable) };
    }
    case fields.voterReady: {
      const { epoch } = decodeGenerated(peer.VoterReady, 'a voterReady', body);
      return { type: 'voterReady', epoch: epochField(epoch) };
    }
    case fields.leaderInfo:
      return readLeaderInfo(body);
    case fields.truncate:
      return { type: 'truncate', to: zxidField(decodeGenerated(peer.Truncate, 'a truncate', body).to) };
    case fields.snapshot:
      decodeGenerated(peer.Snapshot, 'a snapshot', body);
      return { type: 'snapshot' };
    case fields.newLeader: {
      const { epoch } = decodeGenerated(peer.NewLeader, 'a newLeader', body);
      return { type: 'newLeader', epoch: epochField(epoch) };
    }
    case fields.upToDate: {
      const { committed } = decodeGenerated(peer.UpToDate, 'an upToDate', body);
      return { type: 'upToDate', committed: zxidField(committed) };
    }
    default:
      return undefined;
  }
}

function readFollowerInfo(body: Bytes): ColdMessage {
  const info = decodeGenerated(zabtree.peer.FollowerInfo, 'a followerInfo', body);
  return {
    type: 'followerInfo',
    acceptedEpoch: epochField(info.acceptedEpoch),
    currentEpoch: epochField(info.currentEpoch),
    lastZxid: zxidField(info.lastZxid),
    ensembleId: ensembleIdFromBytes(info.ensembleId),
    probation: info.probation,
    seed: zxidField(info.seed),
  };
}

function readAckEpoch(body: Bytes): ColdMessage {
  const ack = decodeGenerated(zabtree.peer.AckEpoch, 'an ackEpoch', body);
  if (ack.epochEnds.length > epochEndsMax)
    throw new WireError(`Cannot decode an ackEpoch: more than ${epochEndsMax} epoch ends`);
  return {
    type: 'ackEpoch',
    epoch: epochField(ack.epoch),
    currentEpoch: epochField(ack.currentEpoch),
    lastZxid: zxidField(ack.lastZxid),
    epochEnds: ack.epochEnds.map(({ epoch, last }) => ({ epoch: epochField(epoch), last: zxidField(last) })),
    committed: zxidField(ack.committed),
  };
}

function readLeaderInfo(body: Bytes): ColdMessage {
  const info = decodeGenerated(zabtree.peer.LeaderInfo, 'a leaderInfo', body);
  const ensembleId = ensembleIdFromBytes(info.ensembleId);
  if (ensembleId === null) throw new WireError('Cannot decode a leaderInfo: it has no ensemble id');
  const admission = admissions[info.admission];
  if (admission === undefined)
    throw new WireError(`Cannot decode a leaderInfo: admission ${info.admission} is not known here`);
  return { type: 'leaderInfo', epoch: epochField(info.epoch), ensembleId, admission, seed: zxidField(info.seed) };
}

/** The integer in field 1, 0 when it is left out. */
function readOne(reader: ProtoReader): number {
  let value = 0;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) value = reader.varint();
    else reader.skip();
  }
  return value;
}

function readProposal(reader: ProtoReader): LeaderMessage {
  let committed = 0 as Zxid;
  let first = 0 as Zxid;
  let last = 0 as Zxid;
  let body = emptyBytes;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) committed = readZxid(reader);
    else if (field === 2) first = readZxid(reader);
    else if (field === 3) last = readZxid(reader);
    else if (field === 4) body = reader.bytesView();
    else reader.skip();
  }
  if (body.length === 0) throw new WireError('Cannot decode a proposal: it has no body');
  if (first === 0 || last < first || epochOf(first) !== epochOf(last)) {
    throw new WireError(`Cannot decode a proposal: ${first}..${last} is no range of zxids of one epoch`);
  }
  return { type: 'proposal', batch: { first, last, body }, committed };
}

function readPing(reader: ProtoReader): LeaderMessage {
  let nonce = 0;
  let committed = 0 as Zxid;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) nonce = reader.varint();
    else if (field === 2) committed = readZxid(reader);
    else reader.skip();
  }
  return { type: 'ping', nonce, committed };
}
