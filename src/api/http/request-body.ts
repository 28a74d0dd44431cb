// Collects the body of one request, within its bound in bytes and time. A large one has to find room first, like every
// large request of a client.

import type { IncomingMessage } from 'node:http';
import type { Limits } from '../../config/limits.js';
import { type Bytes, emptyBytes } from '../../shared/bytes.js';
import { Arrival, type ArrivalBudget, smallArrivalBytes } from '../arrival-budget.js';
import type { RequestCarrier } from './request-carrier.js';

export interface BodyOptions {
  readonly limits: Limits;
  readonly arrivals: ArrivalBudget;
  readonly done: (body: Bytes) => void;
  /** It is too large or did not come; a status and its text. */
  readonly refused: (status: number, text: string) => void;
  /** Does the work, and lets what it throws cost this connection alone. */
  readonly contain: (work: () => void) => void;
}

/** Calls one of the two back, once; neither when the client goes away. */
export function collectBody(request: IncomingMessage, carrier: RequestCarrier, options: BodyOptions): void {
  const length = lengthOf(request);
  if (length === 0) {
    carrier.endBody();
    options.done(emptyBytes);
    return;
  }
  new RequestBody(request, carrier, options).begin(length);
}

/** Undefined: only its end will tell. */
function lengthOf({ headers }: IncomingMessage): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined;
  // The parser takes decimal digits alone.
  return Number(headers['content-length'] ?? 0);
}

class RequestBody {
  private readonly request: IncomingMessage;
  private readonly carrier: RequestCarrier;
  private readonly options: BodyOptions;
  private readonly arrival: Arrival;
  private readonly late: NodeJS.Timeout;
  private pieces: Buffer[] = [];
  private bytes = 0;
  private over = false;

  constructor(request: IncomingMessage, carrier: RequestCarrier, options: BodyOptions) {
    this.request = request;
    this.carrier = carrier;
    this.options = options;
    const { contain } = options;
    const { requestArrivalTimeoutMs } = options.limits;
    this.arrival = new Arrival(options.arrivals, requestArrivalTimeoutMs, {
      isRead: () => true,
      address: carrier.socket.remoteAddress ?? '',
      granted: () => contain(() => request.resume()),
      late: (error) => contain(() => this.refuse(503, error.message)),
    });
    this.late = setTimeout(
      () => contain(() => this.refuse(408, `The request has not arrived within ${requestArrivalTimeoutMs} ms`)),
      requestArrivalTimeoutMs,
    );
  }

  begin(length: number | undefined): void {
    const { request, carrier } = this;
    if (length !== undefined && length > this.bytesMax) {
      this.refuseSize();
      return;
    }
    const { contain } = this.options;
    request.on('data', (piece: Buffer) => contain(() => this.take(piece, length ?? this.bytesMax)));
    request.on('end', () => contain(() => this.finish()));
    request.on('error', () => contain(() => this.end()));
    request.on('close', () => contain(() => this.end()));
    if (length !== undefined) this.findRoom(length);
    carrier.beginBody(length);
  }

  private get bytesMax(): number {
    return this.options.limits.httpBodyBytesMax;
  }

  private take(piece: Buffer, bytesMost: number): void {
    if (this.over) return;
    this.bytes += piece.length;
    if (this.bytes > this.bytesMax) {
      this.refuseSize();
      return;
    }
    this.pieces.push(piece);
    // Where its length is not told it may be of any.
    if (this.bytes > smallArrivalBytes) this.findRoom(bytesMost);
    // Whatever is behind the request is not given to the parser.
    if (this.request.complete) this.carrier.endBody();
  }

  private findRoom(bytes: number): void {
    if (bytes > smallArrivalBytes && !this.arrival.active && !this.arrival.begin(bytes)) this.request.pause();
  }

  private finish(): void {
    if (this.over) return;
    this.end();
    this.carrier.endBody();
    this.options.done(new Uint8Array(Buffer.concat(this.pieces)));
  }

  private refuseSize(): void {
    this.refuse(413, `A request's body may have ${this.bytesMax} bytes`);
  }

  private refuse(status: number, text: string): void {
    if (this.over) return;
    this.end();
    this.pieces = [];
    this.carrier.endBody();
    this.options.refused(status, text);
  }

  private end(): void {
    this.over = true;
    clearTimeout(this.late);
    this.arrival.end();
  }
}
