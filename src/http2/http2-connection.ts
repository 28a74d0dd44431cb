// One HTTP/2 connection of a client: reads its frames, keeps its streams and windows, and answers whatever the protocol
// itself asks. A client that breaks the protocol is told so and loses its connection, never more. Knows no request.

import type { Duplex } from 'node:stream';
import type { Bytes } from '../shared/bytes.js';
import {
  writeFields,
  writeGoAway,
  writePing,
  writePong,
  writeReset,
  writeSettings,
  writeSettingsTaken,
} from './control-frames.js';
import { dataOf, headerBlockOf } from './frame-payloads.js';
import { priorityBytes, requireSound } from './frame-rules.js';
import { FrameSplitter } from './frame-splitter.js';
import { type ErrorCode, errorCode, flag, frameType, Http2Error, headerTableBytes, preface } from './frames.js';
import { HeaderBlocks } from './header-blocks.js';
import type { HeaderField } from './hpack-decoder.js';
import { HpackEncoder, type SentFields } from './hpack-encoder.js';
import { Http2Stream } from './http2-stream.js';
import { Outbox, type SlabPool } from './outbox.js';
import { ReceiveWindows } from './receive-windows.js';
import { isRequest, isTrailers } from './request-fields.js';
import { ResetBudget } from './reset-budget.js';
import { SendQueue } from './send-queue.js';
import { readSettings, type ServerSettings } from './settings.js';

export interface ConnectionHost {
  /** A request has begun. Gives it a handler, or answers it. */
  request(stream: Http2Stream, fields: readonly HeaderField[]): void;
  /** All that came at once was taken. */
  chunkTaken(): void;
  /** The connection is gone; all its streams are closed. Called once. */
  closed(): void;
  /** An exception that nobody expected, of this code or of a handler: the connection is cut off. It may be thrown on. */
  broken(error: unknown): void;
}

export interface ConnectionOptions {
  readonly settings: ServerSettings;
  /** The client's first settings have to be there in time. */
  readonly handshakeTimeoutMs: number;
  readonly slabs: SlabPool;
  readonly host: ConnectionHost;
}

/** Bytes of a client that was told why it is cut off may still arrive: for so long they are read and dropped. */
const goodbyeMs = 1_000;

export class Http2Connection {
  private readonly socket: Duplex;
  private readonly settings: ServerSettings;
  private readonly host: ConnectionHost;
  private readonly outbox: Outbox;
  private readonly sending: SendQueue;
  private readonly receiving: ReceiveWindows;
  private readonly encoder = new HpackEncoder();
  private readonly blocks: HeaderBlocks;
  private readonly splitter: FrameSplitter;
  private readonly resets = new ResetBudget();
  private readonly streams = new Map<number, Http2Stream>();
  /** Answered, while their clients have not said that they send nothing more. */
  private leaving: Http2Stream[] = [];
  private prefaceTaken = 0;
  private greeted = false;
  private lastStream = 0;
  /** The last one that may have had an effect. */
  private lastServed = 0;
  private windowsChanged = false;
  /** The list that was last found to be a request. */
  private lastFields: readonly HeaderField[] | null = null;
  private stopping = false;
  private ended = false;
  /** Came while the client did not read what it was sent. */
  private held: Buffer | null = null;
  private timeout: NodeJS.Timeout;
  private readonly tick = (): void => this.contain(() => this.endLeaving());

