// A request and its answer over node:http, as the handlers of paths see them. Unsent bytes count in the sum of all clients.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Bytes } from '../../shared/bytes.js';
import { contained } from '../front-end-guard.js';
import type { HttpHeaders, HttpRequest, HttpResponse } from '../http-handler.js';
import type { QueueBudget } from '../queue-budget.js';

export interface ExchangeOptions {
  readonly body: Bytes;
  readonly commonName: string | undefined;
  readonly budget: QueueBudget;
  /** The answer is complete: it only has to be sent. */
  readonly answered: () => void;
  /** Told of what nobody expected. Throws again what came out of the core. */
  readonly broken: (error: unknown) => void;
}

export function pathOf({ url = '/' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

export class HttpExchange implements HttpRequest, HttpResponse {
  readonly method: string;
  readonly path: string;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private readonly options: ExchangeOptions;
  /** Bytes that the shared budget has been told of. */
  private accountedBytes = 0;
  /** For an answer that is being made. */
  private reservedBytes = 0;
  private gone = false;
  private tellDrained: (() => void) | undefined;
  private tellGone: (() => void) | undefined;
  private readonly sent = contained(this, () => this.account());

  constructor(request: IncomingMessage, response: ServerResponse, options: ExchangeOptions) {
    this.method = request.method ?? '';
    this.path = pathOf(request);
    this.request = request;
    this.response = response;
    this.options = options;
    response.on('error', () => response.destroy());
    response.on(
      'drain',
      contained(this, () => this.tellDrained?.()),
    );
    response.on(
      'close',
      contained(this, () => this.closed()),
    );
  }

  get query(): URLSearchParams {
    return new URLSearchParams((this.request.url ?? '').slice(this.path.length + 1));
  }

  get body(): Bytes {
    return this.options.body;
  }

  get commonName(): string | undefined {
    return this.options.commonName;
  }

  get over(): boolean {
    return this.gone || this.response.writableEnded;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return typeof value === 'string' ? value : value?.join(', ');
  }

  reserve(bytes: number): boolean {
    if (this.options.budget.overflows(bytes - this.reservedBytes)) return false;
    this.reservedBytes = bytes;
    this.account();
    return true;
  }

  answer(status: number, headers: HttpHeaders, body: Bytes | string): void {
    if (this.over) return;
    try {
      this.write(status, headers, body);
    } catch (error) {
      this.broken(error);
    }
  }

  begin(status: number, headers: HttpHeaders): void {
    if (this.over) return;
    try {
      this.response.writeHead(status, headers);
      // A stream may have nothing to say for long: that it began is known at once.
      this.response.flushHeaders();
    } catch (error) {
      this.broken(error);
    }
  }

  send(piece: Bytes | string): boolean {
    if (this.over || this.method === 'HEAD') return true;
    try {
      const room = this.response.write(piece, this.sent);
      this.account();
      return room;
    } catch (error) {
      this.broken(error);
      return true;
    }
  }

  finish(): void {
    if (this.over) return;
    try {
      this.response.end();
      this.options.answered();
    } catch (error) {
      this.broken(error);
    }
  }

  broken(error: unknown): void {
    this.options.broken(error);
    const { response } = this;
    if (response.headersSent || this.over) {
      response.destroy();
      return;
    }
    try {
      this.write(500, { 'content-type': 'text/plain; charset=utf-8' }, 'The server failed to handle this request\n');
    } catch (again) {
      response.destroy();
      this.options.broken(again);
    }
  }

  onDrain(listener: () => void): void {
    this.tellDrained = listener;
  }

  onGone(listener: () => void): void {
    this.tellGone = listener;
    if (this.gone) listener();
  }

  private write(status: number, headers: HttpHeaders, body: Bytes | string): void {
    this.response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
    this.response.end(this.method === 'HEAD' ? undefined : body, this.sent);
    this.reservedBytes = 0;
    this.account();
    this.options.answered();
  }

  private closed(): void {
    this.gone = true;
    this.options.budget.change(-this.accountedBytes);
    this.accountedBytes = 0;
    if (!this.response.writableEnded) this.tellGone?.();
  }

  private account(): void {
    if (this.gone) return;
    const bytes = this.response.writableLength + this.reservedBytes;
    this.options.budget.change(bytes - this.accountedBytes);
    this.accountedBytes = bytes;
  }
}
