// What a transaction does, as etcd's do: its way is found and its requests are checked on the state before it; then its
// operations are carried out in order, each seeing those before it, all at one revision. Gives operations; changes nothing.

import { assert } from '../shared/assert.js';
import { type Bytes, emptyBytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import { type Failure, failure, type Outcome } from './command-outcome.js';
import type { CommandView } from './command-view.js';
import { type Operation, spaces } from './delta.js';
import { type PlannedOperation, planTransaction, type TransactionPlan } from './evaluate-compares.js';
import { leasedKey } from './lease-records.js';
import { missingLease, moveToLease, putOperation, putOperations } from './put-operations.js';
import type { KeyRecord } from './store.js';
import type { OperationOutcome, Transaction, TransactionOperation, TransactionOutcome } from './transaction.js';
import { keyBehind, type TransactionLimits, TransactionReads } from './transaction-reads.js';

type Put = Extract<TransactionOperation, { readonly type: 'put' }>;
type Delete = Extract<TransactionOperation, { readonly type: 'delete' }>;

/** So many keys of a range or more are deleted as a range. */
const rangeDeleteKeysMin = 64;

export function executeTransaction(transaction: Transaction, view: CommandView, limits: TransactionLimits): Outcome {
  const put = simplePut(transaction);
  if (put !== undefined) return executePut(put, view);
  return new Execution(view, limits).run(transaction);
}

/** The put that is all there is to this transaction, if it is; most transactions are. */
function simplePut({ compares, success }: Transaction): Put | undefined {
  const first = success[0];
  if (first === undefined || first.type !== 'put' || success.length > 1 || compares.length > 0) return undefined;
  return first.ignoreValue || first.ignoreLease || first.wantsPrevious ? undefined : first;
}

const putDone: OperationOutcome = { type: 'put', previous: undefined };
const simplePutDone: TransactionOutcome = { type: 'transaction', succeeded: true, outcomes: [putDone] };

function executePut(put: Put, view: CommandView): Outcome {
  const missing = missingLease(put.lease, view);
  if (missing !== null) return missing;
  const current = view.stateOf(checked(put.key));
  const operations = putOperations(put.key, put.value, { current, lease: put.lease, revision: view.revision });
  return { type: 'effect', operations, output: simplePutDone };
}

class Execution {
  private readonly view: CommandView;
  private readonly limits: TransactionLimits;
  private readonly reads: TransactionReads;
  private readonly operations: Operation[] = [];
  private bytes = 0;
  private refused: Failure | null = null;

  constructor(view: CommandView, limits: TransactionLimits) {
    this.view = view;
    this.limits = limits;
    this.reads = new TransactionReads(view, limits);
  }

  run(transaction: Transaction): Outcome {
    const plan = planTransaction(transaction, this.reads);
    const refused = this.excess() ?? this.check(plan, (operation) => this.checkPut(operation));
    const output = refused ?? this.check(plan, (operation) => this.checkRange(operation)) ?? this.perform(plan);
    if (output.type === 'failure') return output;
    return this.excess() ?? this.refused ?? { type: 'effect', operations: this.operations, output };
  }

  private excess(): Failure | null {
    const { excess } = this.reads;
    return excess === null ? null : failure('TOO_LARGE', `Cannot carry out the transaction: ${excess}`);
  }

  /** Before anything is done, in order: the first refusal counts. */
  private check(plan: TransactionPlan, check: (operation: PlannedOperation) => Failure | null): Failure | null {
    for (const operation of plan.operations) {
      const refused = operation.type === 'transaction' ? this.check(operation.plan, check) : check(operation);
      if (refused !== null) return refused;
    }
    return null;
  }

  private checkPut(put: PlannedOperation): Failure | null {
    if (put.type !== 'put') return null;
    if ((put.ignoreValue || put.ignoreLease) && this.view.stateOf(checked(put.key)) === undefined) {
      return failure('KEY_NOT_FOUND', 'Cannot keep the value or the lease of the key: it does not exist');
    }
    return missingLease(put.lease, this.view);
  }

  private checkRange(range: PlannedOperation): Failure | null {
    if (range.type !== 'range' || range.selection.at === undefined) return null;
    const { at } = range.selection;
    const { revision, compactedRevision } = this.view;
    if (at > revision) return failure('FUTURE_REVISION', `Revision ${at} is not reached yet: now is ${revision}`);
    if (at >= compactedRevision) return null;
    return failure('COMPACTED', `Revision ${at} is no longer kept: compacted up to revision ${compactedRevision}`);
  }

  private perform({ succeeded, operations }: TransactionPlan): TransactionOutcome {
    const outcomes: OperationOutcome[] = [];
    for (const operation of operations) {
      if (this.refused !== null || this.reads.excess !== null) break;
      outcomes.push(this.performOne(operation));
    }
    return { type: 'transaction', succeeded, outcomes };
  }

  private performOne(operation: PlannedOperation): OperationOutcome {
    switch (operation.type) {
      case 'put':
        return this.put(operation);
      case 'delete':
        return this.delete(operation);
      case 'range':
        return this.reads.range(operation.selection);
      case 'transaction':
        return this.perform(operation.plan);
    }
  }

  private put(put: Put): OperationOutcome {
    const { key, ignoreValue, ignoreLease, wantsPrevious } = put;
    const record = ignoreValue || wantsPrevious ? this.reads.record(checked(key)) : undefined;
    const current = ignoreValue || wantsPrevious ? record : this.reads.state(checked(key));
    const value = ignoreValue ? (record?.value ?? emptyBytes) : put.value;
    const held = current?.lease ?? 0n;
    const lease = ignoreLease ? held : put.lease;
    const operation = putOperation(key, value, { current, lease, revision: this.view.revision });
    this.operations.push(operation);
    if (held !== lease) this.operations.push(...moveToLease(operation, held));
    this.adds(key.length + value.length);
    const modRevision = this.revision;
    const { createRevision, version } = operation;
    const added: KeyRecord = { key, value, createRevision, modRevision, version, lease };
    this.reads.changed({ space: spaces.user, key, modRevision, record: added });
    if (!wantsPrevious || record === undefined) return putDone;
    return { type: 'put', previous: this.reads.answers(record) };
  }

  private delete({ keys, wantsPrevious }: Delete): OperationOutcome {
    const found: KeyRecord[] = [];
    this.reads.scan(keys, !wantsPrevious, (record) => {
      found.push(wantsPrevious ? this.reads.answers(record) : record);
      return this.reads.excess === null;
    });
    const [first, last] = [found[0], found[found.length - 1]];
    const asRange = found.length >= rangeDeleteKeysMin;
    if (asRange && first !== undefined && last !== undefined) {
      this.operations.push({ type: 'deleteRange', space: spaces.user, from: first.key, to: keyBehind(last.key) });
    }
    for (const { key, lease } of found) {
      if (!asRange) this.operations.push({ type: 'delete', space: spaces.user, key });
      if (!asRange || lease !== 0n) this.adds(key.length);
      if (lease !== 0n) this.operations.push({ type: 'delete', space: spaces.leaseKeys, key: leasedKey(lease, key) });
      this.reads.changed({ space: spaces.user, key, modRevision: this.revision, record: null });
    }
    return { type: 'delete', deleted: found.length, previous: wantsPrevious ? found : noRecords };
  }

  private get revision(): Revision {
    return (this.view.revision + 1) as Revision;
  }

  /** What it keeps of what is there counts too: a command may be small and its effect large. */
  private adds(bytes: number): void {
    this.bytes += bytes;
    const { transactionBytesMax } = this.limits;
    if (this.bytes <= transactionBytesMax) return;
    this.refused ??= failure(
      'TOO_LARGE',
      `Cannot carry out the transaction: it changes more than ${transactionBytesMax} bytes`,
    );
  }
}

const noRecords: readonly KeyRecord[] = [];

function checked(key: Bytes): Bytes {
  assert(key.length > 0, 'Cannot execute a transaction on an empty key');
  return key;
}
