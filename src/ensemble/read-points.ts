// Linearizable read points, many reads to one confirmation of leadership. On the leader a group of reads takes the
// committed zxid, has leadership confirmed by a round that begins afterwards, and waits until that zxid is applied; a
// follower asks the leader for such a point. No read is executed here.

import { StoreError } from '../shared/errors.js';
import { Fifo } from '../shared/fifo.js';
import type { Zxid } from '../shared/ids.js';

export interface ReadPointsHost {
  /** How a read point is had now: 'lead' locally, 'follow' from the leader, 'none' while there is no leader. */
  mode(): 'lead' | 'follow' | 'none';
  committedZxid(): Zxid;
  requestConfirmation(): number;
  /** Sends readPoint with this id to the leader. */
  askLeader(id: number): void;
  waitApplied(zxid: Zxid, deadlineMs: number, done: (error: StoreError | null) => void): void;
  defer(task: () => void): void;
}

interface Read {
  readonly deadlineMs: number;
  readonly done: (error: StoreError | null) => void;
}

interface Group {
  /** Confirmation number on the leader, request id towards one. */
  readonly id: number;
  readonly point: Zxid;
  readonly reads: readonly Read[];
}

export class ReadPoints {
  private readonly host: ReadPointsHost;
  private readonly queueMax: number;
  private collecting: Read[] = [];
  private scheduled = false;
  /** Leader: groups whose confirmation is under way, oldest first. */
  private confirming = new Fifo<Group>();
  /** Follower: the one group whose point was asked for. */
  private asked: Group | null = null;
  private nextId = 1;
  /** Highest request whose confirmation has come. Alone in its ensemble, a leader is confirmed while it asks. */
  private confirmed = 0;
  private readonly startTask = (): void => {
    this.scheduled = false;
    this.start();
  };

  constructor(host: ReadPointsHost, queueMax: number) {
    this.host = host;
    this.queueMax = queueMax;
  }

  get waiting(): number {
    let count = this.collecting.length + (this.asked?.reads.length ?? 0);
    for (const group of this.confirming) count += group.reads.length;
    return count;
  }

  request(deadlineMs: number, done: (error: StoreError | null) => void): void {
    if (this.collecting.length >= this.queueMax) {
      done(new StoreError('OVERLOADED', `${this.queueMax} reads wait for a read point already`));
      return;
    }
    this.collecting.push({ deadlineMs, done });
    this.schedule();
  }

  /** Leader: confirmed by a round begun after every request up to this one. */
  leadershipConfirmed(request: number): void {
    this.confirmed = request;
    for (
      let group = this.confirming.peek();
      group !== undefined && group.id <= request;
      group = this.confirming.peek()
    ) {
      this.confirming.shift();
      this.release(group, group.point);
    }
  }

  /** Follower: the leader's answer; null when it could not give one. */
  leaderAnswered(id: number, point: Zxid | null): void {
    const group = this.asked;
    if (group === null || group.id !== id) return;
    this.asked = null;
    if (point !== null) this.release(group, point);
    else this.collecting = [...group.reads, ...this.collecting];
    // After a refusal the reads wait for the next role change or tick instead of asking in a circle.
    if (point !== null) this.schedule();
  }

  /** Role, leader or the connection to it changed: reads have no effect, so those under way simply start again. */
  restart(): void {
    const again: Read[] = [];
    for (const group of this.confirming) again.push(...group.reads);
    this.confirming.clear();
    if (this.asked !== null) {
      again.push(...this.asked.reads);
      this.asked = null;
    }
    this.collecting = [...again, ...this.collecting];
    this.schedule();
  }

  /** Fails whoever's deadline has passed and asks again for the others. */
  expire(nowMs: number): void {
    const expired: Read[] = [];
    const living = (read: Read): boolean => {
      if (read.deadlineMs > nowMs) return true;
      expired.push(read);
      return false;
    };
    this.collecting = this.collecting.filter(living);
    if (this.asked !== null) this.asked = { ...this.asked, reads: this.asked.reads.filter(living) };
    const confirming = new Fifo<Group>();
    for (const group of this.confirming) confirming.push({ ...group, reads: group.reads.filter(living) });
    this.confirming = confirming;
    for (const read of expired)
      read.done(new StoreError('NO_QUORUM', 'no quorum has confirmed the read within the deadline'));
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || this.collecting.length === 0) return;
    this.scheduled = true;
    this.host.defer(this.startTask);
  }

  private start(): void {
    if (this.collecting.length === 0) return;
    switch (this.host.mode()) {
      case 'lead': {
        const reads = this.collecting;
        this.collecting = [];
        // The point is taken before the confirmation begins: what commits later is not owed to these reads.
        const point = this.host.committedZxid();
        const id = this.host.requestConfirmation();
        this.confirming.push({ id, point, reads });
        if (id <= this.confirmed) this.leadershipConfirmed(this.confirmed);
        return;
      }
      case 'follow': {
        if (this.asked !== null) return;
        const reads = this.collecting;
        this.collecting = [];
        this.asked = { id: this.nextId++, point: 0 as Zxid, reads };
        this.host.askLeader(this.asked.id);
        return;
      }
      case 'none':
        return;
    }
  }

  private release(group: Group, point: Zxid): void {
    for (const read of group.reads) this.host.waitApplied(point, read.deadlineMs, read.done);
  }
}
