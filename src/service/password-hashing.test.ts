import { hashSync } from 'bcryptjs';
import { describe, expect, it } from 'vitest';
import { limits } from '../config/limits.js';
import { Secret } from '../shared/secret.js';
import { isVerifiable, PasswordHashing, type PasswordLimits } from './password-hashing.js';

/** As programs in Go hash "allmine". */
const fromGo = '$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga';

const secretOf = (text: string): Secret => new Secret(new Uint8Array(Buffer.from(text)));

function verify(hashing: PasswordHashing, password: string, hash: Secret | undefined): Promise<boolean | string> {
  return new Promise((resolve) =>
    hashing.verify(password, hash, (error, matches) => resolve(error === null ? matches : error.code)),
  );
}

function hashed(hashing: PasswordHashing, password: string): Promise<Secret | null> {
  return new Promise((resolve) => hashing.hash(password, (_, hash) => resolve(hash)));
}

describe('PasswordHashing', () => {
  it('verifies what it hashed, and nobody without a hash', async () => {
    const hashing = new PasswordHashing(limits);
    const hash = await hashed(hashing, 'secret');
    expect(hash === null ? false : isVerifiable(hash.reveal(), limits)).toBe(true);
    expect(await verify(hashing, 'secret', hash ?? undefined)).toBe(true);
    expect(await verify(hashing, 'Secret', hash ?? undefined)).toBe(false);
    expect(await verify(hashing, 'secret', undefined)).toBe(false);
    expect(await verify(hashing, 'allmine', secretOf(fromGo.replace('$10$', '$15$')))).toBe(false);
  });

  it('verifies the hashes of etcd, many at a time', async () => {
    const hashing = new PasswordHashing(limits);
    const cheap = secretOf(hashSync('päss', 4));
    const answers = ['allmine', 'allmine!', ''].map((password) => verify(hashing, password, secretOf(fromGo)));
    answers.push(verify(hashing, 'päss', cheap), verify(hashing, 'pass', cheap));
    expect(await Promise.all(answers)).toEqual([true, false, false, true, false]);
    expect(await verify(hashing, 'päss', secretOf(hashSync('päss', 4).replace('$2b$', '$2y$')))).toBe(true);
  });

  it.each<readonly [string, string]>([
    ['dearer than its limit', fromGo.replace('$10$', '$15$')],
    ['shorter', fromGo.slice(0, -1)],
    ['longer', `${fromGo}a`],
    ['of another version', fromGo.replace('$2a$', '$2x$')],
    ['of other letters', fromGo.replace('X', '*')],
  ])('verifies no hash that is %s', (_, text) => {
    expect(isVerifiable(secretOf(text).reveal(), limits)).toBe(false);
  });

  it('keeps its bounds for both kinds of hashes', async () => {
    const bounds: PasswordLimits = { ...limits, passwordHashesAtOnceMax: 1, passwordHashesWaitingMax: 1 };
    const hashing = new PasswordHashing({ ...bounds, passwordBytesMax: 8 });
    expect(isVerifiable(secretOf(fromGo).reveal(), bounds)).toBe(true);
    const kinds = [secretOf(hashSync('a', 4)), undefined];
    for (const hash of kinds) expect(await verify(hashing, 'too long a', hash)).toBe('TOO_LARGE');
    const answers = [...kinds, ...kinds].map((hash) => verify(hashing, 'a', hash));
    expect(await Promise.all(answers)).toEqual([true, false, 'OVERLOADED', 'OVERLOADED']);
  });
});
