// The bytes of every message that the generated code encodes, written down: an independent witness that neither an
// edit of a codec nor a new release of the library changes what travels. Each was taken from hand-written encoders that
// agreed with protobufjs byte for byte.

import { describe, expect, it } from 'vitest';
import { concatenated } from '../../test/support/codec-checks.js';
import type { GroupId } from '../shared/ids.js';
import type { PeerMessage } from '../zab/messages.js';
import { decodeBulkMessage, encodeBulkMessage } from './bulk-codec.js';
import type { BulkMessage } from './bulk-messages.js';
import { decodeElectionDatagram, type ElectionDatagram, encodeElectionDatagram } from './election-codec.js';
import { decodeHandshake, encodeHandshake, type HandshakeMessage } from './handshake-codec.js';
import { readFrame } from './native-frame-decoder.js';
import { writeFrameBody } from './native-frame-encoder.js';
import type { NativeFrame, NativeRequest } from './native-messages.js';
import { readRequest, writeRequest } from './native-request-codec.js';
import { decodePeerMessage, encodePeerMessage } from './peer-codec.js';
import { ProtoReader } from './protobuf/proto-reader.js';
import { ProtoWriter } from './protobuf/proto-writer.js';

const max = Number.MAX_SAFE_INTEGER;
const zxid = 5 * 2 ** 32 + 300;
const ensembleId = '00112233445566778899aabbccddeeff';
const group = 7 as GroupId;

function written(write: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter(16);
  write(writer);
  return writer.finish();
}

/** Encoded and decoded as each kind is; `hex` are the bytes. */
function check(hex: string, encoded: Uint8Array, decode: (bytes: Uint8Array) => unknown, decoded: unknown): void {
  expect(Buffer.from(encoded).toString('hex')).toBe(hex);
  expect(decode(new Uint8Array(Buffer.from(hex, 'hex')))).toEqual(decoded);
}

const vote = { epoch: 5, lastZxid: zxid, serverId: max };
const datagram = { group: 1, sender: 300, incarnation: 'äb', boot: 2, sequence: 2 ** 40, membershipHash: 'cafe' };
const looking = { role: 'looking', round: 0, ensembleId: null, currentEpoch: 0, probation: false };
const elections: Readonly<Record<string, unknown>> = {
  '0801100118ac022203c3a4622802308080808080203a04636166655211080510ac8280805018ffffffffffffff0f': {
    ...datagram,
    message: { ...looking, vote },
  },
  '0801100118ac022203c3a4622802308080808080203a0463616665400248095211080510ac8280805018ffffffffffffff0f5a1000112233445566778899aabbccddeeff60056801':
    { ...datagram, message: { role: 'leading', round: 9, vote, ensembleId, currentEpoch: 5, probation: true } },
};

const hello = {
  type: 'hello',
  version: 1,
  group: 0,
  serverId: max,
  targetId: 2 ** 52 + 1,
  incarnation: 'ab12',
  boot: 3,
  ensembleName: 'zoo',
  membershipHash: '0123456789abcdef',
  members: ['a:1', 'b:2'],
  channel: 'bulk',
  requestAddr: 'a:3',
  keyed: true,
  nonce: new Uint8Array(32).fill(5),
};
const handshakes: Readonly<Record<string, unknown>> = {
  '0a6e08f4c485d307100120ffffffffffffff0f288180808080808008320461623132380342037a6f6f4a10303132333435363738396162636465665203613a315203623a3258016203613a33680172200505050505050505050505050505050505050505050505050505050505050505':
    hello,
  '12050a03010203': { type: 'proof', mac: Uint8Array.of(1, 2, 3), datagramKey: undefined },
  '1200': { type: 'proof', mac: new Uint8Array(0), datagramKey: undefined },
  '122212200606060606060606060606060606060606060606060606060606060606060606': {
    type: 'proof',
    mac: new Uint8Array(0),
    datagramKey: new Uint8Array(32).fill(6),
  },
  '1a040a026e6f': { type: 'refusal', reason: 'no' },
};

