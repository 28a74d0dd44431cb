// Tokens: who has logged in, signed with the secret that all members share, so that any of them accepts what another one
// issued and none has to remember it. A token lives on while it is used; how lately that was, each member remembers for
// itself, within a bound.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Zxid } from '../shared/ids.js';
import type { Secret } from '../shared/secret.js';

/** Names and units as in the server's configuration. */
export interface TokenLimits {
  readonly accessTokenTtlMs: number;
  readonly accessTokensKeptMax: number;
}

/** What a token says. */
export interface TokenClaims {
  readonly user: string;
  /** Of the user's record: a new password, or a new user of the same name, ends what was issued before. */
  readonly credentialRevision: number;
  /** Applied by the member that issued it: who has not applied that cannot judge the token yet. */
  readonly zxid: Zxid;
  /** Unix time by the clock of the member that issued it. */
  readonly issuedAtMs: number;
}

interface KeptToken {
  readonly claims: TokenClaims;
  readonly secret: Secret;
  usedAtMs: number;
}

const version = 'z1';
const nonceBytes = 9;
/** No token that was issued here is longer; names are bounded by accessNameBytesMax. */
const tokenLengthMax = 4_096;

export class AccessTokens {
  private readonly limits: TokenLimits;
  private readonly wallClockMs: () => number;
  /** Verified here before, least recently noted first. */
  private readonly kept = new Map<string, KeptToken>();

  constructor(limits: TokenLimits, wallClockMs: () => number) {
    this.limits = limits;
    this.wallClockMs = wallClockMs;
  }

  issue(login: Omit<TokenClaims, 'issuedAtMs'>, secret: Secret): string {
    const { user, credentialRevision, zxid } = login;
    const nonce = randomBytes(nonceBytes).toString('base64url');
    const body = JSON.stringify([user, credentialRevision, zxid, this.wallClockMs(), nonce]);
    const signed = `${version}.${Buffer.from(body).toString('base64url')}`;
    return `${signed}.${signatureOf(signed, secret).toString('base64url')}`;
  }

  /** What the token says if it was signed with this secret and has not expired; noted as a use of it. */
  verify(token: string, secret: Secret): TokenClaims | undefined {
    const nowMs = this.wallClockMs();
    const kept = this.kept.get(token);
    if (kept !== undefined && kept.secret === secret) return this.used(token, kept, nowMs);
    const claims = kept?.claims ?? claimsOf(token);
    if (claims === undefined || !isSigned(token, secret)) return undefined;
    // The same secret comes as another object after each change of access control: a use before that still counts.
    return this.used(token, { claims, secret, usedAtMs: kept?.usedAtMs ?? claims.issuedAtMs }, nowMs);
  }

  /** It was verified here before. */
  isKept(token: string): boolean {
    return this.kept.has(token);
  }

  /** What the token says, whoever signed it: only to know what to wait for. */
  peek(token: string): TokenClaims | undefined {
    return claimsOf(token);
  }

  private used(token: string, kept: KeptToken, nowMs: number): TokenClaims | undefined {
    if (nowMs >= kept.usedAtMs + this.limits.accessTokenTtlMs) {
      this.kept.delete(token);
      return undefined;
    }
    // Its place in the order need not follow every use.
    if (nowMs - kept.usedAtMs >= noteIntervalMs || this.kept.get(token) !== kept) {
      this.kept.delete(token);
      this.kept.set(token, kept);
      for (const oldest of this.kept.keys()) {
        if (this.kept.size <= this.limits.accessTokensKeptMax) break;
        this.kept.delete(oldest);
      }
    }
    if (nowMs > kept.usedAtMs) kept.usedAtMs = nowMs;
    return kept.claims;
  }
}

const noteIntervalMs = 1_000;

function signatureOf(signed: string, secret: Secret): Buffer {
  return createHmac('sha256', secret.reveal()).update(signed).digest();
}

function isSigned(token: string, secret: Secret): boolean {
  if (secret.byteLength === 0) return false;
  const at = token.lastIndexOf('.');
  const signature = Buffer.from(token.slice(at + 1), 'base64url');
  const expected = signatureOf(token.slice(0, at), secret);
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}

function claimsOf(token: string): TokenClaims | undefined {
  if (token.length > tokenLengthMax) return undefined;
  const [mark, body, signature, more] = token.split('.');
  if (mark !== version || body === undefined || signature === undefined || more !== undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(body, 'base64url').toString());
  } catch {
    // Anybody may send anything as a token.
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  const [user, credentialRevision, zxid, issuedAtMs] = parsed as readonly unknown[];
  if (typeof user !== 'string' || !isNatural(credentialRevision) || !isNatural(zxid) || !isNatural(issuedAtMs)) {
    return undefined;
  }
  return { user, credentialRevision, zxid: zxid as Zxid, issuedAtMs };
}

function isNatural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
