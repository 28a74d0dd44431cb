// Keeps one write session in use and replaces it between writes when the server may have forgotten it: after a long rest,
// or after a write whose outcome the server could not tell.

import type { Zxid } from '../shared/ids.js';
import type { PendingRequest } from './pending-request.js';
import { randomClientId, WriteSession } from './write-session.js';

/** After a longer rest other clients may have pushed the session out of the server's bounded table. */
const idleMsMax = 60_000;

export class SessionKeeper {
  readonly #askForZxid: () => void;
  #session: WriteSession | undefined;
  #usedMs = 0;
  #asked = false;
  #suspect = false;

  /** `askForZxid` asks the server for a zxid that is applied now, and calls `begin` with it. */
  constructor(askForZxid: () => void) {
    this.#askForZxid = askForZxid;
  }

  /** Gives a command its number; false while it has to wait for a session, or for room in it. */
  prepare(pending: PendingRequest): boolean {
    if (pending.session !== undefined) return true;
    const nowMs = performance.now();
    if (this.#session?.outstanding === 0 && (this.#suspect || nowMs - this.#usedMs > idleMsMax))
      this.#session = undefined;
    if (this.#session === undefined) {
      if (!this.#asked) this.#askForZxid();
      this.#asked = true;
      return false;
    }
    if (!this.#session.hasRoom()) return false;
    this.#usedMs = nowMs;
    pending.session = this.#session;
    pending.number = this.#session.begin();
    return true;
  }

  begin(appliedZxid: Zxid): void {
    this.#session = new WriteSession(randomClientId(), appliedZxid);
    this.#asked = false;
    this.#suspect = false;
    this.#usedMs = performance.now();
  }

  /** The hello brings a zxid unasked. */
  connected(appliedZxid: Zxid): void {
    if (this.#session === undefined) this.begin(appliedZxid);
  }

  disconnected(): void {
    this.#asked = false;
  }

  /** The server could not tell what became of a write: it may have forgotten the session. */
  suspect(): void {
    this.#suspect = true;
  }
}
