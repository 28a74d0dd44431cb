// What the commands see of their connection: where answers go, what bounds them, and what lives as long as it.

import type { Limits } from '../../config/limits.js';
import type { Login } from '../../service/access-service.js';
import type { StoreService } from '../../service/store-service.js';
import type { StoreError } from '../../shared/errors.js';
import type { Actor } from '../../tree/command.js';
import type { NativeFrame } from '../../wire/native-messages.js';
import type { ExceptionOwner } from '../front-end-guard.js';
import type { Standing } from './encoder.js';

/** A watch or a subscription: something that ends with its connection. */
export interface SessionWatch {
  cancel(): void;
  /** The connection can take more. */
  resume(): void;
}

/** A snapshot that is read part by part. */
export interface SessionSnapshot {
  /** Answers this request with the next part. */
  read(id: number): void;
  end(): void;
}

/** `broken`: what a callback threw and nobody expected ends the connection. */
export interface NativeSession extends Standing, ExceptionOwner {
  readonly service: StoreService;
  readonly limits: Limits;
  /** For whom the connection's requests are made, as it stands now; nobody until somebody has logged in. */
  readonly actor: Actor | undefined;
  /** Throws UNAUTHENTICATED while access control is on and nobody is logged in, or not any more. */
  assertAdmitted(): void;
  loggedIn(login: Login): void;
  /** It is closed, or about to be. */
  readonly over: boolean;
  /** Open snapshots by name. */
  readonly snapshots: Map<number, SessionSnapshot>;
  /** Open watches by id. */
  readonly watches: Map<number, SessionWatch>;
  /** So much is unsent that answers with values must wait, or the connection is over. */
  readonly crowded: boolean;
  /** So much is unsent that watches must wait; then the watch is resumed once there is room. */
  mayPush(watch: SessionWatch): boolean;
  /** The answer to a request that is under way may come to so many bytes; the same below zero once it is there. */
  expectAnswer(bytes: number): void;
  /** An answer of so many bytes may wait for the client; false: clients have left too much unread. */
  mayHold(bytes: number): boolean;
  /** Ends a request. Ignored once the connection is closed. */
  answer(frame: NativeFrame): void;
  /** Ends a request that failed; a defect's cause goes to the log. null: it has no result and no error either. */
  fail(id: number, error: StoreError | null): void;
  /** Sends a frame that ends no request. */
  push(frame: NativeFrame): void;
  /** Runs it once the connection is not crowded any more; dropped if it closes. */
  park(retry: () => void): void;
  /** Begins or ends the delivery of broadcasts to this connection. */
  listenToBroadcasts(wanted: boolean): void;
}
