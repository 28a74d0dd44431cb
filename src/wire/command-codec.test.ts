import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectEveryCutRefused, expectOnlyWireErrors } from '../../test/support/codec-checks.js';
import { commandEnvelope, commandResult } from '../../test/support/command-arbitraries.js';
import { errorCodes } from '../shared/errors.js';
import type { CommandEnvelope, CommandResult } from '../tree/command.js';
import type { Transaction, TransactionOutcome } from '../tree/transaction.js';
import {
  readCommandEnvelope,
  readCommandResult,
  resultCodeNumber,
  resultCodeOf,
  writeCommandEnvelope,
  writeCommandResult,
} from './command-codec.js';
import { zabtree } from './generated/protocol.js';
import { ProtoReader } from './protobuf/proto-reader.js';
import { ProtoWriter } from './protobuf/proto-writer.js';
import { transactionDepthMax } from './transaction-codec.js';

function encode(envelope: CommandEnvelope): Uint8Array {
  const writer = new ProtoWriter(16);
  writeCommandEnvelope(writer, envelope);
  return writer.finish();
}

const decode = (bytes: Uint8Array): CommandEnvelope => readCommandEnvelope(new ProtoReader(bytes));
const { CommandEnvelope: Generated, CommandResult: GeneratedResult, ResultCode } = zabtree.command;

describe('command codec', () => {
  it('readCommandEnvelope() gives back what writeCommandEnvelope() took, byte-equal to protobufjs', () => {
    fc.assert(
      fc.property(commandEnvelope, (envelope) => {
        const bytes = encode(envelope);
        expect(decode(bytes)).toEqual(envelope);
        expect(Buffer.compare(bytes, Generated.encode(Generated.decode(bytes)).finish())).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('readCommandResult() gives back what writeCommandResult() took, byte-equal to protobufjs', () => {
    fc.assert(
      fc.property(commandResult, (result) => {
        const writer = new ProtoWriter(16);
        writeCommandResult(writer, result);
        const bytes = writer.finish();
        expect(readCommandResult(new ProtoReader(bytes))).toEqual(result);
        expect(Buffer.compare(bytes, GeneratedResult.encode(GeneratedResult.decode(bytes)).finish())).toBe(0);
      }),
    );
  });

  it('numbers every result code as protocol/command.proto does, and reads an unknown one as INTERNAL', () => {
    for (const code of ['OK', ...errorCodes] as const) {
      expect(resultCodeNumber(code)).toBe(ResultCode[code]);
      expect(resultCodeOf(resultCodeNumber(code))).toBe(code);
    }
    expect(resultCodeOf(999)).toBe('INTERNAL');
  });

  it('readCommandEnvelope() refuses options, commands and identities that it does not understand', () => {
    expect(() => decode(new Uint8Array(0))).toThrow(/no command/);
    expect(() => decode(Uint8Array.of(0x0a, 0))).toThrow(/empty/);
    expect(() => decode(Uint8Array.of(0x0a, 2, 0x7a, 0))).toThrow(/type 15 is not known/);
    expect(() => decode(Uint8Array.of(0x0a, 4, 0x0a, 2, 0x20, 1))).toThrow(/unknown field 4/);
    expect(() => decode(Uint8Array.of(0x0a, 4, 0x2a, 0, 0x2a, 0))).toThrow(/more than one/);
    expect(() => decode(Uint8Array.of(0x0a, 2, 0x2a, 0, 0x12, 2, 8, 1))).toThrow(/client or request is 0/);
  });

  it('transactions and their outcomes are refused past the depth, and transactions past the operations, they may have', () => {
    const nothing = { compares: [], success: [], failure: [] };
    const nested = (depth: number): Transaction =>
      depth === 1 ? nothing : { ...nothing, success: [{ type: 'transaction', transaction: nested(depth - 1) }] };
    const deep = (depth: number): CommandEnvelope => ({ command: { type: 'transact', transaction: nested(depth) } });
    expect(decode(encode(deep(transactionDepthMax)))).toEqual(deep(transactionDepthMax));
    expect(() => decode(encode(deep(transactionDepthMax + 1)))).toThrow(/nests deeper/);
    const outcome = (depth: number): TransactionOutcome => ({
      type: 'transaction',
      succeeded: true,
      outcomes: depth === 1 ? [] : [outcome(depth - 1)],
    });
    const carried = (depth: number): CommandResult => {
      const result = {
        code: 'OK',
        message: '',
        revision: 1,
        zxid: 1,
        output: outcome(depth),
      } as unknown as CommandResult;
      const writer = new ProtoWriter(16);
      writeCommandResult(writer, result);
      return readCommandResult(new ProtoReader(writer.finish()));
    };
    expect(carried(transactionDepthMax).output).toEqual(outcome(transactionDepthMax));
    expect(() => carried(transactionDepthMax + 1)).toThrow(/nests deeper/);
    const many: Transaction = {
      ...nothing,
      failure: Array.from({ length: 20_000 }, () => ({ type: 'transaction', transaction: nothing }) as const),
    };
    expect(() => decode(encode({ command: { type: 'transact', transaction: many } }))).toThrow(/more than/);
  });

  it('readCommandEnvelope() refuses what it does not understand of a transaction', () => {
    const refusal = (transaction: zabtree.command.Transaction.$Properties): (() => CommandEnvelope) => {
      const bytes = Generated.encode({ command: { transact: transaction } }).finish();
      return () => decode(bytes);
    };
    expect(refusal({ compares: [{ version: 1 }] })).toThrow(/keys or its operand/);
    expect(refusal({ compares: [{ keys: {} }] })).toThrow(/keys or its operand/);
    expect(
      refusal({ compares: [{ keys: {}, version: 1, relation: 9 as number as zabtree.command.CompareRelation }] }),
    ).toThrow(/relation: 9/);
    expect(refusal({ compares: [{ keys: {}, value: new Uint8Array(0), negative: true }] })).toThrow(/negative/);
    expect(refusal({ success: [{}] })).toThrow(/empty/);
    expect(refusal({ success: [{ delete: {} }] })).toThrow(/keys are missing/);
    expect(refusal({ failure: [{ range: {} }] })).toThrow(/keys are missing/);
    expect(
      refusal({ failure: [{ range: { keys: {}, sortTarget: 7 as number as zabtree.command.SortTarget } }] }),
    ).toThrow(/sort target: 7/);
  });

  it('readCommandResult() takes an output of a newer kind for none', () => {
    const bytes = Uint8Array.of(0x2a, 3, 0x7a, 1, 0);
    expect(readCommandResult(new ProtoReader(bytes))).toEqual({ code: 'OK', message: '', revision: 0, zxid: 0 });
  });

  it('readCommandEnvelope() refuses a cut anywhere inside the command', () => {
    const command = { type: 'set', key: new Uint8Array(5), value: new Uint8Array(200), expectedRevision: 300 };
    expectEveryCutRefused(encode({ command } as unknown as CommandEnvelope), decode);
  });

  it('readCommandEnvelope() of changed or random bytes throws WireError or gives a command, never anything else', () => {
    expectOnlyWireErrors(commandEnvelope.map(encode), decode);
  });
});
