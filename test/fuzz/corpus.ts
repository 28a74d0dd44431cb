// Valid bytes of every kind that zabtree reads, made by the real encoders: what hostile inputs are mutated from. Each
// group holds every message type of its kind, with small and large numbers, empty and longer bytes.

import { errorCodes } from '../../src/shared/errors.js';
import type { ClientId, EnsembleId, Epoch, GroupId, Revision, ServerId, Zxid } from '../../src/shared/ids.js';
import { Secret } from '../../src/shared/secret.js';
import type { CommandEnvelope, CommandOutput, CommandResult } from '../../src/tree/command.js';
import type { Operation } from '../../src/tree/delta.js';
import type { SessionRecord } from '../../src/tree/store.js';
import type { RangeSelection, Transaction, TransactionOperation } from '../../src/tree/transaction.js';
import { encodeBatch } from '../../src/wire/batch-codec.js';
import { encodeBulkMessage } from '../../src/wire/bulk-codec.js';
import type { BulkMessage } from '../../src/wire/bulk-messages.js';
import { writeCommandEnvelope, writeCommandResult } from '../../src/wire/command-codec.js';
import { type ElectionDatagram, encodeElectionDatagram } from '../../src/wire/election-codec.js';
import { datagramKeyBytes, encodeHandshake, type Hello, nonceBytes } from '../../src/wire/handshake-codec.js';
import { writeFrameBody } from '../../src/wire/native-frame-encoder.js';
import type { KeyRecord, NativeFrame, NativePayload, NativeRequestBody } from '../../src/wire/native-messages.js';
import { writeRequest } from '../../src/wire/native-request-codec.js';
import { encodePeerMessage } from '../../src/wire/peer-codec.js';
import { ProtoWriter } from '../../src/wire/protobuf/proto-writer.js';
import type { PeerMessage } from '../../src/zab/messages.js';

const safeMax = Number.MAX_SAFE_INTEGER;
export const corpusGroup = 0 as GroupId;
/** Where the batches of the corpus begin. */
export const corpusFirst = (5 * 2 ** 32 + 7) as Zxid;
const zxid = corpusFirst;
const epoch = 5 as Epoch;
const revision = (2 ** 33) as Revision;
const ensembleId = '00112233445566778899aabbccddeeff' as EnsembleId;
const one = 1 as ServerId;
const key = new TextEncoder().encode('some/key');
const value = new Uint8Array(200).fill(0x2e);
const nothing = new Uint8Array(0);

function written(write: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter(256);
  write(writer);
  return plain(writer.finish());
}

/** Memory of its own, and never a Buffer. */
export function plain(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes);
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return plain(Buffer.concat(chunks));
}

const identity = {
  client: 77 as ClientId,
  request: 9,
  acknowledgedBelow: 4,
  bornAt: zxid,
  repeated: true,
};

const lease = 2n ** 62n + 5n;
const oneKey = { from: key, to: undefined, single: true };
const selection: RangeSelection = {
  from: key,
  to: value,
  single: false,
  at: revision,
  limit: 300,
  sortTarget: 'mod',
  descending: true,
  keysOnly: true,
  countOnly: true,
  minModRevision: revision,
  maxModRevision: revision,
  minCreateRevision: revision,
  maxCreateRevision: revision,
};
const put: TransactionOperation = {
  type: 'put',
  key,
  value,
  lease,
  ignoreValue: true,
  ignoreLease: true,
  wantsPrevious: true,
};
const inner: Transaction = {
  compares: [{ keys: oneKey, relation: 'less', target: 'value', operand: value }],
  success: [put, { type: 'delete', keys: selection, wantsPrevious: true }],
  failure: [{ type: 'range', selection }],
};
const transaction: Transaction = {
  compares: [
    { keys: oneKey, relation: 'equal', target: 'version', operand: 0 },
    { keys: selection, relation: 'greater', target: 'mod', operand: -3 },
    { keys: oneKey, relation: 'notEqual', target: 'lease', operand: lease },
  ],
  success: [{ type: 'transaction', transaction: inner }],
  failure: [put],
};

