// Every decoder of what arrives over a network, and of text that people type. Each with the encoder that undoes it.

import { createSecretKey } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { RequestDecoder } from '../../src/api/native/decoder.js';
import { commandWords } from '../../src/cli/repl/command-words.js';
import { LineSplitter } from '../../src/cli/repl/line-splitter.js';
import { limits } from '../../src/config/limits.js';
import { HpackDecoder, HpackError } from '../../src/http2/hpack-decoder.js';
import { parseAddress } from '../../src/shared/address.js';
import { StoreError } from '../../src/shared/errors.js';
import { FrameSealer } from '../../src/transport/cluster-key.js';
import { PeerHandshake } from '../../src/transport/peer-handshake.js';
import { decodeBatch, encodeBatch } from '../../src/wire/batch-codec.js';
import { decodeBulkMessage, encodeBulkMessage } from '../../src/wire/bulk-codec.js';
import {
  readCommandEnvelope,
  readCommandResult,
  writeCommandEnvelope,
  writeCommandResult,
} from '../../src/wire/command-codec.js';
import { decodeElectionDatagram, encodeElectionDatagram } from '../../src/wire/election-codec.js';
import { decodeHandshake, encodeHandshake } from '../../src/wire/handshake-codec.js';
import { readFrame } from '../../src/wire/native-frame-decoder.js';
import { writeFrameBody } from '../../src/wire/native-frame-encoder.js';
import { decodePreface, encodePreface, FrameSplitter, frameOf } from '../../src/wire/native-framing.js';
import { readRequest, writeRequest } from '../../src/wire/native-request-codec.js';
import { decodePeerMessage, encodePeerMessage } from '../../src/wire/peer-codec.js';
import { ProtoReader } from '../../src/wire/protobuf/proto-reader.js';
import { ProtoWriter } from '../../src/wire/protobuf/proto-writer.js';
import { WireError } from '../../src/wire/protobuf/wire-error.js';
import {
  batchBodies,
  bulkMessages,
  commandEnvelopes,
  commandResults,
  corpusFirst,
  electionDatagrams,
  frames,
  handshakes,
  hello,
  peerMessages,
  plain,
  requests,
} from './corpus.js';
import type { DecoderTarget } from './decoder-target.js';
import { Mutator } from './mutator.js';

const isWireError = (error: unknown): boolean => error instanceof WireError;
const isStoreError = (error: unknown): boolean => error instanceof StoreError;
const never = (): boolean => false;

/** A target whose values are those of its decoder. */
function target<Value>(
  name: string,
  inputs: readonly Uint8Array[],
  options: {
    readonly decode: (bytes: Uint8Array) => Value;
    readonly encode?: (value: Value) => Uint8Array | undefined;
    readonly declares?: (error: unknown) => boolean;
  },
): DecoderTarget {
  const { decode, encode, declares } = options;
  return {
    name,
    inputs,
    decode,
    declares: declares ?? isWireError,
    ...(encode === undefined ? {} : { encode: (value) => encode(value as Value) }),
  };
}

function written(write: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter(256);
  write(writer);
  return plain(writer.finish());
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return plain(Buffer.concat(chunks));
}

const messages: readonly DecoderTarget[] = [
  target('election datagram', electionDatagrams, {
    decode: decodeElectionDatagram,
    encode: (value) => plain(encodeElectionDatagram(value)),
  }),
  target('handshake', handshakes, { decode: decodeHandshake, encode: (value) => plain(encodeHandshake(value)) }),
  target('peer message', peerMessages, {
    decode: decodePeerMessage,
    encode: ({ group, message }) => joined(encodePeerMessage(group, message)),
  }),
  target('bulk message', bulkMessages, {
    decode: decodeBulkMessage,
    encode: ({ group, message }) => joined(encodeBulkMessage(group, message)),
  }),
  target('batch', batchBodies, {
    decode: (bytes) => decodeBatch(bytes, corpusFirst),
    encode: (entries) => plain(encodeBatch(corpusFirst, entries)),
  }),
  target('command', commandEnvelopes, {
    decode: (bytes) => readCommandEnvelope(new ProtoReader(bytes)),
    encode: (value) => written((writer) => writeCommandEnvelope(writer, value)),
  }),
  target('command result', commandResults, {
    decode: (bytes) => readCommandResult(new ProtoReader(bytes)),
    encode: (value) => written((writer) => writeCommandResult(writer, value)),
  }),
  target('native request', requests, {
    decode: (bytes) => readRequest(new ProtoReader(bytes)),
    encode: ({ body, ...rest }) =>
      body.type === 'unknown' ? undefined : written((writer) => writeRequest(writer, { ...rest, body })),
  }),
  target('native frame', frames, {
    decode: (bytes) => readFrame(new ProtoReader(bytes)),
    encode: (value) => written((writer) => writeFrameBody(writer, value)),
  }),
  target('preface', [encodePreface(), encodePreface(0xffff)], { decode: decodePreface, encode: encodePreface }),
];

