// All gRPC connections of a node: HTTP/2 whose preface the client port has recognized, plain or inside TLS. It opens no
// port and knows no method: it serves the table that it is given.

import type { Socket } from 'node:net';
import type { Limits } from '../../../config/limits.js';
import { errorCode, frameHeadBytes, frameType, preface } from '../../../http2/frames.js';
import { SlabPool } from '../../../http2/outbox.js';
import type { ArrivalBudget } from '../../arrival-budget.js';
import type { FrontEndGuard } from '../../front-end-guard.js';
import type { QueueBudget } from '../../queue-budget.js';
import { DueCalls } from './due-calls.js';
import type { GrpcMethods } from './grpc-call.js';
import { GrpcCounts } from './grpc-counts.js';
import { GrpcSession, type SessionsHost } from './grpc-session.js';
import { Rounds } from './rounds.js';

export interface GrpcListenerOptions {
  readonly methods: GrpcMethods;
  readonly limits: Limits;
  /** Shared with the other front ends. */
  readonly budget: QueueBudget;
  readonly arrivals: ArrivalBudget;
  readonly guard: FrontEndGuard;
}

/** So many bytes of the preface are no method of HTTP/1.1. */
const tellingBytes = 4;

/** How often each connection is looked at while it is silent, and in how many steps all are. */
const checksPerSilence = 8;
const stepsPerCheck = 100;

/** Whether a connection that begins like this speaks HTTP/2; undefined: more has to come. */
export function beginsHttp2(first: Uint8Array): boolean | undefined {
  const length = Math.min(first.length, tellingBytes);
  for (let at = 0; at < length; at++) if (first[at] !== preface.charCodeAt(at)) return false;
  return length === tellingBytes ? true : undefined;
}

export class GrpcListener {
  private readonly sessions = new Set<GrpcSession>();
  private readonly silenceRounds = new Rounds(this.sessions, stepsPerCheck);
  private readonly host: SessionsHost;
  /** Runs while there are connections. */
  private silence: NodeJS.Timeout | undefined;

  readonly counts: GrpcCounts;

  constructor({ methods, limits, budget, arrivals, guard }: GrpcListenerOptions) {
    this.counts = new GrpcCounts(methods);
    this.host = {
      methods,
      services: new Set([...methods.keys()].map((path) => path.slice(1, path.lastIndexOf('/')))),
      counts: this.counts,
      limits,
      budget,
      arrivals,
      guard,
      dueCalls: new DueCalls(),
      slabs: new SlabPool(),
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
    const stepMs = this.host.limits.grpcSilenceMsMax / checksPerSilence / stepsPerCheck;
    this.silence ??= setInterval(() => this.checkSilence(), stepMs);
    this.sessions.add(new GrpcSession(socket, { host: this.host, commonName }));
  }

  /** Tells every client that this node is stopping. Calls for one answer may still get it, until the sockets are closed. */
  close(): void {
    for (const session of this.sessions) session.stop();
  }

  private checkSilence(): void {
    const nowMs = performance.now();
    this.silenceRounds.step((session) => {
      try {
        session.checkSilence(nowMs);
      } catch (error) {
        session.broken(error);
      }
    });
  }

  private forget(gone: GrpcSession): void {
    this.sessions.delete(gone);
    if (this.sessions.size > 0) return;
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
  const goAwayAt = frameHeadBytes;
  const payloadAt = goAwayAt + frameHeadBytes;
  const frames = Buffer.alloc(payloadAt + 8 + text.length);
  // SETTINGS without a setting; GOAWAY: no stream was served, no error, the reason. Of any other code clients would make
  // a status that is not tried elsewhere.
  frames[3] = frameType.settings;
  frames.writeUIntBE(8 + text.length, goAwayAt, 3);
  frames[goAwayAt + 3] = frameType.goAway;
  frames.writeUInt32BE(errorCode.none, payloadAt + 4);
  text.copy(frames, payloadAt + 8);
  return frames;
}
