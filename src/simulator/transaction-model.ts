// What a transaction does, by a plain model of its own over the ledger's versions: whether its conditions hold, what each
// operation answers, what every key holds afterwards. Shares no code with the tree.

import { compareBytes } from '../shared/bytes.js';
import type { Zxid } from '../shared/ids.js';
import type {
  Compare,
  KeySelection,
  OperationOutcome,
  RangeSelection,
  Transaction,
  TransactionOperation,
  TransactionOutcome,
} from '../tree/transaction.js';
import { bytesOf, keyText } from './byte-text.js';
import type { Ledger } from './ledger.js';

/** What a key holds. */
interface Held {
  readonly value: Uint8Array;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease: bigint;
}

export type ModelOutcome =
  | {
      readonly code: 'OK';
      readonly outcome: string;
      /** What it leaves of each key that it changes, as text. */
      readonly changes: string;
      readonly changed: number;
    }
  | { readonly code: 'KEY_NOT_FOUND' | 'LEASE_NOT_FOUND' };

/** Of a transaction on the state after `before`, made at `revision` if it changes anything. */
export function modelTransaction(
  transaction: Transaction,
  ledger: Ledger,
  before: Zxid,
  revision: number,
): ModelOutcome {
  const model = new Model(ledger, before, revision);
  try {
    const outcome = model.execute(transaction);
    return { code: 'OK', outcome: describeOutcome(outcome), changes: model.changes(), changed: model.changed };
  } catch (error) {
    if (error instanceof Refused) return { code: error.code };
    throw error;
  }
}

class Refused extends Error {
  readonly code: 'KEY_NOT_FOUND' | 'LEASE_NOT_FOUND';

  constructor(code: 'KEY_NOT_FOUND' | 'LEASE_NOT_FOUND') {
    super(code);
    this.code = code;
  }
}

class Model {
  private readonly ledger: Ledger;
  private readonly before: Zxid;
  private readonly revision: number;
  private readonly written = new Map<string, Held | undefined>();

  constructor(ledger: Ledger, before: Zxid, revision: number) {
    this.ledger = ledger;
    this.before = before;
    this.revision = revision;
  }

  get changed(): number {
    return this.written.size;
  }

  changes(): string {
    return [...this.written.keys()]
      .sort()
      .map((key) => describeHeld(key, this.written.get(key)))
      .join('; ');
  }

  /** Conditions of all levels are judged on the state before the whole transaction. */
  execute({ compares, success, failure }: Transaction): TransactionOutcome {
    const succeeded = compares.every((compare) => this.holds(compare));
    const outcomes = (succeeded ? success : failure).map((operation) => this.operate(operation));
    return { type: 'transaction', succeeded, outcomes };
  }

  private operate(operation: TransactionOperation): OperationOutcome {
    switch (operation.type) {
      case 'put': {
        const key = keyText(operation.key);
        const current = this.now(key);
        if ((operation.ignoreValue || operation.ignoreLease) && current === undefined)
          throw new Refused('KEY_NOT_FOUND');
        const lease = operation.ignoreLease ? (current?.lease ?? 0n) : operation.lease;
        if (lease !== 0n && this.ledger.leaseAt(lease, this.before) === undefined) throw new Refused('LEASE_NOT_FOUND');
        this.written.set(key, {
          value: operation.ignoreValue ? (current?.value ?? operation.value) : operation.value,
          create: current?.create ?? this.revision,
          mod: this.revision,
          version: (current?.version ?? 0) + 1,
          lease,
        });
        return { type: 'put', previous: operation.wantsPrevious ? recordOf(key, current) : undefined };
      }
      case 'delete': {
        const keys = this.selected(operation.keys);
        const previous = keys.map((key) => recordOf(key, this.now(key)));
        for (const key of keys) this.written.set(key, undefined);
        return {
          type: 'delete',
          deleted: keys.length,
          previous: operation.wantsPrevious ? previous.filter((record) => record !== undefined) : [],
        };
      }
      case 'range':
        return this.range(operation.selection);
      case 'transaction':
        return this.execute(operation.transaction);
    }
  }

