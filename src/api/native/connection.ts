// One native connection: preface, then many requests in flight. Answers given in one turn of the event loop leave in one
// write; reading stops while too much is unsent or in flight. When it closes, everything that it caused is let go.

import type { Limits } from '../../config/limits.js';
import type { Log } from '../../observability/log.js';
import type { Login } from '../../service/access-service.js';
import type { StoreService } from '../../service/store-service.js';
import { StoreError } from '../../shared/errors.js';
import { Fifo } from '../../shared/fifo.js';
import type { Revision, Zxid } from '../../shared/ids.js';
import type { Actor } from '../../tree/command.js';
import { writeFrame } from '../../wire/native-frame-encoder.js';
import { encodePreface, nativeVersion } from '../../wire/native-framing.js';
import type { NativeFrame } from '../../wire/native-messages.js';
import { ProtoWriter } from '../../wire/protobuf/proto-writer.js';
import { WireError } from '../../wire/protobuf/wire-error.js';
import { Arrival, type ArrivalBudget, smallArrivalBytes } from '../arrival-budget.js';
import type { FrontEndGuard } from '../front-end-guard.js';
import type { QueueBudget } from '../queue-budget.js';
import { BroadcastFeed } from './broadcast-feed.js';
import type { ByteStream, ByteStreamHandler } from './byte-stream.js';
import { dispatch } from './commands/dispatch.js';
import { RequestDecoder } from './decoder.js';
import { failureFrame, okFrame } from './encoder.js';
import type { NativeSession, SessionSnapshot, SessionWatch } from './session.js';
import type { TurnFlush } from './turn-flush.js';

export interface ConnectionOptions {
  readonly service: StoreService;
  readonly limits: Limits;
  readonly turns: TurnFlush;
  readonly budget: QueueBudget;
  readonly arrivals: ArrivalBudget;
  readonly guard: FrontEndGuard;
  readonly log: Log;
  /** Refuse the client with this once it has begun; undefined = serve it. */
  readonly refusal: StoreError | undefined;
  /** It is over. */
  readonly closed: (connection: NativeConnection) => void;
}

/** Output that is kept for the next turn, and output that does not wait for the end of its turn, bytes. */
const outputBytesMin = 256;
const outputBytesKept = 64 * 2 ** 10;
const outputBytesAtOnce = 256 * 2 ** 10;

export class NativeConnection implements NativeSession, ByteStreamHandler {
  readonly service: StoreService;
  readonly limits: Limits;
  readonly watches = new Map<number, SessionWatch>();
  readonly snapshots = new Map<number, SessionSnapshot>();
  private readonly options: ConnectionOptions;
  private readonly stream: ByteStream;
  private readonly decoder: RequestDecoder;
  private readonly output = new ProtoWriter(outputBytesMin);
  private readonly broadcasts: BroadcastFeed;
  private readonly arrival: Arrival;
  private phase: 'preface' | 'open' | 'closing' | 'closed' = 'preface';
  private login: Login | undefined;
  private inFlight = 0;
  /** What requests under way may yet answer at most. */
  private expectedBytes = 0;
  private paused = false;
  private parsing = false;
  private queuedForFlush = false;
  /** Bytes that the shared budget has been told of. */
  private accountedBytes = 0;
  private readonly parked = new Fifo<() => void>();
  private waitingWatches = new Set<SessionWatch>();
  /** Ends a handshake, or a close, that does not come to its end. */
  private timer: NodeJS.Timeout;

  constructor(stream: ByteStream, options: ConnectionOptions) {
    const { service, limits } = options;
    this.stream = stream;
    this.options = options;
    this.service = service;
    this.limits = limits;
    this.decoder = new RequestDecoder(limits.requestFrameBytesMax);
    this.broadcasts = new BroadcastFeed(this);
    this.arrival = new Arrival(options.arrivals, limits.requestArrivalTimeoutMs, {
      address: stream.address,
      // Whoever does not take its answers could otherwise keep its room for as long as it likes.
      isRead: () => !this.paused || this.crowded,
      granted: () => this.contain(() => this.readOn()),
      late: (error) => this.contain(() => this.refuse(error)),
    });
    this.timer = setTimeout(() => stream.destroy(), limits.handshakeTimeoutMs);
    stream.start(this);
  }

  // ---- as its commands see it ----

  get zxid(): Zxid {
    return this.service.appliedZxid;
  }

  get revision(): Revision {
    return this.service.revision;
  }

  get over(): boolean {
    return this.phase !== 'open';
  }

