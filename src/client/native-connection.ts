// One connection of the native protocol as the client sees it: preface and hello, requests out, frames in. Requests of
// one turn leave in one write. Never retries and never reconnects.

import { type Bytes, emptyBytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import { readFrame } from '../wire/native-frame-decoder.js';
import { decodePreface, encodePreface, FrameSplitter, nativeVersion, prefaceBytes } from '../wire/native-framing.js';
import type { NativeFrame, NativePayload, NativeRequest } from '../wire/native-messages.js';
import { writeRequestFrame } from '../wire/native-request-codec.js';
import { ProtoReader } from '../wire/protobuf/proto-reader.js';
import { ProtoWriter } from '../wire/protobuf/proto-writer.js';
import type { Channel, ClientTransport } from './client-transport.js';

export type HelloPayload = Extract<NativePayload, { type: 'hello' }>;

/** Who the client is, for servers with access control. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export interface ConnectionHandler {
  /** The server has said hello: requests may be sent. */
  ready(hello: HelloPayload, frame: NativeFrame): void;
  /** The server does not accept the credentials; `closed` follows. */
  denied(error: StoreError): void;
  /** Its bytes are views into what was received: copy to keep. */
  frame(frame: NativeFrame): void;
  /** All frames that arrived together were given. */
  turnEnded(): void;
  closed(reason: string): void;
}

/** No server sends frames beyond this; a greater length means that the other side speaks something else. */
const frameBytesMax = 64 * 2 ** 20;
const writerBytes = 16 * 1024;
/** Comparing a password takes time, more so behind others. */
const loginTimeoutMs = 10_000;
/** No request of the engine gets that far. */
const loginId = Number.MAX_SAFE_INTEGER;
const writerBytesKept = 256 * 1024;

export class NativeConnection {
  readonly peer: string;
  readonly #handler: ConnectionHandler;
  readonly #channel: Channel;
  readonly #splitter = new FrameSplitter(frameBytesMax);
  readonly #reader = new ProtoReader(emptyBytes);
  #writer = new ProtoWriter(writerBytes);
  #flushScheduled = false;
  readonly #credentials: Credentials | undefined;
  /** What the server said at first, kept until the login is through. */
  #greeting: { readonly hello: HelloPayload; readonly frame: NativeFrame } | undefined;
  #state: 'preface' | 'hello' | 'login' | 'ready' | 'closed' = 'preface';
  /** Ends a beginning that does not come to its end. */
  #timer: ReturnType<typeof setTimeout>;

  constructor(
    transport: ClientTransport,
    peer: string,
    options: { readonly connectTimeoutMs: number; readonly credentials: Credentials | undefined },
    handler: ConnectionHandler,
  ) {
    const { connectTimeoutMs, credentials } = options;
    this.peer = peer;
    this.#handler = handler;
    this.#credentials = credentials;
    this.#channel = transport.open(peer, {
      opened: () => this.#channel.send(encodePreface()),
      received: (bytes) => this.#received(bytes),
      closed: (reason) => this.#end(reason),
    });
    this.#timer = this.#giveUpAfter(connectTimeoutMs, 'no hello');
  }

  get ready(): boolean {
    return this.#state === 'ready';
  }

  /** Encoded or handed to the transport, and not sent yet. */
  get queuedBytes(): number {
    return this.#writer.position + this.#channel.queuedBytes();
  }

  send(request: NativeRequest): void {
    writeRequestFrame(this.#writer, request);
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#flush);
  }

  /** Ends it without a `closed` callback. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#timer);
    this.#channel.close();
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    if ((this.#state !== 'ready' && this.#state !== 'login') || this.#writer.position === 0) return;
    this.#channel.send(this.#writer.finish());
    if (this.#writer.bytes.length > writerBytesKept) this.#writer = new ProtoWriter(writerBytes);
    else this.#writer.position = 0;
  };

  #received(bytes: Bytes): void {
    if (this.#state === 'closed') return;
    this.#splitter.push(bytes);
    try {
      this.#readFrames();
    } catch (error) {
      this.#channel.close();
      this.#end(error instanceof Error ? error.message : String(error));
    }
  }

  #readFrames(): void {
    if (this.#state === 'preface') {
      const preface = this.#splitter.take(prefaceBytes);
      if (preface === undefined) return;
      const version = decodePreface(preface);
      if (version !== nativeVersion)
        throw new Error(`it speaks version ${version} of the protocol, expected ${nativeVersion}`);
      this.#state = 'hello';
    }
    for (let body = this.#splitter.next(); body !== undefined; body = this.#splitter.next()) {
      this.#reader.reset(body);
      const frame = readFrame(this.#reader);
      if (this.#state === 'hello') this.#hello(frame);
      else if (this.#state === 'login') this.#loggedIn(frame);
      else this.#handler.frame(frame);
      if (this.#isClosed()) return;
    }
    this.#handler.turnEnded();
  }

  #hello(frame: NativeFrame): void {
    if (frame.payload.type !== 'hello') {
      throw new Error(frame.code === 'OK' ? 'its first frame is no hello' : `${frame.code}: ${frame.message}`);
    }
    clearTimeout(this.#timer);
    if (this.#credentials === undefined) {
      this.#state = 'ready';
      this.#handler.ready(frame.payload, frame);
      return;
    }
    this.#state = 'login';
    this.#timer = this.#giveUpAfter(loginTimeoutMs, 'no answer to the login');
    this.#greeting = { hello: frame.payload, frame };
    this.send({ id: loginId, timeoutMs: loginTimeoutMs, body: { type: 'authenticate', ...this.#credentials } });
  }

  #loggedIn(frame: NativeFrame): void {
    const greeting = this.#greeting;
    if (frame.id !== loginId || greeting === undefined) return;
    // Without access control it does not matter who the client is.
    if (frame.code === 'OK' || frame.code === 'ACCESS_NOT_ENABLED') {
      clearTimeout(this.#timer);
      this.#state = 'ready';
      this.#greeting = undefined;
      this.#handler.ready(greeting.hello, greeting.frame);
      return;
    }
    const error = new StoreError(frame.code, frame.message);
    if (frame.code === 'AUTHENTICATION_FAILED') this.#handler.denied(error);
    throw new Error(`${frame.code}: ${frame.message}`);
  }

  #giveUpAfter(timeoutMs: number, what: string): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#channel.close();
      this.#end(`${what} within ${timeoutMs} ms`);
    }, timeoutMs);
  }

  /** Read anew after a callback, which may have closed it. */
  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #end(reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#timer);
    this.#handler.closed(reason);
  }
}
