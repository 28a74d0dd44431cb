// Carries requests to whichever peer answers: pipelining, deadlines, retries on the next peer, reconnecting, and the
// identity that makes a repeated write happen once. Callbacks only, no promise and no timer per request; the promise
// API is ZabtreeClient's.

import { StoreError } from '../shared/errors.js';
import { Fifo } from '../shared/fifo.js';
import type { Zxid } from '../shared/ids.js';
import type { NativeFrame, NativeRequestBody } from '../wire/native-messages.js';
import { DueTimer } from './due-timer.js';
import type { NativeConnection } from './native-connection.js';
import { PeerConnection, type PeerConnectionOptions } from './peer-connection.js';
import {
  dueOf,
  hasEffect,
  identifiedBody,
  isIdentified,
  isVerdict,
  mayRetry,
  mayTakeLong,
  outcomeUnknown,
  PendingRequest,
  type RequestBody,
  type RequestDone,
} from './pending-request.js';
import { SessionKeeper } from './session-keeper.js';

export interface EngineOptions extends PeerConnectionOptions {
  /** Gives up on all requests once this many rounds over all peers have failed in a row; undefined: at the deadline. */
  readonly unreachableRoundsMax: number | undefined;
}

/** Something that lives on a connection and begins anew on the next one: a watch, the broadcasts. */
export interface Stream {
  connected(): void;
  lost(): void;
}

const inFlightMax = 4_096;
const inFlightBytesMax = 16 * 2 ** 20;
const pendingMax = 65_536;
/** Shortest time that one peer gets to answer before the next is tried. */
const attemptMsMin = 2_000;
/** How much later than the attempt's own deadline an answer may be before the connection counts as stuck. */
const attemptGraceMs = 500;
/** The server was given the same deadline; its own answer is more telling than silence, so it gets a moment to arrive. */
const deadlineGraceMs = 50;
/** Pause before a request is repeated: short for a few, so that a new leader is found fast, longer for a crowd. */
const retryMsMin = 10;
const retryMsMaxFew = 30;
const retryMsMaxMany = 150;
const fewRequests = 64;
/** A request frame is at most this much longer than its key and value. */
const requestOverheadBytes = 256;

