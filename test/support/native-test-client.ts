// A bare client of the native protocol for tests of the server: sends whatever bytes it is told to and collects frames.

import { connect, type Socket } from 'node:net';
import { type ClientId, type Revision, type Zxid, zxidZero } from '../../src/shared/ids.js';
import { readFrame } from '../../src/wire/native-frame-decoder.js';
import { encodePreface, FrameSplitter, prefaceBytes } from '../../src/wire/native-framing.js';
import type { NativeFrame, NativeRequest, NativeRequestBody } from '../../src/wire/native-messages.js';
import { writeRequestFrame } from '../../src/wire/native-request-codec.js';
import { ProtoReader } from '../../src/wire/protobuf/proto-reader.js';
import { ProtoWriter } from '../../src/wire/protobuf/proto-writer.js';

const frameBytesMax = 64 * 2 ** 20;

export class NativeTestClient {
  readonly socket: Socket;
  readonly frames: NativeFrame[] = [];
  closed = false;
  private readonly splitter = new FrameSplitter(frameBytesMax);
  private prefaceSeen = false;
  private readonly waiting = new Set<() => void>();
  private lastId = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.received(new Uint8Array(chunk)));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  /** Connects and, unless told otherwise, sends the preface and waits for hello. */
  static async connect(port: number, options: { readonly greet?: boolean } = {}): Promise<NativeTestClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const client = new NativeTestClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    if (options.greet === false) return client;
    socket.write(encodePreface());
    await client.until(() => client.frames.length > 0);
    client.frames.shift();
    return client;
  }

  nextId(): number {
    this.lastId++;
    return this.lastId;
  }

  /** Sends requests in one write; returns their ids. */
  send(...bodies: NativeRequestBody[]): number[] {
    const writer = new ProtoWriter(1024);
    const ids = bodies.map((body) => {
      const request: NativeRequest = { id: this.nextId(), timeoutMs: 5_000, body };
      writeRequestFrame(writer, request);
      return request.id;
    });
    this.socket.write(writer.finish());
    return ids;
  }

  /** Sends one request and waits for the frame that answers it, which is removed from `frames`. */
  async ask(body: NativeRequestBody): Promise<NativeFrame> {
    const [id] = this.send(body);
    return this.take((frame) => frame.id === id);
  }

  /** Waits for the first frame that fits and removes it. */
  async take(fits: (frame: NativeFrame) => boolean): Promise<NativeFrame> {
    let index = -1;
    await this.until(() => {
      index = this.frames.findIndex(fits);
      return index >= 0 || this.closed;
    });
    const [frame] = index >= 0 ? this.frames.splice(index, 1) : [];
    if (frame === undefined) throw new Error('The connection closed before the frame came');
    return frame;
  }

  /** Waits until the condition holds, looking whenever something arrived. */
  until(holds: () => boolean, withinMs = 10_000): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!holds()) return;
        this.waiting.delete(look);
        clearTimeout(deadline);
        resolve();
      };
      const deadline = setTimeout(() => {
        this.waiting.delete(look);
        reject(new Error(`Waited ${withinMs} ms in vain with ${this.frames.length} frames`));
      }, withinMs);
      this.waiting.add(look);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private received(chunk: Uint8Array): void {
    this.splitter.push(chunk);
    if (!this.prefaceSeen) {
      if (this.splitter.take(prefaceBytes) === undefined) return;
      this.prefaceSeen = true;
    }
    for (let body = this.splitter.next(); body !== undefined; body = this.splitter.next()) {
      this.frames.push(readFrame(new ProtoReader(body)));
    }
    this.wake();
  }

  private wake(): void {
    for (const look of [...this.waiting]) look();
  }
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

export function setOf(key: string, value: string | Uint8Array, identity?: number): NativeRequestBody {
  const command = {
    type: 'set',
    key: bytesOf(key),
    value: typeof value === 'string' ? bytesOf(value) : value,
  } as const;
  if (identity === undefined) return { type: 'write', envelope: { command } };
  const born = { client: 1 as ClientId, request: identity, acknowledgedBelow: 0, bornAt: zxidZero, repeated: false };
  return { type: 'write', envelope: { command, identity: born } };
}

export function getOf(key: string, local = false, seen: Zxid = zxidZero): NativeRequestBody {
  return { type: 'get', key: bytesOf(key), local, seen };
}

export function watchOf(
  prefix: string,
  options: { readonly fromRevision?: number; readonly withInitial?: boolean; readonly seen?: Zxid } = {},
): NativeRequestBody {
  return {
    type: 'watch',
    range: { type: 'prefix', prefix: bytesOf(prefix) },
    fromRevision: (options.fromRevision ?? 0) as Revision,
    withInitial: options.withInitial ?? false,
    seen: options.seen ?? zxidZero,
  };
}
