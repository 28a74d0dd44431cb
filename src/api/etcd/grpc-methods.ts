// How a command becomes a method: whatever is thrown while a message is handled ends the call with etcd's code and text,
// and a defect is logged. Never decodes or answers anything itself.

import type { ReadOptions } from '../../service/store-service.js';
import { InvariantError } from '../../shared/assert.js';
import type { Bytes } from '../../shared/bytes.js';
import type { ErrorCode } from '../../shared/errors.js';
import { zxidZero } from '../../shared/ids.js';
import type { Command, CommandEnvelope, CommandOutput, CommandResult } from '../../tree/command.js';
import { contained } from '../front-end-guard.js';
import type { EtcdContext } from './context.js';
import { failureOf, failureOfCode } from './errors.js';
import type { GrpcCall, GrpcMethod, MessageStream } from './grpc/grpc-call.js';

/** What every file of commands gives: its methods by their paths. */
export type MethodEntries = readonly (readonly [path: string, method: GrpcMethod])[];

export function unary(
  context: Pick<EtcdContext, 'guard'>,
  path: string,
  handle: (call: GrpcCall, request: Bytes) => void,
): readonly [string, GrpcMethod] {
  const guarded = (call: GrpcCall, request: Bytes): void => {
    try {
      handle(call, request);
    } catch (error) {
      failCall(context, call, error);
    }
  };
  return [path, { type: 'unary', handle: guarded }];
}

export function streaming(
  context: Pick<EtcdContext, 'guard'>,
  path: string,
  open: (call: GrpcCall) => MessageStream,
): readonly [string, GrpcMethod] {
  const guarded = (call: GrpcCall): MessageStream => {
    try {
      return new GuardedStream(context, call, open(call));
    } catch (error) {
      failCall(context, call, error);
      return closedStream;
    }
  };
  return [path, { type: 'stream', open: guarded }];
}

/** Ends the call with what the client is to be told of this failure. Throws again what came out of the core. */
export function failCall(context: Pick<EtcdContext, 'guard'>, call: GrpcCall, error: unknown): void {
  const { status, message, isDefect } = failureOf(error);
  if (isDefect !== true) {
    call.fail(status, message);
    return;
  }
  context.guard.caught('grpc', call.path, error);
  // Its method may not have come to letting go of what it holds.
  call.stop(status, message);
}

/** A callback for the store, which calls it when nobody is left above to see what it throws: that ends the call. */
export function within<Values extends readonly unknown[]>(
  context: Pick<EtcdContext, 'guard'>,
  call: GrpcCall,
  callback: (...values: Values) => void,
): (...values: Values) => void {
  return contained({ broken: (error) => failCall(context, call, error) }, callback);
}

export function failWithCode(call: GrpcCall, code: ErrorCode): void {
  const { status, message } = failureOfCode(code);
  call.fail(status, message);
}

/** Sends the one answer of a unary call. */
export function answer(call: GrpcCall, response: Bytes): void {
  call.send(response);
  call.finish();
}

/** The command in the caller's name. */
export function envelopeOf(context: EtcdContext, call: GrpcCall, command: Command): CommandEnvelope {
  const actor = context.actorOf(call);
  return actor === undefined ? { command } : { command, actor };
}

/** For a read in the caller's name: nothing is read once the caller has gone. */
export function readOptions(context: EtcdContext, call: GrpcCall, { local }: { readonly local: boolean }): ReadOptions {
  const actor = context.actorOf(call);
  const options = { local, seen: zxidZero, timeoutMs: call.timeoutMs, wanted: () => !call.over };
  return actor === undefined ? options : { ...options, actor };
}

/** What a success is answered with. Functions of a module: this is on the path of every write. */
export type ResultEncoder = (context: EtcdContext, result: CommandResult) => Bytes;

/** Gives the command to the store in the caller's name; a success is answered by what `encode` makes of the result. */
export function submit(context: EtcdContext, call: GrpcCall, command: Command, encode: ResultEncoder): void {
  context.service.write(envelopeOf(context, call, command), call.timeoutMs, (result) => {
    try {
      if (call.over || failed(call, result)) return;
      answer(call, encode(context, result));
    } catch (error) {
      failCall(context, call, error);
    }
  });
}

/**
 * Gives the command to the store in the caller's name. A failure ends the call; what `then` throws ends it as well, since
 * nobody above is left to see it.
 */
export function carryOut(
  context: EtcdContext,
  call: GrpcCall,
  command: Command,
  then: (result: CommandResult) => void,
): void {
  context.service.write(envelopeOf(context, call, command), call.timeoutMs, (result) => {
    try {
      if (call.over || failed(call, result)) return;
      then(result);
    } catch (error) {
      failCall(context, call, error);
    }
  });
}

/** True: so it was answered. */
function failed(call: GrpcCall, { code }: CommandResult): boolean {
  if (code === 'OK') return false;
  failWithCode(call, code);
  return true;
}

/** Answers once this node's store has removed what compaction made superfluous. */
export function afterReclaim(context: EtcdContext, call: GrpcCall, response: Bytes): void {
  context.service.reclaim(
    within(context, call, (error) => {
      if (call.over) return;
      if (error === null) answer(call, response);
      else failCall(context, call, error);
    }),
  );
}

/** What a command of this kind answered. */
export function outputOf<Type extends CommandOutput['type']>(
  result: CommandResult,
  type: Type,
): Extract<CommandOutput, { type: Type }> {
  const { output } = result;
  if (output?.type !== type) throw new InvariantError(`Expected the output of a ${type}, got ${output?.type}`);
  return output as Extract<CommandOutput, { type: Type }>;
}

/** Once a message has failed the call, the messages behind it are for nobody. */
class GuardedStream implements MessageStream {
  private readonly context: Pick<EtcdContext, 'guard'>;
  private readonly call: GrpcCall;
  private readonly stream: MessageStream;

  constructor(context: Pick<EtcdContext, 'guard'>, call: GrpcCall, stream: MessageStream) {
    this.context = context;
    this.call = call;
    this.stream = stream;
  }

  message(message: Bytes): void {
    if (this.call.over) return;
    try {
      this.stream.message(message);
    } catch (error) {
      failCall(this.context, this.call, error);
    }
  }

  halfClosed(): void {
    if (this.call.over) return;
    try {
      this.stream.halfClosed();
    } catch (error) {
      failCall(this.context, this.call, error);
    }
  }
}

/** For calls that have ended before their first message. */
export const closedStream: MessageStream = { message: () => undefined, halfClosed: () => undefined };
