// The leader's side of a write: commands wait here, are executed together once a turn against the tree's staged state,
// become one batch, and are answered in order when it commits. It knows nothing of peers or sockets.

import type { Limits } from '../config/limits.js';
import { Fifo } from '../shared/fifo.js';
import type { Zxid } from '../shared/ids.js';
import type { CommandResult } from '../tree/command.js';
import type { Entry } from '../tree/delta.js';
import type { ReplicatedTree } from '../tree/replicated-tree.js';
import { encodeBatch } from '../wire/batch-codec.js';
import { outputBytes } from '../wire/output-codec.js';
import type { Batch } from '../zab/messages.js';
import { commandBytes, entryBytes } from './command-bytes.js';
import { ConfirmedAnswers } from './confirmed-answers.js';
import { answer, failure, type PendingRequest } from './request.js';

/** What the requests need of the node that they are on. */
export interface LeaderRequestsHost {
  readonly tree: ReplicatedTree;
  /** First zxid of the next batch; null while this node may not propose. */
  nextZxid(): Zxid | null;
  /** Batches proposed and not committed. */
  batchesInFlight(): number;
  propose(batch: Batch): void;
  /** Asks for a confirmation of leadership that begins after now; its number is given to `confirmed` or a later one. */
  requestConfirmation(): number;
  /** Sees each request before it waits for its execution; null: it is answered already. */
  admit(request: PendingRequest): PendingRequest | null;
  /** A code and a text when commands have to be refused for lack of space; null otherwise. */
  refusal(): CommandResult | null;
  defer(task: () => void): void;
}

interface Staged {
  readonly zxid: Zxid;
  readonly request: PendingRequest;
  readonly result: CommandResult;
}

export class LeaderRequests {
  private readonly host: LeaderRequestsHost;
  private readonly limits: Limits;
  private queue = new Fifo<PendingRequest>();
  private staged = new Fifo<Staged>();
  private readonly unconfirmed = new ConfirmedAnswers();
  /** Of the outputs of what is staged. */
  private stagedOutputBytes = 0;
  private scheduled = false;
  private readonly prepareTask = (): void => {
    this.scheduled = false;
    this.prepare();
  };

  constructor(host: LeaderRequestsHost, limits: Limits) {
    this.host = host;
    this.limits = limits;
  }

  get queued(): number {
    return this.queue.length;
  }

  get unanswered(): number {
    return this.queue.length + this.staged.length + this.unconfirmed.length;
  }

  submit(request: PendingRequest): void {
    if (this.queue.length >= this.limits.prepareQueueMax) {
      answer(
        request,
        failure('OVERLOADED', `${this.limits.prepareQueueMax} requests are waiting already (prepareQueueMax)`),
      );
      return;
    }
    const admitted = this.host.admit(request);
    if (admitted === null) return;
    this.queue.push(admitted);
    this.schedule();
  }

  /** One that was taken back before it was executed. */
  resubmit(request: PendingRequest): void {
    this.queue.push(request);
    this.schedule();
  }

  /** Something that held commands back may have gone: a commit, a flush, a new role. */
  schedule(): void {
    if (this.scheduled || this.queue.length === 0) return;
    this.scheduled = true;
    this.host.defer(this.prepareTask);
  }

  /** The tree has applied up to `applied`. */
  applied(applied: Zxid): void {
    for (let first = this.staged.peek(); first !== undefined && first.zxid <= applied; first = this.staged.peek()) {
      this.staged.shift();
      this.stagedOutputBytes -= outputBytes(first.result.output);
      answer(first.request, first.result);
    }
    this.unconfirmed.applied(applied);
    this.schedule();
  }

  leadershipConfirmed(request: number): void {
    this.unconfirmed.confirmed(request, this.host.tree.appliedZxid);
    this.schedule();
  }

