// Every decoder of what lies on disk or travels as an image of the tree, and of configuration files. Most are behind a
// checksum, which every other input has right.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { memberFile } from '../../src/cli/local-ensemble/local-ensemble.js';
import { ConfigError } from '../../src/config/config-error.js';
import { loadClientConfig } from '../../src/config/load-client-config.js';
import { loadNodeConfig } from '../../src/config/load-node-config.js';
import { StoreError } from '../../src/shared/errors.js';
import type { Revision, Zxid } from '../../src/shared/ids.js';
import { CheckedFileError } from '../../src/storage/checked-file.js';
import { ByteCursor, GrowingBuffer } from '../../src/storage/growing-buffer.js';
import {
  beginRecordHeader,
  bodyMatches,
  decodeRecordHeader,
  recordHeaderBytes,
  sealRecordHeader,
} from '../../src/storage/log-record.js';
import { decodeSegmentHeader, encodeSegmentHeader, segmentHeaderBytes } from '../../src/storage/log-segment.js';
import { decodeManifest, encodeManifest, type Manifest, newManifest } from '../../src/storage/manifest.js';
import {
  decodeMeta,
  decodeSession,
  encodeMeta,
  encodeSession,
  ImageDecoder,
  ImageEncoder,
} from '../../src/storage/tree-image.js';
import {
  checksumBytes,
  decodeHead,
  decodeState,
  decodeVersion,
  encodeHead,
  encodeVersion,
  isDeletion,
  readLinks,
  seal,
  verify,
  versionHeaderBytes,
} from '../../src/storage/tree-rows.js';
import { batchBodies, corpusFirst, plain, treeParts } from './corpus.js';
import type { DecoderTarget } from './decoder-target.js';

const { meta, record, session } = treeParts;
const never = (): boolean => false;
const isCorrupt = (error: unknown): boolean => error instanceof StoreError && error.code === 'CORRUPT';
const isRangeError = (error: unknown): boolean => error instanceof RangeError;

function bufferOf(write: (buffer: GrowingBuffer) => void): Uint8Array {
  const buffer = new GrowingBuffer(256);
  write(buffer);
  return plain(buffer.view());
}

/** At least this many bytes, as the readers of files give their decoders. */
function padded(bytes: Uint8Array, byteLength: number): Buffer {
  const buffer = Buffer.alloc(Math.max(byteLength, bytes.length));
  buffer.set(bytes);
  return buffer;
}

// ---- the commit log ----

const salt = 0x1234_5678;

function logRecord(body: Uint8Array): Uint8Array {
  const header = beginRecordHeader({ first: corpusFirst, last: corpusFirst, body }, 99);
  sealRecordHeader(header, { position: 4_096, durablePosition: 64, salt });
  return plain(Buffer.concat([header, body]));
}

const logTargets: readonly DecoderTarget[] = [
  {
    name: 'log record',
    inputs: batchBodies.map(logRecord),
    decode: (bytes) => {
      const whole = padded(bytes, recordHeaderBytes);
      const header = decodeRecordHeader(whole.subarray(0, recordHeaderBytes), salt);
      const matches = bodyMatches(whole.subarray(0, recordHeaderBytes), whole.subarray(recordHeaderBytes));
      return { header, matches };
    },
    declares: never,
    seal: (bytes) => {
      const buffer = padded(bytes, recordHeaderBytes);
      buffer.writeUInt32LE(0x4345525a, 4);
      buffer.writeUInt32LE(crc32(buffer.subarray(4, recordHeaderBytes), salt), 0);
      return plain(buffer);
    },
  },
  {
    name: 'log segment header',
    inputs: [
      plain(encodeSegmentHeader({ sequence: 3, salt, base: corpusFirst, baseChain: 99, startPosition: 2 ** 40 })),
    ],
    decode: (bytes) => decodeSegmentHeader(Buffer.from(bytes)),
    declares: never,
    encode: (value) => {
      const decoded = value as ReturnType<typeof decodeSegmentHeader>;
      return decoded.type === 'valid' ? plain(encodeSegmentHeader(decoded.header)) : undefined;
    },
    seal: (bytes) => {
      const buffer = padded(bytes, segmentHeaderBytes);
      buffer.write('ZABTLOG\0', 0, 'latin1');
      buffer.writeUInt32LE(1, 8);
      buffer.writeUInt32LE(crc32(buffer.subarray(16, segmentHeaderBytes)), 12);
      return plain(buffer);
    },
  },
];

// ---- the manifest ----

const manifests: readonly Manifest[] = [
  newManifest({
    serverId: 1 as Manifest['serverId'],
    incarnation: '0'.repeat(32),
    tree: 'tree-000001',
    log: 'log-000001',
  }),
  {
    ...newManifest({
      serverId: 2 as Manifest['serverId'],
      incarnation: 'f'.repeat(32),
      tree: 'tree-000009',
      log: 'log-000009',
    }),
    boot: 9,
    logBase: corpusFirst as Zxid,
  },
];

const manifestTarget: DecoderTarget = {
  name: 'manifest',
  inputs: manifests.map((manifest) => plain(Buffer.from(encodeManifest(manifest)))),
  decode: (bytes) => decodeManifest(Buffer.from(bytes).toString('utf8')),
  declares: (error) => error instanceof CheckedFileError,
  encode: (value) => plain(Buffer.from(encodeManifest(value as Manifest))),
  seal: (bytes) => {
    const text = Buffer.from(bytes).toString('utf8');
    const json = text.slice(text.indexOf('{'));
    const checksum = crc32(json).toString(16).padStart(8, '0');
    return plain(Buffer.from(`zabtree manifest 1\ncrc32 ${checksum}\n${json}`));
  },
};

