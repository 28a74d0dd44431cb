import { describe, expect, it } from 'vitest';
import { HeldWrites } from './held-writes.js';
import type { PendingRequest } from './request.js';

describe('HeldWrites', () => {
  const setUp = () => {
    const link = { room: true };
    const answers: string[] = [];
    const resubmitted: PendingRequest[] = [];
    const held = new HeldWrites({ hasRoom: () => link.room, resubmit: (request) => void resubmitted.push(request) });
    const request = (name: string, deadlineMs = 100): PendingRequest => ({
      envelope: { command: { type: 'delete', key: new TextEncoder().encode(name) } },
      deadlineMs,
      done: ({ code }) => void answers.push(`${name} ${code}`),
      answered: false,
    });
    return { link, answers, resubmitted, held, request };
  };

  it('keeps what comes while there is no room, and what comes behind it, until the connection has drained', () => {
    const { link, answers, resubmitted, held, request } = setUp();
    const [first, second, third, late] = [request('1'), request('2'), request('3'), request('4', 50)];
    expect(held.take(first)).toBe(false);
    link.room = false;
    expect(held.take(second)).toBe(true);
    expect(held.take(late)).toBe(true);
    link.room = true;
    expect(held.take(third)).toBe(true);
    held.drained(50);
    expect(resubmitted).toEqual([second, third]);
    expect(answers).toEqual(['4 OVERLOADED']);
    expect(held.take(first)).toBe(false);
  });

  it('says of what it keeps that nothing happened when leadership is lost', () => {
    const { link, answers, resubmitted, held, request } = setUp();
    link.room = false;
    held.take(request('1'));
    held.leadershipLost();
    held.drained(0);
    expect(answers).toEqual(['1 NO_QUORUM']);
    expect(resubmitted).toEqual([]);
  });
});
