import { beforeEach, describe, expect, test } from 'vitest';
import type { StoreError } from '../shared/errors.js';
import { toZxid, type Zxid } from '../shared/ids.js';
import { ReadPoints } from './read-points.js';
import type { Route } from './write-router.js';

/** What the rest of the node is to the read points, driven by hand. */
class Node {
  route: Route = 'lead';
  alone = false;
  committed = toZxid(10);
  confirmations = 0;
  asked: number[] = [];
  waited: Zxid[] = [];
  tasks: (() => void)[] = [];
  readonly points = new ReadPoints(
    {
      mode: () => this.route,
      committedZxid: () => this.committed,
      requestConfirmation: () => {
        this.confirmations++;
        if (this.alone) this.points.leadershipConfirmed(this.confirmations);
        return this.confirmations;
      },
      askLeader: (id) => this.asked.push(id),
      waitApplied: (zxid, _deadlineMs, done) => {
        this.waited.push(zxid);
        done(null);
      },
      defer: (task) => this.tasks.push(task),
    },
    3,
  );
  turn(): void {
    const tasks = this.tasks;
    this.tasks = [];
    for (const task of tasks) task();
  }
}

describe('ReadPoints', () => {
  let node: Node;
  let outcomes: (StoreError | null)[];
  const read = (deadlineMs = 100): void => node.points.request(deadlineMs, (error) => outcomes.push(error));
  beforeEach(() => {
    node = new Node();
    outcomes = [];
  });

  test('reads of one turn share one confirmation, and wait for what was committed when it began', () => {
    read();
    read();
    node.turn();
    expect(node.confirmations).toBe(1);
    node.committed = toZxid(20);
    read();
    node.turn();
    expect(node.confirmations).toBe(2);
    expect(outcomes).toEqual([]);
    node.points.leadershipConfirmed(1);
    expect(node.waited).toEqual([10, 10]);
    expect(outcomes).toEqual([null, null]);
    node.points.leadershipConfirmed(2);
    expect(node.waited).toEqual([10, 10, 20]);
  });

  test('a node alone in its ensemble is confirmed at once', () => {
    node.alone = true;
    read();
    node.turn();
    expect(outcomes).toEqual([null]);
  });

  test('a follower asks for one point at a time', () => {
    node.route = 'follow';
    read();
    node.turn();
    read();
    node.turn();
    expect(node.asked).toEqual([1]);
    node.points.leaderAnswered(1, toZxid(7));
    node.turn();
    expect(node.asked).toEqual([1, 2]);
    expect(node.waited).toEqual([7]);
    // An answer to a question that nobody asks any more changes nothing.
    node.points.leaderAnswered(1, toZxid(9));
    expect(outcomes).toEqual([null]);
  });

  test('a confirmation asked for before a change of leader releases nothing afterwards', () => {
    read();
    node.turn();
    node.route = 'none';
    node.points.restart();
    node.turn();
    node.points.leadershipConfirmed(1);
    expect(outcomes).toEqual([]);
    node.route = 'follow';
    node.points.restart();
    node.turn();
    expect(node.asked).toEqual([1]);
  });

  test('reads fail with NO_QUORUM at their deadline wherever they stand', () => {
    read(50);
    node.turn();
    node.route = 'none';
    read(60);
    node.turn();
    node.points.expire(59);
    expect(outcomes.map((error) => error?.code)).toEqual(['NO_QUORUM']);
    node.points.expire(60);
    expect(outcomes.map((error) => error?.code)).toEqual(['NO_QUORUM', 'NO_QUORUM']);
    expect(node.points.waiting).toBe(0);
  });

  test('refuses more waiting reads than its bound', () => {
    for (let i = 0; i < 4; i++) read();
    expect(outcomes.map((error) => error?.code)).toEqual(['OVERLOADED']);
  });
});
