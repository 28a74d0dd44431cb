// Writes that reach a follower travel to the leader from here, and their results come back. Requests and results of a
// turn share one frame. Never forwards twice: when the connection is lost, the client is told and decides.

import type { Limits } from '../config/limits.js';
import { Fifo } from '../shared/fifo.js';
import type { CommandEnvelope, CommandResult } from '../tree/command.js';
import type { BulkMessage } from '../wire/bulk-messages.js';
import { commandBytes, resultBytes } from './command-bytes.js';
import { answer, failure, type PendingRequest } from './request.js';

export interface ForwarderHost {
  sendToLeader(message: BulkMessage): void;
  /** Calls back once this node has applied the result's zxid. */
  whenApplied(result: CommandResult, request: PendingRequest): void;
  nowMs(): number;
  defer(task: () => void): void;
}

/** Most commands in one frame. */
const itemsMax = 4096;

/** The follower's side. */
export class Forwarder {
  private readonly host: ForwarderHost;
  private readonly limits: Limits;
  private outstanding = new Map<number, PendingRequest>();
  /** Of the commands that the leader has not answered. */
  private outstandingBytes = 0;
  private queue = new Fifo<PendingRequest>();
  private nextId = 1;
  private scheduled = false;
  private readonly sendTask = (): void => {
    this.scheduled = false;
    this.send();
  };

  constructor(host: ForwarderHost, limits: Limits) {
    this.host = host;
    this.limits = limits;
  }

  get unanswered(): number {
    return this.outstanding.size + this.queue.length;
  }

  submit(request: PendingRequest): void {
    if (this.unanswered >= this.limits.prepareQueueMax) {
      answer(
        request,
        failure('OVERLOADED', `${this.limits.prepareQueueMax} requests are under way already (prepareQueueMax)`),
      );
      return;
    }
    this.queue.push(request);
    this.schedule();
  }

  results(items: readonly { readonly id: number; readonly result: CommandResult }[]): void {
    for (const { id, result } of items) {
      const request = this.outstanding.get(id);
      if (request === undefined) continue;
      this.forget(id, request);
      this.host.whenApplied(result, request);
    }
    this.schedule();
  }

  /** The connection to the leader is gone or leads to someone else now. */
  leaderLost(): void {
    const { outstanding, queue } = this;
    this.outstanding = new Map();
    this.outstandingBytes = 0;
    this.queue = new Fifo();
    for (const request of outstanding.values()) {
      answer(request, failure('OUTCOME_UNKNOWN', 'the leader was lost after the write was forwarded to it'));
    }
    for (const request of queue)
      answer(request, failure('NO_QUORUM', 'the leader was lost before the write was forwarded'));
  }

  expire(nowMs: number): void {
    for (const [id, request] of this.outstanding) {
      if (request.deadlineMs > nowMs) continue;
      this.forget(id, request);
      answer(
        request,
        failure('TIMEOUT', 'the leader has not answered within the deadline; the write may still happen'),
      );
    }
    if (this.queue.length === 0) return;
    const kept = new Fifo<PendingRequest>();
    for (const request of this.queue) {
      if (request.deadlineMs > nowMs) kept.push(request);
      else answer(request, failure('OVERLOADED', 'not forwarded to the leader within the deadline'));
    }
    this.queue = kept;
    this.schedule();
  }

  private forget(id: number, { envelope }: PendingRequest): void {
    this.outstanding.delete(id);
    this.outstandingBytes -= commandBytes(envelope);
  }

  private schedule(): void {
    if (this.scheduled || this.queue.length === 0) return;
    this.scheduled = true;
    this.host.defer(this.sendTask);
  }

  /** Past the bound the rest waits for results: a link that holds too much is dropped, with all that is under way on it. */
  private send(): void {
    const nowMs = this.host.nowMs();
    let items: { id: number; timeoutMs: number; envelope: CommandEnvelope }[] = [];
    let bytes = 0;
    while (this.outstandingBytes < this.limits.forwardedBytesMax) {
      const request = this.queue.shift();
      if (request === undefined) break;
      const id = this.nextId++;
      const size = commandBytes(request.envelope);
      this.outstanding.set(id, request);
      this.outstandingBytes += size;
      items.push({ id, timeoutMs: Math.max(1, Math.ceil(request.deadlineMs - nowMs)), envelope: request.envelope });
      bytes += size;
      if (items.length < itemsMax && bytes < this.limits.batchBytesMax) continue;
      this.host.sendToLeader({ type: 'forward', items });
      items = [];
      bytes = 0;
    }
    if (items.length > 0) this.host.sendToLeader({ type: 'forward', items });
  }
}

/** Results in one frame, bytes, unless a single one has more; fewer where a frame takes no more than one large answer. */
const frameResultBytesMax = 2 ** 20;

/** The leader's side of one follower's connection: gathers results of a turn into one frame, or more if they are large. */
export class ForwardResults {
  private items: { id: number; result: CommandResult }[] = [];
  private bytes = 0;
  private scheduled = false;
  private readonly send: (message: BulkMessage) => void;
  private readonly defer: (task: () => void) => void;
  private readonly bytesMax: number;
  private readonly sendTask = (): void => {
    this.scheduled = false;
    this.flush();
  };

  /** `answerBytesMax`: what the largest single answer may hold, for which a frame between peers always has room. */
  constructor(send: (message: BulkMessage) => void, defer: (task: () => void) => void, answerBytesMax: number) {
    this.send = send;
    this.defer = defer;
    this.bytesMax = Math.min(frameResultBytesMax, answerBytesMax);
  }

  add(id: number, result: CommandResult): void {
    const bytes = resultBytes(result);
    if (this.bytes + bytes > this.bytesMax) this.flush();
    this.items.push({ id, result });
    this.bytes += bytes;
    if (this.scheduled) return;
    this.scheduled = true;
    this.defer(this.sendTask);
  }

  private flush(): void {
    const { items } = this;
    if (items.length === 0) return;
    this.items = [];
    this.bytes = 0;
    this.send({ type: 'forwardResult', items });
  }
}
