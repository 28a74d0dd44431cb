// A gRPC call without a network, for tests of the etcd front end's commands: keeps what is sent to the client, and takes
// only as many messages as it is told to.

import type { GrpcCall } from '../../src/api/etcd/grpc/grpc-call.js';
import type { GrpcStatus } from '../../src/api/etcd/grpc/grpc-status.js';
import type { Bytes } from '../../src/shared/bytes.js';

export class EtcdCall implements GrpcCall {
  readonly path = '/test';
  readonly timeoutMs = 0;
  readonly commonName = undefined;
  readonly sent: Bytes[] = [];
  failure: { readonly status: GrpcStatus; readonly message: string } | null = null;
  finished = false;
  over = false;
  /** Messages that are taken before `send` says that it is enough. */
  room = Number.POSITIVE_INFINITY;
  private readonly headers: Readonly<Record<string, string>>;
  private drained: () => void = () => undefined;
  private cancelled: () => void = () => undefined;

  constructor(headers: Readonly<Record<string, string>> = {}) {
    this.headers = headers;
  }

  header(name: string): string | undefined {
    return this.headers[name];
  }

  send(message: Bytes): boolean {
    if (this.over) return true;
    this.sent.push(message);
    this.room--;
    return this.room > 0;
  }

  beginMessage(): void {
    throw new Error('not wanted here');
  }

  sendPiece(): boolean {
    throw new Error('not wanted here');
  }

  finish(): void {
    this.finished = true;
    this.over = true;
  }

  fail(status: GrpcStatus, message: string): void {
    if (this.over) return;
    this.failure = { status, message };
    this.over = true;
  }

  stop(status: GrpcStatus, message: string): void {
    if (this.over) return;
    this.fail(status, message);
    this.cancelled();
  }

  onDrain(listener: () => void): void {
    this.drained = listener;
  }

  onCancelled(listener: () => void): void {
    this.cancelled = listener;
  }

  /** The client has taken what was sent, and takes so many more. */
  drain(room: number): void {
    this.room = room;
    this.drained();
  }

  /** The client went away. */
  cancel(): void {
    this.over = true;
    this.cancelled();
  }
}