const envelopes: readonly CommandEnvelope[] = [
  { command: { type: 'add', key, value } },
  { command: { type: 'set', key, value: nothing }, identity },
  { command: { type: 'set', key, value, expectedRevision: revision } },
  { command: { type: 'set', key, value, expectedRevision: revision, lease: -5n } },
  { command: { type: 'add', key, value, lease: 5n } },
  { command: { type: 'delete', key }, identity: { ...identity, client: safeMax as ClientId } },
  { command: { type: 'delete', key, expectedRevision: 0 as Revision } },
  { command: { type: 'compact', revision } },
  { command: { type: 'checkpoint' } },
  { command: { type: 'transact', transaction }, identity },
  { command: { type: 'leaseGrant', id: lease, ttlSeconds: 60 } },
  { command: { type: 'leaseRevoke', id: lease } },
  { command: { type: 'leaseKeepAlive', id: lease } },
  { command: { type: 'leaseTimeToLive', id: lease, wantsKeys: true } },
  { command: { type: 'leaseCheckpoint', leases: [{ id: lease, remainingSeconds: 7 }] } },
];

const previous: KeyRecord = { key, value, createRevision: revision, modRevision: revision, version: 3, lease };
const outputs: readonly CommandOutput[] = [
  {
    type: 'transaction',
    succeeded: true,
    outcomes: [
      { type: 'put', previous },
      { type: 'put', previous: undefined },
      { type: 'delete', deleted: 2, previous: [previous, previous] },
      {
        type: 'transaction',
        succeeded: false,
        outcomes: [{ type: 'range', records: [previous], count: 300, more: true }],
      },
    ],
  },
  { type: 'leaseGrant', id: lease, ttlSeconds: 60 },
  { type: 'leaseKeepAlive', id: lease, ttlSeconds: 0 },
  { type: 'leaseTimeToLive', id: lease, ttlSeconds: -1, grantedSeconds: 60, keys: [key, value] },
];

const results: readonly CommandResult[] = [
  { code: 'OK', message: '', revision, zxid },
  ...outputs.map((output): CommandResult => ({ code: 'OK', message: '', revision, zxid, output })),
  ...errorCodes.map(
    (code): CommandResult => ({ code, message: 'schlüssel', revision: 1 as Revision, zxid: 0 as Zxid }),
  ),
];

export const commandEnvelopes = envelopes.map((envelope) =>
  written((writer) => writeCommandEnvelope(writer, envelope)),
);
export const commandResults = results.map((result) => written((writer) => writeCommandResult(writer, result)));

const vote = { epoch, lastZxid: zxid, serverId: one };
const datagram: Omit<ElectionDatagram, 'message'> = {
  group: corpusGroup,
  sender: one,
  incarnation: '0123456789abcdef0123456789abcdef',
  boot: 2,
  sequence: 2 ** 40,
  membershipHash: '0123456789abcdef',
};

export const electionDatagrams = (['looking', 'following', 'leading'] as const).flatMap((role) =>
  [null, ensembleId].map((id) =>
    plain(
      encodeElectionDatagram({
        ...datagram,
        message: { role, round: 9, vote, ensembleId: id, currentEpoch: epoch, probation: id === null },
      }),
    ),
  ),
);

export const hello: Hello = {
  type: 'hello',
  version: 1,
  group: corpusGroup,
  serverId: 2 as ServerId,
  targetId: one,
  incarnation: '0123456789abcdef0123456789abcdef',
  boot: 3,
  ensembleName: 'zabtree',
  membershipHash: '0123456789abcdef',
  members: ['127.0.0.1:5002', '127.0.0.1:6002'],
  channel: 'quorum',
  requestAddr: '127.0.0.1:6003',
  keyed: false,
  nonce: new Uint8Array(nonceBytes).fill(5),
};

export const handshakes = [
  encodeHandshake(hello),
  encodeHandshake({ ...hello, channel: 'bulk', keyed: true, members: [] }),
  encodeHandshake({ ...hello, channel: 'keys' }),
  encodeHandshake({ type: 'proof', mac: nothing, datagramKey: new Uint8Array(datagramKeyBytes).fill(6) }),
  encodeHandshake({ type: 'proof', mac: new Uint8Array(32).fill(9), datagramKey: undefined }),
  encodeHandshake({ type: 'refusal', reason: 'the cluster keys differ' }),
].map(plain);

