// The large requests that are half there, over all connections. Each has to find room for the whole of it before more of
// it is read, waits for its turn, and has to be there in time: many clients that send the beginnings of requests take a
// bounded sum of memory for a bounded time, and small requests of others are read as ever. While some wait, those who have
// most give way: no address can keep the room from others.

import { StoreError } from '../shared/errors.js';

/** A request up to this size needs no room of its own. */
export const smallArrivalBytes = 64 * 2 ** 10;

/** A request that has room keeps it for so long in any case. With what it sends of 2 MiB in that time others get on. */
const patienceMs = 2_000;

interface Room {
  readonly bytes: number;
  /** Since when its client alone is waited for. */
  sinceMs: number;
}

export class ArrivalBudget {
  private readonly totalBytesMax: number;
  private reservedBytes = 0;
  /** In the order in which they were given room. */
  private readonly reading = new Map<Arrival, Room>();
  /** By address, and of each in the order in which they came, with the bytes that they want. */
  private readonly waiting = new Map<string, Map<Arrival, number>>();
  private readonly bytesByAddress = new Map<string, number>();
  /** Runs while somebody waits. */
  private timer: NodeJS.Timeout | undefined;

  constructor(totalBytesMax: number) {
    this.totalBytesMax = totalBytesMax;
  }

  /** True: the room is taken. False: `granted` will be called. */
  reserve(arrival: Arrival, bytes: number): boolean {
    if (this.waiting.size === 0 && this.reservedBytes + bytes <= this.totalBytesMax) {
      this.take(arrival, bytes);
      return true;
    }
    const beside = this.waiting.get(arrival.address);
    if (beside === undefined) this.waiting.set(arrival.address, new Map([[arrival, bytes]]));
    else beside.set(arrival, bytes);
    this.watch();
    return false;
  }

  /** Gives the room back, or the place among those who wait. */
  release(arrival: Arrival): void {
    if (!this.stopWaiting(arrival)) this.giveBack(arrival);
    for (let next = this.next(); next !== undefined; next = this.next()) {
      const [waiting, bytes] = next;
      if (this.reservedBytes + bytes > this.totalBytesMax) break;
      this.stopWaiting(waiting);
      this.take(waiting, bytes);
      waiting.granted();
    }
  }

  /** False: it did not wait. */
  private stopWaiting(arrival: Arrival): boolean {
    const beside = this.waiting.get(arrival.address);
    if (beside?.delete(arrival) !== true) return false;
    if (beside.size === 0) this.waiting.delete(arrival.address);
    return true;
  }

  private take(arrival: Arrival, bytes: number): void {
    this.reservedBytes += bytes;
    this.reading.set(arrival, { bytes, sinceMs: performance.now() });
    this.bytesByAddress.set(arrival.address, this.bytesOf(arrival.address) + bytes);
  }

  private giveBack(arrival: Arrival): void {
    const bytes = this.reading.get(arrival)?.bytes ?? 0;
    this.reading.delete(arrival);
    this.reservedBytes -= bytes;
    const left = this.bytesOf(arrival.address) - bytes;
    if (left > 0) this.bytesByAddress.set(arrival.address, left);
    else this.bytesByAddress.delete(arrival.address);
  }

  private bytesOf(address: string): number {
    return this.bytesByAddress.get(address) ?? 0;
  }

  /**
   * Of those who wait: the first from the address that has least. The room bounds how many addresses have some, so that
   * this is quick however many wait.
   */
  private next(): readonly [Arrival, number] | undefined {
    let least: string | undefined;
    for (const address of this.waiting.keys()) {
      if (least === undefined || this.bytesOf(address) < this.bytesOf(least)) least = address;
      if (this.bytesOf(least) === 0) break;
    }
    if (least === undefined) return undefined;
    const [first] = this.waiting.get(least) ?? [];
    return first;
  }

  private watch(): void {
    // What has arrived while this process was busy is read first.
    this.timer ??= setTimeout(() => setImmediate(() => this.makeWay()), patienceMs / 4).unref();
  }

  /** Those who have had room for long give way, of the address that has most the first. */
  private makeWay(): void {
    this.timer = undefined;
    for (let first = this.firstOfMost(); first !== undefined && this.waiting.size > 0; first = this.firstOfMost()) {
      first.giveWay();
    }
    if (this.waiting.size > 0) this.watch();
  }

  private firstOfMost(): Arrival | undefined {
    const nowMs = performance.now();
    const most = Math.max(...this.bytesByAddress.values());
    let first: Arrival | undefined;
    for (const [arrival, room] of this.reading) {
      if (!arrival.isRead) room.sinceMs = nowMs;
      else if (nowMs - room.sinceMs >= patienceMs && this.bytesOf(arrival.address) === most) first ??= arrival;
    }
    return first;
  }
}

export interface ArrivalHost {
  /** That the request comes from. */
  readonly address: string;
  /** Its client is waited for: to send the rest, or to take its answers first. False: it waits for this server. */
  isRead(): boolean;
  /** There is room: read on. */
  granted(): void;
  /** It was not whole in time, or gave way to others. */
  late(error: StoreError): void;
}

/** The large request that one connection is receiving, if it is. */
export class Arrival {
  private readonly budget: ArrivalBudget;
  private readonly timeoutMs: number;
  private readonly host: ArrivalHost;
  private state: 'none' | 'waiting' | 'reading' = 'none';
  private timer: NodeJS.Timeout | undefined;

  constructor(budget: ArrivalBudget, timeoutMs: number, host: ArrivalHost) {
    this.budget = budget;
    this.timeoutMs = timeoutMs;
    this.host = host;
  }

  get address(): string {
    return this.host.address;
  }

  get isRead(): boolean {
    return this.host.isRead();
  }

  get active(): boolean {
    return this.state !== 'none';
  }

  /** Nothing more may be read now. */
  get waiting(): boolean {
    return this.state === 'waiting';
  }

  /** A request of so many bytes has begun. False: it has to wait for room. */
  begin(bytes: number): boolean {
    this.timer = setTimeout(() => this.late(), this.timeoutMs);
    this.state = this.budget.reserve(this, bytes) ? 'reading' : 'waiting';
    return this.state === 'reading';
  }

  granted(): void {
    this.state = 'reading';
    this.host.granted();
  }

  /** It is whole, or nobody waits for it any more. */
  end(): void {
    if (this.state === 'none') return;
    this.state = 'none';
    clearTimeout(this.timer);
    this.budget.release(this);
  }

  /** Others wait for the room that it has. */
  giveWay(): void {
    this.fail('A request gave way to others: it had room for long and has not arrived');
  }

  private late(): void {
    const message =
      this.state === 'waiting'
        ? 'The server holds too many bytes of unfinished requests'
        : `A request has not arrived within ${this.timeoutMs} ms of its beginning`;
    this.fail(message);
  }

  private fail(message: string): void {
    this.end();
    this.host.late(new StoreError('OVERLOADED', message));
  }
}