const peers: Readonly<Record<string, unknown>> = {
  '080110071a1e0806100518ac82808050221000112233445566778899aabbccddeeff2801': {
    type: 'followerInfo',
    acceptedEpoch: 6,
    currentEpoch: 5,
    lastZxid: zxid,
    ensembleId,
    probation: true,
    seed: 0,
  },
  '080110071a00': {
    type: 'followerInfo',
    acceptedEpoch: 0,
    currentEpoch: 0,
    lastZxid: 0,
    ensembleId: null,
    probation: false,
    seed: 0,
  },
  '0801100722240806100518ac82808050220808041081808080402208080510ac8280805028ab82808050': {
    type: 'ackEpoch',
    epoch: 6,
    currentEpoch: 5,
    lastZxid: zxid,
    epochEnds: [
      { epoch: 4, last: 4 * 2 ** 32 + 1 },
      { epoch: 5, last: zxid },
    ],
    committed: zxid - 1,
  },
  '080110072a08080610ac82808050': { type: 'ackNewLeader', epoch: 6, durable: zxid },
  '08011007420408ffff7f': { type: 'voterReady', epoch: 2 ** 21 - 1 },
  '080110074a140806121000112233445566778899aabbccddeeff': {
    type: 'leaderInfo',
    epoch: 6,
    ensembleId,
    admission: 'voter',
    seed: 0,
  },
  '080110071a200806100518ac82808050221000112233445566778899aabbccddeeff2801304d': {
    type: 'followerInfo',
    acceptedEpoch: 6,
    currentEpoch: 5,
    lastZxid: zxid,
    ensembleId,
    probation: true,
    seed: 77,
  },
  '080110074a160806121000112233445566778899aabbccddeeff204d': {
    type: 'leaderInfo',
    epoch: 6,
    ensembleId,
    admission: 'voter',
    seed: 77,
  },
  '080110074a160806121000112233445566778899aabbccddeeff1803': {
    type: 'leaderInfo',
    epoch: 6,
    ensembleId,
    admission: 'returning',
    seed: 0,
  },
  '08011007520608ac82808050': { type: 'truncate', to: zxid },
  '080110075a00': { type: 'snapshot' },
  '080110076a020806': { type: 'newLeader', epoch: 6 },
  '08011007720908ffffffffffffff0f': { type: 'upToDate', committed: max },
};

const bulks: Readonly<Record<string, unknown>> = {
  '080110072a0908ffffffffffffff0f': { type: 'readPoint', id: max },
  '08011007320408011009': { type: 'readPointResult', id: 1, code: 'NO_QUORUM', zxid: 0 },
  '080110073208080118ac82808050': { type: 'readPointResult', id: 1, code: 'OK', zxid },
  '080110073a00': { type: 'snapshotRequest' },
  '08011007421808ac82808050121000112233445566778899aabbccddeeff': { type: 'snapshotBegin', zxid, ensembleId },
  '080110075200': { type: 'snapshotEnd' },
  '080110075a0308ac02': { type: 'snapshotCredit', chunks: 300 },
  '08011007620608ac82808050': { type: 'snapshotInstalled', zxid },
  '080110076a0808ac021203010203': { type: 'broadcast', id: 300, payload: Uint8Array.of(1, 2, 3) },
  '080110076a00': { type: 'broadcast', id: 0, payload: new Uint8Array(0) },
  '08011007720308ac02': { type: 'broadcastDone', id: 300 },
  '080110077a1d08ffffffffffffff0f10ac828080501880808080202206633066666565': {
    type: 'digestReport',
    server: max,
    zxid,
    revision: 2 ** 33,
    digest: 'c0ffee',
  },
  '080110078201150a0808ac021203613a310a0908ffffffffffffff0f': {
    type: 'memberAddresses',
    items: [
      { server: 300, requestAddr: 'a:1' },
      { server: max, requestAddr: '' },
    ],
  },
  '08011007820100': { type: 'memberAddresses', items: [] },
};