const operations: readonly Operation[] = [
  { type: 'put', space: 1, key, value, createRevision: revision, version: 3, lease: -1n },
  { type: 'put', space: 7, key, value: nothing, createRevision: 0 as Revision, version: 0, lease: 0n },
  { type: 'delete', space: 1, key },
  { type: 'deleteRange', space: 1, from: key, to: value },
  { type: 'compactTo', revision },
  { type: 'remember', client: 77 as ClientId, request: 9, acknowledgedBelow: 4, code: 'KEY_NOT_FOUND' },
  { type: 'checkpoint' },
];

export const batchBodies = [
  encodeBatch(zxid, [{ zxid, revision, operations: operations.slice(0, 2) }]),
  encodeBatch(
    zxid,
    operations.map((operation, index) => ({ zxid: (zxid + index) as Zxid, revision, operations: [operation] })),
  ),
  encodeBatch(zxid, [{ zxid, revision: 0 as Revision, operations: [] }]),
].map(plain);

const batch = { first: zxid, last: zxid, body: batchBodies[0] ?? nothing };
const peerMessageValues: readonly PeerMessage[] = [
  {
    type: 'followerInfo',
    acceptedEpoch: 6 as Epoch,
    currentEpoch: epoch,
    lastZxid: zxid,
    ensembleId,
    probation: true,
    seed: 77 as Zxid,
  },
  {
    type: 'ackEpoch',
    epoch: 6 as Epoch,
    currentEpoch: epoch,
    lastZxid: zxid,
    epochEnds: [
      { epoch: 4 as Epoch, last: (4 * 2 ** 32 + 1) as Zxid },
      { epoch, last: zxid },
    ],
    committed: zxid,
  },
  { type: 'ackNewLeader', epoch, durable: zxid },
  { type: 'ack', durable: zxid },
  { type: 'pong', nonce: 300 },
  { type: 'voterReady', epoch },
  { type: 'leaderInfo', epoch, ensembleId, admission: 'returning', seed: 77 as Zxid },
  { type: 'truncate', to: zxid },
  { type: 'snapshot' },
  { type: 'proposal', batch, committed: zxid },
  { type: 'newLeader', epoch },
  { type: 'upToDate', committed: zxid },
  { type: 'commit', committed: zxid },
  { type: 'ping', nonce: 300, committed: zxid },
];
export const peerMessages = peerMessageValues.map((message) => joined(encodePeerMessage(corpusGroup, message)));

const meta = {
  appliedZxid: zxid,
  revision,
  compactedRevision: 5 as Revision,
  sessionsEvictedThrough: 0 as Zxid,
};
const record: KeyRecord = { key, value, createRevision: 1 as Revision, modRevision: revision, version: 3, lease: 5n };
const session: SessionRecord = {
  client: 77 as ClientId,
  lastUsed: zxid,
  acknowledgedBelow: 4,
  results: [{ request: 9, code: 'OK', revision, zxid }],
};
/** What the image and the rows of the corpus are made of. */
export const treeParts = { meta, record, session } as const;

const bulkMessageValues: readonly BulkMessage[] = [
  { type: 'forward', items: envelopes.map((envelope, index) => ({ id: index, timeoutMs: 5_000, envelope })) },
  { type: 'forwardResult', items: results.slice(0, 7).map((result, index) => ({ id: index, result })) },
  { type: 'readPoint', id: safeMax },
  { type: 'readPointResult', id: 1, code: 'NO_QUORUM', zxid: 0 as Zxid },
  { type: 'snapshotRequest' },
  { type: 'snapshotBegin', zxid, ensembleId },
  { type: 'snapshotChunk', bytes: value },
  { type: 'snapshotEnd' },
  { type: 'snapshotCredit', chunks: 4 },
  { type: 'snapshotInstalled', zxid },
  { type: 'broadcast', id: 300, payload: value },
  { type: 'broadcastDone', id: 300 },
  { type: 'digestReport', server: one, zxid, revision, digest: 'c0ffee' },
  { type: 'memberAddresses', items: [{ server: one, requestAddr: '127.0.0.1:5003' }] },
];
export const bulkMessages = bulkMessageValues.map((message) => joined(encodeBulkMessage(corpusGroup, message)));

