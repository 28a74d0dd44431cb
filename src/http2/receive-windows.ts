// How much a client may still send, on each stream and on all together: counts what comes, and grants anew what is done
// with, in large steps. What the client may be sent is send-queue.ts's.

import { writeWindowUpdate } from './control-frames.js';
import { initialWindowBytes } from './frames.js';
import type { Http2Stream } from './http2-stream.js';
import type { Outbox } from './outbox.js';
import type { ServerSettings } from './settings.js';

export class ReceiveWindows {
  private readonly outbox: Outbox;
  private readonly settings: ServerSettings;
  /** Bytes that the client may send on all streams, and those that are done with. */
  private window: number;
  private doneBytes = 0;

  constructor(outbox: Outbox, settings: ServerSettings) {
    this.outbox = outbox;
    this.settings = settings;
    this.window = settings.connectionWindowBytes;
  }

  /** What the connection may have beyond what every one begins with. */
  greet(): void {
    writeWindowUpdate(this.outbox, 0, this.settings.connectionWindowBytes - initialWindowBytes);
  }

  /** So much has come. False: more than all streams together had room for. */
  take(bytes: number): boolean {
    this.window -= bytes;
    return this.window >= 0;
  }

  /** The client may send so many bytes more on all streams together. */
  giveBack(bytes: number, ended: boolean): void {
    this.doneBytes += bytes;
    if (this.doneBytes * 2 < this.settings.connectionWindowBytes || ended) return;
    writeWindowUpdate(this.outbox, 0, this.doneBytes);
    this.window += this.doneBytes;
    this.doneBytes = 0;
  }

  /** The same for one stream. */
  giveBackTo(stream: Http2Stream, bytes: number): void {
    if (stream.closed || stream.remoteEnded) return;
    stream.doneBytes += bytes;
    if (stream.doneBytes * 2 < this.settings.streamWindowBytes) return;
    writeWindowUpdate(this.outbox, stream.id, stream.doneBytes);
    stream.receiveWindow += stream.doneBytes;
    stream.doneBytes = 0;
  }
}
