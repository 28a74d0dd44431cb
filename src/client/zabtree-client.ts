// The client library: promises and async iterables over the request engine. Keys and values are bytes; text is taken as
// UTF-8. One client holds one connection at a time and moves to the next peer by itself.

import { emptyBytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { Revision, ServerId, Zxid } from '../shared/ids.js';
import type {
  KeyRecord,
  NativeFrame,
  NativePayload,
  NativeRequestBody,
  NativeStatus,
} from '../wire/native-messages.js';
import { AccessRequests } from './access-requests.js';
import type { ClientTransport } from './client-transport.js';
import { type BytesLike, bytesOf, type RangeOptions, rangeOf, revisionOf } from './key-range.js';
import { type CommandAnswer, LeaseRequests } from './lease-requests.js';
import type { Credentials } from './native-connection.js';
import type { ConnectionEvent } from './peer-rotation.js';
import type { Command, RequestBody, RequestDone } from './pending-request.js';
import { copyAccess, copyOutput, copyRecord } from './record-copy.js';
import { RequestEngine, type Stream } from './request-engine.js';
import type { RequestOptions, WriteResult } from './request-options.js';
import { StreamLiveness } from './stream-liveness.js';
import { carryOut, type TransactionRequest, type TransactionResult, transactionOf } from './transaction.js';
import { Watch } from './watch.js';
import { type WatchListener, type WatchSettings, WatchStream } from './watch-stream.js';

export interface ClientOptions {
  /** Client ports, `host:port`, in the order in which they are tried. */
  readonly peers: readonly string[];
  readonly transport: ClientTransport;
  /** For requests that name none; default 5000. */
  readonly timeoutMs?: number;
  /** Fails requests once this many rounds over all peers have failed; default: only at their deadline. */
  readonly unreachableRoundsMax?: number;
  /** Who the client is, where access control is on. */
  readonly credentials?: Credentials;
  readonly onConnection?: (event: ConnectionEvent) => void;
}

export type { RequestOptions, WriteResult };

export interface ConditionOptions extends RequestOptions {
  /** Only if the key's mod revision is this; for `set`, 0: only if the key is absent. */
  readonly expectedRevision?: number;
}

export interface LeaseOptions {
  /** The lease that holds the key; default: none. LEASE_NOT_FOUND when there is no such lease. */
  readonly lease?: bigint;
}

export interface ReadOptions extends RequestOptions {
  /** Answer from the state of the connected node; default: linearizable. */
  readonly local?: boolean;
}

export interface GetResult {
  /** undefined: there is no such key. */
  readonly record: KeyRecord | undefined;
  readonly revision: Revision;
  readonly zxid: Zxid;
}

export interface ListOptions extends RangeOptions, ReadOptions {
  /** Most records in all; default: no bound. */
  readonly limit?: number;
  /** Most records of a page; default: the server's bound. */
  readonly pageRecords?: number;
  /** As it was then; default: now. All pages are of one revision. */
  readonly revision?: number;
  readonly keysOnly?: boolean;
}

export interface ListPage {
  readonly records: readonly KeyRecord[];
  readonly revision: Revision;
  readonly zxid: Zxid;
}

export interface WatchOptions extends RangeOptions, RequestOptions {
  /** Default: from the next change on. */
  readonly fromRevision?: number;
  /** The current records first; excludes fromRevision. */
  readonly initial?: boolean;
}

export interface StatusResult extends NativeStatus {
  readonly zxid: Zxid;
  readonly revision: Revision;
}

export interface DigestAnswer {
  readonly id: ServerId;
  readonly zxid: Zxid;
  readonly revision: Revision;
  readonly digest: string;
}

type SnapshotPart = Extract<NativePayload, { type: 'snapshot' }>;

const timeoutMsDefault = 5_000;

export class ZabtreeClient {
  readonly #engine: RequestEngine;
  readonly #liveness: StreamLiveness;
  readonly #timeoutMs: number;
  readonly #watches = new Set<WatchStream>();
  readonly #leases = new LeaseRequests({
    command: (command, options) => this.#command(command, options),
    list: (options) =>
      this.#ask(
        { type: 'listLeases', local: options.local ?? false, seen: this.#engine.seen },
        options,
        ({ payload, revision, zxid }) => (payload.type === 'leases' ? { ids: payload.ids, revision, zxid } : undefined),
      ),
  });
  readonly #access = new AccessRequests({
    change: (change, options) =>
      this.#ask({ type: 'changeAccess', change }, options, ({ revision, zxid }) => ({ revision, zxid })),
    ask: (question, options) =>
      this.#ask({ type: 'askAccess', question }, options, ({ payload }) =>
        payload.type === 'access' ? copyAccess(payload) : undefined,
      ),
  });

  constructor(options: ClientOptions) {
    if (options.peers.length === 0) throw new StoreError('INVALID_ARGUMENT', 'A client needs at least one peer');
    this.#timeoutMs = options.timeoutMs ?? timeoutMsDefault;
    this.#engine = new RequestEngine({
      peers: options.peers,
      transport: options.transport,
      unreachableRoundsMax: options.unreachableRoundsMax,
      credentials: options.credentials,
      onConnection: options.onConnection,
    });
    this.#liveness = new StreamLiveness(this.#engine);
  }

  /** The peer that requests go to. */
  get peer(): string {
    return this.#engine.peer;
  }

  /** Requests that have no answer yet. */
  get pendingCount(): number {
    return this.#engine.pendingCount;
  }

  /** Creates; fails with KEY_EXISTS when the key is there. */
  add(key: BytesLike, value: BytesLike, options: RequestOptions & LeaseOptions = {}): Promise<WriteResult> {
    return this.#write({ type: 'add', key: bytesOf(key), value: bytesOf(value), ...leaseOf(options) }, options);
  }

  /** Creates or overwrites. Without a lease, one that has held the key does so no more. */
  set(key: BytesLike, value: BytesLike, options: ConditionOptions & LeaseOptions = {}): Promise<WriteResult> {
    const fields = { key: bytesOf(key), value: bytesOf(value), ...conditionOf(options), ...leaseOf(options) };
    return this.#write({ type: 'set', ...fields }, options);
  }

  /** Fails with KEY_NOT_FOUND when the key is not there. */
  delete(key: BytesLike, options: ConditionOptions = {}): Promise<WriteResult> {
    return this.#write({ type: 'delete', key: bytesOf(key), ...conditionOf(options) }, options);
  }

  /** Versions that a read at `revision` or later does not need may go. */
  compact(revision: number, options: RequestOptions = {}): Promise<WriteResult> {
    return this.#write({ type: 'compact', revision: revisionOf(revision) }, options);
  }

  /** Fails with OUTCOME_UNKNOWN also where it was carried out and only its answer is lost. */
  async transact(request: TransactionRequest, options: RequestOptions = {}): Promise<TransactionResult> {
    return await carryOut(transactionOf(request), (command) => this.#command(command, options));
  }

  /** Users, roles and permissions, and whether they count. */
  get access(): AccessRequests {
    return this.#access;
  }

  /** Leases: granted, revoked, kept alive, asked about. */
  get leases(): LeaseRequests {
    return this.#leases;
  }

  get(key: BytesLike, options: ReadOptions = {}): Promise<GetResult> {
    const body: RequestBody = {
      type: 'get',
      key: bytesOf(key),
      local: options.local ?? false,
      seen: this.#engine.seen,
    };
    return new Promise((resolve, reject) => {
      this.request(body, options.timeoutMs, (error, frame) => {
        if (frame === null || (error !== null && error.code !== 'KEY_NOT_FOUND')) reject(error);
        else {
          const record = frame.payload.type === 'record' ? copyRecord(frame.payload.record) : undefined;
          resolve({ record, revision: frame.revision, zxid: frame.zxid });
        }
      });
    });
  }

  /** Pages in order of the keys, all of one revision. */
  async *list(options: ListOptions = {}): AsyncGenerator<ListPage> {
    const range = rangeOf(options);
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    let page: Uint8Array = emptyBytes;
    let revision = revisionOf(options.revision ?? 0);
    do {
      const limit = Math.min(left, options.pageRecords ?? 0xffff_ffff);
      const body: NativeRequestBody = {
        type: 'list',
        range,
        page,
        limit: limit >= 0xffff_ffff ? 0 : limit,
        revision,
        keysOnly: options.keysOnly ?? false,
        local: options.local ?? false,
        seen: this.#engine.seen,
      };
      const result = await this.#ask(body, options, (frame) => {
        const { payload } = frame;
        if (payload.type !== 'list') return undefined;
        const records = payload.records.map(copyRecord);
        return { records, next: payload.next.slice(), revision: frame.revision, zxid: frame.zxid };
      });
      yield { records: result.records, revision: result.revision, zxid: result.zxid };
      left -= result.records.length;
      page = result.next;
      revision = result.revision;
    } while (page.length > 0 && left > 0);
  }

  /** Changes from here on (or from a revision), each once and in order, over any number of reconnections. */
  watch(options: WatchOptions = {}): Watch {
    return new Watch((listener) => this.#openWatch(options, listener));
  }

  /** The same with callbacks; the returned function ends it. */
  watchEach(options: WatchOptions, listener: WatchListener): () => void {
    const stream = this.#openWatch(options, listener);
    stream.start();
    return () => stream.close();
  }

  /** Tells all who listen on any node; nothing is stored. Not repeated after a lost connection. */
  async broadcast(payload: BytesLike, options: RequestOptions = {}): Promise<void> {
    await this.#ask({ type: 'broadcast', payload: bytesOf(payload) }, options, () => true);
  }

  /** Messages that arrive from now on; those sent while the connection is lost are missed. The returned function ends it. */
  onBroadcast(listener: (payload: Uint8Array) => void): () => void {
    const stopListening = this.#engine.onBroadcast(listener);
    const release = this.#liveness.use();
    const subscription: Stream = {
      connected: () => {
        this.#engine.openStream({ type: 'subscribeBroadcasts' }, this.#timeoutMs, () => undefined);
      },
      lost: () => undefined,
    };
    this.#engine.attach(subscription);
    return () => {
      stopListening();
      release();
      this.#engine.detach(subscription);
    };
  }

  /** What the connected node says of itself. */
  status(options: RequestOptions = {}): Promise<StatusResult> {
    return this.#ask({ type: 'status' }, options, ({ payload, zxid, revision }) =>
      payload.type === 'status' ? { ...payload.status, zxid, revision } : undefined,
    );
  }

  /** Digest of what the connected node has applied; proposes nothing. */
  digest(options: RequestOptions = {}): Promise<DigestAnswer> {
    return this.#ask({ type: 'digest' }, options, ({ payload }) =>
      payload.type === 'digest' ? payload.digest : undefined,
    );
  }

  /** Digests of all reachable nodes at one checkpoint. */
  digestAll(options: RequestOptions = {}): Promise<readonly DigestAnswer[]> {
    return this.#ask({ type: 'digestAll' }, options, ({ payload }) =>
      payload.type === 'digestAll' ? payload.digests : undefined,
    );
  }

  /**
   * The state of one node as a snapshot file of etcd, part by part; the last 32 bytes are the SHA-256 of all before. Fails when
   * the connection is lost, and when nothing is asked for a minute. The node holds the state until all of it was read.
   */
  async *snapshot(options: RequestOptions = {}): AsyncGenerator<Uint8Array> {
    const part = ({ payload }: NativeFrame): SnapshotPart | undefined =>
      payload.type === 'snapshot' ? { ...payload, bytes: payload.bytes.slice() } : undefined;
    const { snapshot } = await this.#ask({ type: 'openSnapshot' }, options, part);
    for (let last = false; !last; ) {
      const next: SnapshotPart = await this.#ask({ type: 'readSnapshot', snapshot }, options, part);
      if (next.bytes.length > 0) yield next.bytes;
      ({ last } = next);
    }
  }

  /** Moves to this peer, by its position in the options. */
  usePeer(index: number): void {
    this.#engine.usePeer(index);
  }

  /** For load generators: no promise, and the frame's bytes are not copied. `done` comes exactly once, never during the call. */
  request(body: RequestBody, timeoutMs: number | undefined, done: RequestDone): void {
    this.#engine.request(body, timeoutMs ?? this.#timeoutMs, done);
  }

  /** Fails what is unanswered and ends all watches. */
  close(): void {
    for (const watch of [...this.#watches]) watch.close();
    this.#liveness.stop();
    this.#engine.close();
  }

  #openWatch(options: WatchOptions, listener: WatchListener): WatchStream {
    if (options.initial === true && options.fromRevision !== undefined) {
      throw new StoreError('INVALID_ARGUMENT', 'A watch begins with the current state or at a revision, not both');
    }
    const settings: WatchSettings = {
      range: rangeOf(options),
      fromRevision: options.fromRevision === undefined ? undefined : revisionOf(options.fromRevision),
      initial: options.initial ?? false,
      timeoutMs: options.timeoutMs ?? this.#timeoutMs,
    };
    const release = this.#liveness.use();
    const stream: WatchStream = new WatchStream(this.#engine, settings, {
      update: (update) => listener.update(update),
      ended: (error) => {
        release();
        this.#watches.delete(stream);
        listener.ended(error);
      },
    });
    this.#watches.add(stream);
    return stream;
  }

  async #write(command: Command, options: RequestOptions): Promise<WriteResult> {
    const { revision, zxid } = await this.#command(command, options);
    return { revision, zxid };
  }

  #command(command: Command, options: RequestOptions): Promise<CommandAnswer> {
    return this.#ask({ type: 'command', command }, options, ({ revision, zxid, output }) => ({
      revision,
      zxid,
      output: output === undefined ? undefined : copyOutput(output),
    }));
  }

  /** `pick` takes what is wanted out of a successful answer; undefined: it is not there. */
  #ask<T>(body: RequestBody, options: RequestOptions, pick: (frame: NativeFrame) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      this.request(body, options.timeoutMs, (error, frame) => {
        const result = error === null && frame !== null ? pick(frame) : undefined;
        if (result !== undefined) resolve(result);
        else reject(error ?? new StoreError('INTERNAL', `The server answered a ${body.type} with something else`));
      });
    });
  }
}

function leaseOf({ lease }: LeaseOptions): { readonly lease?: bigint } {
  return lease === undefined || lease === 0n ? {} : { lease };
}

function conditionOf(options: ConditionOptions): { readonly expectedRevision?: Revision } {
  return options.expectedRevision === undefined ? {} : { expectedRevision: revisionOf(options.expectedRevision) };
}
