import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jsonwebtoken from 'jsonwebtoken';
import { afterAll, describe, expect, it } from 'vitest';
import { SingleNode } from '../../test/support/single-node.js';
import { limits } from '../config/limits.js';
import type { StoreError } from '../shared/errors.js';
import type { CommandResult } from '../tree/command.js';
import { type AccessRequest, anonymous } from './access-service.js';
import { type JwtSettings, JwtTokens } from './jwt-tokens.js';
import { createStoreService } from './service.js';

const directory = mkdtempSync(join(tmpdir(), 'zabtree-jwt-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function pairOf(name: string): { readonly publicKeyFile: string; readonly privateKeyFile: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return {
    publicKeyFile: file(`${name}.pub`, publicKey.export({ type: 'spki', format: 'pem' }).toString()),
    privateKeyFile: file(`${name}.key`, privateKey.export({ type: 'sec1', format: 'pem' }).toString()),
  };
}

const pair = pairOf('a');
const secret = file('secret', 'a secret of many letters');
const settings: JwtSettings = { signMethod: 'ES256', ...pair, ttlMs: 60_000 };
const hmac: JwtSettings = { ...settings, signMethod: 'HS256', publicKeyFile: undefined, privateKeyFile: secret };
const startMs = 1_700_000_000_000;

function tokensOf(overrides: Partial<JwtSettings> = {}, clock = { nowMs: startMs }, keptMax = 10): JwtTokens {
  return new JwtTokens({ ...settings, ...overrides }, { accessTokensKeptMax: keptMax }, () => clock.nowMs);
}

describe('JwtTokens', () => {
  it('issues what etcd issues, good until its end', () => {
    const clock = { nowMs: startMs };
    const tokens = tokensOf({}, clock);
    const token = tokens.issue({ user: 'u', revision: 7 });
    expect(jsonwebtoken.decode(token, { complete: true })).toMatchObject({
      header: { alg: 'ES256', typ: 'JWT' },
      payload: { username: 'u', revision: 7, exp: startMs / 1_000 + 60 },
    });
    expect(tokens.peek(token)).toMatchObject({ user: 'u', revision: 7 });
    expect(tokens.isKept(token)).toBe(false);
    for (let times = 0; times < 2; times++) expect(tokens.verify(token)).toMatchObject({ user: 'u', revision: 7 });
    expect(tokens.isKept(token)).toBe(true);
    clock.nowMs += 59_999;
    expect(tokens.verify(token)).toBeDefined();
    expect(tokensOf({}, clock).verify(token)).toBeDefined();
    clock.nowMs += 1;
    expect(tokens.verify(token)).toBeUndefined();
    expect(tokens.isKept(token)).toBe(false);
    expect(tokensOf({}, clock).verify(token)).toBeUndefined();
  });

  it('verifies with the public key alone, and then issues none', () => {
    const token = tokensOf().issue({ user: 'u', revision: 7 });
    const verifying = tokensOf({ privateKeyFile: undefined });
    expect(verifying.verify(token)).toMatchObject({ user: 'u' });
    expect(tokensOf({ publicKeyFile: undefined }).verify(token)).toMatchObject({ user: 'u' });
    expect(() => verifying.issue({ user: 'u', revision: 7 })).toThrow('there is no private key');
    expect(tokensOf(hmac).verify(tokensOf(hmac).issue({ user: 'u', revision: 7 }))).toMatchObject({ user: 'u' });
  });

  it('takes no token of another key, another method or another form', () => {
    const tokens = tokensOf();
    const claims = { username: 'u', revision: 7 };
    const [head, body, signature] = tokens.issue({ user: 'u', revision: 7 }).split('.');
    const wrong = [
      tokensOf(pairOf('b')).issue({ user: 'u', revision: 7 }),
      tokensOf(hmac).issue({ user: 'u', revision: 7 }),
      jsonwebtoken.sign(claims, '', { algorithm: 'none' }),
      `${head}.${Buffer.from(JSON.stringify({ ...claims, username: 'root' })).toString('base64url')}.${signature}`,
      `${head}.${body}.`,
      `${head}.${body}`,
      '',
      'nonsense',
      'a.b.c',
      `${head}.${body}.${'a'.repeat(10_000)}`,
    ];
    for (const token of wrong) expect(tokens.verify(token), token).toBeUndefined();
    const signed = tokensOf(hmac);
    const other = [{ username: 'u' }, { revision: 7 }, { username: '', revision: 7 }, { username: 'u', revision: -1 }];
    for (const payload of other) {
      expect(signed.verify(jsonwebtoken.sign(payload, 'a secret of many letters'))).toBeUndefined();
    }
    expect(signed.verify(jsonwebtoken.sign(claims, 'a secret of many letters'))).toMatchObject({ user: 'u' });
  });

  it('looks into any text without signature for a claim, and finds none', () => {
    const tokens = tokensOf();
    const part = (text: string): string => Buffer.from(text).toString('base64url');
    const head = part('{"typ":"JWT","alg":"RS256"}');
    const wrong = [
      `${head}.${part('no JSON')}.xx`,
      `${head}..xx`,
      `${head}.${part('null')}.xx`,
      `${part('null')}.xx.xx`,
      '',
    ];
    for (const token of wrong) expect(tokens.peek(token), token).toBeUndefined();
    const forged = `${head}.${part('{"username":"u","revision":7}')}.xx`;
    expect(tokens.peek(forged)).toMatchObject({ user: 'u', revision: 7 });
  });

  it('remembers so many and no more', () => {
    const tokens = tokensOf({}, { nowMs: startMs }, 2);
    const issued = [1, 2, 3].map((revision) => tokens.issue({ user: 'u', revision }));
    for (const token of issued) expect(tokens.verify(token)).toBeDefined();
    expect(issued.map((token) => tokens.isKept(token))).toEqual([false, true, true]);
    expect(tokens.verify(issued[0] ?? '')).toMatchObject({ revision: 1 });
  });

  it.each<readonly [string, Partial<JwtSettings>]>([
    ['ENOENT', { publicKeyFile: join(directory, 'nothing') }],
    ['the two keys are not of one pair', { publicKeyFile: pairOf('c').publicKeyFile }],
    ['holds no such key in PEM', { privateKeyFile: secret }],
    ['holds no such key in PEM', { publicKeyFile: secret }],
    ['is empty', { publicKeyFile: file('empty', '') }],
    ['RS256 needs a key of RSA, this is one of ec', { signMethod: 'RS256' }],
    ['Cannot use the keys of JwtTokens', { signMethod: 'ES512' }],
    ['HS256 needs a private key', { signMethod: 'HS256', privateKeyFile: undefined }],
    ['ES256 needs a public or a private key', { publicKeyFile: undefined, privateKeyFile: undefined }],
  ])('is not had with keys that will not do: %s', (message, overrides) => {
    expect(() => tokensOf(overrides)).toThrow(message);
  });
});

