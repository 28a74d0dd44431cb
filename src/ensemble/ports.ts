// The world as the ensemble driver sees it: clock, network, disk. Production adapters (src/transport, src/storage) and
// the simulator implement these. Everything reports by callback, never by promise, so that the simulator decides
// every order; no callback is called before the call that asked for it has returned.

import type { Bytes } from '../shared/bytes.js';
import type { ServerId, Zxid } from '../shared/ids.js';
import type { TreeStore } from '../tree/store.js';
import type { EpochRecord } from '../zab/effects.js';
import type { Batch, ElectionMessage, EpochEnd } from '../zab/messages.js';

export interface Scheduler {
  /** Monotonic milliseconds, any origin, fractional allowed. */
  nowMs(): number;
  /** Runs the task once everything that has already arrived in this turn of the event loop was handled. */
  defer(task: () => void): void;
  /** Runs the task every `intervalMs`; the returned function stops it. */
  every(intervalMs: number, task: () => void): () => void;
  /** Runs the task once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, task: () => void): () => void;
}

/** Election datagrams. Freshness, authentication and membership are checked below this port; loss is normal. */
export interface ElectionNetwork {
  send(to: ServerId, message: ElectionMessage): void;
  /** Called once, before anything is sent. */
  start(receive: (from: ServerId, message: ElectionMessage) => void): void;
  close(): void;
}

/** Two connections a peer pair: `quorum` for Zab itself, `bulk` for snapshots and forwarded requests. */
export type Channel = 'quorum' | 'bulk';

export interface PeerNetworkHandler {
  /** A connection is open and its handshake agreed. `outgoing`: this side asked for it. `link` is never reused (> 0). */
  opened(link: number, peer: ServerId, channel: Channel, outgoing: boolean): void;
  /** An attempt of `connect` failed; `reason` is for the log. */
  failed(peer: ServerId, channel: Channel, reason: string): void;
  /** One whole frame. Its memory is never written again, so slices may be kept: they keep the read buffer alive. */
  received(link: number, frame: Bytes): void;
  closed(link: number, reason: string): void;
  /** queuedBytes(link) has fallen to the low-water mark after it was above it. */
  drained(link: number): void;
}

/** Framed, authenticated, ordered connections between members. */
export interface PeerNetwork {
  start(handler: PeerNetworkHandler): void;
  connect(peer: ServerId, channel: Channel): void;
  /** Sends one frame made of these chunks in order. The chunks must not be changed afterwards. */
  send(link: number, chunks: readonly Bytes[]): void;
  /** Bytes accepted by `send` and not yet handed to the operating system. */
  queuedBytes(link: number): number;
  /** Closes without a `closed` callback. */
  close(link: number): void;
  /** RequestAddr that this peer announced in its last handshake, if any. */
  requestAddressOf(peer: ServerId): string | undefined;
  stop(): void;
}

/** The append-only commit log. One record a batch; its body is the body of the PROPOSAL. */
export interface CommitLog {
  /** Holds every entry after this. */
  readonly base: Zxid;
  /** End of what was appended (base when empty), and of what is on disk. */
  readonly last: Zxid;
  readonly durable: Zxid;
  /** Chain checksum of the record that ends at `last`. */
  readonly chain: number;
  /** Total bytes of retained segments. */
  readonly bytes: number;
  /** Last zxid of each epoch that is in the log, oldest first, base's own epoch included. */
  epochEnds(): readonly EpochEnd[];
  /** Appends; the handler's `durable` follows, once for several appends where they share an fsync. */
  append(batch: Batch): void;
  /** Durably removes all after `to`, a batch boundary. Nothing may be in flight. */
  truncate(to: Zxid, done: () => void): void;
  /** Whole batches after `after` in order, at least one if there is any, up to about bytesMax, durable or not. */
  read(after: Zxid, bytesMax: number, done: (error: Error | null, batches: readonly Batch[]) => void): void;
  /**
   * Drops the oldest segments that end at or before `through` and hold nothing pinned, as long as at least `keepBytes`
   * stay. Returns the new base.
   */
  trim(through: Zxid, keepBytes: number): Zxid;
  /** Keeps everything after `after` until released. */
  pin(after: Zxid): () => void;
}

export interface CommitLogHandler {
  durable(through: Zxid): void;
  /** A write or fsync inside the log failed: the node must never acknowledge again (fail-stop). */
  failed(error: Error): void;
  /** true: the next segment could not be preallocated (ENOSPC): propose nothing. false: there is room again. */
  pressure(full: boolean): void;
}

/** Receives an image of a tree into a fresh directory beside the live one. */
export interface SnapshotWriter {
  /** `done` when the next chunk may come. */
  write(chunk: Bytes, done: (error: Error | null) => void): void;
  /**
   * Makes the image durable, makes an empty log with base `zxid`, keeps the node-local space, and switches all of it
   * with the record in one manifest write. Then storage.log and storage.store are the new ones.
   */
  finish(zxid: Zxid, record: EpochRecord, done: (error: Error | null) => void): void;
  /** Removes what was received. */
  abort(): void;
}

/** All that one node keeps on disk. Opening it (adapter) has verified, cut a torn tail, and taken the directory lock. */
export interface NodeStorage {
  readonly serverId: ServerId;
  /** Random per data directory; boot counts its openings. With the sequence they order a node's datagrams. */
  readonly incarnation: string;
  readonly boot: number;
  readonly record: EpochRecord;
  /** The live ones; replaced by a finished SnapshotWriter. */
  readonly log: CommitLog;
  readonly store: TreeStore;
  start(handler: CommitLogHandler): void;
  /** Replaces the epoch record durably. Calls complete in order. */
  persist(record: EpochRecord, done: (error: Error | null) => void): void;
  receiveSnapshot(): SnapshotWriter;
  /** Finishes what is in flight, releases the lock. */
  close(done: () => void): void;
}

/** The driver's own log lines; never on the hot path. */
export interface EnsembleLog {
  info(text: string, details?: Readonly<Record<string, unknown>>): void;
  warn(text: string, details?: Readonly<Record<string, unknown>>): void;
  error(text: string, details?: Readonly<Record<string, unknown>>): void;
}
