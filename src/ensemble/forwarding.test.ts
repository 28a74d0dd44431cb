import { describe, expect, it } from 'vitest';
import { limits } from '../config/limits.js';
import { groupZero, type Revision, zxidZero } from '../shared/ids.js';
import type { CommandEnvelope, CommandResult } from '../tree/command.js';
import type { KeyRecord } from '../tree/store.js';
import { encodeBulkMessage } from '../wire/bulk-codec.js';
import type { BulkMessage } from '../wire/bulk-messages.js';
import { Forwarder, ForwardResults } from './forwarding.js';
import type { PendingRequest } from './request.js';

const revision = 2 as Revision;

function resultOf(valueBytes: number): CommandResult {
  const record: KeyRecord = {
    key: new Uint8Array(1),
    value: new Uint8Array(valueBytes),
    createRevision: revision,
    modRevision: revision,
    version: 1,
    lease: 0n,
  };
  const outcomes = [{ type: 'range', records: [record], count: 1, more: false }] as const;
  const output = { type: 'transaction', succeeded: true, outcomes } as const;
  return { code: 'OK', message: '', revision, zxid: zxidZero, output };
}

function framesOf(sent: readonly BulkMessage[]): number[][] {
  return sent.map((message) =>
    message.type === 'forward' || message.type === 'forwardResult' ? message.items.map(({ id }) => id) : [],
  );
}

describe('ForwardResults', () => {
  it('shares a frame between the results of a turn, and begins another behind much output', () => {
    const sent: BulkMessage[] = [];
    const tasks: (() => void)[] = [];
    const results = new ForwardResults(
      (message) => void sent.push(message),
      (task) => void tasks.push(task),
      limits.transactionAnswerBytesMax,
    );
    const turn = (): void => {
      for (const task of tasks.splice(0)) task();
    };
    for (const id of [1, 2, 3]) results.add(id, resultOf(10));
    turn();
    for (const id of [4, 5, 6]) results.add(id, resultOf(2 ** 19 - 300));
    turn();
    results.add(7, resultOf(5 * 2 ** 20));
    turn();
    results.add(8, resultOf(1));
    turn();
    expect(framesOf(sent)).toEqual([[1, 2, 3], [4, 5], [6], [7], [8]]);
  });

  it('fills no frame with more than the largest single answer, which is all that a small one must take', () => {
    const sent: BulkMessage[] = [];
    const tasks: (() => void)[] = [];
    const answerBytesMax = 4_000;
    const results = new ForwardResults(
      (message) => void sent.push(message),
      (task) => void tasks.push(task),
      answerBytesMax,
    );
    for (const id of [1, 2, 3, 4, 5]) results.add(id, resultOf(1_500));
    const refused: CommandResult = { code: 'TOO_LARGE', message: 'x'.repeat(1_500), revision, zxid: zxidZero };
    for (const id of [6, 7, 8]) results.add(id, refused);
    for (const task of tasks) task();
    expect(framesOf(sent)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
    ]);
    for (const message of sent) {
      const bytes = encodeBulkMessage(groupZero, message).reduce((sum, part) => sum + part.length, 0);
      expect(bytes).toBeLessThan(answerBytesMax);
    }
  });
});

describe('Forwarder', () => {
  it('cuts a frame by the bytes of every kind of command, transactions included', () => {
    const sent: BulkMessage[] = [];
    let task: () => void = () => undefined;
    const forwarder = new Forwarder(
      {
        sendToLeader: (message) => void sent.push(message),
        whenApplied: () => undefined,
        nowMs: () => 0,
        defer: (next) => {
          task = next;
        },
      },
      { ...limits, batchBytesMax: 1_000 },
    );
    const put = {
      type: 'put',
      key: new Uint8Array(1),
      value: new Uint8Array(600),
      lease: 0n,
      ignoreValue: false,
      ignoreLease: false,
      wantsPrevious: false,
    } as const;
    const nested = { compares: [], success: [], failure: [put] };
    const envelopes: CommandEnvelope[] = [
      { command: { type: 'transact', transaction: { compares: [], success: [put], failure: [] } } },
      {
        command: {
          type: 'transact',
          transaction: { compares: [], success: [], failure: [{ type: 'transaction', transaction: nested }] },
        },
      },
      { command: { type: 'set', key: put.key, value: put.value } },
      { command: { type: 'delete', key: new Uint8Array(1_000) } },
    ];
    for (const envelope of envelopes) {
      const request: PendingRequest = { envelope, deadlineMs: 1_000, done: () => undefined, answered: false };
      forwarder.submit(request);
    }
    task();
    expect(framesOf(sent)).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('keeps commands back while many bytes are not answered, and tells those whose deadline passes meanwhile', () => {
    const sent: BulkMessage[] = [];
    const tasks: (() => void)[] = [];
    const answers: string[] = [];
    let nowMs = 0;
    const forwarder = new Forwarder(
      {
        sendToLeader: (message) => void sent.push(message),
        whenApplied: (result, request) => request.done(result),
        nowMs: () => nowMs,
        defer: (task) => void tasks.push(task),
      },
      { ...limits, forwardedBytesMax: 2_000, batchBytesMax: 1_000 },
    );
    const turn = (): void => {
      for (const task of tasks.splice(0)) task();
    };
    for (const deadlineMs of [100, 100, 100, 50, 100, 100]) {
      const command = { type: 'set', key: new Uint8Array(1), value: new Uint8Array(1_000) } as const;
      const done = ({ code, message }: CommandResult): void => void answers.push(`${code} ${message}`);
      forwarder.submit({ envelope: { command }, deadlineMs, done, answered: false });
    }
    turn();
    expect(framesOf(sent)).toEqual([[1], [2]]);
    turn();
    expect(framesOf(sent)).toEqual([[1], [2]]);
    forwarder.results([{ id: 1, result: resultOf(1) }]);
    turn();
    expect(framesOf(sent)).toEqual([[1], [2], [3]]);
    nowMs = 60;
    forwarder.expire(nowMs);
    turn();
    expect(answers).toEqual(['OK ', 'OVERLOADED not forwarded to the leader within the deadline']);
    nowMs = 100;
    // What was forwarded may happen yet; what was not will not.
    forwarder.expire(nowMs);
    turn();
    expect(answers.slice(2).map((text) => text.slice(0, 10))).toEqual([
      'TIMEOUT th',
      'TIMEOUT th',
      'OVERLOADED',
      'OVERLOADED',
    ]);
    expect(framesOf(sent)).toEqual([[1], [2], [3]]);
    expect(forwarder.unanswered).toBe(0);
  });
});
