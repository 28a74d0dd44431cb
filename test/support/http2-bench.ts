// A server's HTTP/2 connection over memory, with a client by hand at the other end: whatever bytes, read or not read. The
// socket takes what it is given like one of the network: copied, and with back-pressure.

import { Duplex } from 'node:stream';
import { type HeaderField, HpackDecoder } from '../../src/http2/hpack-decoder.js';
import type { SentFields } from '../../src/http2/hpack-encoder.js';
import { Http2Connection } from '../../src/http2/http2-connection.js';
import type { Http2Stream, StreamHandler } from '../../src/http2/http2-stream.js';
import { SlabPool } from '../../src/http2/outbox.js';
import type { ServerSettings } from '../../src/http2/settings.js';
import {
  endHeaders,
  endStream,
  type Frame,
  FrameReader,
  frame,
  frameTypes,
  headerBlock,
  preface,
  settings,
} from './raw-http2.js';

export const benchSettings: ServerSettings = {
  streamsMax: 100,
  streamWindowBytes: 65_536,
  connectionWindowBytes: 2 ** 20,
  headerListBytesMax: 16_384,
};

export const okFields: SentFields = [{ name: ':status', value: '200', repeated: true }];
export const endFields: SentFields = [{ name: 'result', value: '0', repeated: true }];

/** What the client's end of a connection looks like from the server: no half-open, copied at once or not taken. */
class MemorySocket extends Duplex {
  /** All that the client has read. */
  onBytes: (bytes: Buffer) => void = () => undefined;
  ended = false;
  private reading = true;
  private waiting: (() => void) | null = null;

  constructor() {
    super({ allowHalfOpen: false });
  }

  setReading(reading: boolean): void {
    this.reading = reading;
    const { waiting } = this;
    if (!reading || waiting === null) return;
    this.waiting = null;
    waiting();
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    const take = (): void => {
      this.onBytes(Buffer.from(chunk));
      done();
    };
    if (this.reading) take();
    else this.waiting = take;
  }

  override _final(done: () => void): void {
    this.ended = true;
    done();
  }
}

/** One request as its handler sees it. */
export class TestRequest implements StreamHandler {
  readonly stream: Http2Stream;
  readonly fields: readonly HeaderField[];
  readonly events: string[] = [];
  receivedBytes = 0;
  private readonly on: RequestHandlers;

  constructor(stream: Http2Stream, fields: readonly HeaderField[], on: RequestHandlers) {
    this.stream = stream;
    this.fields = fields;
    this.on = on;
  }

  received(bytes: Buffer): void {
    this.receivedBytes += bytes.length;
    this.on.received?.(this, bytes);
  }

  ended(): void {
    this.events.push('ended');
    this.on.ended?.(this);
  }

  sent(): void {
    if (this.events.includes('closed')) this.events.push('sent after closed');
    this.on.sent?.(this);
  }

  closed(): void {
    this.events.push('closed');
    this.on.closed?.(this);
  }
}

export interface RequestHandlers {
  begun?(request: TestRequest): void;
  received?(request: TestRequest, bytes: Buffer): void;
  ended?(request: TestRequest): void;
  sent?(request: TestRequest): void;
  closed?(request: TestRequest): void;
  /** What nobody expected. Absent: it is thrown on. */
  broken?(error: unknown): void;
}

function thrownOn(error: unknown): never {
  throw error;
}

/** Answers with what came. */
export const echo: RequestHandlers = {
  begun: ({ stream }) => stream.respond(okFields, false),
  received: ({ stream }, bytes) => stream.write(new Uint8Array(0), new Uint8Array(bytes)),
  ended: ({ stream }) => stream.end(endFields),
};

export class Http2Bench {
  readonly socket = new MemorySocket();
  readonly connection: Http2Connection;
  readonly frames: Frame[] = [];
  readonly requests: TestRequest[] = [];
  /** Bytes that the server has sent. */
  sentBytes = 0;
  closed = false;
  private readonly decoder = new HpackDecoder(4_096);

