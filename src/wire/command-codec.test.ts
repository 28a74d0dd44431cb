import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectEveryCutRefused, expectOnlyWireErrors } from '../../test/support/codec-checks.js';
import { commandEnvelope, commandResult } from '../../test/support/command-arbitraries.js';
import { errorCodes } from '../shared/errors.js';
import type { CommandEnvelope } from '../tree/command.js';
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
    expect(() => decode(Uint8Array.of(0x0a, 2, 0x32, 0))).toThrow(/type 6 is not known/);
    expect(() => decode(Uint8Array.of(0x0a, 4, 0x0a, 2, 0x18, 1))).toThrow(/unknown field 3/);
    expect(() => decode(Uint8Array.of(0x0a, 4, 0x2a, 0, 0x2a, 0))).toThrow(/more than one/);
    expect(() => decode(Uint8Array.of(0x0a, 2, 0x2a, 0, 0x12, 2, 8, 1))).toThrow(/client or request is 0/);
  });

  it('readCommandEnvelope() refuses a cut anywhere inside the command', () => {
    const command = { type: 'set', key: new Uint8Array(5), value: new Uint8Array(200), expectedRevision: 300 };
    expectEveryCutRefused(encode({ command } as unknown as CommandEnvelope), decode);
  });

  it('readCommandEnvelope() of changed or random bytes throws WireError or gives a command, never anything else', () => {
    expectOnlyWireErrors(commandEnvelope.map(encode), decode);
  });
});
