// A node's storage with the world looking on: tells what reached the platter before the node hears of it, and lets
// nothing through once the process is dead. Changes nothing that a living node can see.

import type { CommitLog, CommitLogHandler, NodeStorage, SnapshotWriter } from '../ensemble/ports.js';
import type { Bytes } from '../shared/bytes.js';
import type { ServerId, Zxid } from '../shared/ids.js';
import type { TreeStore } from '../tree/store.js';
import type { EpochRecord } from '../zab/effects.js';
import type { Batch, EpochEnd } from '../zab/messages.js';

export interface StorageObserver {
  /** False once the process is dead: nothing is passed on any more, in either direction. */
  alive(): boolean;
  /** Something is about to be asked of the disk, or the disk is about to report: a place for a crash. */
  crashPoint(): void;
  /** Storage is called, and may go on by promise. */
  asked(): void;
  appending(batch: Batch): void;
  /** The log's checksum after it. */
  appended(chain: number): void;
  durable(through: Zxid): void;
  /** A write failed that the node must not go on after. */
  failed(): void;
  truncating(to: Zxid): void;
  truncated(to: Zxid): void;
  persisted(record: EpochRecord): void;
  installed(zxid: Zxid, record: EpochRecord): void;
  /** The log dropped its beginning, or kept it. */
  trimmed(base: Zxid): void;
}

export class ObservedStorage implements NodeStorage {
  private readonly inner: NodeStorage;
  private readonly observer: StorageObserver;
  private wrapped: { readonly inner: CommitLog; readonly log: ObservedLog };

  constructor(inner: NodeStorage, observer: StorageObserver) {
    this.inner = inner;
    this.observer = observer;
    this.wrapped = { inner: inner.log, log: new ObservedLog(inner.log, observer) };
  }

  get serverId(): ServerId {
    return this.inner.serverId;
  }

  get incarnation(): string {
    return this.inner.incarnation;
  }

  get boot(): number {
    return this.inner.boot;
  }

  get record(): EpochRecord {
    return this.inner.record;
  }

  get log(): CommitLog {
    const { log } = this.inner;
    if (this.wrapped.inner !== log) this.wrapped = { inner: log, log: new ObservedLog(log, this.observer) };
    return this.wrapped.log;
  }

  get store(): TreeStore {
    return this.inner.store;
  }

  start(handler: CommitLogHandler): void {
    const { observer } = this;
    this.inner.start({
      durable: (through) => {
        if (!observer.alive()) return;
        observer.durable(through);
        observer.crashPoint();
        if (observer.alive()) handler.durable(through);
      },
      failed: (error) => {
        if (!observer.alive()) return;
        observer.failed();
        handler.failed(error);
      },
      pressure: (full) => {
        if (observer.alive()) handler.pressure(full);
      },
    });
  }

  persist(record: EpochRecord, done: (error: Error | null) => void): void {
    const { observer } = this;
    observer.crashPoint();
    if (!observer.alive()) return;
    observer.asked();
    this.inner.persist(record, (error) => {
      if (!observer.alive()) return;
      if (error === null) observer.persisted(record);
      else observer.failed();
      observer.crashPoint();
      if (observer.alive()) done(error);
    });
  }

  receiveSnapshot(): SnapshotWriter {
    this.observer.asked();
    return new ObservedSnapshotWriter(this.inner.receiveSnapshot(), this.observer);
  }

  close(done: () => void): void {
    this.inner.close(done);
  }
}

class ObservedLog implements CommitLog {
  private readonly inner: CommitLog;
  private readonly observer: StorageObserver;

  constructor(inner: CommitLog, observer: StorageObserver) {
    this.inner = inner;
    this.observer = observer;
  }

  get base(): Zxid {
    return this.inner.base;
  }

  get last(): Zxid {
    return this.inner.last;
  }

  get durable(): Zxid {
    return this.inner.durable;
  }

  get chain(): number {
    return this.inner.chain;
  }

  get bytes(): number {
    return this.inner.bytes;
  }

  epochEnds(): readonly EpochEnd[] {
    return this.inner.epochEnds();
  }

  append(batch: Batch): void {
    this.observer.crashPoint();
    if (!this.observer.alive()) return;
    this.observer.appending(batch);
    this.inner.append(batch);
    this.observer.appended(this.inner.chain);
  }

  truncate(to: Zxid, done: () => void): void {
    const { observer } = this;
    observer.crashPoint();
    if (!observer.alive()) return;
    observer.truncating(to);
    observer.asked();
    this.inner.truncate(to, () => {
      if (!observer.alive()) return;
      observer.truncated(to);
      observer.crashPoint();
      if (observer.alive()) done();
    });
  }

  read(after: Zxid, bytesMax: number, done: (error: Error | null, batches: readonly Batch[]) => void): void {
    this.observer.asked();
    this.inner.read(after, bytesMax, (error, batches) => {
      if (this.observer.alive()) done(error, batches);
    });
  }

  trim(through: Zxid, keepBytes: number): Zxid {
    if (!this.observer.alive()) return this.inner.base;
    this.observer.asked();
    const base = this.inner.trim(through, keepBytes);
    this.observer.trimmed(base);
    return base;
  }

  pin(after: Zxid): () => void {
    return this.inner.pin(after);
  }
}

class ObservedSnapshotWriter implements SnapshotWriter {
  private readonly inner: SnapshotWriter;
  private readonly observer: StorageObserver;

  constructor(inner: SnapshotWriter, observer: StorageObserver) {
    this.inner = inner;
    this.observer = observer;
  }

  write(chunk: Bytes, done: (error: Error | null) => void): void {
    this.observer.crashPoint();
    if (!this.observer.alive()) return;
    this.observer.asked();
    this.inner.write(chunk, (error) => {
      if (this.observer.alive()) done(error);
    });
  }

  finish(zxid: Zxid, record: EpochRecord, done: (error: Error | null) => void): void {
    const { observer } = this;
    observer.crashPoint();
    if (!observer.alive()) return;
    observer.asked();
    this.inner.finish(zxid, record, (error) => {
      if (!observer.alive()) return;
      if (error === null) observer.installed(zxid, record);
      observer.crashPoint();
      if (observer.alive()) done(error);
    });
  }

  abort(): void {
    if (!this.observer.alive()) return;
    this.observer.asked();
    this.inner.abort();
  }
}
