// One simulated TCP connection: two ends, each with its ordered queue of frames under way. Delivers in order and at most
// once; loses only a tail, and then both sides learn of it or time out. Knows nothing of what the frames say.

import type { Channel, PeerNetworkHandler } from '../ensemble/ports.js';
import type { Bytes } from '../shared/bytes.js';
import type { ServerId } from '../shared/ids.js';
import type { NetworkConditions } from './network-conditions.js';
import type { NodeScheduler } from './virtual-clock.js';

/** What a link needs of the process at one of its ends. */
export interface LinkHost {
  readonly node: number;
  readonly serverId: ServerId;
  readonly scheduler: NodeScheduler;
  /** undefined once the network of that process was stopped. */
  readonly handler: PeerNetworkHandler | undefined;
  forget(link: number): void;
}

/** Socket buffers: bytes under way beyond this count as queued in the sender's process. */
const socketBufferBytes = 256 * 1024;
/** `drained` is told when the queue falls below this after it was above. */
const lowWaterBytes = 64 * 1024;

type Item =
  | { readonly arriveAtMs: number; readonly frame: Bytes }
  /** The handshake's answer. */
  | { readonly arriveAtMs: number; readonly answered: () => void }
  | { readonly arriveAtMs: number; readonly reason: string };

/** One side of a connection. `queue` is what it has sent and the other side has not received yet. */
export class LinkEnd {
  readonly host: LinkHost;
  readonly link: number;
  readonly channel: Channel;
  private readonly conditions: NetworkConditions;
  private other: LinkEnd | undefined;
  private queue: Item[] = [];
  private underWayBytes = 0;
  private aboveHighWater = false;
  private lastArrivalMs = 0;
  private stalledUntilMs = 0;
  /** A delivery from this end is scheduled. */
  private scheduled = false;
  /** The path was blocked when the head was due; `pathOpened` goes on. */
  private held = false;
  /** The handler of this side has been told `opened` and not yet `closed`. */
  open = false;
  /** This side sends and receives nothing more. */
  gone = false;

  constructor(host: LinkHost, link: number, channel: Channel, conditions: NetworkConditions) {
    this.host = host;
    this.link = link;
    this.channel = channel;
    this.conditions = conditions;
  }

  static pair(a: LinkEnd, b: LinkEnd): void {
    a.other = b;
    b.other = a;
  }

  get peer(): LinkEnd | undefined {
    return this.other;
  }

  send(frame: Bytes): void {
    if (this.gone) return;
    this.underWayBytes += frame.length;
    if (this.underWayBytes > socketBufferBytes) this.aboveHighWater = true;
    this.enqueue({ arriveAtMs: this.nextArrivalMs(), frame });
  }

  /** The accepting side answers the handshake; `answered` runs in the process that asked, before anything sent later. */
  answer(answered: () => void): void {
    this.enqueue({ arriveAtMs: this.nextArrivalMs(), answered });
  }

  queuedBytes(): number {
    return Math.max(0, this.underWayBytes - socketBufferBytes);
  }

  /** Closes this side at once; the other learns of it behind what is under way. */
  close(reason: string): void {
    if (this.gone) return;
    this.retire();
    this.enqueue({ arriveAtMs: this.nextArrivalMs(), reason });
  }

  /** This process died: of what is under way a prefix arrives, then the other side sees the end of the connection. */
  abort(reason: string): void {
    if (this.gone) return;
    this.retire();
    this.loseTail();
    this.enqueue({ arriveAtMs: this.nextArrivalMs(), reason });
  }

  /** This machine died: nothing more arrives and nothing tells the other side, until `reset`. */
  vanish(): void {
    if (this.gone) return;
    this.retire();
    this.loseTail();
  }

  /** The machine is back and knows nothing of this connection: the other side is told after `delayMs`. */
  reset(delayMs: number): void {
    this.queue = [{ arriveAtMs: this.host.scheduler.trueNowMs() + delayMs, reason: 'connection reset' }];
    this.pump();
  }

  /** Both sides lose the connection, with bytes under way. */
  cut(): void {
    const { other } = this;
    if (other === undefined || this.gone || other.gone) return;
    this.loseTail();
    other.loseTail();
    this.enqueue({ arriveAtMs: this.nextArrivalMs(), reason: 'connection cut' });
    other.enqueue({ arriveAtMs: other.nextArrivalMs(), reason: 'connection cut' });
  }

