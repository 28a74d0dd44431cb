// Entry point of the writer thread of one LMDB tree: takes requests, carries them out one after the other, answers.
// Digests and hashes run in slices between them. Exits when told to close.

import { parentPort, workerData } from 'node:worker_threads';
import { LmdbDigest } from './lmdb-digest.js';
import { scrubTables } from './lmdb-scrub.js';
import { openTables } from './lmdb-tables.js';
import { LmdbTreeWriter } from './lmdb-tree-writer.js';
import { LmdbVersionsHash } from './lmdb-versions-hash.js';
import type { WriterAnswer, WriterFailure, WriterRequest, WriterSettings } from './lmdb-writer-messages.js';

const port = parentPort;
if (port === null) throw new Error('lmdb-tree-worker runs as a worker thread only');

const { directory } = workerData as WriterSettings;
const tables = openTables(directory, { existing: true });
const writer = new LmdbTreeWriter(tables);

function failureOf(error: unknown): WriterFailure {
  if (!(error instanceof Error)) return { code: 'INTERNAL', message: String(error) };
  const code = (error as Error & { readonly code?: string | number }).code;
  return { code: String(code ?? 'INTERNAL'), message: error.message };
}

function answerOf(
  request: Exclude<WriterRequest, { type: 'digest' | 'hashVersions' | 'close' }>,
): Omit<WriterAnswer, 'id' | 'failure'> {
  switch (request.type) {
    case 'flush': {
      const { meta, memory, versionBytes, sessions, sessionsEvicted } = request;
      const versions = Buffer.from(memory, 0, versionBytes);
      writer.flush({ meta, versions, sessions: Buffer.from(sessions), sessionsEvicted });
      return {};
    }
    case 'compact':
      return { compacted: writer.compact(request.revision, request.rowsMax) };
    case 'scrub':
      return { scrubbed: scrubTables(tables, request.from) };
    case 'writeImage':
      writer.writeImage(Buffer.from(request.chunk.buffer, request.chunk.byteOffset, request.chunk.length));
      return {};
    case 'finishImage':
      return { meta: writer.finishImage() };
    case 'importLocal':
      writer.importLocal(Buffer.from(request.exported));
      return {};
  }
}

function handle(request: WriterRequest): void {
  const { id } = request;
  if (request.type === 'digest') {
    inSlices(id, () => {
      const running = new LmdbDigest(directory, tables);
      return { slice: () => answered(running.slice(), (digest) => ({ digest })), close: () => running.close() };
    });
    return;
  }
  if (request.type === 'hashVersions') {
    inSlices(id, () => {
      const running = new LmdbVersionsHash(directory, tables, request.through);
      const slice = () => answered(running.slice(), (versionsHash) => ({ versionsHash }));
      return { slice, close: () => running.close() };
    });
    return;
  }
  if (request.type === 'close') {
    void tables.root.close().then(() => {
      send({ id, failure: null });
      port?.close();
    });
    return;
  }
  let answer: WriterAnswer;
  try {
    answer = { id, failure: null, ...answerOf(request) };
  } catch (error) {
    answer = { id, failure: failureOf(error) };
  }
  if (request.type === 'flush') port?.postMessage({ ...answer, memory: request.memory }, [request.memory]);
  else send(answer);
}

interface Sliced {
  /** Goes on; the answer when it is done. */
  slice(): Partial<WriterAnswer> | undefined;
  close(): void;
}

function answered<T>(result: T | undefined, answer: (result: T) => Partial<WriterAnswer>) {
  return result === undefined ? undefined : answer(result);
}

/** Sees the tables as they are now; goes on in slices so that flushes are not held up. */
function inSlices(id: number, begin: () => Sliced): void {
  let running: Sliced;
  const slice = (): void => {
    try {
      const answer = running.slice();
      if (answer === undefined) setImmediate(slice);
      else send({ ...answer, id, failure: null });
    } catch (error) {
      running.close();
      send({ id, failure: failureOf(error) });
    }
  };
  try {
    running = begin();
    slice();
  } catch (error) {
    send({ id, failure: failureOf(error) });
  }
}

function send(answer: WriterAnswer): void {
  port?.postMessage(answer);
}

port.on('message', handle);
