// A queue that is kept as keys under one name: each waits with a key of its lease's, and the one created first is at the
// head. Locks and elections are such queues. One object serves one call: it asks the store one thing after the other in
// the caller's name, and what fails ends the call.

import type { SelectionHead, SelectionSink, WatchHandle, WatchSink } from '../../service/store-service.js';
import { wholeSelection } from '../../service/whole-selection.js';
import { type Bytes, emptyBytes, prefixEnd } from '../../shared/bytes.js';
import type { ErrorCode, StoreError } from '../../shared/errors.js';
import { type Revision, revisionFirst, zxidZero } from '../../shared/ids.js';
import type { Command, CommandResult } from '../../tree/command.js';
import type { WatchEvent } from '../../tree/replicated-tree.js';
import type { KeyRecord } from '../../tree/store.js';
import type {
  KeySelection,
  RangeSelection,
  Transaction,
  TransactionOperation,
  TransactionOutcome,
} from '../../tree/transaction.js';
import type { EtcdContext } from './context.js';
import { failureOf, failureOfCode } from './errors.js';
import type { GrpcCall } from './grpc/grpc-call.js';
import { type GrpcStatus, grpcStatus } from './grpc/grpc-status.js';
import { envelopeOf, outputOf, readOptions } from './grpc-methods.js';

/** Of a lease that is granted to a caller who brings none. */
const ttlSecondsDefault = 60;

export class QueueCall {
  readonly call: GrpcCall;
  private readonly context: EtcdContext;
  private watch: WatchHandle | null = null;
  private abandon: () => void = () => undefined;
  private blocked = false;

  constructor(context: EtcdContext, call: GrpcCall) {
    this.context = context;
    this.call = call;
    call.onCancelled(() => {
      this.watch?.cancel();
      this.abandon();
    });
    call.onDrain(() => {
      this.blocked = false;
      this.watch?.resume();
    });
  }

  /** What is to be taken back when the caller goes away while it waits. */
  onAbandoned(abandon: () => void): void {
    this.abandon = abandon;
  }

  /** etcd answers through a client of its own, which keeps the texts and loses the codes. */
  fail(message: string, status: GrpcStatus = grpcStatus.unknown): void {
    this.watch?.cancel();
    this.call.fail(status, message);
  }

  /** The caller's lease, or a new one for a caller who brings none. */
  lease(id: bigint, next: (id: bigint) => void): void {
    if (id !== 0n) next(id);
    else {
      this.submit({ type: 'leaseGrant', id: 0n, ttlSeconds: ttlSecondsDefault }, (result) =>
        next(outputOf(result, 'leaseGrant').id),
      );
    }
  }

  transact(transaction: Transaction, next: (outcome: TransactionOutcome, revision: Revision) => void): void {
    this.submit({ type: 'transact', transaction }, (result) => next(outputOf(result, 'transaction'), result.revision));
  }

  /** The one record of a selection that is limited to one; undefined when there is none. */
  first(selection: RangeSelection, next: (record: KeyRecord | undefined, revision: Revision) => void): void {
    const { context, call } = this;
    const sink = new FirstRecord((error, record, revision) =>
      this.guarded(() => {
        if (call.over) return;
        if (error === null) next(record, revision);
        else this.fail(failureOf(error).message);
      }),
    );
    context.service.select(selection, readOptions(context, call, { local: false }), sink);
  }

  /** Calls `next` once no key with this prefix is left that was created at this revision or before. */
  afterOlder(prefix: Bytes, createdThrough: Revision, next: () => void): void {
    this.first({ ...newestOf(prefix), maxCreateRevision: createdThrough }, (record, revision) => {
      if (record === undefined) next();
      else this.afterDelete(record.key, revision, () => this.afterOlder(prefix, createdThrough, next));
    });
  }

  /** One of many answers. While the client is slow to read, no event comes. */
  send(message: Bytes): void {
    this.blocked = !this.call.send(message);
  }

