// One raw connection of the load generator: a channel, a fixed number of request slots, answers matched by slot number.
// Requests of one turn leave in one write. It decodes no more of an answer than its id and code, and never retries.

import type { Channel, ClientTransport } from '../../client/client-transport.js';
import type { Credentials } from '../../client/native-connection.js';
import { randomClientId, WriteSession } from '../../client/write-session.js';
import type { Zxid } from '../../shared/ids.js';
import { resultCodeOf } from '../../wire/command-codec.js';
import { readFrame } from '../../wire/native-frame-decoder.js';
import { decodePreface, encodePreface, FrameSplitter, prefaceBytes } from '../../wire/native-framing.js';
import { writeRequestFrame } from '../../wire/native-request-codec.js';
import { ProtoReader } from '../../wire/protobuf/proto-reader.js';
import { ProtoWriter } from '../../wire/protobuf/proto-writer.js';
import { RequestTemplate, type TemplateOptions } from './request-template.js';

/** Greatest answer taken. */
const frameBytesMax = 16 * 2 ** 20;
const outputBytes = 64 * 1024;

export interface LoadConnectionOptions {
  readonly peer: string;
  readonly transport: ClientTransport;
  /** Who it is, where access control is on. */
  readonly credentials: Credentials | undefined;
  readonly slots: number;
  readonly write: TemplateOptions;
  readonly read: TemplateOptions;
  /** Writes carry a client id and request numbers, and the server remembers their results. */
  readonly exactlyOnce: boolean;
}

export interface LoadConnectionHandler {
  ready(connection: LoadConnection): void;
  answered(connection: LoadConnection, slot: number, code: string): void;
  /** Every answer that arrived together was given. */
  turnEnded(connection: LoadConnection): void;
  /** Comes once, also when it never opened; busy slots get no answer any more. */
  closed(connection: LoadConnection, reason: string): void;
}

export class LoadConnection {
  readonly peer: string;
  /** performance.now() at which the latency of the slot's request begins; 0 = the slot is free. Slots count from 1. */
  readonly startedAt: Float64Array;
  readonly isRead: Uint8Array;
  readonly keyNumber: Float64Array;
  readonly free: number[] = [];
  isReady = false;
  private readonly options: LoadConnectionOptions;
  private readonly handler: LoadConnectionHandler;
  private readonly channel: Channel;
  private readonly splitter = new FrameSplitter(frameBytesMax);
  private readonly reader = new ProtoReader(new Uint8Array(0));
  private readonly requestOfSlot: Float64Array;
  private readonly readTemplate: RequestTemplate;
  private writeTemplate: RequestTemplate;
  private session: WriteSession | undefined;
  private output = Buffer.allocUnsafeSlow(outputBytes);
  private outputStart = 0;
  private outputEnd = 0;
  private prefaceSeen = false;
  /** Of the hello, until the login is through. */
  private loggingInAt: Zxid | undefined;
  private isClosed = false;

  constructor(options: LoadConnectionOptions, handler: LoadConnectionHandler) {
    this.options = options;
    this.handler = handler;
    this.peer = options.peer;
    this.startedAt = new Float64Array(options.slots + 1);
    this.isRead = new Uint8Array(options.slots + 1);
    this.keyNumber = new Float64Array(options.slots + 1);
    this.requestOfSlot = new Float64Array(options.slots + 1);
    for (let slot = options.slots; slot >= 1; slot--) this.free.push(slot);
    this.readTemplate = new RequestTemplate(options.read);
    this.writeTemplate = new RequestTemplate(options.write);
    this.channel = options.transport.open(options.peer, {
      opened: () => this.channel.send(encodePreface()),
      received: (chunk) => this.received(chunk),
      closed: (reason) => this.end(reason),
    });
  }

  /** Takes a free slot and puts the request into the output; flush() sends it. */
  send(isRead: boolean, keyNumber: number, valueNumber: number, startedAt: number): void {
    const slot = this.free.pop();
    if (slot === undefined) throw new Error('Cannot send: no slot is free');
    const template = isRead ? this.readTemplate : this.writeTemplate;
    if (this.outputEnd + template.byteLength > this.output.length) this.renewOutput(template.byteLength);
    template.write(this.output, this.outputEnd, slot, keyNumber, valueNumber);
    if (!isRead && this.session !== undefined) {
      const request = this.session.begin();
      this.requestOfSlot[slot] = request;
      template.identify(
        this.output,
        this.outputEnd,
        request,
        this.session.identityOf(request, false).acknowledgedBelow,
      );
    }
    this.outputEnd += template.byteLength;
    this.startedAt[slot] = startedAt;
    this.isRead[slot] = isRead ? 1 : 0;
    this.keyNumber[slot] = keyNumber;
  }