  constructor(on: RequestHandlers = {}, overrides: Partial<ServerSettings> = {}) {
    const reader = new FrameReader((one) => this.frames.push(one));
    this.socket.onBytes = (bytes) => {
      this.sentBytes += bytes.length;
      reader.push(bytes);
    };
    this.connection = new Http2Connection(this.socket, {
      settings: { ...benchSettings, ...overrides },
      handshakeTimeoutMs: 10_000,
      slabs: new SlabPool(),
      host: {
        request: (stream, fields) => {
          const request = new TestRequest(stream, fields, on);
          this.requests.push(request);
          stream.handler = request;
          on.begun?.(request);
        },
        chunkTaken: () => undefined,
        closed: () => {
          if (this.closed) throw new Error('Cannot close: it was closed before');
          this.closed = true;
        },
        broken: on.broken ?? thrownOn,
      },
    });
  }

  /** Preface and settings, then these, each as a chunk of its own. */
  begin(...frames: readonly Uint8Array[]): this {
    return this.send(Buffer.concat([preface, settings()]), ...frames);
  }

  send(...chunks: readonly Uint8Array[]): this {
    for (const chunk of chunks) if (!this.socket.destroyed) this.socket.push(chunk);
    return this;
  }

  reads(reading: boolean): void {
    this.socket.setReading(reading);
  }

  of(stream: number, type?: number): readonly Frame[] {
    return this.frames.filter((one) => one.stream === stream && (type === undefined || one.type === type));
  }

  data(stream: number): Buffer {
    return Buffer.concat(this.of(stream, frameTypes.data).map(({ payload }) => payload));
  }

  /** The fields of all answers so far, in order; to be asked for once. */
  fields(): readonly string[] {
    const blocks = this.frames.filter(({ type }) => type === frameTypes.headers);
    return blocks.map(({ payload }) =>
      (this.decoder.decode(payload, 65_536) ?? []).map(({ name, value }) => `${name} ${value}`).join(', '),
    );
  }

  isOver(stream: number): boolean {
    return this.of(stream).some(
      ({ type, flags }) => type === frameTypes.reset || (type <= frameTypes.headers && (flags & endStream) !== 0),
    );
  }

  /** The codes of the frames that reset a stream. */
  resets(stream: number): readonly number[] {
    return this.of(stream, frameTypes.reset).map(({ payload }) => payload.readUInt32BE(0));
  }

  /** The error that the connection ended with; undefined: it did not. */
  get goneWith(): number | undefined {
    return this.goAways.at(-1)?.code;
  }

  get goAways(): readonly { readonly lastStream: number; readonly code: number }[] {
    return this.of(0, frameTypes.goAway).map(({ payload }) => ({
      lastStream: payload.readUInt32BE(0),
      code: payload.readUInt32BE(4),
    }));
  }

  /** What the server has granted by WINDOW_UPDATE on a stream, or on the connection. */
  granted(stream: number): number {
    return this.of(stream, frameTypes.windowUpdate).reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
  }

  /** It is alive: it answers a ping. */
  get pongs(): number {
    return this.of(0, frameTypes.ping).filter(({ flags }) => flags === 1).length;
  }
}

const request = headerBlock({ ':method': 'POST', ':scheme': 'http', ':path': '/', ':authority': 'test' });

export function open(stream: number, flags = 0): Buffer {
  return frame(frameTypes.headers, endHeaders | flags, stream, request);
}

export function data(stream: number, bytes: number | Uint8Array, flags = 0): Buffer {
  return frame(frameTypes.data, flags, stream, typeof bytes === 'number' ? Buffer.alloc(bytes, 'abcdefg') : bytes);
}

export function reset(stream: number): Buffer {
  return frame(frameTypes.reset, 0, stream, Buffer.from([0, 0, 0, 8]));
}

export function grow(stream: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(frameTypes.windowUpdate, 0, stream, payload);
}

export const ping = frame(frameTypes.ping, 0, 0, Buffer.from('pingpong'));