  get actor(): Actor | undefined {
    try {
      return this.service.access.actorOfLogin(this.login);
    } catch (error) {
      if (error instanceof StoreError) return undefined;
      throw error;
    }
  }

  assertAdmitted(): void {
    this.service.access.actorOfLogin(this.login);
  }

  loggedIn(login: Login): void {
    this.login = login;
  }

  get crowded(): boolean {
    // Nothing is read for a client that has gone.
    if (this.phase !== 'open') return true;
    const bytes = this.unsentBytes;
    return bytes > this.limits.clientQueueBytesMax || this.options.budget.exhausted(bytes);
  }

  mayPush(watch: SessionWatch): boolean {
    const bytes = this.unsentBytes;
    if (bytes <= this.limits.watchQueueBytesMax && !this.options.budget.exhausted(bytes)) return true;
    this.waitingWatches.add(watch);
    return false;
  }

  expectAnswer(bytes: number): void {
    this.expectedBytes += bytes;
  }

  mayHold(bytes: number): boolean {
    return !this.options.budget.overflows(bytes);
  }

  answer(frame: NativeFrame): void {
    this.inFlight--;
    this.push(frame);
  }

  push(frame: NativeFrame): void {
    if (this.phase !== 'open') return;
    this.write(frame);
    if (this.output.position >= outputBytesAtOnce) {
      this.writeOutput();
      // Those that are answered after it in this turn go by it.
      this.account();
    }
    this.queueFlush();
  }

  fail(id: number, error: StoreError | null): void {
    if (error === null || error.code === 'INTERNAL' || error.code === 'CORRUPT') {
      this.options.log.error('A client request failed', {
        error: error ?? new Error('it has neither error nor result'),
      });
    }
    this.answer(failureFrame(id, error, this));
  }

  park(retry: () => void): void {
    this.parked.push(retry);
  }

  listenToBroadcasts(wanted: boolean): void {
    if (wanted) this.broadcasts.open();
    else this.broadcasts.cancel();
  }

  broken(error: unknown): void {
    this.options.guard.caught('native', 'a connection was served', error);
    try {
      this.refuse(new StoreError('INTERNAL', 'The server failed to serve this connection: its log has the details'));
    } catch (again) {
      this.stream.destroy();
      this.options.guard.caught('native', 'a connection was given up', again);
    }
  }

  // ---- as its stream sees it ----

  received(chunk: Uint8Array): void {
    if (this.phase === 'closing' || this.phase === 'closed') return;
    try {
      this.decoder.push(chunk);
      this.guard(() => {
        if (this.phase === 'preface') this.begin();
        this.parse();
      });
      this.followArrival();
      this.account();
    } catch (error) {
      this.broken(error);
    }
  }

  arriving(): void {
    if (this.phase === 'closing' || this.phase === 'closed') return;
    this.contain(() => {
      this.followArrival();
      this.account();
    });
  }

  drained(): void {
    if (this.phase !== 'open') return;
    this.contain(() => {
      this.proceed();
      this.account();
    });
  }

  closed(): void {
    if (this.phase === 'closed') return;
    this.phase = 'closed';
    clearTimeout(this.timer);
    this.options.budget.change(-this.accountedBytes);
    this.options.closed(this);
    this.contain(() => this.release());
  }

  // ---- as its listener sees it ----

  /** The end of a turn in which it had something to say. */
  flush(): void {
    this.queuedForFlush = false;
    if (this.phase === 'closed') return;
    try {
      this.writeOutput();
      if (this.phase === 'open') this.proceed();
      this.account();
    } catch (error) {
      // Other connections have their turn as well.
      this.broken(error);
    }
  }

