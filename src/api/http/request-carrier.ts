// The first request of an HTTP connection, and nothing behind it: what a connection sends after its one request must not
// cost the time of parsing it. Collects the head from the socket, then stands before the parser in the socket's place, and
// gives it the body only when told to.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

const headEnd = Buffer.from('\r\n\r\n');

/**
 * Pieces in which a body is given to the parser, bytes. Where a chunked one ends only the parser sees, so its pieces are
 * small: a piece may hold further requests.
 */
const knownBodyPieceBytes = 64 * 2 ** 10;
const chunkedBodyPieceBytes = 2 ** 10;

/** Calls back once with the head and what came behind it; with null when the head is longer than that. */
export function collectHead(
  socket: Socket,
  headBytesMax: number,
  done: (head: Buffer | null, behind: Buffer) => void,
): void {
  let head = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    const searchFrom = Math.max(0, head.length - headEnd.length);
    const room = headBytesMax + headEnd.length - head.length;
    head = Buffer.concat([head, chunk.subarray(0, room)]);
    const at = head.indexOf(headEnd, searchFrom);
    if (at < 0 && head.length < headBytesMax + headEnd.length) return;
    socket.off('data', onData);
    socket.pause();
    if (at < 0) done(null, Buffer.alloc(0));
    else
      done(
        head.subarray(0, at + headEnd.length),
        Buffer.concat([head.subarray(at + headEnd.length), chunk.subarray(room)]),
      );
  };
  socket.on('data', onData);
}

/** Reads on and keeps nothing: a socket with unread bytes would be reset when it is closed, and its answer lost. */
export function discard(socket: Socket): void {
  socket.on('data', () => undefined);
  socket.resume();
}

interface CarrierOptions {
  readonly head: Buffer;
  readonly behind: Buffer;
  readonly commonName: string | undefined;
}

export class RequestCarrier extends Duplex {
  readonly socket: Socket;
  /** What came behind the head, for whoever goes on with the socket. */
  readonly behind: Buffer;
  /** Of the client's verified certificate. */
  readonly commonName: string | undefined;
  /** The parser has made a request of it. */
  requested = false;
  private body: { bytesLeft: number; readonly pieceBytes: number; readonly waiting: Buffer[] } | null = null;
  private wanted = false;

  constructor(socket: Socket, { head, behind, commonName }: CarrierOptions) {
    super();
    this.socket = socket;
    this.behind = behind;
    this.commonName = commonName;
    socket.once('close', () => this.destroy());
    this.push(head);
  }

  /** From now on the parser is given what follows the head: so many bytes, or until `endBody` when it is chunked. */
  beginBody(length: number | undefined): void {
    const waiting = this.behind.length > 0 ? [this.behind] : [];
    this.body =
      length === undefined
        ? { bytesLeft: Number.POSITIVE_INFINITY, pieceBytes: chunkedBodyPieceBytes, waiting }
        : { bytesLeft: length, pieceBytes: knownBodyPieceBytes, waiting };
    this.socket.on('data', (chunk: Buffer) => {
      if (this.body === null) return;
      this.socket.pause();
      this.body.waiting.push(chunk);
      this.feed();
    });
    // The parser is at work on the head just now.
    process.nextTick(() => this.feed());
  }

  /** The request is whole, or refused: what comes now is for nobody. */
  endBody(): void {
    this.body = null;
    discard(this.socket);
  }

  override _read(): void {
    this.wanted = true;
    this.feed();
  }

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

  private feed(): void {
    const { body } = this;
    if (body === null || !this.wanted || body.bytesLeft === 0) return;
    const [first] = body.waiting;
    if (first === undefined) {
      this.socket.resume();
      return;
    }
    const piece = first.subarray(0, Math.min(body.pieceBytes, body.bytesLeft));
    if (piece.length === first.length) body.waiting.shift();
    else body.waiting[0] = first.subarray(piece.length);
    body.bytesLeft -= piece.length;
    this.wanted = false;
    this.push(piece);
  }
}
