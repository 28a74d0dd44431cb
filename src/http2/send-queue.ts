// What the streams of a connection send, within the windows that the client grants: in turns of one frame, so that no
// stream waits for a longer one. Frames without data need no window and are not held back here.

import type { Bytes } from '../shared/bytes.js';
import { Fifo } from '../shared/fifo.js';
import { frameBytesMax, frameType, initialWindowBytes, windowBytesMax } from './frames.js';
import type { Http2Stream } from './http2-stream.js';
import type { Outbox } from './outbox.js';

export class SendQueue {
  private readonly outbox: Outbox;
  /** Of the whole connection. */
  private window = initialWindowBytes;
  /** That every stream begins with. */
  private streamWindow = initialWindowBytes;
  /** Streams that have queued bytes and a window. */
  private ready = new Fifo<Http2Stream>();
  /** Places of streams that have closed meanwhile. */
  private goneCount = 0;
  private readonly addPiece = (piece: Bytes): void => this.outbox.add(piece);

  constructor(outbox: Outbox) {
    this.outbox = outbox;
  }

  /** Sends a frame at once, if it is not too large and nothing is in its way. */
  sendNow(stream: Http2Stream, head: Bytes, body: Bytes): boolean {
    const bytes = head.length + body.length;
    if (bytes > frameBytesMax || bytes > this.window || bytes > this.windowOf(stream)) return false;
    const { outbox } = this;
    if (outbox.isFull()) return false;
    this.spend(stream, bytes);
    outbox.head(frameType.data, 0, stream.id, bytes);
    outbox.add(head);
    outbox.add(body);
    return true;
  }

  /** The stream has queued bytes, or a larger window. */
  queued(stream: Http2Stream): void {
    if (stream.waitsToSend || stream.unsentBytes === 0 || this.windowOf(stream) <= 0) return;
    stream.waitsToSend = true;
    this.ready.push(stream);
    if (this.window > 0) this.outbox.schedule();
  }

  /** Sends what may be sent. */
  fill(): void {
    const { outbox } = this;
    while (this.ready.length > 0 && this.window > 0 && !outbox.isFull()) {
      const stream = this.ready.shift() as Http2Stream;
      if (!stream.waitsToSend) {
        this.goneCount -= 1;
        continue;
      }
      stream.waitsToSend = false;
      const bytes = Math.min(stream.unsentBytes, frameBytesMax, this.window, this.windowOf(stream));
      if (bytes <= 0) continue;
      this.spend(stream, bytes);
      outbox.head(frameType.data, 0, stream.id, bytes);
      stream.takeQueued(bytes, this.addPiece);
      stream.tellSent();
      this.queued(stream);
    }
  }

  /** The socket takes more. */
  resume(): void {
    if (this.ready.length > 0 && this.window > 0) this.outbox.schedule();
  }

  /** The client takes so many bytes more on all streams together. False: that is more than may be. */
  growConnection(bytes: number): boolean {
    if (this.window + bytes > windowBytesMax) return false;
    this.window += bytes;
    this.resume();
    return true;
  }

  /** The same for one stream. */
  growStream(stream: Http2Stream, bytes: number): boolean {
    if (this.windowOf(stream) + bytes > windowBytesMax) return false;
    stream.spentWindow -= bytes;
    this.queued(stream);
    return true;
  }

  /**
   * The client takes so many bytes on every stream, on those that are open as well: `streamWindowChanged` has to be called
   * for each of them.
   */
  setStreamWindow(bytes: number): void {
    this.streamWindow = bytes;
  }

  /** False: its window is larger than may be. */
  streamWindowChanged(stream: Http2Stream): boolean {
    this.queued(stream);
    return this.windowOf(stream) <= windowBytesMax;
  }

  /** The stream is closed. While the client takes nothing, closed ones must not pile up. */
  forget(stream: Http2Stream): void {
    if (!stream.waitsToSend) return;
    stream.waitsToSend = false;
    this.goneCount += 1;
    if (this.goneCount * 2 <= this.ready.length) return;
    const open = new Fifo<Http2Stream>();
    for (const one of this.ready) if (one.waitsToSend) open.push(one);
    this.ready = open;
    this.goneCount = 0;
  }

  /** May be negative: the client may take back what it granted. */
  private windowOf(stream: Http2Stream): number {
    return this.streamWindow - stream.spentWindow;
  }

  private spend(stream: Http2Stream, bytes: number): void {
    this.window -= bytes;
    stream.spentWindow += bytes;
  }
}
