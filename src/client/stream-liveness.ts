// While only streams (watches, broadcasts) use a connection, silence is normal. This asks for a sign of life now and
// then, so that a frozen or cut-off peer is left for one that serves.

import type { RequestEngine } from './request-engine.js';

const probeIntervalMs = 5_000;
const probeTimeoutMs = 3_000;

export class StreamLiveness {
  readonly #engine: RequestEngine;
  #timer: ReturnType<typeof setInterval> | undefined;
  #users = 0;

  constructor(engine: RequestEngine) {
    this.#engine = engine;
  }

  /** Call the returned function when the stream is over. */
  use(): () => void {
    this.#users++;
    this.#timer ??= setInterval(() => this.#probe(), probeIntervalMs);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#users--;
      if (this.#users === 0) this.stop();
    };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #probe(): void {
    if (!this.#engine.connected) return;
    this.#engine.request({ type: 'status' }, probeTimeoutMs, (error, frame) => {
      if (error !== null || frame?.payload.type !== 'status') return;
      if (!frame.payload.status.serving) this.#engine.leavePeer('it does not serve');
    });
  }
}