  flush(): void {
    if (this.outputEnd === this.outputStart) return;
    this.channel.send(this.output.subarray(this.outputStart, this.outputEnd));
    this.outputStart = this.outputEnd;
  }

  /** The slot may carry another request. */
  release(slot: number): void {
    this.startedAt[slot] = 0;
    this.free.push(slot);
  }

  /** True when a request waits longer than this for its answer. */
  isStuck(now: number, patienceMs: number): boolean {
    return this.startedAt.some((startedAt) => startedAt > 0 && now - startedAt > patienceMs);
  }

  /** Ends it; `closed` follows unless it is over already. */
  destroy(reason = 'it was given up'): void {
    this.channel.close();
    queueMicrotask(() => this.end(reason));
  }

  /** Ends it without any further callback. */
  close(): void {
    this.isClosed = true;
    this.channel.close();
  }

  /** What was handed to the socket must not be written again, so that a new buffer takes over. */
  private renewOutput(byteLength: number): void {
    this.flush();
    this.output = Buffer.allocUnsafeSlow(Math.max(outputBytes, byteLength));
    this.outputStart = 0;
    this.outputEnd = 0;
  }

  private received(chunk: Uint8Array): void {
    if (this.isClosed) return;
    this.splitter.push(chunk);
    try {
      if (!this.prefaceSeen) {
        const preface = this.splitter.take(prefaceBytes);
        if (preface === undefined) return;
        decodePreface(preface);
        this.prefaceSeen = true;
      }
      for (let body = this.splitter.next(); body !== undefined; body = this.splitter.next()) {
        if (this.isReady) this.answer(body);
        else if (this.loggingInAt === undefined) this.hello(body);
        else this.loggedIn(body, this.loggingInAt);
      }
    } catch (error) {
      this.destroy(error instanceof Error ? error.message : String(error));
      return;
    }
    this.handler.turnEnded(this);
  }

  private hello(body: Uint8Array): void {
    const frame = readFrame(new ProtoReader(body));
    if (frame.payload.type !== 'hello') throw new Error(`${this.peer} refuses: ${frame.code} ${frame.message}`);
    const { credentials } = this.options;
    if (credentials === undefined) {
      this.begin(frame.zxid);
      return;
    }
    this.loggingInAt = frame.zxid;
    const writer = new ProtoWriter(outputBytes);
    writeRequestFrame(writer, { id: 1, timeoutMs: 0, body: { type: 'authenticate', ...credentials } });
    this.channel.send(writer.finish());
  }

  private loggedIn(body: Uint8Array, zxid: Zxid): void {
    const { code, message } = readFrame(new ProtoReader(body));
    // Without access control it does not matter who the client is.
    if (code !== 'OK' && code !== 'ACCESS_NOT_ENABLED') throw new Error(`${this.peer} refuses: ${code} ${message}`);
    this.begin(zxid);
  }

  private begin(zxid: Zxid): void {
    if (this.options.exactlyOnce) {
      this.session = new WriteSession(randomClientId(), zxid);
      const identity = { client: this.session.client, bornAt: this.session.bornAt };
      this.writeTemplate = new RequestTemplate({ ...this.options.write, identity });
    }
    this.isReady = true;
    this.handler.ready(this);
  }

  private answer(body: Uint8Array): void {
    const { reader } = this;
    reader.reset(body);
    let slot = 0;
    let code = 0;
    for (let field = reader.nextField(); field === 1 || field === 2; field = reader.nextField()) {
      if (field === 1) slot = reader.varint();
      else code = reader.varint();
    }
    if ((this.startedAt[slot] ?? 0) === 0) return;
    const request = this.requestOfSlot[slot] ?? 0;
    if (request > 0) {
      this.session?.end(request);
      this.requestOfSlot[slot] = 0;
    }
    this.handler.answered(this, slot, code === 0 ? 'OK' : resultCodeOf(code));
  }

  private end(reason: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.isReady = false;
    this.handler.closed(this, reason);
  }
}
