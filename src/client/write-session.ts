// What makes a client's writes happen once: a random client id, a number for each write, and below which number all is
// settled. Knows nothing of connections.

import type { ClientId, Zxid } from '../shared/ids.js';
import type { RequestIdentity } from '../wire/native-messages.js';

/** The server remembers this many results of a client; a write further behind could no longer be told apart. */
export const sessionSpanMax = 8_000;

export class WriteSession {
  readonly client: ClientId;
  /** A zxid that was applied before this session's first write. */
  readonly bornAt: Zxid;
  #next = 1;
  /** Least number that is not settled. */
  #low = 1;
  readonly #open = new Set<number>();

  constructor(client: ClientId, bornAt: Zxid) {
    this.client = client;
    this.bornAt = bornAt;
  }

  get outstanding(): number {
    return this.#open.size;
  }

  /** False: the oldest unsettled write is so far behind that a new one has to wait for it. */
  hasRoom(): boolean {
    return this.#next - this.#low < sessionSpanMax;
  }

  /** Number of a new write. */
  begin(): number {
    this.#open.add(this.#next);
    return this.#next++;
  }

  /** The write was answered, or given up: it will not be repeated. */
  end(request: number): void {
    this.#open.delete(request);
    while (this.#low < this.#next && !this.#open.has(this.#low)) this.#low++;
  }

  /** `repeated`: this is not the first attempt to send it. */
  identityOf(request: number, repeated: boolean): RequestIdentity {
    return { client: this.client, request, acknowledgedBelow: this.#low, bornAt: this.bornAt, repeated };
  }
}

/** 53 random bits, never 0. */
export function randomClientId(): ClientId {
  const words = crypto.getRandomValues(new Uint32Array(2));
  const id = ((words[0] ?? 0) % 2 ** 21) * 2 ** 32 + (words[1] ?? 0);
  return (id === 0 ? 1 : id) as ClientId;
}