  constructor(socket: Duplex, { settings, handshakeTimeoutMs, slabs, host }: ConnectionOptions) {
    this.socket = socket;
    this.settings = settings;
    this.host = host;
    this.blocks = new HeaderBlocks(headerTableBytes, settings.headerListBytesMax);
    this.outbox = new Outbox(socket, {
      slabs,
      host: {
        fill: () => this.sending.fill(),
        room: () => this.room(),
        broken: (error) => this.broken(error),
      },
    });
    this.sending = new SendQueue(this.outbox);
    this.receiving = new ReceiveWindows(this.outbox, settings);
    const connection = this;
    this.splitter = new FrameSplitter({
      frame: (type, flags, stream, memory, start, end) => this.guarded(type, flags, stream, memory, start, end),
      oversized: (bytes) => this.fail(errorCode.frameSize, `A frame of ${bytes} bytes`),
      get stopped() {
        return connection.ended || connection.outbox.isFull();
      },
    });
    this.timeout = setTimeout(() => this.destroy(), handshakeTimeoutMs);
    writeSettings(this.outbox, settings);
    this.receiving.greet();
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.close());
    socket.on('data', (chunk: Buffer) => {
      try {
        this.received(chunk);
      } catch (error) {
        this.broken(error);
      }
    });
    socket.resume();
  }

  /** Asks the client for a sign of life. */
  ping(): void {
    if (!this.ended) writePing(this.outbox);
  }

  /** Takes no more requests; closes once those under way are answered. */
  stop(): void {
    if (this.stopping || this.ended) return;
    this.stopping = true;
    writeGoAway(this.outbox, this.lastServed, errorCode.none, '');
    this.endWhenIdle();
  }

  /** Closes at once. */
  destroy(): void {
    this.socket.destroy();
  }

  // ---- as its streams see it ----

  sendFields(stream: Http2Stream, fields: SentFields, end: boolean): void {
    writeFields(this.outbox, stream.id, this.encoder.encode(fields), end);
  }

  sendNow(stream: Http2Stream, head: Bytes, body: Bytes): boolean {
    return this.sending.sendNow(stream, head, body);
  }

  queued(stream: Http2Stream): void {
    this.sending.queued(stream);
  }

  returnWindow(stream: Http2Stream, bytes: number): void {
    this.receiving.giveBackTo(stream, bytes);
  }

  returnConnectionWindow(bytes: number): void {
    this.receiving.giveBack(bytes, this.ended);
  }

  resetStream(stream: Http2Stream, code: ErrorCode): void {
    if (!this.ended) writeReset(this.outbox, stream.id, code);
    this.closeStream(stream);
  }

  answered(stream: Http2Stream): void {
    if (stream.remoteEnded) {
      this.closeStream(stream);
      return;
    }
    // Often that is the very next thing that it says.
    if (this.leaving.length === 0) setImmediate(this.tick);
    this.leaving.push(stream);
  }

  // ---- what comes ----

  private received(chunk: Buffer): void {
    if (this.ended) return;
    let rest = chunk;
    if (this.held !== null) {
      rest = Buffer.concat([this.held, chunk]);
      this.held = null;
    }
    if (this.prefaceTaken < preface.length) {
      rest = this.takePreface(rest);
      if (this.ended || rest.length === 0) return;
    }
    const taken = this.splitter.push(rest);
    if (this.ended) return;
    if (taken < rest.length) {
      this.held = rest.subarray(taken);
      this.socket.pause();
    }
    if (this.windowsChanged) this.followWindows();
    this.host.chunkTaken();
  }

  private followWindows(): void {
    this.windowsChanged = false;
    for (const stream of this.streams.values()) {
      if (this.sending.streamWindowChanged(stream)) continue;
      this.fail(errorCode.flowControl, 'The window of a stream is too large');
      return;
    }
  }

  private takePreface(chunk: Buffer): Buffer {
    const count = Math.min(preface.length - this.prefaceTaken, chunk.length);
    if (chunk.toString('latin1', 0, count) !== preface.slice(this.prefaceTaken, this.prefaceTaken + count)) {
      this.fail(errorCode.protocol, 'The preface of HTTP/2 is another');
    }
    this.prefaceTaken += count;
    return chunk.subarray(count);
  }

  /** The client reads again. */
  private room(): void {
    if (this.ended) return;
    this.sending.resume();
    const { held } = this;
    if (held === null) return;
    this.held = null;
    this.received(held);
    if (this.held === null) this.socket.resume();
  }

  private guarded(type: number, flags: number, stream: number, memory: Buffer, start: number, end: number): void {
    try {
      this.frame(type, flags, stream, memory, start, end);
    } catch (error) {
      if (!(error instanceof Http2Error)) throw error;
      this.fail(error.code, error.message);
    }
  }

  private frame(type: number, flags: number, id: number, memory: Buffer, start: number, end: number): void {
    if (!this.greeted && type !== frameType.settings) throw protocolError('The first frame is not SETTINGS');
    if (this.blocks.open && type !== frameType.continuation) throw protocolError('A header block is interrupted');
    requireSound(type, id, end - start);
    switch (type) {
      case frameType.data:
        this.data(flags, id, memory, start, end);
        break;
      case frameType.headers:
        this.headers(flags, id, memory, start, end);
        break;
      case frameType.continuation:
        this.continuation(flags, id, memory, start, end);
        break;
      case frameType.priority:
        if (end - start !== priorityBytes) this.wrongPriority(id);
        break;
      case frameType.reset:
        this.resetByClient(id);
        break;
      case frameType.settings:
        this.changeSettings(flags, memory.subarray(start, end));
        break;
      case frameType.ping:
        this.pong(flags, memory.subarray(start, end));
        break;
      case frameType.windowUpdate:
        this.grow(id, memory.readUInt32BE(start) & 0x7fffffff);
        break;
    }
  }

  private data(flags: number, id: number, memory: Buffer, start: number, end: number): void {
    const bytes = end - start;
    if (!this.receiving.take(bytes))
      throw new Http2Error(errorCode.flowControl, 'More data than the window has room for');
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.requireOpened(id, 'DATA');
      this.returnConnectionWindow(bytes);
      return;
    }
    stream.receiveWindow -= bytes;
    const wrong = stream.remoteEnded
      ? errorCode.streamClosed
      : stream.receiveWindow < 0
        ? errorCode.flowControl
        : errorCode.none;
    if (wrong !== errorCode.none) {
      this.returnConnectionWindow(bytes);
      this.streamError(stream, wrong);
      return;
    }
    const piece = dataOf(flags, memory, start, end);
    const last = (flags & flag.endStream) !== 0;
    // Whoever answers now knows that nothing more comes.
    if (last) stream.remoteEnded = true;
    stream.take(piece, bytes);
    if (last && !stream.closed) stream.handler?.ended();
  }

  private headers(flags: number, id: number, memory: Buffer, start: number, end: number): void {
    const block = headerBlockOf(flags, memory, start, end);
    const last = (flags & flag.endStream) !== 0;
    if ((flags & flag.endHeaders) === 0) this.blocks.begin(id, last, block);
    else this.fields(id, last, this.blocks.decode(block));
  }

  private continuation(flags: number, id: number, memory: Buffer, start: number, end: number): void {
    const ends = (flags & flag.endHeaders) !== 0;
    const whole = this.blocks.continue(id, memory.subarray(start, end), ends);
    if (whole !== null) this.fields(id, whole.endStream, this.blocks.decode(whole.block));
  }

  /** `fields`: null when there are too many. */
  private fields(id: number, last: boolean, fields: readonly HeaderField[] | null): void {
    if (id <= this.lastStream) {
      this.trailers(id, last, fields);
      return;
    }
    this.lastStream = id;
    if (this.stopping) return;
    this.lastServed = id;
    if (this.streams.size >= this.settings.streamsMax) writeReset(this.outbox, id, errorCode.refusedStream);
    else if (fields === null) writeReset(this.outbox, id, errorCode.enhanceYourCalm);
    else if (!isRequest(fields, this.lastFields)) writeReset(this.outbox, id, errorCode.protocol);
    else {
      this.lastFields = fields;
      const stream = new Http2Stream(id, this, this.settings.streamWindowBytes);
      stream.remoteEnded = last;
      this.streams.set(id, stream);
      this.host.request(stream, fields);
      if (last && !stream.closed) stream.handler?.ended();
    }
  }

  private trailers(id: number, last: boolean, fields: readonly HeaderField[] | null): void {
    const stream = this.streams.get(id);
    // Of a stream that is no more.
    if (stream === undefined) return;
    if (stream.remoteEnded) this.streamError(stream, errorCode.streamClosed);
    else if (!last || fields === null || !isTrailers(fields)) this.streamError(stream, errorCode.protocol);
    else {
      stream.remoteEnded = true;
      stream.handler?.ended();
    }
  }

  private resetByClient(id: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.requireOpened(id, 'RST_STREAM');
      return;
    }
    this.closeStream(stream);
    this.countReset();
  }

  private countReset(): void {
    if (this.resets.take(performance.now())) return;
    throw new Http2Error(errorCode.enhanceYourCalm, 'Too many streams are reset');
  }

  private changeSettings(flags: number, payload: Uint8Array): void {
    if ((flags & flag.acknowledged) !== 0) {
      if (payload.length > 0) throw new Http2Error(errorCode.frameSize, 'An acknowledgment with settings');
      if (!this.greeted) throw protocolError('The first frame is an acknowledgment');
      return;
    }
    const settings = readSettings(payload);
    if (!this.greeted) clearTimeout(this.timeout);
    this.greeted = true;
    for (const bytes of settings.headerTableBytes) this.encoder.setTableBytesMax(bytes);
    if (settings.windowBytes !== undefined) {
      this.sending.setStreamWindow(settings.windowBytes);
      // Looked after once for all that came at once: a client may say so a thousand times.
      this.windowsChanged = true;
    }
    writeSettingsTaken(this.outbox);
  }

  private pong(flags: number, payload: Uint8Array): void {
    if ((flags & flag.acknowledged) === 0) writePong(this.outbox, payload);
  }

  private grow(id: number, bytes: number): void {
    if (id === 0) {
      if (bytes === 0) throw protocolError('A window grows by nothing');
      if (!this.sending.growConnection(bytes)) throw new Http2Error(errorCode.flowControl, 'The window is too large');
      return;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) this.requireOpened(id, 'WINDOW_UPDATE');
    else if (bytes === 0) this.streamError(stream, errorCode.protocol);
    else if (!this.sending.growStream(stream, bytes)) this.streamError(stream, errorCode.flowControl);
  }

  /** A stream that is not there has to be one that was. */
  private requireOpened(id: number, what: string): void {
    if (id % 2 === 0 || id > this.lastStream) throw protocolError(`${what} of a stream that never was`);
  }

  private wrongPriority(id: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) throw new Http2Error(errorCode.frameSize, 'PRIORITY of a wrong size');
    this.streamError(stream, errorCode.frameSize);
  }

  /** Whoever has streams reset leaves work behind like one who resets them (CVE-2025-8671), and may do so as often. */
  private streamError(stream: Http2Stream, code: ErrorCode): void {
    this.resetStream(stream, code);
    this.countReset();
  }

  // ---- ends ----

  private closeStream(stream: Http2Stream): void {
    if (!this.streams.delete(stream.id)) return;
    this.returnConnectionWindow(stream.close());
    this.sending.forget(stream);
    if (this.stopping) this.endWhenIdle();
  }

  /** What an answered client goes on to send is for nobody. */
  private endLeaving(): void {
    const { leaving } = this;
    this.leaving = [];
    for (const stream of leaving) {
      if (stream.closed) continue;
      if (stream.remoteEnded) this.closeStream(stream);
      else this.resetStream(stream, errorCode.none);
    }
  }

  private endWhenIdle(): void {
    if (this.streams.size > 0 || this.ended) return;
    this.ended = true;
    this.outbox.flush();
    this.socket.end();
    // What still comes is for nobody; the client closes, or its listener does.
    this.socket.resume();
  }

  private fail(code: ErrorCode, message: string): void {
    if (this.ended) return;
    writeGoAway(this.outbox, this.lastServed, code, message);
    this.ended = true;
    this.outbox.flush();
    this.socket.end();
    this.socket.resume();
    clearTimeout(this.timeout);
    this.timeout = setTimeout(() => this.destroy(), goodbyeMs);
    this.closeStreams();
  }

  private close(): void {
    this.ended = true;
    clearTimeout(this.timeout);
    this.closeStreams();
    this.contain(() => this.host.closed());
  }

  /** Each lets go of what it holds, whatever becomes of the others. */
  private closeStreams(): void {
    for (const stream of [...this.streams.values()]) this.contain(() => this.closeStream(stream));
  }

  /** For what is no more on the path of a request. */
  private contain(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.broken(error);
    }
  }

  /** What state it is in is not known: nothing more is said. */
  private broken(error: unknown): void {
    this.socket.destroy();
    this.host.broken(error);
  }
}

function protocolError(message: string): Http2Error {
  return new Http2Error(errorCode.protocol, message);
}
