// Transactions and selections drawn from so few keys, values, revisions and leases that they meet.

import fc from 'fast-check';
import type { Revision } from '../../src/shared/ids.js';
import type { KeySelection, RangeSelection, Transaction } from '../../src/tree/transaction.js';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

export const modelKeys = ['a', 'a\0', 'ab', 'b', 'c', 'd', '\xff'].map(bytes);
const key = fc.constantFrom(...modelKeys);
const value = fc.constantFrom('', 'x', 'y', 'xy').map(bytes);
const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
const revision = fc.integer({ min: 2, max: 9 }).map((number) => number as Revision);

const arbitraryKeys: fc.Arbitrary<KeySelection> = fc.oneof(
  key.map((from) => ({ from, to: undefined, single: true })),
  fc.record({
    from: fc.constantFrom('\0', 'a', 'b', 'c').map(bytes),
    to: fc.oneof(key, fc.constant(undefined)),
    single: fc.constant(false),
  }),
);

export const arbitrarySelection: fc.Arbitrary<RangeSelection> = fc
  .tuple(
    arbitraryKeys,
    fc.record({
      at: rarely(revision),
      limit: fc.constantFrom(0, 0, 0, 1, 2, 5),
      sortTarget: fc.constantFrom('key', 'version', 'create', 'mod', 'value'),
      descending: fc.boolean(),
      keysOnly: fc.boolean(),
      countOnly: fc.constantFrom(false, false, false, true),
      minModRevision: rarely(revision),
      maxModRevision: rarely(revision),
      minCreateRevision: rarely(revision),
      maxCreateRevision: rarely(revision),
    }),
  )
  .map(([keys, rest]) => ({ ...keys, ...rest }) as RangeSelection);

const seldom = fc.oneof({ weight: 20, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) });
const relation = fc.constantFrom('equal', 'notEqual', 'greater', 'less');
const compare = fc.oneof(
  fc.record({
    keys: arbitraryKeys,
    relation,
    target: fc.constantFrom('version', 'create', 'mod'),
    operand: fc.integer({ min: -1, max: 8 }),
  }),
  fc.record({ keys: arbitraryKeys, relation, target: fc.constant('lease'), operand: fc.constantFrom(0n, 1n, 2n) }),
  fc.record({ keys: arbitraryKeys, relation, target: fc.constant('value'), operand: value }),
);

/** Lease 3 is never granted. */
const lease = fc.oneof(
  { weight: 60, arbitrary: fc.constantFrom(0n, 0n, 1n, 2n) },
  { weight: 1, arbitrary: fc.constant(3n) },
);
const put = fc
  .record({
    type: fc.constant('put'),
    key,
    value,
    lease,
    ignoreValue: seldom,
    ignoreLease: seldom,
    wantsPrevious: fc.boolean(),
  })
  .map((fields) => ({
    ...fields,
    value: fields.ignoreValue ? bytes('') : fields.value,
    lease: fields.ignoreLease ? 0n : fields.lease,
  }));

const { transaction } = fc.letrec((tie) => ({
  transaction: fc.record({
    compares: fc.array(compare, { maxLength: 2 }),
    success: fc.array(tie('operation'), { maxLength: 5, size: 'max' }),
    failure: fc.array(tie('operation'), { maxLength: 3, size: 'max' }),
  }),
  operation: fc.oneof(
    { maxDepth: 3, depthSize: 'max' },
    put,
    put,
    fc.record({ type: fc.constant('delete'), keys: arbitraryKeys, wantsPrevious: fc.boolean() }),
    fc.record({ type: fc.constant('range'), selection: arbitrarySelection }),
    fc.record({ type: fc.constant('transaction'), transaction: tie('transaction') }),
  ),
}));

export const arbitraryModelTransaction = transaction as fc.Arbitrary<Transaction>;