  /** Leadership is lost: what was executed may or may not happen, what was not executed will not. */
  leadershipLost(): void {
    const { queue, staged } = this;
    this.queue = new Fifo();
    this.staged = new Fifo();
    this.stagedOutputBytes = 0;
    for (const { request } of staged)
      answer(request, failure('OUTCOME_UNKNOWN', 'leadership was lost before the write was committed'));
    this.unconfirmed.leadershipLost();
    for (const request of queue)
      answer(request, failure('NO_QUORUM', 'leadership was lost before the request was executed'));
  }

  /** Answers whoever's deadline has passed. Staged requests stay in line: they may still commit. */
  expire(nowMs: number): void {
    for (const { request } of this.staged) {
      if (request.deadlineMs <= nowMs)
        answer(request, failure('TIMEOUT', 'not committed within the deadline; it may still be'));
    }
    this.unconfirmed.expire(nowMs);
    if (this.queue.length === 0) return;
    const kept = new Fifo<PendingRequest>();
    for (const request of this.queue) {
      if (request.deadlineMs > nowMs) kept.push(request);
      else answer(request, failure('OVERLOADED', 'not executed within the deadline'));
    }
    this.queue = kept;
  }

  private prepare(): void {
    while (this.queue.length > 0) {
      const refused = this.host.refusal();
      if (refused !== null) {
        const { queue } = this;
        this.queue = new Fifo();
        for (const request of queue) answer(request, refused);
        return;
      }
      const first = this.host.nextZxid();
      if (first === null || this.host.batchesInFlight() >= this.limits.batchesInFlightMax) return;
      // Back-pressure of the flush: commands wait in the bounded queue until a flush has ended.
      if (this.host.tree.overlayBytes >= this.limits.overlayBytesMax) return;
      if (this.holdsEnough()) return;
      const entries = this.execute(first);
      this.unconfirmed.applied(this.host.tree.appliedZxid);
      if (entries.length === 0) continue;
      const last = (first + entries.length - 1) as Zxid;
      this.host.propose({ first, last, body: encodeBatch(first, entries) });
    }
  }

  /** Answers that read much wait for their commit or confirmation: the next commands wait for them. */
  private holdsEnough(): boolean {
    return this.stagedOutputBytes + this.unconfirmed.bytes >= this.limits.answersHeldBytesMax;
  }

  private pushStaged(staged: Staged): void {
    this.stagedOutputBytes += outputBytes(staged.result.output);
    this.staged.push(staged);
  }

  /** Executes from the queue until a batch is full; entries are consecutive from `first`. */
  private execute(first: Zxid): Entry[] {
    const entries: Entry[] = [];
    const { tree } = this.host;
    let bytes = 0;
    let confirmation = 0;
    let next = first as number;
    while (entries.length < this.limits.batchEntriesMax && !this.holdsEnough()) {
      const request = this.queue.peek();
      if (request === undefined) break;
      // A checkpoint ends a flush where it stands, and a flush must end where a batch does: it goes alone.
      const alone = request.envelope.command.type === 'checkpoint';
      if (alone && entries.length > 0) break;
      const size = commandBytes(request.envelope);
      if (entries.length > 0 && bytes + size > this.limits.batchBytesMax) break;
      this.queue.shift();
      // Its deadline passed while it waited, and it was told so: executing it now would break that word.
      if (request.answered || request.takenBack?.(request) === true) continue;
      const execution = tree.execute(request.envelope, next as Zxid);
      if (execution.type === 'staged') {
        entries.push(execution.entry);
        this.pushStaged({ zxid: next as Zxid, request, result: execution.result });
        next++;
        bytes += Math.max(size, entryBytes(execution.entry));
        if (alone) break;
      } else if (execution.type === 'joined') {
        const last = this.staged.peekLast();
        const zxid = last !== undefined && last.zxid > execution.zxid ? last.zxid : execution.zxid;
        this.pushStaged({ zxid, request, result: execution.result });
      } else {
        if (confirmation === 0) confirmation = this.host.requestConfirmation();
        this.unconfirmed.add({ zxid: tree.stagedZxid, request, result: execution.result, confirmation });
      }
    }
    return entries;
  }
}
