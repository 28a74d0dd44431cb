// Random transactions: conditions, puts, deletes of ranges, reads, and transactions inside. Keys are parted among the
// operations of an arm, since a transaction may change each key once.

import type { SeededRandom } from '../shared/random.js';
import type { Compare, RangeSelection, Transaction, TransactionOperation } from '../tree/transaction.js';
import { bytesOf } from './byte-text.js';

export interface TransactionDraws {
  readonly random: SeededRandom;
  /** A value that names a write of its own. */
  newValue(): Uint8Array;
  /** A lease for a put; 0n = none. */
  lease(): bigint;
  /** A revision that somebody may have seen. */
  revision(): number;
  /** The key's value may be written again as it is: nobody tells writes of this key apart by it. */
  mayKeepValue(key: string): boolean;
  /** A value that this key had once. */
  valueOf(key: string): Uint8Array;
}

const relations = ['equal', 'equal', 'notEqual', 'greater', 'less'] as const;
const targets = ['version', 'create', 'mod', 'value', 'lease', 'version', 'mod'] as const;

export function drawTransaction(keys: readonly string[], draws: TransactionDraws, depth = 0): Transaction {
  const { random } = draws;
  const compares = Array.from({ length: random.below(3) }, () => drawCompare(keys, draws));
  return {
    compares,
    success: drawArm(keys, draws, depth),
    failure: random.chance(0.4) ? drawArm(keys, draws, depth) : [],
  };
}

function drawCompare(keys: readonly string[], draws: TransactionDraws): Compare {
  const { random } = draws;
  const key = pick(keys, random);
  const relation = pick(relations, random);
  const target = pick(targets, random);
  const selection = random.chance(0.8) ? single(key) : { from: bytesOf(key), to: undefined, single: false };
  if (target === 'value') return { keys: selection, relation, target, operand: draws.valueOf(key) };
  if (target === 'lease') return { keys: selection, relation, target, operand: draws.lease() };
  if (target === 'version') return { keys: selection, relation, target, operand: random.below(4) };
  return { keys: selection, relation, target, operand: random.chance(0.3) ? 0 : draws.revision() };
}

/** Each operation gets a stretch of the keys to itself. */
function drawArm(keys: readonly string[], draws: TransactionDraws, depth: number): TransactionOperation[] {
  const { random } = draws;
  const operations: TransactionOperation[] = [];
  for (let at = 0; at < keys.length && operations.length < 4; ) {
    const length = 1 + random.below(Math.min(3, keys.length - at));
    const own = keys.slice(at, at + length);
    at += length;
    if (random.chance(0.7)) operations.push(drawOperation(own, keys, draws, depth));
  }
  return operations;
}

function drawOperation(
  own: readonly string[],
  all: readonly string[],
  draws: TransactionDraws,
  depth: number,
): TransactionOperation {
  const { random } = draws;
  const roll = random.below(100);
  if (roll < 55) return drawPut(pick(own, random), draws);
  if (roll < 75) {
    const from = own[0] as string;
    const last = own[own.length - 1] as string;
    const keys = own.length === 1 ? single(from) : { from: bytesOf(from), to: bytesOf(`${last}!`), single: false };
    return { type: 'delete', keys, wantsPrevious: random.chance(0.5) };
  }
  if (roll < 90 || depth > 0) return { type: 'range', selection: drawRange(pick(all, random), random) };
  return { type: 'transaction', transaction: drawTransaction(own, draws, depth + 1) };
}

function drawPut(key: string, draws: TransactionDraws): TransactionOperation {
  const { random } = draws;
  const keepsValue = draws.mayKeepValue(key) && random.chance(0.2);
  const keepsLease = !keepsValue && random.chance(0.05);
  return {
    type: 'put',
    key: bytesOf(key),
    value: keepsValue ? new Uint8Array(0) : draws.newValue(),
    lease: keepsLease ? 0n : draws.lease(),
    ignoreValue: keepsValue,
    ignoreLease: keepsLease,
    wantsPrevious: random.chance(0.5),
  };
}

function drawRange(key: string, random: SeededRandom): RangeSelection {
  return {
    ...(random.chance(0.4) ? single(key) : { from: bytesOf(key), to: undefined, single: false }),
    at: undefined,
    limit: random.below(4),
    sortTarget: 'key',
    descending: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: undefined,
    maxModRevision: undefined,
    minCreateRevision: undefined,
    maxCreateRevision: undefined,
  };
}

function single(key: string): { readonly from: Uint8Array; readonly to: undefined; readonly single: true } {
  return { from: bytesOf(key), to: undefined, single: true };
}

function pick<T>(list: readonly T[], random: SeededRandom): T {
  return list[random.below(list.length)] as T;
}
