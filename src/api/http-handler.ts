// One HTTP/1.1 request, whole, and its answer, as whoever answers a path of the client port sees them. The HTTP listener
// carries them: it bounds heads and bodies, and knows what is at no path.

import type { Bytes } from '../shared/bytes.js';
import type { ExceptionOwner } from './front-end-guard.js';

export interface HttpRequest {
  readonly method: string;
  /** As sent, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** All of it; of a GET usually nothing. */
  readonly body: Bytes;
  /** Common name of the client's verified certificate; undefined without one. */
  readonly commonName: string | undefined;
  /** A header by its lower-case name; undefined when it is not there. */
  header(name: string): string | undefined;
}

export type HttpHeaders = Readonly<Record<string, string>>;

/**
 * Calls after the client has gone do nothing, and none throws anything but a failure of the core. To HEAD no body is sent, whatever is given here. `broken`: a handler has thrown
 * what nobody expected; it is answered with 500, or the connection is cut off in the middle of an answer.
 */
export interface HttpResponse extends ExceptionOwner {
  /** The client has gone, or the answer is complete. */
  readonly over: boolean;
  /** Takes room for an answer that is made whole before it is sent; false: clients have left too much unread. */
  reserve(bytes: number): boolean;
  /** The whole answer. */
  answer(status: number, headers: HttpHeaders, body: Bytes | string): void;
  /** Begins an answer of unknown length: then `send`, and `finish`. */
  begin(status: number, headers: HttpHeaders): void;
  /** False: so much is unsent that the sender should wait for `onDrain`. */
  send(piece: Bytes | string): boolean;
  finish(): void;
  /** There is room again after `send` said false. One listener. */
  onDrain(listener: () => void): void;
  /** The client went away before the answer was complete. One listener; called at once when it has gone already. */
  onGone(listener: () => void): void;
}

/** False: nothing is at this path (and the response was not touched). */
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => boolean;

/** Who answers the paths that begin with this; the first route that does not say false wins. */
export interface HttpRoute {
  readonly prefix: string;
  readonly handle: HttpHandler;
}
