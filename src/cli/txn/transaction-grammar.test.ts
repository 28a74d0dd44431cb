// Lines of transactions as etcdctl's documentation and its flags have them, and what is refused.

import { describe, expect, it } from 'vitest';
import type { TransactionRequest } from '../../client/transaction.js';
import { conditionOf, operationOf } from './transaction-grammar.js';
import { readTransaction } from './transaction-reader.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const key = bytes('k');
const put = { type: 'put', key, lease: 0n, keepValue: false, keepLease: false, previous: false } as const;
const get = { type: 'get', key, sortBy: 'key', descending: false, keysOnly: false } as const;

describe('conditionOf()', () => {
  it.each([
    ['ver("k") > "0"', { key, relation: '>', version: 0 }],
    ['version("k") = "-3"', { key, relation: '=', version: -3 }],
    ['c("k") < "+5"', { key, relation: '<', createRevision: 5 }],
    ['create("k") != "9"', { key, relation: '!=', createRevision: 9 }],
    ['mod("k") = "9223372036854775807"', { key, relation: '=', modRevision: Number.MAX_SAFE_INTEGER }],
    ['m("k")="1"', { key, relation: '=', modRevision: 1 }],
    [
      'val("k") = "a \\"b\\" \\x00\\377\\u00e9\\n"',
      { key, relation: '=', value: Buffer.from('6120226222200 0ffc3a90a'.replaceAll(' ', ''), 'hex') },
    ],
    ['value(`k`) = `a\\n`', { key, relation: '=', value: bytes('a\\n') }],
    ['lease("k") = "ffffffffffffffff"', { key, relation: '=', lease: -1n }],
  ])('takes %s', (line, condition) => {
    expect(conditionOf(line)).toEqual(condition);
  });

  it.each([
    ['size("k") = "1"', /begins with none of ver/],
    ['constructor("k") = "1"', /begins with none of/],
    ['mod(k) = "1"', /no key in quotes/],
    ['mod("k" = "1"', /no parenthesis behind the key/],
    ['mod("k") ~ "1"', /none of = != > </],
    ['mod("k") = 1', /no value in quotes/],
    ['mod("k") = "1" and', /something stands behind/],
    ['mod("k") = "x"', /expected a whole number/],
    ['lease("k") = "xyz"', /expected hexadecimal/],
    ['val("\\q") = ""', /\\q is no escape/],
    ['val("\\777") = ""', /is no escape/],
    ['val("\\ud800") = ""', /is no escape/],
  ])('refuses %s', (line, message) => {
    expect(() => conditionOf(line)).toThrow(message);
  });
});

describe('operationOf()', () => {
  it.each([
    ['put k v', { ...put, value: bytes('v') }],
    [`put 'k' "a b\\t" --lease 1f --prev-kv`, { ...put, value: bytes('a b\t'), lease: 31n, previous: true }],
    ['put --ignore-value k --ignore-lease=true', { ...put, keepValue: true, keepLease: true }],
    ['put -- k -v', { ...put, value: bytes('-v') }],
    ['p k ""', { ...put, value: bytes('') }],
    ['get k', get],
    ['get k z', { ...get, key: undefined, from: key, to: bytes('z') }],
    ['get k "\\x00"', { ...get, key: undefined, from: key }],
    [
      'get --prefix k --limit=5 --rev 7 --order=descend --sort-by MODIFY --keys-only',
      {
        ...get,
        key: undefined,
        prefix: key,
        limit: 5,
        revision: 7,
        descending: true,
        sortBy: 'modRevision',
        keysOnly: true,
      },
    ],
    ['get k --from-key --consistency s --print-value-only', { ...get, key: undefined, from: key }],
    ['del k', { type: 'delete', key, previous: false }],
    ['del "" --prefix --prev-kv', { type: 'delete', prefix: bytes(''), previous: true }],
  ])('takes %s', (line, operation) => {
    expect(operationOf(line)).toEqual(operation);
  });

  it.each([
    ['set k v', /is no put, get or del/],
    ['put k', /expected a key and a value/],
    ['put k v w', /expected a key and a value/],
    ['put k v --ignore-value', /expected a key alone/],
    ['put k v --lease', /--lease needs a value/],
    ['put k v --lease=x', /expected hexadecimal/],
    ['put k v -x', /-x is no flag/],
    ['put k v --constructor', /is no flag/],
    ['get', /expected a key/],
    ['get a b c', /at most the end of a range/],
    ['get a --prefix --from-key', /only one of/],
    ['get a b --prefix', /one key with --prefix/],
    ['get a --prefix=perhaps', /expected true or false/],
    ['get a --sort-by SIZE', /one of CREATE, KEY/],
    ['get a --consistency x', /one of l, s/],
    ['del "a', /does not end/],
    ["del 'a", /does not end/],
  ])('refuses %s', (line, message) => {
    expect(() => operationOf(line)).toThrow(message);
  });
});

describe('readTransaction()', () => {
  const read = (text: string, mistakes: unknown[] = []): Promise<TransactionRequest> => {
    const lines = text.split('\n');
    return readTransaction({
      line: () => Promise.resolve(lines.shift()),
      mistaken: (error) => void mistakes.push(error),
    });
  };

  it('takes three parts with an empty line behind each, and leaves what follows', async () => {
    const { conditions, success, failure } = await read('mod("k") = "0"\n \nput k v\nget k\n\n\nput more v\n');
    expect([conditions?.length, success?.length, failure?.length]).toEqual([1, 2, 0]);
  });

  it('refuses input that ends early, and tells of each line that it cannot take', async () => {
    await expect(read('\nput k v\n\ndel k')).rejects.toThrow(/ended before the empty line behind the failure requests/);
    const mistakes: unknown[] = [];
    expect((await read('x\n\nput k v\nput k\n\n\n', mistakes)).success).toHaveLength(1);
    expect(mistakes).toHaveLength(2);
  });
});