  private range(selection: RangeSelection): OperationOutcome {
    const keys = this.selected(selection);
    const limited = selection.limit > 0 ? keys.slice(0, selection.limit) : keys;
    const records = limited.map((key) => recordOf(key, this.now(key))).filter((record) => record !== undefined);
    return { type: 'range', records, count: keys.length, more: limited.length < keys.length };
  }

  private holds(compare: Compare): boolean {
    const keys = this.selected(compare.keys, false);
    if (keys.length === 0) return compare.target !== 'value' && related(compare, undefined);
    return keys.every((key) => related(compare, this.at(key)));
  }

  /** Keys that are there, in order. */
  private selected({ from, to, single }: KeySelection, now = true): string[] {
    const held = (key: string): Held | undefined => (now ? this.now(key) : this.at(key));
    const least = keyText(from);
    if (single) return held(least) === undefined ? [] : [least];
    const end = to === undefined ? undefined : keyText(to);
    const keys = new Set([...this.ledger.allKeys(), ...this.written.keys()]);
    return [...keys]
      .filter((key) => key >= least && (end === undefined || key < end) && held(key) !== undefined)
      .sort();
  }

  private now(key: string): Held | undefined {
    return this.written.has(key) ? this.written.get(key) : this.at(key);
  }

  private at(key: string): Held | undefined {
    const version = this.ledger.at(key, this.before);
    if (version?.value === undefined) return undefined;
    const { value, createRevision, revision, lease } = version;
    return { value, create: createRevision, mod: revision, version: version.version, lease };
  }
}

function related(compare: Compare, held: Held | undefined): boolean {
  const order = orderOf(compare, held);
  switch (compare.relation) {
    case 'equal':
      return order === 0;
    case 'notEqual':
      return order !== 0;
    case 'greater':
      return order > 0;
    case 'less':
      return order < 0;
  }
}

function orderOf(compare: Compare, held: Held | undefined): number {
  if (compare.target === 'value') return held === undefined ? -1 : compareBytes(held.value, compare.operand);
  if (compare.target === 'lease') {
    const lease = held?.lease ?? 0n;
    return lease === compare.operand ? 0 : lease > compare.operand ? 1 : -1;
  }
  return (held?.[compare.target] ?? 0) - compare.operand;
}

type ModelRecord = Extract<OperationOutcome, { type: 'range' }>['records'][number];

function recordOf(key: string, held: Held | undefined): ModelRecord | undefined {
  if (held === undefined) return undefined;
  const { value, create, mod, version, lease } = held;
  return {
    key: bytesOf(key),
    value,
    createRevision: create as ModelRecord['createRevision'],
    modRevision: mod as ModelRecord['modRevision'],
    version,
    lease,
  };
}

function describeHeld(key: string, held: Held | undefined): string {
  return held === undefined ? `${key} deleted` : describeRecord(recordOf(key, held));
}

function describeRecord(record: ModelRecord | undefined): string {
  if (record === undefined) return 'none';
  const { key, value, createRevision, modRevision, version, lease } = record;
  return `${keyText(key)}=${keyText(value)} ${createRevision}/${modRevision}/${version}/${lease}`;
}

/** Two outcomes are the same if their texts are. */
export function describeOutcome(outcome: OperationOutcome): string {
  switch (outcome.type) {
    case 'put':
      return `put (${describeRecord(outcome.previous)})`;
    case 'delete':
      return `deleted ${outcome.deleted} (${outcome.previous.map(describeRecord).join(', ')})`;
    case 'range':
      return `${outcome.count}${outcome.more ? '+' : ''} (${outcome.records.map(describeRecord).join(', ')})`;
    case 'transaction':
      return `${outcome.succeeded} {${outcome.outcomes.map(describeOutcome).join('; ')}}`;
  }
}

/** What an entry did to users' keys, as the model tells it. */
export function describeChanges(ledger: Ledger, zxid: Zxid): string {
  return ledger
    .changesBy(zxid)
    .map(({ key, version }) => {
      const { value, createRevision, revision, lease } = version;
      if (value === undefined) return `${key} deleted`;
      return describeHeld(key, { value, create: createRevision, mod: revision, version: version.version, lease });
    })
    .join('; ');
}