// ---- images and rows of the tree ----

function imageChunk(): Uint8Array {
  const encoder = new ImageEncoder(4_096);
  encoder.add({ type: 'header', meta });
  encoder.add({ type: 'version', version: { key: record.key, modRevision: record.modRevision, record } });
  encoder.add({ type: 'version', version: { key: record.key, modRevision: 9 as Revision, record: null } });
  encoder.add({ type: 'record', space: 2, record });
  encoder.add({ type: 'session', session });
  encoder.end();
  return plain(encoder.take());
}

const rowKey = plain(Buffer.from('a row key'));
const head = {
  deleted: false,
  createRevision: 4 as Revision,
  version: 3,
  lease: 5n,
  chain: { length: 3, roots: [9, 7, 4] as unknown as readonly Revision[] },
};

function sealedRow(bytes: Uint8Array): Uint8Array {
  return plain(seal(rowKey, padded(bytes, versionHeaderBytes)));
}

const treeTargets: readonly DecoderTarget[] = [
  {
    name: 'tree image',
    inputs: [imageChunk()],
    decode: (bytes) => {
      const items: unknown[] = [];
      const decoder = new ImageDecoder();
      decoder.read(bytes, (item) => {
        if (item.type === 'record' && item.space !== 2) throw new Error(`it took a record of space ${item.space}`);
        items.push(item);
      });
      return { items, complete: decoder.complete };
    },
    declares: isCorrupt,
    seal: (bytes) => {
      const buffer = padded(bytes, 8);
      buffer.writeUInt32LE(0, 4);
      buffer.writeUInt32LE(crc32(buffer.subarray(4)), 0);
      return plain(buffer);
    },
  },
  {
    name: 'tree meta',
    inputs: [bufferOf((buffer) => encodeMeta(buffer, meta))],
    decode: (bytes) => decodeMeta(new ByteCursor(bytes)),
    declares: isRangeError,
    encode: (value) => bufferOf((buffer) => encodeMeta(buffer, value as typeof meta)),
  },
  {
    name: 'session',
    inputs: [bufferOf((buffer) => encodeSession(buffer, session))],
    decode: (bytes) => decodeSession(new ByteCursor(bytes)),
    declares: isRangeError,
    encode: (value) => bufferOf((buffer) => encodeSession(buffer, value as typeof session)),
  },
  {
    name: 'row of a version',
    inputs: [
      sealedRow(bufferOf((buffer) => encodeVersion(buffer, record))),
      sealedRow(bufferOf((buffer) => encodeVersion(buffer, null))),
    ],
    decode: (bytes) => {
      verify('versions', rowKey, bytes);
      const links = readLinks(bytes);
      if (isDeletion(bytes)) return { links };
      return { links, state: decodeState(bytes), version: decodeVersion(rowKey, bytes, false) };
    },
    declares: (error) => isCorrupt(error) || isRangeError(error),
    seal: sealedRow,
  },
  {
    name: 'row of a head',
    inputs: [plain(seal(rowKey, Buffer.from(bufferOf((buffer) => encodeHead(buffer, head)))))],
    decode: (bytes) => {
      verify('heads', rowKey, bytes);
      return decodeHead(bytes);
    },
    declares: (error) => isCorrupt(error) || isRangeError(error),
    seal: (bytes) => plain(seal(rowKey, padded(bytes, checksumBytes))),
  },
];

// ---- configuration ----

const addresses = { ElectionAddr: '127.0.0.1:1', MessageAddr: '127.0.0.1:2', RequestAddr: '127.0.0.1:3' };
const others = { ElectionAddr: '127.0.0.1:4', MessageAddr: '127.0.0.1:5', RequestAddr: '127.0.0.1:6' };
const serverFile = {
  ...memberFile([addresses, others], addresses),
  EnsembleName: 'fuzzed',
  DataDir: './nowhere',
  LogLevel: 'info',
  Bootstrap: true,
  ClusterKey: 'a key of sixteen bytes or more',
  Timing: { TickMs: 20 },
  Limits: { KeyBytesMax: 900, ValueBytesMax: 1_000 },
};

function configTarget(name: string, document: unknown, load: (file: string) => unknown): DecoderTarget {
  const file = join(mkdtempSync(join(tmpdir(), 'zabtree-fuzz-')), 'config.json');
  return {
    name,
    slowness: 20,
    inputs: [plain(Buffer.from(JSON.stringify(document, null, 2)))],
    decode: (bytes) => {
      writeFileSync(file, bytes);
      return load(file);
    },
    declares: (error) => error instanceof ConfigError,
  };
}

export const storageTargets: readonly DecoderTarget[] = [
  ...logTargets,
  manifestTarget,
  ...treeTargets,
  configTarget('server configuration', serverFile, (file) => loadNodeConfig({ file })),
  configTarget(
    'client configuration',
    { Peer: [{ RequestAddr: '127.0.0.1:3' }], Tls: { CaFile: 'ca.pem' } },
    loadClientConfig,
  ),
];
