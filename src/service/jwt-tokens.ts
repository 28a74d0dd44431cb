// Tokens as etcd makes them when it is told to use JWT: user, revision of access control and an end, signed with keys that
// every member has, and whoever else is to issue or to verify them. One that was verified is remembered, within a bound:
// a request that brings it again costs no cryptography.

import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import jsonwebtoken, { type Algorithm } from 'jsonwebtoken';
import { StoreError } from '../shared/errors.js';

export interface JwtSettings {
  readonly signMethod: Algorithm;
  /** PEM files; for HS…, the private one holds the secret itself. Without a private key tokens are verified, not issued. */
  readonly publicKeyFile: string | undefined;
  readonly privateKeyFile: string | undefined;
  readonly ttlMs: number;
}

export interface JwtLimits {
  readonly accessTokensKeptMax: number;
}

export interface JwtClaims {
  readonly user: string;
  /** Of access control when it was issued: any change after that ends the token. */
  readonly revision: number;
}

interface KeptClaims extends JwtClaims {
  /** Unix time, milliseconds; Infinity: it has no end. */
  readonly expiresAtMs: number;
}

interface Keys {
  readonly sign: KeyObject | undefined;
  readonly verify: KeyObject;
}

/** Longer ones are not looked at. */
const tokenLengthMax = 8_192;

export class JwtTokens {
  private readonly settings: JwtSettings;
  private readonly limits: JwtLimits;
  private readonly wallClockMs: () => number;
  private readonly keys: Keys;
  /** Verified here before, oldest first. */
  private readonly kept = new Map<string, KeptClaims>();

  /** Throws one clear error when the keys cannot be had, or do not fit the method or each other. */
  constructor(settings: JwtSettings, limits: JwtLimits, wallClockMs: () => number = Date.now) {
    this.settings = settings;
    this.limits = limits;
    this.wallClockMs = wallClockMs;
    this.keys = keysOf(settings);
    if (this.keys.sign !== undefined) this.tryKeys();
  }

  /** Throws UNSUPPORTED without a private key. */
  issue({ user, revision }: JwtClaims): string {
    const { sign } = this.keys;
    if (sign === undefined) {
      throw new StoreError('UNSUPPORTED', 'Tokens are verified here, not issued: there is no private key');
    }
    const exp = Math.floor((this.wallClockMs() + this.settings.ttlMs) / 1_000);
    const options = { algorithm: this.settings.signMethod, noTimestamp: true };
    return jsonwebtoken.sign({ username: user, revision, exp }, sign, options);
  }

  /** What the token says if it was signed with the key and has not ended. */
  verify(token: string): JwtClaims | undefined {
    const nowMs = this.wallClockMs();
    const known = this.kept.get(token);
    if (known !== undefined) {
      if (nowMs < known.expiresAtMs) return known;
      this.kept.delete(token);
      return undefined;
    }
    const claims = this.verified(token, nowMs);
    if (claims !== undefined) this.keep(token, claims);
    return claims;
  }

  /** It was verified here before. */
  isKept(token: string): boolean {
    return this.kept.has(token);
  }

  /** What the token says, whoever signed it: only to know what to wait for. */
  peek(token: string): JwtClaims | undefined {
    if (token.length > tokenLengthMax) return undefined;
    try {
      return claimsIn(jsonwebtoken.decode(token));
    } catch {
      // It throws for claims that are no JSON, and anybody may send them.
      return undefined;
    }
  }

  private verified(token: string, nowMs: number): KeptClaims | undefined {
    if (token.length > tokenLengthMax) return undefined;
    let payload: unknown;
    try {
      payload = jsonwebtoken.verify(token, this.keys.verify, {
        algorithms: [this.settings.signMethod],
        clockTimestamp: Math.floor(nowMs / 1_000),
      });
    } catch {
      // Anybody may send anything as a token.
      return undefined;
    }
    return claimsIn(payload);
  }

  private keep(token: string, claims: KeptClaims): void {
    this.kept.set(token, claims);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= this.limits.accessTokensKeptMax) break;
      this.kept.delete(oldest);
    }
  }

  /** A private key that does not fit is noticed when the server starts, not at the first login. */
  private tryKeys(): void {
    let token: string;
    try {
      token = this.issue({ user: 'nobody', revision: 0 });
    } catch (error) {
      throw cannotUse(error instanceof Error ? error.message : String(error));
    }
    if (this.verified(token, this.wallClockMs()) === undefined) throw cannotUse('the two keys are not of one pair');
  }
}

function claimsIn(payload: unknown): KeptClaims | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined;
  const { username, revision, exp } = payload as { readonly [name: string]: unknown };
  if (typeof username !== 'string' || username === '') return undefined;
  if (!Number.isSafeInteger(revision) || (revision as number) < 0) return undefined;
  const expiresAtMs = typeof exp === 'number' ? exp * 1_000 : Number.POSITIVE_INFINITY;
  return { user: username, revision: revision as number, expiresAtMs };
}

function keysOf({ signMethod, publicKeyFile, privateKeyFile }: JwtSettings): Keys {
  const privateKey = privateKeyFile === undefined ? undefined : readKey(privateKeyFile);
  const publicKey = publicKeyFile === undefined ? undefined : readKey(publicKeyFile);
  if (signMethod.startsWith('HS')) {
    if (privateKey === undefined) throw cannotUse(`${signMethod} needs a private key`);
    const secret = createSecretKey(privateKey);
    return { sign: secret, verify: secret };
  }
  const sign = privateKey === undefined ? undefined : parsed(privateKeyFile, () => createPrivateKey(privateKey));
  const pem = publicKey ?? sign;
  if (pem === undefined) throw cannotUse(`${signMethod} needs a public or a private key`);
  const verify = parsed(publicKeyFile, () => createPublicKey(pem));
  const kind = signMethod.startsWith('ES') ? 'ec' : 'rsa';
  if (verify.asymmetricKeyType?.startsWith(kind) !== true) {
    throw cannotUse(`${signMethod} needs a key of ${kind.toUpperCase()}, this is one of ${verify.asymmetricKeyType}`);
  }
  return { sign, verify };
}

function readKey(file: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw cannotUse(error instanceof Error ? error.message : String(error));
  }
  if (bytes.length === 0) throw cannotUse(`"${file}" is empty`);
  return bytes;
}

function parsed(file: string | undefined, parse: () => KeyObject): KeyObject {
  try {
    return parse();
  } catch {
    // What is thrown may tell of the key: it goes no further than this.
    throw cannotUse(`"${file}" holds no such key in PEM`);
  }
}

function cannotUse(reason: string): Error {
  return new Error(`Cannot use the keys of JwtTokens: ${reason}`);
}
