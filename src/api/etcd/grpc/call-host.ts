// What a call of gRPC asks of the connection that carries it. Types alone.

import type { Limits } from '../../../config/limits.js';
import type { ArrivalBudget } from '../../arrival-budget.js';
import type { DueCalls } from './due-calls.js';
import type { GrpcMethod } from './grpc-call.js';
import type { GrpcStatus } from './grpc-status.js';

/** A call as its connection knows it. */
export interface HostedCall {
  readonly method: GrpcMethod;
  /** Ends it for reasons of the connection; its method learns that it was cancelled. */
  stop(status: GrpcStatus, message: string): void;
}

/** The connection as its calls see it. */
export interface CallHost {
  readonly limits: Limits;
  readonly dueCalls: DueCalls;
  readonly arrivals: ArrivalBudget;
  /** Of the client. */
  readonly address: string;
  readonly commonName: string | undefined;
  /** Bytes that one of its calls may have unsent without harm to others. */
  readonly roomBytes: number;
  /** So many bytes more may wait for the client; false: it, or many others, have not read what they were sent before. */
  hasRoomFor(bytes: number): boolean;
  /** A call holds so many bytes more (or fewer). */
  changeHeld(bytes: number): void;
  /** Bytes of unfinished messages that need no room of their own: true if they are taken. */
  takeSmall(bytes: number): boolean;
  giveSmall(bytes: number): void;
  /** A call is going to wait with bytes that are not read: false when too many do. */
  beginWait(): boolean;
  endWait(): void;
  closed(call: HostedCall): void;
  /** The method has thrown what nobody expected: the call is going to be ended. Throws again what came out of the core. */
  methodThrew(error: unknown): void;
  /** So has what carries calls: the connection is cut off. Throws again what came out of the core. */
  broken(error: unknown): void;
}