export class RequestEngine {
  readonly #options: EngineOptions;
  readonly #peers: PeerConnection;
  readonly #timer = new DueTimer((nowMs) => this.#sweep(nowMs));
  readonly #pending = new Map<number, PendingRequest>();
  readonly #waiting = new Fifo<PendingRequest>();
  readonly #streams = new Set<Stream>();
  readonly #streamFrames = new Map<number, (frame: NativeFrame) => void>();
  readonly #broadcastListeners = new Set<(payload: Uint8Array) => void>();
  readonly #sessions = new SessionKeeper(() => this.#requestSession());
  #nextId = 1;
  #inFlight = 0;
  #inFlightBytes = 0;
  #seen = 0 as Zxid;
  #closed = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#peers = new PeerConnection(options, {
      wanted: () => this.#pending.size > 0 || this.#streams.size > 0,
      connected: (frame) => this.#connected(frame),
      received: (frame) => this.#received(frame),
      turnEnded: () => this.#pump(),
      dropped: (reason) => this.#dropped(reason),
      denied: (error) => this.#denied(error),
      unreachable: (rounds, reason) => this.#unreachable(rounds, reason),
    });
  }

  /** Highest zxid that any answer carried. */
  get seen(): Zxid {
    return this.#seen;
  }

  /** The peer that requests go to, connected or about to be. */
  get peer(): string {
    return this.#peers.rotation.current;
  }

  get connected(): boolean {
    return this.#peers.ready !== undefined;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  request(body: RequestBody, timeoutMs: number, done: RequestDone): void {
    const nowMs = performance.now();
    const pending = new PendingRequest(this.#nextId++, body, timeoutMs, nowMs, done);
    const refusal = this.#refusalOf(pending);
    if (refusal !== undefined) {
      pending.state = 'settled';
      queueMicrotask(() => done(refusal, null));
      return;
    }
    this.#pending.set(pending.id, pending);
    this.#waiting.push(pending);
    this.#pump();
    if (pending.state === 'waiting') this.#timer.arm(pending.deadlineMs);
  }

  /** Sends on the connection there is; its answer and all later frames of the id go to `receive` until the connection is lost. */
  openStream(body: NativeRequestBody, timeoutMs: number, receive: (frame: NativeFrame) => void): number {
    const id = this.#nextId++;
    this.#streamFrames.set(id, receive);
    this.#peers.ready?.send({ id, timeoutMs, body });
    return id;
  }

  /** Forgets the stream, and tells the server when it is a watch. */
  closeStream(id: number, cancel: boolean): void {
    if (!this.#streamFrames.delete(id) || !cancel) return;
    this.#peers.ready?.send({ id: this.#nextId++, timeoutMs: 0, body: { type: 'cancelWatch', watch: id } });
  }

  attach(stream: Stream): void {
    this.#streams.add(stream);
    if (this.connected) stream.connected();
    else this.#peers.connect();
  }

  detach(stream: Stream): void {
    this.#streams.delete(stream);
  }

  onBroadcast(listener: (payload: Uint8Array) => void): () => void {
    this.#broadcastListeners.add(listener);
    return () => this.#broadcastListeners.delete(listener);
  }

  /** Leaves the connection for the given peer. What is in flight is sent again there. */
  usePeer(index: number): void {
    this.#peers.usePeer(index);
  }

  /** Leaves a peer that answers but cannot serve. */
  leavePeer(reason: string): void {
    this.#peers.leavePeer(reason);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer.cancel();
    this.#peers.close();
    this.#failAll(
      (pending) => pending.mayHaveHappened || (pending.state === 'inFlight' && hasEffect(pending)),
      'the client was closed',
    );
  }

  #refusalOf(pending: PendingRequest): StoreError | undefined {
    if (this.#closed) return new StoreError('UNAVAILABLE', 'The client is closed');
    if (this.#pending.size >= pendingMax)
      return new StoreError('OVERLOADED', `More than ${pendingMax} requests are waiting for an answer`);
    const frameBytesMax = this.#peers.hello?.frameBytesMax ?? 0;
    if (frameBytesMax > 0 && pending.weight + requestOverheadBytes > frameBytesMax) {
      return new StoreError(
        'TOO_LARGE',
        `Cannot send ${pending.weight} bytes in one request: the limit is ${frameBytesMax - requestOverheadBytes}`,
      );
    }
    return undefined;
  }

  /** Sends what waits, as far as the bounds allow. */
  #pump(): void {
    if (this.#waiting.length > 0 && !this.connected) this.#peers.connect();
    for (let pending = this.#waiting.peek(); pending !== undefined; pending = this.#waiting.peek()) {
      if (pending.state === 'waiting') {
        const connection = this.#peers.ready;
        if (connection === undefined || !this.#hasRoomFor(pending)) return;
        if (isIdentified(pending.body) && !this.#sessions.prepare(pending)) return;
        this.#waiting.shift();
        this.#transmit(pending, connection);
      } else {
        this.#waiting.shift();
      }
    }
  }

  #hasRoomFor(pending: PendingRequest): boolean {
    if (this.#inFlight === 0) return true;
    const most = Math.min(inFlightMax, this.#peers.hello?.requestsInFlightMax || inFlightMax);
    return this.#inFlight < most && this.#inFlightBytes + pending.weight <= inFlightBytesMax;
  }

  /** A new session needs a zxid that is applied now; any answer carries one. */
  #requestSession(): void {
    this.openStream({ type: 'status' }, attemptMsMin, (frame) => {
      this.#streamFrames.delete(frame.id);
      this.#sessions.begin(this.#seen);
      this.#pump();
    });
  }

  #transmit(pending: PendingRequest, connection: NativeConnection): void {
    const nowMs = performance.now();
    const leftMs = Math.max(1, Math.ceil(pending.deadlineMs - nowMs));
    const attemptMs = this.#attemptMs(pending, leftMs);
    pending.state = 'inFlight';
    pending.attempts++;
    pending.dueMs = Math.min(nowMs + attemptMs + attemptGraceMs, pending.deadlineMs + deadlineGraceMs);
    this.#timer.arm(pending.dueMs);
    this.#inFlight++;
    this.#inFlightBytes += pending.weight;
    const { body, session } = pending;
    if (!isIdentified(body)) {
      connection.send({ id: pending.id, timeoutMs: attemptMs, body });
    } else if (session !== undefined) {
      const identity = session.identityOf(pending.number, pending.attempts > 1);
      connection.send({ id: pending.id, timeoutMs: attemptMs, body: identifiedBody(body, identity) });
    }
  }

  /** With other peers to try, one that does not answer must not use up all the time there is. */
  #attemptMs(pending: PendingRequest, leftMs: number): number {
    if (this.#options.peers.length === 1 || mayTakeLong(pending) || pending.body.type === 'broadcast') return leftMs;
    return Math.min(leftMs, Math.max(attemptMsMin, Math.ceil(pending.timeoutMs / 2)));
  }

  #connected(frame: NativeFrame): void {
    this.#see(frame.zxid);
    this.#sessions.connected(this.#seen);
    for (const stream of [...this.#streams]) stream.connected();
    this.#pump();
  }

  #unreachable(rounds: number, reason: string): void {
    const roundsMax = this.#options.unreachableRoundsMax;
    if (roundsMax === undefined || rounds < roundsMax) return;
    this.#failAll((pending) => pending.mayHaveHappened, this.#unreachableText(reason));
  }

  /** Nothing was sent with these credentials, so that nothing more of what waits has happened. */
  #denied(error: StoreError): void {
    for (const pending of [...this.#pending.values()]) {
      this.#settle(pending, pending.mayHaveHappened ? outcomeUnknown(error.message) : error, null);
    }
  }

  /** What was in flight waits for the next connection. */
  #dropped(reason: string): void {
    this.#inFlight = 0;
    this.#inFlightBytes = 0;
    this.#sessions.disconnected();
    this.#streamFrames.clear();
    this.#waiting.clear();
    for (const pending of [...this.#pending.values()]) {
      if (pending.state === 'inFlight') {
        pending.state = 'waiting';
        if (hasEffect(pending)) pending.mayHaveHappened = true;
        if (pending.body.type === 'broadcast') {
          this.#settle(pending, outcomeUnknown(`the connection was lost: ${reason}`), null);
          continue;
        }
      }
      if (pending.state === 'waiting') this.#waiting.push(pending);
    }
    for (const stream of [...this.#streams]) stream.lost();
  }

  #received(frame: NativeFrame): void {
    this.#see(frame.zxid);
    const pending = this.#pending.get(frame.id);
    if (pending !== undefined) {
      if (pending.state === 'inFlight') this.#answered(pending, frame);
      return;
    }
    if (frame.payload.type === 'broadcast') {
      // With a code it only says that messages were missed: nobody waits for those.
      if (frame.code !== 'OK') return;
      const payload = frame.payload.payload.slice();
      for (const listener of [...this.#broadcastListeners]) listener(payload);
      return;
    }
    if (frame.code === 'OK') this.#peers.rotation.served();
    this.#streamFrames.get(frame.id)?.(frame);
  }

  #answered(pending: PendingRequest, frame: NativeFrame): void {
    this.#inFlight--;
    this.#inFlightBytes -= pending.weight;
    if (frame.code === 'OK') {
      this.#peers.rotation.served();
      this.#settle(pending, null, frame);
      return;
    }
    const error = new StoreError(frame.code, frame.message);
    if (!mayRetry(pending, error)) {
      const verdict = isVerdict(error);
      if (verdict) this.#peers.rotation.served();
      // Only a verdict covers the attempts before: any other failure leaves open what became of them.
      const told = pending.mayHaveHappened && !verdict ? outcomeUnknown(`${error.code}: ${error.message}`) : error;
      this.#settle(pending, told, frame);
      return;
    }
    if (error.code === 'OUTCOME_UNKNOWN' || error.code === 'TIMEOUT') {
      if (hasEffect(pending)) pending.mayHaveHappened = true;
      if (error.code === 'OUTCOME_UNKNOWN') this.#sessions.suspect();
    }
    pending.lastError = error;
    pending.state = 'retrying';
    const nowMs = performance.now();
    const retryMsMax = this.#pending.size > fewRequests ? retryMsMaxMany : retryMsMaxFew;
    pending.dueMs = nowMs + Math.min(retryMsMax, retryMsMin * 2 ** Math.min(pending.attempts - 1, 8));
    this.#timer.arm(dueOf(pending));
    if (this.#peers.rotation.cannotServe(error.code, nowMs)) this.leavePeer(`${error.code}: ${error.message}`);
  }

  #settle(pending: PendingRequest, error: StoreError | null, frame: NativeFrame | null): void {
    if (pending.state === 'settled') return;
    pending.state = 'settled';
    this.#pending.delete(pending.id);
    pending.session?.end(pending.number);
    pending.done(error, frame);
  }

  /** Ends what is past its deadline, resends what is due, leaves a peer whose answers do not come. */
  #sweep(nowMs: number): void {
    let stuck = false;
    for (const pending of [...this.#pending.values()]) {
      switch (pending.state) {
        case 'inFlight':
          if (nowMs < pending.dueMs) break;
          if (!mayTakeLong(pending)) stuck = true;
          if (nowMs >= pending.deadlineMs) this.#expire(pending);
          break;
        case 'retrying':
          if (nowMs >= pending.deadlineMs) this.#expire(pending);
          else if (nowMs >= pending.dueMs) this.#resend(pending);
          break;
        case 'waiting':
          if (nowMs >= pending.deadlineMs) this.#expire(pending);
          break;
        case 'settled':
          break;
      }
    }
    if (stuck) this.leavePeer('it does not answer');
    this.#pump();
    for (const pending of this.#pending.values()) this.#timer.arm(dueOf(pending));
  }

  /** A command that has its number does not queue behind new ones: they may be waiting for its end. */
  #resend(pending: PendingRequest): void {
    const connection = this.#peers.ready;
    if (connection !== undefined && (pending.session !== undefined || !isIdentified(pending.body))) {
      this.#transmit(pending, connection);
      return;
    }
    pending.state = 'waiting';
    this.#waiting.push(pending);
  }

  #expire(pending: PendingRequest): void {
    const error = pending.failureAtDeadline(this.#unreachableText(this.#peers.rotation.lastReason));
    if (pending.state === 'inFlight') {
      this.#inFlight--;
      this.#inFlightBytes -= pending.weight;
    }
    this.#settle(pending, error, null);
  }

  #failAll(uncertain: (pending: PendingRequest) => boolean, reason: string): void {
    for (const pending of [...this.#pending.values()]) {
      const error = uncertain(pending)
        ? outcomeUnknown(reason)
        : (pending.lastError ?? new StoreError('UNAVAILABLE', reason));
      this.#settle(pending, error, null);
    }
  }

  #unreachableText(reason: string): string {
    return `Cannot reach ${this.#options.peers.join(', ')}: ${reason}`;
  }

  #see(zxid: Zxid): void {
    if (zxid > this.#seen) this.#seen = zxid;
  }
}
