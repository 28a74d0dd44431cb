// Arbitrary transactions, lease commands and their answers, for the tests of everything that carries them.

import fc from 'fast-check';
import type { CommandOutput } from '../../src/tree/command.js';
import type { Transaction } from '../../src/tree/transaction.js';

const safe = fc.oneof(fc.maxSafeNat(), fc.nat(300));
const signed = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -3, max: 300 }));
const seconds = fc.oneof(fc.integer({ min: -1, max: 9_000_000_000 }), fc.nat(100));
const bytes = fc.uint8Array({ maxLength: 200 });
const id = fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const keys = { from: bytes, to: optional(bytes), single: fc.boolean() };
const relation = fc.constantFrom('equal', 'notEqual', 'greater', 'less');
const compare = fc.oneof(
  fc.record({
    keys: fc.record(keys),
    relation,
    target: fc.constantFrom('version', 'create', 'mod'),
    // 0 has no sign in the protocol.
    operand: signed.map((value) => value || 0),
  }),
  fc.record({ keys: fc.record(keys), relation, target: fc.constant('lease'), operand: id }),
  fc.record({ keys: fc.record(keys), relation, target: fc.constant('value'), operand: bytes }),
);
const selection = fc.record({
  ...keys,
  at: optional(safe),
  limit: safe,
  sortTarget: fc.constantFrom('key', 'version', 'create', 'mod', 'value'),
  descending: fc.boolean(),
  keysOnly: fc.boolean(),
  countOnly: fc.boolean(),
  minModRevision: optional(safe),
  maxModRevision: optional(safe),
  minCreateRevision: optional(safe),
  maxCreateRevision: optional(safe),
});
const put = fc.record({
  type: fc.constant('put'),
  key: bytes,
  value: bytes,
  lease: id,
  ignoreValue: fc.boolean(),
  ignoreLease: fc.boolean(),
  wantsPrevious: fc.boolean(),
});

const { transaction } = fc.letrec((tie) => ({
  transaction: fc.record({
    compares: fc.array(compare, { maxLength: 3 }),
    success: fc.array(tie('operation'), { maxLength: 4 }),
    failure: fc.array(tie('operation'), { maxLength: 3 }),
  }),
  operation: fc.oneof(
    { maxDepth: 3 },
    put,
    fc.record({ type: fc.constant('delete'), keys: fc.record(keys), wantsPrevious: fc.boolean() }),
    fc.record({ type: fc.constant('range'), selection }),
    fc.record({ type: fc.constant('transaction'), transaction: tie('transaction') }),
  ),
}));

export const arbitraryTransaction = transaction as fc.Arbitrary<Transaction>;

export const arbitraryLeaseCommand = fc.oneof(
  fc.record({ type: fc.constant('leaseGrant'), id, ttlSeconds: seconds }),
  fc.record({ type: fc.constantFrom('leaseRevoke', 'leaseKeepAlive'), id }),
  fc.record({ type: fc.constant('leaseTimeToLive'), id, wantsKeys: fc.boolean() }),
  fc.record({
    type: fc.constant('leaseCheckpoint'),
    leases: fc.array(fc.record({ id, remainingSeconds: seconds }), { maxLength: 5 }),
  }),
);

const record = fc.record({
  key: bytes,
  value: bytes,
  createRevision: safe,
  modRevision: safe,
  version: safe,
  lease: id,
});
const { outcome } = fc.letrec((tie) => ({
  outcome: fc.oneof(
    { maxDepth: 3 },
    fc.record({ type: fc.constant('put'), previous: optional(record) }),
    fc.record({ type: fc.constant('delete'), deleted: safe, previous: fc.array(record, { maxLength: 3 }) }),
    fc.record({
      type: fc.constant('range'),
      records: fc.array(record, { maxLength: 3 }),
      count: safe,
      more: fc.boolean(),
    }),
    tie('transaction'),
  ),
  transaction: fc.record({
    type: fc.constant('transaction'),
    succeeded: fc.boolean(),
    outcomes: fc.array(tie('outcome'), { maxLength: 4 }),
  }),
}));

export const arbitraryOutput = fc.oneof(
  fc.record({
    type: fc.constant('transaction'),
    succeeded: fc.boolean(),
    outcomes: fc.array(outcome, { maxLength: 4 }),
  }),
  fc.record({ type: fc.constantFrom('leaseGrant', 'leaseKeepAlive'), id, ttlSeconds: seconds }),
  fc.record({
    type: fc.constant('leaseTimeToLive'),
    id,
    ttlSeconds: seconds,
    grantedSeconds: seconds,
    keys: fc.array(bytes, { maxLength: 4 }),
  }),
) as fc.Arbitrary<unknown> as fc.Arbitrary<CommandOutput>;
