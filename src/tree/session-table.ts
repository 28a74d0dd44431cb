// Exactly once: what became of which requests of which clients. Changed only by applied entries, so that every node
// holds the same table at the same zxid; bounded, the least recently used client goes first. Never asks who is connected.

import type { ErrorCode } from '../shared/errors.js';
import type { ClientId, Revision, Zxid } from '../shared/ids.js';
import type { RequestIdentity } from './command.js';
import type { Operation } from './delta.js';
import type { RememberedResult, SessionRecord } from './store.js';

export interface SessionLimits {
  readonly sessionsMax: number;
  /** Results kept for one client; the oldest request goes first. */
  readonly sessionResultsMax: number;
  /** Results kept for all clients together. */
  readonly sessionResultsTotalMax: number;
}

interface Session {
  readonly client: ClientId;
  lastUsed: Zxid;
  acknowledgedBelow: number;
  /** In the order in which they came about. */
  readonly results: Map<number, RememberedResult>;
}

const noClients: readonly ClientId[] = [];

export class SessionTable {
  private readonly limits: SessionLimits;
  /** Least recently used first: a Map keeps the order of insertion. */
  private readonly sessions = new Map<ClientId, Session>();
  private resultsTotal = 0;
  private evicted: Zxid;

  constructor(limits: SessionLimits, records: readonly SessionRecord[], evictedThrough: Zxid) {
    this.limits = limits;
    this.evicted = evictedThrough;
    for (const record of [...records].sort((a, b) => a.lastUsed - b.lastUsed)) {
      const results = new Map(record.results.map((result) => [result.request, result]));
      this.resultsTotal += results.size;
      const { client, lastUsed, acknowledgedBelow } = record;
      this.sessions.set(client, { client, lastUsed, acknowledgedBelow, results });
    }
  }

  /** Highest last use among evicted sessions, 0 when none ever was. */
  get evictedThrough(): Zxid {
    return this.evicted;
  }

  get size(): number {
    return this.sessions.size;
  }

  /** A remembered result; 'forgotten' when it can no longer be told; undefined when there is none: it may be executed. */
  lookup(client: ClientId, request: number, bornAt: Zxid): RememberedResult | 'forgotten' | undefined {
    const session = this.sessions.get(client);
    // The first use of a session is later than its birth, so one born at or after the mark was never evicted.
    if (session === undefined) return bornAt < this.evicted ? 'forgotten' : undefined;
    if (request < session.acknowledgedBelow) return 'forgotten';
    return session.results.get(request);
  }

  /** Notes a result and forgets what the bounds demand; returns the clients that were evicted, usually none. */
  remember(remembered: Extract<Operation, { type: 'remember' }>, revision: Revision, zxid: Zxid): readonly ClientId[] {
    const { client, request, acknowledgedBelow, code } = remembered;
    let session = this.sessions.get(client);
    if (session === undefined) {
      session = { client, lastUsed: zxid, acknowledgedBelow: 0, results: new Map() };
    } else {
      this.sessions.delete(client);
      session.lastUsed = zxid;
    }
    this.sessions.set(client, session);
    if (acknowledgedBelow > session.acknowledgedBelow) this.forgetBelow(session, acknowledgedBelow);
    if (request >= session.acknowledgedBelow) {
      if (!session.results.has(request)) this.resultsTotal += 1;
      session.results.set(request, { request, code, revision, zxid });
    }
    if (session.results.size > this.limits.sessionResultsMax) this.dropOldestResult(session);
    return this.evict();
  }

  record(client: ClientId): SessionRecord | undefined {
    const session = this.sessions.get(client);
    if (session === undefined) return undefined;
    const { lastUsed, acknowledgedBelow, results } = session;
    return { client, lastUsed, acknowledgedBelow, results: [...results.values()] };
  }

  /** Stops at the first that stays: results come about in the order of their requests, or nearly so. */
  private forgetBelow(session: Session, below: number): void {
    session.acknowledgedBelow = below;
    for (const request of session.results.keys()) {
      if (request >= below) break;
      session.results.delete(request);
      this.resultsTotal -= 1;
    }
  }

  /** The window moves past the oldest result, so that it is refused rather than executed again. */
  private dropOldestResult(session: Session): void {
    for (const request of session.results.keys()) {
      session.results.delete(request);
      this.resultsTotal -= 1;
      session.acknowledgedBelow = Math.max(session.acknowledgedBelow, request + 1);
      return;
    }
  }

  private evict(): readonly ClientId[] {
    if (this.sessions.size <= this.limits.sessionsMax && this.resultsTotal <= this.limits.sessionResultsTotalMax) {
      return noClients;
    }
    const gone: ClientId[] = [];
    for (const session of this.sessions.values()) {
      const tooMany = this.sessions.size > this.limits.sessionsMax;
      const tooLarge = this.resultsTotal > this.limits.sessionResultsTotalMax;
      // The session in use stays, whatever it holds: it is bounded by itself.
      if ((!tooMany && !tooLarge) || this.sessions.size === 1) break;
      this.sessions.delete(session.client);
      this.resultsTotal -= session.results.size;
      if (session.lastUsed > this.evicted) this.evicted = session.lastUsed;
      gone.push(session.client);
    }
    return gone;
  }
}

/**
 * Whether the answer to a request without effect has to be remembered. The first attempt of a request needs no memory:
 * there is no other that could be executed later. OVERLOADED is no verdict: the same request may be sent again and succeed.
 */
export function mustRemember(code: 'OK' | ErrorCode, identity: RequestIdentity): boolean {
  return identity.repeated && code !== 'OVERLOADED';
}

export function rememberOf(identity: RequestIdentity, code: 'OK' | ErrorCode): Operation {
  const { client, request, acknowledgedBelow } = identity;
  return { type: 'remember', client, request, acknowledgedBelow, code };
}