  /** Tells the client why, as far as it still listens, and closes. */
  refuse(error: unknown): void {
    if (this.phase === 'closing' || this.phase === 'closed') return;
    const { phase } = this;
    this.phase = 'closing';
    if (phase === 'open') this.write(failureFrame(0, error, this));
    this.contain(() => this.release());
    this.writeOutput();
    this.stream.resume();
    this.stream.end();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.stream.destroy(), this.limits.handshakeTimeoutMs);
    this.account();
  }

  // ---- inside ----

  private get unsentBytes(): number {
    return this.stream.unsentBytes + this.output.position;
  }

  private get mayAccept(): boolean {
    const { requestsInFlightPerConnectionMax, clientAnswersInFlightBytesMax } = this.limits;
    if (this.inFlight >= requestsInFlightPerConnectionMax) return false;
    return this.expectedBytes < clientAnswersInFlightBytesMax && !this.crowded;
  }

  /** Of a frame that cannot be written nothing is left. */
  private write(frame: NativeFrame): void {
    const { output } = this;
    const { position } = output;
    try {
      writeFrame(output, frame);
    } catch (error) {
      output.position = position;
      throw error;
    }
  }

  /** For what is no more on the path of a request. */
  private contain(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.broken(error);
    }
  }

  /** Bytes that are no requests end the connection; any other failure is a defect. */
  private guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.refuse(error);
    }
  }

  private begin(): void {
    const version = this.decoder.preface();
    if (version === undefined) return;
    clearTimeout(this.timer);
    this.phase = 'open';
    this.output.raw(encodePreface());
    const { refusal } = this.options;
    if (version < nativeVersion) {
      this.refuse(new StoreError('UNSUPPORTED', `Version ${version} of the protocol is not spoken here`));
    } else if (refusal !== undefined) {
      this.refuse(refusal);
    } else {
      this.push(this.hello());
    }
  }

  private hello(): NativeFrame {
    const { limits } = this;
    return okFrame(0, this, {
      type: 'hello',
      protocolVersion: nativeVersion,
      serverId: this.service.status().id,
      frameBytesMax: limits.requestFrameBytesMax,
      keyBytesMax: limits.keyBytesMax,
      valueBytesMax: limits.valueBytesMax,
      requestsInFlightMax: limits.requestsInFlightPerConnectionMax,
    });
  }

  private parse(): void {
    if (this.parsing) return;
    this.parsing = true;
    try {
      while (this.phase === 'open' && this.mayAccept) {
        const request = this.decoder.next();
        if (request === undefined) break;
        if (this.arrival.active) this.arrival.end();
        this.inFlight++;
        dispatch(this, request);
      }
    } finally {
      this.parsing = false;
    }
    if (this.phase !== 'open' || this.paused || this.mayAccept) return;
    this.paused = true;
    this.stream.pause();
  }

  /** There may be room again: first for answers that waited, then for requests, then for watches. */
  private proceed(): void {
    while (this.parked.length > 0 && !this.crowded) this.parked.shift()?.();
    if (this.paused && this.mayAccept) {
      this.guard(() => this.parse());
      this.followArrival();
      if (this.phase === 'open' && this.mayAccept) {
        this.paused = false;
        if (!this.arrival.waiting) this.stream.resume();
      }
    }
    if (this.waitingWatches.size > 0 && this.unsentBytes <= this.limits.watchQueueBytesMax) {
      const watches = this.waitingWatches;
      this.waitingWatches = new Set();
      for (const watch of watches) watch.resume();
    }
  }

  /** A large request that has begun needs room before more of it is read. */
  private followArrival(): void {
    const { unfinishedBytes } = this.stream;
    // How long a message of a WebSocket is going to be is not known here.
    const { requestFrameBytesMax } = this.limits;
    const wanted =
      unfinishedBytes > smallArrivalBytes
        ? requestFrameBytesMax
        : Math.min(this.decoder.awaitedBytes, requestFrameBytesMax);
    if (wanted <= smallArrivalBytes) {
      this.arrival.end();
      return;
    }
    if (this.arrival.active || this.phase === 'closing' || this.phase === 'closed') return;
    if (this.arrival.begin(wanted)) this.decoder.makeRoom();
    else this.stream.pause();
  }

  private readOn(): void {
    this.decoder.makeRoom();
    if (!this.paused) this.stream.resume();
  }

  private queueFlush(): void {
    if (this.queuedForFlush) return;
    this.queuedForFlush = true;
    this.options.turns.add(this);
  }

  private writeOutput(): void {
    const { output } = this;
    if (output.position === 0) return;
    const mayReuse = this.stream.write(output.written());
    if (!mayReuse || output.bytes.length > outputBytesKept) output.bytes = new Uint8Array(outputBytesMin);
    output.position = 0;
  }

  private account(): void {
    if (this.phase === 'closed') return;
    const bytes = this.unsentBytes + this.decoder.pendingBytes + this.stream.unfinishedBytes;
    this.options.budget.change(bytes - this.accountedBytes);
    this.accountedBytes = bytes;
  }

  /** Ends whatever would go on without the client. */
  private release(): void {
    this.waitingWatches.clear();
    this.parked.clear();
    this.decoder.clear();
    this.arrival.end();
    this.broadcasts.cancel();
    for (const watch of this.watches.values()) watch.cancel();
    this.watches.clear();
    for (const snapshot of this.snapshots.values()) snapshot.end();
    this.snapshots.clear();
  }
}