  /**
   * Tells every event from this revision on, until one has an end: then the watch is over, and that end is called. When
   * changes are compacted before they were told, `compacted` is.
   */
  follow(
    selection: KeySelection,
    fromRevision: Revision,
    each: (event: WatchEvent) => (() => void) | null,
    compacted: () => void,
  ): void {
    const { context, call } = this;
    const sink: WatchSink = {
      ready: () => !this.blocked,
      events: (events) =>
        this.guarded(() => {
          for (const event of events) {
            if (call.over) return;
            const end = each(event);
            if (end === null) continue;
            this.watch?.cancel();
            this.watch = null;
            end();
            return;
          }
        }),
      initial: () => undefined,
      ended: (error) =>
        this.guarded(() => {
          this.watch = null;
          if (call.over) return;
          if (error.code === 'COMPACTED') compacted();
          else this.fail(failureOf(error).message);
        }),
    };
    const { actor } = readOptions(context, call, { local: false });
    const start = { ...selection, seen: zxidZero, fromRevision, withInitial: false };
    this.watch = context.service.watch(actor === undefined ? start : { ...start, actor }, sink);
  }

  private afterDelete(key: Bytes, fromRevision: Revision, next: () => void): void {
    const single = { from: key, to: undefined, single: true };
    // What was compacted is behind us: looking again tells how it stands now.
    this.follow(single, fromRevision, ({ type }) => (type === 'delete' ? next : null), next);
  }

  private submit(command: Command, next: (result: CommandResult) => void): void {
    const { context, call } = this;
    context.service.write(envelopeOf(context, call, command), call.timeoutMs, (result) =>
      this.guarded(() => {
        if (call.over) return;
        if (result.code === 'OK') next(result);
        else this.failWith(result.code);
      }),
    );
  }

  private failWith(code: ErrorCode): void {
    this.fail(failureOfCode(code).message);
  }

  /** Answers of the store come when nobody is left above to see what is thrown. */
  private guarded(task: () => void): void {
    try {
      task();
    } catch (error) {
      const { message, isDefect } = failureOf(error);
      if (isDefect) this.context.guard.caught('grpc', this.call.path, error);
      this.fail(message);
    }
  }
}

const first: Omit<RangeSelection, keyof KeySelection> = { ...wholeSelection, limit: 1, sortTarget: 'create' };

/** Of the keys with this prefix the one that was created first. */
export function oldestOf(prefix: Bytes): RangeSelection {
  return { ...first, ...prefixed(prefix) };
}

function newestOf(prefix: Bytes): RangeSelection {
  return { ...first, ...prefixed(prefix), descending: true };
}

export function exactly(key: Bytes): RangeSelection {
  return { ...wholeSelection, from: key, to: undefined, single: true };
}

export function prefixed(prefix: Bytes): KeySelection {
  return { from: prefix, to: prefixEnd(prefix), single: false };
}

/** All keys of a queue begin with its name and a slash. */
export function queuePrefix(name: Bytes): Bytes {
  return Buffer.concat([name, slash]);
}

/** The key with which a lease waits: the id in hexadecimal digits, a minus before it if it is negative. */
export function queueKey(prefix: Bytes, lease: bigint): Bytes {
  return Buffer.concat([prefix, Buffer.from(lease.toString(16))]);
}

/** Done if the key was created at this revision (0: if there is no such key); else the other arm. */
export function ifCreatedAt(
  key: Bytes,
  revision: number,
  success: readonly TransactionOperation[],
  failure: readonly TransactionOperation[] = [],
): Transaction {
  const keys = { from: key, to: undefined, single: true };
  return { compares: [{ keys, target: 'create', relation: 'equal', operand: revision }], success, failure };
}

export function putWith(lease: bigint, key: Bytes, value: Bytes = emptyBytes): TransactionOperation {
  return { type: 'put', key, value, lease, ignoreValue: false, ignoreLease: false, wantsPrevious: false };
}

export function deletionOf(key: Bytes): TransactionOperation {
  return { type: 'delete', keys: { from: key, to: undefined, single: true }, wantsPrevious: false };
}

/** The first record that one of the answers of a transaction holds. */
export function firstRecord(outcome: TransactionOutcome, index: number): KeyRecord | undefined {
  const answer = outcome.outcomes[index];
  return answer?.type === 'range' ? answer.records[0] : undefined;
}

const slash = Uint8Array.of(0x2f);

type FirstDone = (error: StoreError | null, record: KeyRecord | undefined, revision: Revision) => void;

class FirstRecord implements SelectionSink {
  private readonly done: FirstDone;
  private revision: Revision = revisionFirst;
  private record: KeyRecord | undefined;

  constructor(done: FirstDone) {
    this.done = done;
  }

  sizeOf(): number {
    return 0;
  }

  begin(head: SelectionHead): void {
    this.revision = head.revision;
  }

  records(page: readonly KeyRecord[]): boolean {
    this.record ??= page[0];
    return true;
  }

  end(error: StoreError | null): void {
    this.done(error, this.record, this.revision);
  }
}
