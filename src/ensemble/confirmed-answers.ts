// A leader's answers that came of no effect: refusals, repetitions. Each was judged by staged state, so it waits until that
// is committed, and until leadership was confirmed after it was asked; else a deposed leader or a dropped proposal shows.

import { Fifo } from '../shared/fifo.js';
import type { Zxid } from '../shared/ids.js';
import type { CommandResult } from '../tree/command.js';
import { outputBytes } from '../wire/output-codec.js';
import { answer, failure, type PendingRequest } from './request.js';

export interface UnconfirmedAnswer {
  /** Last zxid that was staged when the command was judged. */
  readonly zxid: Zxid;
  /** Number of a confirmation of leadership that began after that. */
  readonly confirmation: number;
  readonly request: PendingRequest;
  readonly result: CommandResult;
}

export class ConfirmedAnswers {
  private waiting = new Fifo<UnconfirmedAnswer>();
  private lastConfirmed = 0;
  /** Of the outputs that wait here. */
  bytes = 0;

  get length(): number {
    return this.waiting.length;
  }

  add(unconfirmed: UnconfirmedAnswer): void {
    this.bytes += outputBytes(unconfirmed.result.output);
    this.waiting.push(unconfirmed);
  }

  /** The tree has applied up to `applied`. */
  applied(applied: Zxid): void {
    for (let first = this.waiting.peek(); first !== undefined; first = this.waiting.peek()) {
      if (first.zxid > applied || first.confirmation > this.lastConfirmed) return;
      this.waiting.shift();
      this.bytes -= outputBytes(first.result.output);
      answer(first.request, first.result);
    }
  }

  /** Leadership was confirmed for every confirmation up to `request`. */
  confirmed(request: number, applied: Zxid): void {
    this.lastConfirmed = request;
    this.applied(applied);
  }

  leadershipLost(): void {
    const { waiting } = this;
    this.waiting = new Fifo();
    this.bytes = 0;
    for (const unconfirmed of waiting) fail(unconfirmed, 'leadership was lost before the answer was confirmed');
  }

  /** Answers whoever's deadline has passed; it stays in line. */
  expire(nowMs: number): void {
    for (const unconfirmed of this.waiting) {
      if (unconfirmed.request.deadlineMs <= nowMs) fail(unconfirmed, 'not confirmed by a quorum within the deadline');
    }
  }
}

/** A refusal that is not confirmed had no effect; the remembered success of a repeated request did. */
function fail({ request, result }: UnconfirmedAnswer, reason: string): void {
  answer(request, failure(result.code === 'OK' ? 'OUTCOME_UNKNOWN' : 'NO_QUORUM', reason));
}
