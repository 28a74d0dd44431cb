// Broadcasts for one connection. They are ephemeral: a connection with too much unsent misses some, and is told how many
// once it has room.

import { emptyBytes } from '../../shared/bytes.js';
import { contained } from '../front-end-guard.js';
import type { NativeSession, SessionWatch } from './session.js';

export class BroadcastFeed implements SessionWatch {
  private readonly session: NativeSession;
  private unsubscribe: (() => void) | null = null;
  private missed = 0;

  constructor(session: NativeSession) {
    this.session = session;
  }

  /** Asking twice is asking once. */
  open(): void {
    this.unsubscribe ??= this.session.service.onBroadcast(contained(this.session, (payload) => this.deliver(payload)));
  }

  cancel(): void {
    this.unsubscribe?.();
    this.unsubscribe = null;
    this.missed = 0;
  }

  resume(): void {
    if (this.missed === 0) return;
    const { session } = this;
    const message = `${this.missed} broadcasts were left out: this connection had too much unsent`;
    this.missed = 0;
    const { zxid, revision } = session;
    session.push({
      id: 0,
      code: 'OVERLOADED',
      message,
      zxid,
      revision,
      payload: { type: 'broadcast', payload: emptyBytes },
    });
  }

  private deliver(payload: Uint8Array): void {
    const { session } = this;
    // Access control may have been turned on meanwhile, or the login be over.
    if (session.actor === undefined) return;
    if (!session.mayPush(this)) {
      this.missed++;
      return;
    }
    const { zxid, revision } = session;
    session.push({ id: 0, code: 'OK', message: '', zxid, revision, payload: { type: 'broadcast', payload } });
  }
}