  /** This side gives the connection up; the other is told nothing for so long, and goes on sending into the void. */
  loseSight(durationMs: number): void {
    const { other } = this;
    if (!this.open || other === undefined || !other.open) return;
    this.retire();
    this.loseTail();
    this.host.scheduler.deliver(0, () => this.host.handler?.closed(this.link, 'connection timed out'));
    this.enqueue({ arriveAtMs: this.nextArrivalMs() + durationMs, reason: 'connection reset' });
  }

  /** Nothing arrives from this side for a while; then everything does, in order. */
  stall(durationMs: number): void {
    this.stalledUntilMs = Math.max(this.stalledUntilMs, this.host.scheduler.trueNowMs() + durationMs);
  }

  /** Some path has opened: what was held may go on. */
  pathOpened(): void {
    if (!this.held) return;
    this.held = false;
    this.stalledUntilMs = Math.max(
      this.stalledUntilMs,
      this.host.scheduler.trueNowMs() + this.conditions.retransmissionMs(),
    );
    this.pump();
  }

  /** The network is whole again: what stood still, or was silently lost, shows within a retransmission. */
  mend(): void {
    const soonMs = this.host.scheduler.trueNowMs() + this.conditions.retransmissionMs();
    this.stalledUntilMs = Math.min(this.stalledUntilMs, soonMs);
    this.lastArrivalMs = Math.min(this.lastArrivalMs, soonMs);
    this.queue = this.queue.map((item) => (item.arriveAtMs <= soonMs ? item : { ...item, arriveAtMs: soonMs }));
    // The delivery that is scheduled may be long after: another one comes before it.
    this.scheduled = false;
    this.pump();
  }

  private retire(): void {
    this.gone = true;
    this.open = false;
    this.host.forget(this.link);
  }

  private loseTail(): void {
    const keep = this.conditions.below(this.queue.length + 1);
    this.queue = this.queue.slice(0, keep);
    this.underWayBytes = 0;
    for (const item of this.queue) if ('frame' in item) this.underWayBytes += item.frame.length;
  }

  private nextArrivalMs(): number {
    const arriveAtMs = this.host.scheduler.trueNowMs() + this.conditions.delayMs();
    this.lastArrivalMs = Math.max(this.lastArrivalMs, arriveAtMs, this.stalledUntilMs);
    return this.lastArrivalMs;
  }

  private enqueue(item: Item): void {
    this.queue.push(item);
    this.pump();
  }

  private pump(): void {
    const { other } = this;
    const head = this.queue[0];
    if (this.scheduled || this.held || head === undefined || other === undefined) return;
    this.scheduled = true;
    const nowMs = this.host.scheduler.trueNowMs();
    other.host.scheduler.deliver(Math.max(0, Math.max(head.arriveAtMs, this.stalledUntilMs) - nowMs), () =>
      this.arrive(other),
    );
  }

  /** Runs in the receiving process: one read of everything that has arrived. */
  private arrive(other: LinkEnd): void {
    this.scheduled = false;
    const nowMs = other.host.scheduler.trueNowMs();
    if (this.conditions.isBlocked(this.host.node, other.host.node)) {
      this.held = true;
      return;
    }
    if (nowMs < this.stalledUntilMs) {
      this.pump();
      return;
    }
    for (;;) {
      const item = this.queue[0];
      if (item === undefined || item.arriveAtMs > nowMs) break;
      this.queue.shift();
      if ('reason' in item) {
        other.ended(item.reason);
        break;
      }
      if ('answered' in item) {
        item.answered();
        continue;
      }
      this.underWayBytes -= item.frame.length;
      other.take(item.frame);
    }
    this.tellDrained();
    this.pump();
  }

  private take(frame: Bytes): void {
    if (!this.open || !this.host.scheduler.alive) return;
    this.host.handler?.received(this.link, frame);
  }

  private ended(reason: string): void {
    if (this.gone) return;
    const wasOpen = this.open;
    this.retire();
    if (wasOpen) this.host.handler?.closed(this.link, reason);
  }

  private tellDrained(): void {
    if (!this.aboveHighWater || this.underWayBytes > socketBufferBytes + lowWaterBytes || this.gone) return;
    this.aboveHighWater = false;
    this.host.scheduler.deliver(0, () => {
      if (this.open) this.host.handler?.drained(this.link);
    });
  }
}
