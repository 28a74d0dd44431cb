// Which peer to try next, and when: the next one at once while there are untried ones, then with a growing pause.
// Holds no connection.

import type { ErrorCode } from '../shared/errors.js';

/** For a person or a log. */
export type ConnectionEvent =
  | { readonly type: 'connected'; readonly peer: string }
  /** A connection that worked is gone. */
  | { readonly type: 'lost'; readonly peer: string; readonly reason: string }
  | { readonly type: 'failed'; readonly peer: string; readonly reason: string };

const pauseMsMin = 50;
const pauseMsMax = 500;
/** A peer that has answered nothing but NO_QUORUM for this long is left for another. */
const noQuorumMsMax = 250;

export class PeerRotation {
  readonly #peers: readonly string[];
  #index = 0;
  /** Peers given up in a row, since one of them last served a request. */
  #failures = 0;
  /** Connections that failed in a row before their hello. */
  #unreachable = 0;
  #noQuorumSinceMs: number | undefined;
  #lastReason = 'no connection yet';

  constructor(peers: readonly string[]) {
    this.#peers = peers;
  }

  get current(): string {
    return this.#peers[this.#index] ?? '';
  }

  get unreachableRounds(): number {
    return Math.floor(this.#unreachable / this.#peers.length);
  }

  get lastReason(): string {
    return this.#lastReason;
  }

  use(index: number): void {
    this.#index = index;
    this.#failures = 0;
    this.#unreachable = 0;
    this.#noQuorumSinceMs = undefined;
  }

  /** The current peer said hello. */
  reached(): void {
    this.#unreachable = 0;
    this.#noQuorumSinceMs = undefined;
  }

  /** The current peer answered a request with success. */
  served(): void {
    this.#failures = 0;
    this.#noQuorumSinceMs = undefined;
  }

  /** The current peer is given up; `reason` if it could not be reached. */
  failed(reason?: string): void {
    this.#failures++;
    if (reason !== undefined) {
      this.#unreachable++;
      this.#lastReason = reason;
    }
    this.#index = (this.#index + 1) % this.#peers.length;
    this.#noQuorumSinceMs = undefined;
  }

  /** Pause before the next attempt. */
  delayMs(): number {
    const rounds = Math.floor(this.#failures / this.#peers.length);
    if (rounds === 0) return 0;
    const pauseMs = Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(rounds - 1, 8));
    return this.#failures % this.#peers.length === 0 ? Math.ceil(pauseMs * (0.5 + Math.random() / 2)) : 0;
  }

  /** Whether a failed answer means that another peer should be asked. */
  cannotServe(code: ErrorCode, nowMs: number): boolean {
    if (this.#peers.length === 1) return false;
    if (code === 'UNAVAILABLE' || code === 'TIMEOUT') return true;
    if (code !== 'NO_QUORUM') return false;
    this.#noQuorumSinceMs ??= nowMs;
    return nowMs - this.#noQuorumSinceMs >= noQuorumMsMax;
  }
}
