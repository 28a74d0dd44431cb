// The beginning of a connection whose client, like every one made with grpc-go, holds its first call back until it has
// the server's settings: says them, takes the first headers, mends them (authority-mending.ts) and hands everything on to
// the session as if it had just come. The session says the same settings again; the client's word that it has the first
// ones is kept from it. All other clients go to the session at once, with their first bytes.

import { getPackedSettings, type Settings } from 'node:http2';
import type { Socket } from 'node:net';
import { acknowledged, frameHeadBytes, frameType, mendHeaders, prefaceBytes } from './authority-mending.js';

export interface GreetingOptions {
  readonly settings: Settings;
  readonly timeoutMs: number;
  /** The connection is paused, and everything that is for the session is back in it. */
  readonly done: () => void;
  /** The connection is gone before that. */
  readonly gone: () => void;
}

/** A client sends no more before it has read the settings: a window of data, and headers. */
const heldBytesMax = 128 * 2 ** 10;
const priorityFrame = 2;
const windowUpdateFrame = 8;

export class Greeting {
  private readonly socket: Socket;
  private readonly options: GreetingOptions;
  private readonly timeout: NodeJS.Timeout;
  private held: Buffer = Buffer.alloc(0);
  /** Everything of `held` before this was looked at. */
  private at = 0;
  private greeted = false;
  private heard = false;
  private begun = false;

  constructor(socket: Socket, options: GreetingOptions) {
    this.socket = socket;
    this.options = options;
    this.timeout = setTimeout(() => this.giveUp(), options.timeoutMs);
    socket.once('close', this.onClose);
    socket.on('data', this.onData);
    socket.resume();
  }

  /** Ends it with its connection. */
  close(): void {
    this.socket.destroy();
  }

  // ---- inside ----

  private readonly onClose = (): void => {
    clearTimeout(this.timeout);
    this.options.gone();
  };

  private readonly onData = (chunk: Buffer): void => {
    this.held = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    if (this.at === 0) {
      const { held } = this;
      if (held.length < prefaceBytes + frameHeadBytes) return;
      const waits = held[prefaceBytes + 3] === frameType.settings && held.readUIntBE(prefaceBytes, 3) === 0;
      this.at = prefaceBytes + frameHeadBytes;
      if (!waits) {
        this.finish();
        return;
      }
    }
    this.readFrames();
    if (!this.greeted && this.begun) this.finish();
    else if (!this.greeted) this.greet();
    else if (this.heard && this.begun) this.finish();
    else if (this.held.length > heldBytesMax) this.close();
  };

  private readFrames(): void {
    while (this.held.length - this.at >= frameHeadBytes) {
      const end = this.at + frameHeadBytes + this.held.readUIntBE(this.at, 3);
      if (end > this.held.length) return;
      const frame = this.held.subarray(this.at, end);
      const isSettings = frame[3] === frameType.settings;
      if (isSettings && ((frame[4] ?? 0) & acknowledged) !== 0 && this.greeted && !this.heard) {
        this.heard = true;
        this.held = Buffer.concat([this.held.subarray(0, this.at), this.held.subarray(end)]);
        continue;
      }
      if (frame[3] === frameType.headers) mendHeaders(frame);
      // Whatever is not about the connection itself is for the session to answer.
      this.begun ||= !isSettings && frame[3] !== priorityFrame && frame[3] !== windowUpdateFrame;
      this.at = end;
    }
  }

  private greet(): void {
    const payload = getPackedSettings(this.options.settings);
    const head = Buffer.alloc(frameHeadBytes);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = frameType.settings;
    this.greeted = true;
    this.socket.write(Buffer.concat([head, payload]));
  }

  /** A client that says nothing more has nothing to be mended. */
  private giveUp(): void {
    if (this.heard) this.finish();
    else this.close();
  }

  private finish(): void {
    const { socket } = this;
    clearTimeout(this.timeout);
    socket.off('data', this.onData);
    socket.off('close', this.onClose);
    socket.pause();
    socket.unshift(this.held);
    this.options.done();
  }
}
