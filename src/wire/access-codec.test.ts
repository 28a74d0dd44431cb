import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectEveryCutRefused, expectOnlyWireErrors } from '../../test/support/codec-checks.js';
import { Secret } from '../shared/secret.js';
import type { AccessChange } from '../tree/access/access-change.js';
import type { CommandEnvelope } from '../tree/command.js';
import { readCommandEnvelope, writeCommandEnvelope } from './command-codec.js';
import { zabtree } from './generated/protocol.js';
import { ProtoReader } from './protobuf/proto-reader.js';
import { ProtoWriter } from './protobuf/proto-writer.js';

const bytes = fc.uint8Array({ maxLength: 40 });
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const secret = bytes.map((of) => new Secret(of));
const permission = fc.record({ type: fc.constantFrom('read', 'write', 'readwrite'), key: bytes, rangeEnd: bytes });

const change = fc.oneof(
  fc.record({ type: fc.constant('enable'), tokenSecret: secret }),
  fc.record({ type: fc.constant('disable') }),
  fc.record({ type: fc.constant('userAdd'), user: text, password: secret, noPassword: fc.boolean() }),
  fc.record({ type: fc.constant('userDelete'), user: text }),
  fc.record({ type: fc.constant('userChangePassword'), user: text, password: secret }),
  fc.record({ type: fc.constantFrom('userGrantRole', 'userRevokeRole'), user: text, role: text }),
  fc.record({ type: fc.constantFrom('roleAdd', 'roleDelete'), role: text }),
  fc.record({ type: fc.constant('roleGrantPermission'), role: text, permission }, { requiredKeys: ['type', 'role'] }),
  fc.record({ type: fc.constant('roleRevokePermission'), role: text, key: bytes, rangeEnd: bytes }),
) as fc.Arbitrary<unknown> as fc.Arbitrary<AccessChange>;

const actor = fc.record({ user: text, accessRevision: fc.maxSafeNat() });

function encode(envelope: CommandEnvelope): Uint8Array {
  const writer = new ProtoWriter(16);
  writeCommandEnvelope(writer, envelope);
  return writer.finish();
}

const decode = (of: Uint8Array): CommandEnvelope => readCommandEnvelope(new ProtoReader(of));
/** Secrets are equal to each other unless they are looked into. */
const revealed = (_name: string, value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
const shown = ({ command, ...rest }: CommandEnvelope): string => {
  const { change: made } = command as { readonly change: AccessChange };
  const secrets = [
    'tokenSecret' in made ? made.tokenSecret.reveal() : null,
    'password' in made ? made.password.reveal() : null,
  ];
  const ordered = Object.entries(made).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([ordered, secrets, rest], revealed);
};

describe('access codec', () => {
  it('gives back changes and actors, byte-equal to protobufjs', () => {
    const { CommandEnvelope: Generated } = zabtree.command;
    fc.assert(
      fc.property(change, actor, (made, who) => {
        const envelope: CommandEnvelope = { command: { type: 'access', change: made }, actor: who };
        const encoded = encode(envelope);
        expect(shown(decode(encoded))).toBe(shown(envelope));
        expect(Buffer.compare(encoded, Generated.encode(Generated.decode(encoded)).finish())).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('tells an actor without a name from none', () => {
    const nobody: CommandEnvelope = { command: { type: 'checkpoint' }, actor: { user: '', accessRevision: 0 } };
    expect(decode(encode(nobody))).toEqual(nobody);
    expect(decode(encode({ command: { type: 'checkpoint' } })).actor).toBeUndefined();
  });

  it('refuses what is cut, damaged or not understood', () => {
    const permissionOfAll = { type: 'readwrite', key: new Uint8Array([1]), rangeEnd: new Uint8Array([2]) } as const;
    const encoded = encode({
      command: { type: 'access', change: { type: 'roleGrantPermission', role: 'r', permission: permissionOfAll } },
    });
    expectEveryCutRefused(encoded, decode);
    expectOnlyWireErrors(
      change.map((made) => encode({ command: { type: 'access', change: made } })),
      decode,
    );
    // access { user_delete { user: "a", 2: "b" } }
    expect(() => decode(new Uint8Array([10, 10, 98, 8, 34, 6, 10, 1, 97, 18, 1, 98]))).toThrow(/unknown field 2/);
    // access { 15 {} }
    expect(() => decode(new Uint8Array([10, 4, 98, 2, 122, 0]))).toThrow(/type 15 is not known/);
  });
});
