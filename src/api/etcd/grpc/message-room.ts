// Room for the message of a request that does not come in one piece: small ones have theirs by the connection, large ones
// wait for it among all that arrives at this node. Whatever was taken is given back once.

import { Arrival, smallArrivalBytes } from '../../arrival-budget.js';
import type { CallHost } from './call-host.js';

export interface MessageRoomHandler {
  /** There is room for the message that waits. Called by whoever gives its room back. */
  granted(): void;
  /** It has not come in time; the room is gone. */
  late(message: string): void;
}

export class MessageRoom {
  private readonly host: CallHost;
  private readonly handler: MessageRoomHandler;
  private arrival: Arrival | null = null;
  private smallBytes = 0;
  /** The connection counts it among those that wait. */
  private counted = false;

  constructor(host: CallHost, handler: MessageRoomHandler) {
    this.host = host;
    this.handler = handler;
  }

  /** A message has room, or waits for it. */
  get taken(): boolean {
    return this.arrival !== null || this.smallBytes > 0;
  }

  /** No more of it is to be read for now. */
  get waits(): boolean {
    return this.arrival?.waiting === true;
  }

  /** The connection counts it among those that wait, until it goes on. */
  get isWaiting(): boolean {
    return this.counted;
  }

  /** For a message of so many bytes. refused: too many wait already. */
  take(byteLength: number): 'granted' | 'waits' | 'refused' {
    const { host, handler } = this;
    if (byteLength <= smallArrivalBytes && host.takeSmall(byteLength)) {
      this.smallBytes = byteLength;
      return 'granted';
    }
    this.arrival = new Arrival(host.arrivals, host.limits.requestArrivalTimeoutMs, {
      address: host.address,
      // Also while much is unsent: it is for the client to take that.
      isRead: () => true,
      granted: () => handler.granted(),
      late: (error) => handler.late(error.message),
    });
    if (this.arrival.begin(byteLength)) return 'granted';
    this.counted = host.beginWait();
    return this.counted ? 'waits' : 'refused';
  }

  /** What it waited for is there. */
  goOn(): void {
    if (this.counted) this.host.endWait();
    this.counted = false;
  }

  giveBack(): void {
    this.host.giveSmall(this.smallBytes);
    this.smallBytes = 0;
    this.goOn();
    this.arrival?.end();
    this.arrival = null;
  }
}