const requestBodies: readonly NativeRequestBody[] = [
  ...envelopes.map((envelope) => ({ type: 'write', envelope }) as const),
  { type: 'get', key, local: true, seen: zxid },
  {
    type: 'list',
    range: { type: 'range', from: key, to: value },
    page: key,
    limit: 300,
    revision,
    keysOnly: true,
    local: true,
    seen: zxid,
  },
  {
    type: 'list',
    range: { type: 'prefix', prefix: key },
    page: nothing,
    limit: 0,
    revision: 0 as Revision,
    keysOnly: false,
    local: false,
    seen: 0 as Zxid,
  },
  { type: 'watch', range: { type: 'single', key }, fromRevision: revision, withInitial: true, seen: zxid },
  {
    type: 'watch',
    range: { type: 'range', from: nothing, to: undefined },
    fromRevision: 0 as Revision,
    withInitial: true,
    seen: 0 as Zxid,
  },
  { type: 'cancelWatch', watch: 3 },
  { type: 'broadcast', payload: value },
  { type: 'subscribeBroadcasts' },
  { type: 'unsubscribeBroadcasts' },
  { type: 'status' },
  { type: 'digest' },
  { type: 'digestAll' },
  { type: 'authenticate', user: 'root', password: 'secret' },
  {
    type: 'changeAccess',
    change: { type: 'userAdd', user: 'root', password: new Secret(value), noPassword: true },
    identity: { client: 7 as ClientId, request: 3, acknowledgedBelow: 2, bornAt: zxid, repeated: true },
  },
  {
    type: 'changeAccess',
    change: { type: 'roleGrantPermission', role: 'r', permission: { type: 'write', key, rangeEnd: value } },
    identity: undefined,
  },
  { type: 'askAccess', question: { type: 'permissionsOfRole', name: 'r' } },
  { type: 'askAccess', question: { type: 'users' } },
  { type: 'listLeases', local: true, seen: zxid },
  { type: 'openSnapshot' },
  { type: 'readSnapshot', snapshot: 77 },
];
export const requests = requestBodies.map((body, index) =>
  written((writer) => writeRequest(writer, { id: index + 1, timeoutMs: index % 2 === 0 ? 0 : 1_000, body })),
);

const digest = { id: one, zxid, revision, digest: 'c0ffee' };
const member = { id: one, electionAddr: 'a:1', messageAddr: 'a:2', requestAddr: '' };
const payloads: readonly NativePayload[] = [
  { type: 'none' },
  {
    type: 'hello',
    protocolVersion: 1,
    serverId: one,
    frameBytesMax: 2 ** 21,
    keyBytesMax: 900,
    valueBytesMax: 2 ** 20,
    requestsInFlightMax: 1_000,
  },
  { type: 'record', record },
  { type: 'list', records: [record, { ...record, value: nothing, lease: -1n }], next: key },
  {
    type: 'status',
    status: {
      id: one,
      ensembleId,
      role: 'leader',
      epoch: 5,
      leader: 1,
      serving: true,
      compactedRevision: revision,
      members: [member],
    },
  },
  { type: 'digest', digest },
  { type: 'digestAll', digests: [digest, digest] },
  {
    type: 'watchEvents',
    events: [
      { type: 'put', key, modRevision: revision, record },
      { type: 'delete', key, modRevision: revision, record: undefined },
    ],
    more: true,
  },
  { type: 'watchInitial', records: [record], last: true },
  { type: 'watchEnded' },
  { type: 'broadcast', payload: value },
  {
    type: 'access',
    enabled: true,
    accessRevision: 9,
    names: ['root', 'u'],
    permissions: [{ type: 'readwrite', key, rangeEnd: nothing }],
  },
  { type: 'leases', ids: [7n, -1n] },
  { type: 'snapshot', snapshot: 77, bytes: value, last: true },
];
export const frames = payloads.map((payload, index) => {
  const code = index % 2 === 0 ? 'OK' : 'OVERLOADED';
  const frame: NativeFrame = { id: index, code, message: index % 2 === 0 ? '' : 'zu viel', zxid, revision, payload };
  return written((writer) => writeFrameBody(writer, frame));
});
