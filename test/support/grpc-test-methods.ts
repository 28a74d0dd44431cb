// A table of gRPC methods that do as their names say, for tests of what carries calls.

import type { GrpcCall, GrpcMethod, GrpcMethods } from '../../src/api/etcd/grpc/grpc-call.js';
import { grpcStatus } from '../../src/api/etcd/grpc/grpc-status.js';

export class TestMethods {
  /** Every call that was opened, and what its method was told. */
  readonly calls: GrpcCall[] = [];
  readonly events: string[] = [];
  readonly methods: GrpcMethods;

  constructor() {
    const unary = (handle: (call: GrpcCall, request: Uint8Array) => void): GrpcMethod => ({
      type: 'unary',
      handle: (call, request) => {
        this.seen(call);
        handle(call, request);
      },
    });
    this.methods = new Map<string, GrpcMethod>([
      ['/test.Echo/Unary', unary((call, request) => answer(call, request))],
      ['/test.Echo/Fail', unary((call) => call.fail(grpcStatus.outOfRange, 'etcdserver: 100 % wrong – ünd so weiter'))],
      ['/test.Echo/Hang', unary(() => undefined)],
      ['/test.Echo/Pieces', unary((call, request) => inPieces(call, request))],
      ['/test.Echo/Flood', unary((call, request) => flood(call, request))],
      [
        '/test.Echo/Listen',
        {
          type: 'stream',
          open: (call) => {
            this.seen(call);
            return { message: () => undefined, halfClosed: () => this.events.push('half-closed') };
          },
        },
      ],
      [
        '/test.Echo/Stream',
        {
          type: 'stream',
          open: (call) => {
            this.seen(call);
            return {
              message: (message) => {
                if (Buffer.from(message).toString() === 'fail') call.fail(grpcStatus.aborted, 'as asked');
                else call.send(message);
              },
              halfClosed: () => {
                this.events.push('half-closed');
                call.finish();
              },
            };
          },
        },
      ],
    ]);
  }

  private seen(call: GrpcCall): void {
    this.calls.push(call);
    call.onCancelled(() => this.events.push(`cancelled ${call.path}`));
  }
}

export function answer(call: GrpcCall, message: Uint8Array): void {
  call.send(message);
  call.finish();
}

/** The request again, as one message in pieces of 1000 bytes. */
function inPieces(call: GrpcCall, request: Uint8Array): void {
  call.beginMessage(request.length);
  for (let at = 0; at < request.length; at += 1_000) call.sendPiece(request.subarray(at, at + 1_000));
  call.finish();
}

/** As many messages of as many bytes as the request says, as fast as they are taken. */
function flood(call: GrpcCall, request: Uint8Array): void {
  const [count = 0, bytes = 0] = Buffer.from(request).toString().split(' ').map(Number);
  let sent = 0;
  const more = (): void => {
    while (sent < count && !call.over) {
      sent++;
      if (!call.send(new Uint8Array(bytes).fill(sent)) && sent < count) return;
    }
    call.finish();
  };
  call.onDrain(more);
  more();
}
