// HTTP/2 by hand, for what no client would send: frames with any type, flags and stream, and headers without compression.

import { connect, type Socket } from 'node:net';

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const endStream = 1;
export const endHeaders = 4;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return frame(frameTypes.settings, 0, 0, payload);
}

/** Settings that give every stream a window of so many bytes. */
export function windowSettings(bytes: number): Buffer {
  return settings([4, bytes]);
}

/** Literal headers that go into no table. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(headers)) parts.push(Buffer.from([0]), literal(name), literal(value));
  return Buffer.concat(parts);
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

export function callHeaders(path: string, others: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': path,
    ':authority': 'test',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...others,
  };
}

/** HEADERS that open a call. */
export function openCall(stream: number, path: string, others: Readonly<Record<string, string>> = {}): Buffer {
  return frame(frameTypes.headers, endHeaders, stream, headerBlock(callHeaders(path, others)));
}

/** A message's prefix. */
export function messagePrefix(bytes: number, format = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = format;
  prefix.writeUInt32BE(bytes, 1);
  return prefix;
}

/** Puts frames together from the bytes of a connection, however they come. */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  #pending: Buffer = Buffer.alloc(0);

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    let bytes = Buffer.concat([this.#pending, chunk]);
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3);
      if (bytes.length < 9 + length) break;
      const [, , , type = 0, flags = 0] = bytes;
      const stream = bytes.readUInt32BE(5) & 0x7fffffff;
      this.#onFrame({ type, flags, stream, payload: bytes.subarray(9, 9 + length) });
      bytes = bytes.subarray(9 + length);
    }
    this.#pending = bytes;
  }
}

export class RawHttp2 {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  closed = false;

  /** `onFrame`: takes the frames instead of their being kept. */
  constructor(port: number, onFrame: (frame: Frame) => void = (one) => this.frames.push(one)) {
    const reader = new FrameReader(onFrame);
    this.socket = connect({ port, host: '127.0.0.1' });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.closed = true;
    });
    this.socket.on('data', (chunk: Buffer) => reader.push(chunk));
  }

  /** Preface and settings, then these. */
  begin(...frames: readonly Uint8Array[]): this {
    return this.write(preface, settings(), ...frames);
  }

  write(...bytes: readonly Uint8Array[]): this {
    this.socket.write(Buffer.concat(bytes));
    return this;
  }

  /** All that came on a stream, as text. Answers are compressed, but statuses stay readable. */
  of(stream: number): readonly Frame[] {
    return this.frames.filter((one) => one.stream === stream);
  }
}