describe('access control with JWT', () => {
  it('judges a token by the revision that it names', async () => {
    const node = new SingleNode();
    const service = createStoreService(node, { scheduler: node.scheduler, limits, jwtTokens: tokensOf() });
    const { access } = service;
    const change = (request: AccessRequest, actor = anonymous): Promise<CommandResult> =>
      new Promise((resolve) => access.change(request, { actor, timeoutMs: 0 }, resolve));
    const logIn = (password: string): Promise<string> =>
      new Promise((resolve) =>
        access.authenticate('root', password, 0, (error, token) => resolve(error?.code ?? token ?? '')),
      );
    const write = async (token: string): Promise<string> => {
      try {
        const actor = access.actorOfToken(token);
        const command = { type: 'set', key: new Uint8Array([1]), value: new Uint8Array(0) } as const;
        return (await new Promise<CommandResult>((resolve) => service.write({ command, actor }, 0, resolve))).code;
      } catch (error) {
        return (error as StoreError).code;
      }
    };
    await change({ type: 'userAdd', user: 'root', password: 'one', noPassword: false });
    await change({ type: 'userGrantRole', user: 'root', role: 'root' });
    await change({ type: 'enable' });
    expect(await logIn('two')).toBe('AUTHENTICATION_FAILED');
    const token = await logIn('one');
    expect(await write(token)).toBe('OK');
    expect(await write(`${token}a`)).toBe('UNAUTHENTICATED');
    // Any change of access control ends what it permits, as in etcd; its user may still administer.
    expect((await change({ type: 'roleAdd', role: 'r' }, access.actorOfToken(token))).code).toBe('OK');
    expect(await write(token)).toBe('ACCESS_CHANGED');
    const second = await logIn('one');
    expect(await write(second)).toBe('OK');
    await change({ type: 'userChangePassword', user: 'root', password: 'two' }, access.actorOfToken(second));
    expect(await write(second)).toBe('UNAUTHENTICATED');
    // What another member issued after changes that are not applied here is waited for.
    const ahead = tokensOf().issue({ user: 'root', revision: 100 });
    expect([access.canJudge(ahead), access.canJudge(second), access.canJudge('nonsense')]).toEqual([false, true, true]);
    expect(await new Promise((resolve) => access.whenJudgeable(ahead, 0, resolve))).toBeNull();
  });
});
