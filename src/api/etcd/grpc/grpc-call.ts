// One gRPC call as the commands of the etcd front end see it, whatever carries it: HTTP/2, or the JSON gateway. Messages
// are protobuf bytes without their prefix. Calls of a cancelled call's methods do nothing, and none of them throws anything
// but a failure of the core.

import type { Bytes } from '../../../shared/bytes.js';
import type { GrpcStatus } from './grpc-status.js';

export interface GrpcCall {
  /** `/etcdserverpb.KV/Range` */
  readonly path: string;
  /** A request header (lower-case name); undefined when it is not there. */
  header(name: string): string | undefined;
  /** What the client allows, counted from the call's beginning; 0 = it names none. */
  readonly timeoutMs: number;
  /** Common name of the client's verified certificate; undefined without one. */
  readonly commonName: string | undefined;
  /** The client went away, the deadline passed, or the call has ended. */
  readonly over: boolean;

  /** Sends one message. False: so much is unsent that the sender should wait for `onDrain`. */
  send(message: Bytes): boolean;
  /** Begins a message of this many bytes, whose pieces follow by `sendPiece`. */
  beginMessage(byteLength: number): void;
  /** Like `send` for a piece of the message that was begun. */
  sendPiece(piece: Bytes): boolean;
  /** Ends the call with status OK. */
  finish(): void;
  /** Ends the call with a status and its text. */
  fail(status: GrpcStatus, message: string): void;
  /** The same from outside of its method, which learns that it was cancelled. */
  stop(status: GrpcStatus, message: string): void;

  /** There is room again after `send` said false. One listener. */
  onDrain(listener: () => void): void;
  /** The call is over before it was finished here. One listener; called at once when it is over already. */
  onCancelled(listener: () => void): void;
}

/** What a method that takes a stream does with it. Bytes are views: copy what is kept. */
export interface MessageStream {
  message(message: Bytes): void;
  /** The client sends nothing more. */
  halfClosed(): void;
}

export type GrpcMethod =
  /** Called with the one request message. */
  | { readonly type: 'unary'; readonly handle: (call: GrpcCall, request: Bytes) => void }
  /** The client may send any number of messages. `pause`/`resume` of reading follow the call's unsent bytes. */
  | { readonly type: 'stream'; readonly open: (call: GrpcCall) => MessageStream };

/** By path: `/package.Service/Method`. */
export type GrpcMethods = ReadonlyMap<string, GrpcMethod>;
