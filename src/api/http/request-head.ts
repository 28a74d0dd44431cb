// The first request's head of an HTTP connection, and nothing behind it: what a connection sends after its one request
// must not cost the time of parsing it. Collects the head from the socket, then stands before the parser in its place.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

const headEnd = Buffer.from('\r\n\r\n');

/** Calls back once with the head and what came behind it; with null when the head is longer than that. */
export function collectHead(
  socket: Socket,
  headBytesMax: number,
  done: (head: Buffer | null, behind: Buffer) => void,
): void {
  let head = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    const searchFrom = Math.max(0, head.length - headEnd.length);
    head = Buffer.concat([head, chunk.subarray(0, headBytesMax + headEnd.length)]);
    const at = head.indexOf(headEnd, searchFrom);
    if (at < 0 && head.length <= headBytesMax) return;
    socket.off('data', onData);
    socket.pause();
    if (at < 0 || at > headBytesMax) done(null, Buffer.alloc(0));
    else done(head.subarray(0, at + headEnd.length), head.subarray(at + headEnd.length));
  };
  socket.on('data', onData);
}

/** Reads on and keeps nothing: a socket with unread bytes would be reset when it is closed, and its answer lost. */
export function discard(socket: Socket): void {
  socket.on('data', () => undefined);
  socket.resume();
}

export class RequestHead extends Duplex {
  readonly socket: Socket;
  /** What came behind the head, for whoever goes on with the socket. */
  readonly behind: Buffer;

  constructor(socket: Socket, { head, behind }: { readonly head: Buffer; readonly behind: Buffer }) {
    super();
    this.socket = socket;
    this.behind = behind;
    socket.once('close', () => this.destroy());
    this.push(head);
  }

  /** There is nothing more to be read. */
  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    discard(this.socket);
    this.socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    discard(this.socket);
    this.socket.destroySoon();
    done(error);
  }
}
