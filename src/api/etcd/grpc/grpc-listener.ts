// All gRPC connections of a node: HTTP/2 whose preface the client port has recognized, plain or inside TLS. It opens no
// port and knows no method: it serves the table that it is given.

import type { Socket } from 'node:net';
import type { Limits } from '../../../config/limits.js';
import type { ArrivalBudget } from '../../arrival-budget.js';
import type { QueueBudget } from '../../queue-budget.js';
import { DueCalls } from './due-calls.js';
import { Greeting } from './greeting.js';
import type { GrpcMethods } from './grpc-call.js';
import { GrpcCounts } from './grpc-counts.js';
import { GrpcSession, type SessionsHost, sessionSettings } from './grpc-session.js';

export interface GrpcListenerOptions {
  readonly methods: GrpcMethods;
  readonly limits: Limits;
  /** Shared with the other front ends. */
  readonly budget: QueueBudget;
  readonly arrivals: ArrivalBudget;
}

/** What every HTTP/2 connection begins with; four bytes of it are no method of HTTP/1.1. */
const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const tellingBytes = 4;

const checksPerSilence = 8;

/** Whether a connection that begins like this speaks HTTP/2; undefined: more has to come. */
export function beginsHttp2(first: Uint8Array): boolean | undefined {
  const length = Math.min(first.length, tellingBytes);
  for (let at = 0; at < length; at++) if (first[at] !== preface.charCodeAt(at)) return false;
  return length === tellingBytes ? true : undefined;
}

export class GrpcListener {
  /** Connections that are no sessions yet. */
  private readonly greetings = new Set<Greeting>();
  private readonly sessions = new Set<GrpcSession>();
  private readonly host: SessionsHost;
  /** Runs while there are connections. */
  private silence: NodeJS.Timeout | undefined;

  readonly counts: GrpcCounts;

  constructor({ methods, limits, budget, arrivals }: GrpcListenerOptions) {
    this.counts = new GrpcCounts(methods);
    this.host = {
      methods,
      services: new Set([...methods.keys()].map((path) => path.slice(1, path.lastIndexOf('/')))),
      counts: this.counts,
      limits,
      budget,
      arrivals,
      dueCalls: new DueCalls(),
      callCount: 0,
      waitingCount: 0,
      closed: (session) => this.forget(session),
    };
  }

  /** Calls that are under way. */
  get callCount(): number {
    return this.host.callCount;
  }

  /** Serves a connection from its first byte on; bytes that were read already are back in the socket. */
  accept(socket: Socket, commonName?: string): void {
    this.silence ??= setInterval(() => this.checkSilence(), this.host.limits.grpcSilenceMsMax / checksPerSilence);
    const { limits } = this.host;
    const greeting = new Greeting(socket, {
      settings: sessionSettings(limits),
      timeoutMs: limits.handshakeTimeoutMs,
      done: () => {
        this.greetings.delete(greeting);
        this.sessions.add(new GrpcSession(socket, { host: this.host, commonName }));
      },
      gone: () => this.forget(greeting),
    });
    this.greetings.add(greeting);
  }

  /** Tells every client that this node is stopping. Calls for one answer may still get it, until the sockets are closed. */
  close(): void {
    for (const greeting of this.greetings) greeting.close();
    for (const session of this.sessions) session.stop();
  }

  private checkSilence(): void {
    const nowMs = performance.now();
    for (const session of this.sessions) session.checkSilence(nowMs);
  }

  private forget(gone: GrpcSession | Greeting): void {
    if (gone instanceof GrpcSession) this.sessions.delete(gone);
    else this.greetings.delete(gone);
    if (this.sessions.size + this.greetings.size > 0) return;
    clearInterval(this.silence);
    this.silence = undefined;
  }
}

/**
 * The whole of what is said to a client that is refused: empty settings, and GOAWAY with a reason. Clients go elsewhere and
 * try again later.
 */
export function goAwayBytes(reason: string): Uint8Array {
  const text = Buffer.from(reason, 'utf8');
  const frames = Buffer.alloc(9 + 9 + 8 + text.length);
  // SETTINGS (4) without a setting; GOAWAY (7): no stream was served, no error, the reason. Of any other code clients
  // would make a status that is not tried elsewhere.
  frames[3] = 4;
  frames.writeUIntBE(8 + text.length, 9, 3);
  frames[12] = 7;
  text.copy(frames, 26);
  return frames;
}