/** The values that come out must not depend on how the bytes were cut on their way. */
function sameHoweverCut(
  name: string,
  inputs: readonly Uint8Array[],
  read: (pieces: readonly Uint8Array[]) => unknown,
): DecoderTarget {
  return {
    name,
    inputs,
    declares: never,
    decode: (bytes, choice) => {
      const whole = read([bytes.slice()]);
      const cut = read(new Mutator(choice).pieces(bytes));
      if (!isDeepStrictEqual(whole, cut)) throw new Error('it reads cut bytes differently');
      return whole;
    },
  };
}

function readStream(pieces: readonly Uint8Array[]): unknown {
  const decoder = new RequestDecoder(limits.requestFrameBytesMax);
  const seen: unknown[] = [];
  let begun = false;
  try {
    for (const piece of pieces) {
      decoder.push(piece);
      if (!begun) {
        const version = decoder.preface();
        if (version === undefined) continue;
        begun = true;
        seen.push(version);
      }
      for (let request = decoder.next(); request !== undefined; request = decoder.next()) {
        seen.push(structuredClone(request));
      }
    }
    return { seen, pending: decoder.pendingBytes };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { seen, refused: error.message };
  }
}

function readFrames(pieces: readonly Uint8Array[]): unknown {
  const splitter = new FrameSplitter(limits.handshakeFrameBytesMax);
  const seen: unknown[] = [];
  try {
    for (const piece of pieces) {
      splitter.push(piece);
      for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) seen.push(frame.slice());
    }
    return { seen, pending: splitter.pendingBytes };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { seen, refused: error.message };
  }
}

const lineBytesMax = 100;

function readLines(pieces: readonly Uint8Array[]): unknown {
  const splitter = new LineSplitter(lineBytesMax);
  const lines = pieces.flatMap((piece) => splitter.push(Buffer.from(piece)));
  return [...lines, ...splitter.end()].map((line) => (typeof line === 'symbol' ? null : line));
}

const requestStreams = [
  joined([encodePreface(), ...requests.map(frameOf)]),
  joined([encodePreface(), ...requests.slice(0, 3).map(frameOf)]),
];

const clusterKey = createSecretKey(new Uint8Array(32).fill(7));
const handshakeStream = joined(handshakes.map(frameOf));

/** Both sides of a handshake, with a cluster key and without: each input is a stream of frames to one of the four. */
function shakeHands(bytes: Uint8Array, choice: number): unknown {
  const key = (choice & 1) === 0 ? undefined : clusterKey;
  const options = {
    group: hello.group,
    self: hello.targetId,
    members: [hello.targetId, hello.serverId].map((id) => ({ id, electionAddr: 'a:1', messageAddr: `a:${id}` })),
    membershipHash: hello.membershipHash,
    ensembleName: hello.ensembleName,
    incarnation: 'own',
    boot: 1,
    requestAddr: '',
  };
  const handshake =
    (choice & 2) === 0
      ? PeerHandshake.accept(options, key)
      : PeerHandshake.connect(options, key, hello.serverId, 'quorum').handshake;
  const splitter = new FrameSplitter(limits.handshakeFrameBytesMax);
  splitter.push(bytes);
  const steps: unknown[] = [];
  for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
    const step = handshake.receive(frame);
    steps.push(step);
    if (step.type === 'open' && key !== undefined) throw new Error('it let a stranger in');
    if (step.type !== 'continue') break;
  }
  return steps.length;
}

function openSealed(bytes: Uint8Array): unknown {
  return new FrameSealer(clusterKey).open(bytes);
}

const texts = [
  'set "a \\"quoted\\" key" {"json": [1, 2]}',
  'add k1 100',
  'range a z --limit 10\r\nwatch "x\ty"\n\n',
  '[::1]:5003',
  'localhost:65535',
].map((text) => plain(Buffer.from(text)));

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

/** Fields spelled out; coded; added to a table that shrinks, and taken from there; a secret. */
const headerBlocks = [
  '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
  '8287 8541 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff40 8825 a849 e95b a97d 7f89 25a8 49e9 5bb8 e8b4 bf',
  '3f45 4001 6101 6240 0163 0164 bebf 1001 7302 6b65',
].map((hex) => plain(Buffer.from(hex.replaceAll(' ', ''), 'hex')));

function readHeaders(bytes: Uint8Array): unknown {
  return new HpackDecoder(4_096).decode(bytes, 16 * 2 ** 10);
}

export const wireTargets: readonly DecoderTarget[] = [
  ...messages,
  sameHoweverCut('native stream', requestStreams, readStream),
  sameHoweverCut('frame splitter', [handshakeStream, joined(peerMessages.map(frameOf))], readFrames),
  sameHoweverCut('line splitter', texts, readLines),
  {
    name: 'handshake dialogue',
    inputs: [handshakeStream, ...handshakes.map(frameOf)],
    decode: shakeHands,
    declares: isWireError,
  },
  target('header block', headerBlocks, {
    decode: readHeaders,
    declares: (error) => error instanceof HpackError,
  }),
  { name: 'sealed frame', inputs: [new Uint8Array(40), ...peerMessages], decode: openSealed, declares: never },
  target('prompt line', texts, { decode: (bytes) => commandWords(textOf(bytes)), declares: isStoreError }),
  target('address', texts, { decode: (bytes) => parseAddress(textOf(bytes)), declares: never }),
];
