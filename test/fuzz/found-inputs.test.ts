// Inputs that once were findings of the fuzzer, as it printed them. Each stays refused or read as its decoder says.

import { expect, it } from 'vitest';
import { decoderTargets } from './decoder-run.js';
import { judge } from './decoder-target.js';

interface FoundInput {
  readonly decoder: string;
  readonly what: string;
  readonly hex: string;
  readonly accepted: boolean;
}

const found: readonly FoundInput[] = [
  {
    decoder: 'log record',
    what: 'a zxid that is no safe integer behind a right checksum',
    hex: '6f53df155a5245430a0000008d32e8ed63000000000000000700000005000000070000ffffffff000010000000000000400000000000000008878080805010011a00',
    accepted: true,
  },
  {
    decoder: 'log segment header',
    what: 'a sequence that is no safe integer behind a right checksum',
    hex: '5a4142544c4f470001000000a407a4c9470001000000619b550d785634126300000003000000000000000700000005000000000000000001000000000000000000000000000000000000',
    accepted: true,
  },
  {
    decoder: 'manifest',
    what: 'what is no JSON behind a right checksum',
    hex: '7a616274726565206d616e696665737420310a63726333322064343034366263660a7b0a2020227365727665724964223a20312c0a202022696e6361726e6174696f6e223a20223030303030303030303030303030303030303030303030303030303030303030222c0a2020343833363438372c0a202022656e73656d626c654964223a206e756c6c2c0a202022616363657074656445706f6368223a20302c0a20202263757272656e7445706f6368223a20302c0a20202270726f626174696f6e223a2066616c73650a7d0a',
    accepted: false,
  },
  {
    decoder: 'manifest',
    what: 'a zero below zero',
    hex: '7a616274726565206d616e696665737420310a63726333322035626263643731610a7b0a2020227365727665724964223a20312c0a202022696e6361726e6174696f6e223a20223030303030303030303030303030303030303030303030303030303030303030222c0a20202274726565223a2022747265652d303030303031222c0a2020226c6f67223a20226c6f672d303030303031222c0a202022626f6f74223a20302c0a2020226c6f6742617365223a202d302c0a202022656e73656d626c654964223a206e756c6c2c0a202022616363657074656445706f6368223a20302c0a20202263757272656e7445706f6368223a20302c0a20202270726f626174696f6e223a2066616c73650a7d0a',
    accepted: true,
  },
  {
    decoder: 'tree image',
    what: 'a record of the space that is never replicated',
    hex: '9a687d72000000000101000100000203016b00000100000502',
    accepted: false,
  },
];

it.each(found)('$decoder: $what', ({ decoder, hex, accepted }) => {
  const target = decoderTargets.find(({ name }) => name === decoder);
  if (target === undefined) throw new Error(`Cannot judge: there is no decoder "${decoder}"`);
  expect(judge(target, new Uint8Array(Buffer.from(hex, 'hex')), 0)).toBe(accepted);
});
