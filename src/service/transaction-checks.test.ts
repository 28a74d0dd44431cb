// What is refused of a transaction before it is sent anywhere, as etcd refuses it.

import { describe, expect, it } from 'vitest';
import { limits } from '../config/limits.js';
import type { Transaction, TransactionOperation } from '../tree/transaction.js';
import { checkTransaction } from './transaction-checks.js';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const put = (key: string, rest: object = {}): TransactionOperation => ({
  type: 'put',
  key: bytes(key),
  value: bytes(''),
  lease: 0n,
  ignoreValue: false,
  ignoreLease: false,
  wantsPrevious: false,
  ...rest,
});
const remove = (from: string, to?: string): TransactionOperation => ({
  type: 'delete',
  keys: { from: bytes(from), to: to === undefined ? undefined : bytes(to), single: to === undefined },
  wantsPrevious: false,
});
const transaction = (success: TransactionOperation[], failure: TransactionOperation[] = []): Transaction => ({
  compares: [],
  success,
  failure,
});
const nested = (success: TransactionOperation[], failure: TransactionOperation[] = []): TransactionOperation => ({
  type: 'transaction',
  transaction: transaction(success, failure),
});
const codeOf = (checked: Transaction): string | undefined => checkTransaction(checked, limits)?.code;
const many = (count: number, key = 'k'): TransactionOperation[] =>
  Array.from({ length: count }, (_, i) => put(`${key}${i}`));

describe('checkTransaction()', () => {
  it('refuses a key that is put twice, or put and deleted, on any one way through it', () => {
    const refused: readonly Transaction[] = [
      transaction([put('a'), put('a')]),
      transaction([], [put('a'), put('b'), put('a')]),
      transaction([put('a'), remove('a')]),
      transaction([remove('a'), put('a')]),
      transaction([put('b'), remove('a', 'c')]),
      transaction([nested([put('a')]), put('a')]),
      transaction([put('a'), nested([], [put('a')])]),
      transaction([nested([put('a')]), nested([], [put('a')])]),
      transaction([nested([remove('a')]), nested([put('a')])]),
      transaction([remove('a', 'c'), nested([nested([put('b')])])]),
      transaction([nested([remove('a', 'c')]), put('b')]),
    ];
    for (const each of refused) expect(codeOf(each)).toBe('DUPLICATE_KEY');
    const taken: readonly Transaction[] = [
      transaction([put('a')], [put('a'), remove('b')]),
      transaction([nested([put('a')], [put('a')])]),
      transaction([nested([put('a')], [remove('a')])]),
      transaction([remove('a', 'c'), remove('b'), put('c')]),
      transaction([remove('c', 'a'), put('b')]),
      // etcd takes this one too: a deletion is not compared with what was nested before it.
      transaction([nested([put('a')]), nested([remove('a')])]),
    ];
    for (const each of taken) expect(codeOf(each)).toBeUndefined();
  });

  it('refuses too many operations, those around nested ones counted against them, and too much nesting', () => {
    expect(codeOf(transaction(many(128), many(128)))).toBeUndefined();
    expect(codeOf(transaction([], many(129)))).toBe('TOO_MANY_OPERATIONS');
    expect(codeOf(transaction([nested(many(127))]))).toBeUndefined();
    expect(codeOf(transaction([nested(many(128))]))).toBe('TOO_MANY_OPERATIONS');
    expect(codeOf(transaction([nested(many(100))], many(30)))).toBe('TOO_MANY_OPERATIONS');
    const compares = Array.from({ length: 129 }, () => {
      return { keys: { from: bytes('a'), to: undefined, single: true }, relation: 'equal', target: 'mod', operand: 0 };
    }) as unknown as Transaction['compares'];
    expect(codeOf({ ...transaction([]), compares })).toBe('TOO_MANY_OPERATIONS');
    let deep = transaction([]);
    for (let depth = 1; depth < limits.transactionDepthMax; depth++) {
      deep = transaction([{ type: 'transaction', transaction: deep }]);
    }
    expect(codeOf(deep)).toBeUndefined();
    expect(codeOf(transaction([{ type: 'transaction', transaction: deep }]))).toBe('TOO_MANY_OPERATIONS');
    const wide = Array.from({ length: 64 }, (_, i) => nested(many(64, `${i}/`)));
    expect(codeOf(transaction(wide))).toBe('TOO_MANY_OPERATIONS');
  });

  it('refuses empty and oversized keys, oversized values and transactions, and contradictions', () => {
    const empty = { from: bytes(''), to: undefined, single: false };
    const compares = [{ keys: empty, relation: 'equal', target: 'mod', operand: 0 }] as const;
    expect(codeOf({ ...transaction([]), compares })).toBe('INVALID_ARGUMENT');
    expect(codeOf(transaction([put('')]))).toBe('INVALID_ARGUMENT');
    expect(codeOf(transaction([nested([remove('', 'z')])]))).toBe('INVALID_ARGUMENT');
    expect(codeOf(transaction([put('a', { ignoreValue: true, value: bytes('v') })]))).toBe('INVALID_ARGUMENT');
    expect(codeOf(transaction([put('a', { ignoreLease: true, lease: 1n })]))).toBe('INVALID_ARGUMENT');
    expect(codeOf(transaction([put('k'.repeat(limits.keyBytesMax + 1))]))).toBe('TOO_LARGE');
    expect(codeOf(transaction([remove('k'.repeat(limits.keyBytesMax + 1), 'l')]))).toBeUndefined();
    expect(codeOf(transaction([remove('a', 'k'.repeat(limits.keyBytesMax + 2))]))).toBe('TOO_LARGE');
    const value = new Uint8Array(limits.valueBytesMax);
    expect(codeOf(transaction([put('a', { value }), put('b', { value })]))).toBeUndefined();
    expect(codeOf(transaction([put('a', { value }), put('b', { value }), put('c', { value })]))).toBe('TOO_LARGE');
    expect(codeOf(transaction([put('a', { value: new Uint8Array(limits.valueBytesMax + 1) })]))).toBe('TOO_LARGE');
  });
});
