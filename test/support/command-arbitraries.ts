// Arbitrary commands and results, for the tests of everything that carries them.

import fc from 'fast-check';
import { errorCodes } from '../../src/shared/errors.js';
import type { CommandEnvelope, CommandResult } from '../../src/tree/command.js';
import { arbitraryLeaseCommand, arbitraryOutput, arbitraryTransaction } from './transaction-arbitraries.js';

const safe = fc.oneof(fc.maxSafeNat(), fc.nat(300));
const positive = safe.map((value) => value || 1);
const bytes = fc.uint8Array({ maxLength: 300 });

/** Not 0, which reads as none. */
const lease = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((id) => id || 1n);

const command = fc.oneof(
  fc.record({ type: fc.constant('add'), key: bytes, value: bytes, lease }, { requiredKeys: ['type', 'key', 'value'] }),
  fc.record(
    { type: fc.constant('set'), key: bytes, value: bytes, expectedRevision: safe, lease },
    { requiredKeys: ['type', 'key', 'value'] },
  ),
  fc.record({ type: fc.constant('delete'), key: bytes, expectedRevision: safe }, { requiredKeys: ['type', 'key'] }),
  fc.record({ type: fc.constant('compact'), revision: safe }),
  fc.record({
    type: fc.constant('alarm'),
    active: fc.boolean(),
    alarm: fc.record({
      kind: fc.constantFrom('noSpace', 'corrupt'),
      member: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    }),
  }),
  fc.record({ type: fc.constant('checkpoint') }),
  fc.record({ type: fc.constant('transact'), transaction: arbitraryTransaction }),
  arbitraryLeaseCommand,
);

export const commandEnvelope = fc.record(
  {
    command,
    identity: fc.record({
      client: positive,
      request: positive,
      acknowledgedBelow: safe,
      bornAt: safe,
      repeated: fc.boolean(),
    }),
  },
  { requiredKeys: ['command'] },
) as fc.Arbitrary<unknown> as fc.Arbitrary<CommandEnvelope>;

export const commandResult = fc.record(
  {
    code: fc.constantFrom('OK', ...errorCodes),
    message: fc.string({ unit: 'grapheme' }),
    revision: safe,
    zxid: safe,
    output: arbitraryOutput,
  },
  { requiredKeys: ['code', 'message', 'revision', 'zxid'] },
) as fc.Arbitrary<unknown> as fc.Arbitrary<CommandResult>;