const key = Uint8Array.of(1, 2);
const everything = { type: 'range', from: new Uint8Array(0), to: undefined };
const list = { type: 'list', page: key, limit: 300, revision: 2 ** 33, keysOnly: true, local: true, seen: zxid };
const nothing = { page: new Uint8Array(0), limit: 0, revision: 0, keysOnly: false, local: false, seen: 0 };
const requests: Readonly<Record<string, unknown>> = {
  '08ac022a1f0a060a02010218011202010218ac022080808080202801300138ac82808050': {
    ...list,
    range: { type: 'prefix', prefix: key },
  },
  '08ac022a020a00': { ...list, ...nothing, range: everything },
  '08ac022a1f0a060a02010212001202010218ac022080808080202801300138ac82808050': {
    ...list,
    range: { type: 'range', from: key, to: new Uint8Array(0) },
  },
  '08ac0232160a060a0201022001108080808020180120ac82808050': {
    type: 'watch',
    range: { type: 'single', key },
    fromRevision: 2 ** 33,
    withInitial: true,
    seen: zxid,
  },
  '08ac02320a0a080a02010212020102': {
    type: 'watch',
    range: { type: 'range', from: key, to: key },
    fromRevision: 0,
    withInitial: false,
    seen: 0,
  },
  '08ac023a0908ffffffffffffff0f': { type: 'cancelWatch', watch: max },
  '08ac0242040a020102': { type: 'broadcast', payload: key },
  '08ac024a00': { type: 'subscribeBroadcasts' },
  '08ac025200': { type: 'unsubscribeBroadcasts' },
  '08ac025a00': { type: 'status' },
  '08ac026200': { type: 'digest' },
  '08ac026a00': { type: 'digestAll' },
};

const digest = { id: max, zxid, revision: 2 ** 33, digest: 'c0ffee' };
const member = { id: 300, electionAddr: 'a:1', messageAddr: 'a:2', requestAddr: 'a:3' };
const status = {
  id: max,
  ensembleId,
  role: 'leader',
  epoch: 5,
  leader: max,
  serving: true,
  compactedRevision: 2 ** 33,
  members: [member, { ...member, id: max, requestAddr: '' }],
};
const frames: Readonly<Record<string, unknown>> = {
  '080120022803321a080110ffffffffffffff0f18808080012084072880804030e807': {
    type: 'hello',
    protocolVersion: 1,
    serverId: max,
    frameBytesMax: 2 ** 21,
    keyBytesMax: 900,
    valueBytesMax: 2 ** 20,
    requestsInFlightMax: 1000,
  },
  '0801200228034a6908ffffffffffffff0f122030303131323233333434353536363737383839396161626263636464656566661802200528ffffffffffffff0f3001388080808020421208ac021203613a311a03613a322203613a33421308ffffffffffffff0f1203613a311a03613a32':
    { type: 'status', status },
  '080120022803521d08ffffffffffffff0f10ac828080501880808080202206633066666565': { type: 'digest', digest },
  '0801200228035a370a1d08ffffffffffffff0f10ac8280805018808080802022066330666665650a16080110ac828080501880808080202206633066666565':
    { type: 'digestAll', digests: [digest, { ...digest, id: 1 }] },
  '0801200228037200': { type: 'watchEnded' },
  '0801200228037a040a020102': { type: 'broadcast', payload: key },
  '0801200228037a00': { type: 'broadcast', payload: new Uint8Array(0) },
};

describe('golden bytes', () => {
  for (const [hex, value] of Object.entries(elections)) {
    const given = value as ElectionDatagram;
    it(`of an election datagram, ${given.message.role}`, () =>
      check(hex, encodeElectionDatagram(given), decodeElectionDatagram, given));
  }

  for (const [hex, value] of Object.entries(handshakes)) {
    const given = value as HandshakeMessage;
    it(`of a handshake's ${given.type}`, () => check(hex, encodeHandshake(given), decodeHandshake, given));
  }

  for (const [hex, value] of Object.entries(peers)) {
    const message = value as PeerMessage;
    it(`of ${message.type}`, () =>
      check(hex, concatenated(encodePeerMessage(group, message)), decodePeerMessage, { group, message }));
  }

  for (const [hex, value] of Object.entries(bulks)) {
    const message = value as BulkMessage;
    it(`of ${message.type}`, () =>
      check(hex, concatenated(encodeBulkMessage(group, message)), decodeBulkMessage, { group, message }));
  }

  for (const [hex, value] of Object.entries(requests)) {
    const request = { id: 300, timeoutMs: 0, body: value } as NativeRequest;
    it(`of a client's ${request.body.type} request`, () => {
      const bytes = written((writer) => writeRequest(writer, request));
      check(hex, bytes, (body) => readRequest(new ProtoReader(body)), request);
    });
  }

  for (const [hex, value] of Object.entries(frames)) {
    const frame = { id: 1, code: 'OK', message: '', zxid: 2, revision: 3, payload: value } as NativeFrame;
    it(`of a server's ${frame.payload.type} frame`, () => {
      const bytes = written((writer) => writeFrameBody(writer, frame));
      check(hex, bytes, (body) => readFrame(new ProtoReader(body)), frame);
    });
  }
});
