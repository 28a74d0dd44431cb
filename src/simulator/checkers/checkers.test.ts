// Every checker of the ensemble is shown one violation made by hand, and what is right beside it.

import { describe, expect, it } from 'vitest';
import {
  apply,
  at,
  commit,
  ensembleId,
  invariants,
  log,
  newView,
  put,
  serve,
  write,
} from '../../../test/support/ensemble-by-hand.js';
import { type EnsembleId, toEpoch, type Zxid } from '../../shared/ids.js';
import type { ReplicatedTree } from '../../tree/replicated-tree.js';
import type { PeerMessage } from '../../zab/messages.js';
import { Acknowledgements } from './acknowledgements.js';
import { Deliveries } from './deliveries.js';
import { blankRecord, type NodeView } from './ensemble-view.js';
import { EpochLeaders } from './epoch-leaders.js';
import { EpochRecords } from './epoch-records.js';
import { LogShape } from './log-shape.js';
import { PrimaryOrder } from './primary-order.js';
import { SteadyLeader } from './steady-leader.js';

describe('EpochLeaders', () => {
  it('notices a second leader of one epoch', () => {
    const { view, nodes } = newView();
    const checker = new EpochLeaders(view);
    serve(checker, nodes[0], 'leading', 1, nodes[0]);
    serve(checker, nodes[1], 'following', 1, nodes[0]);
    serve(checker, nodes[0], 'leading', 2, nodes[0]);
    expect(invariants(view)).toEqual([]);
    serve(checker, nodes[2], 'leading', 2, nodes[2]);
    expect(invariants(view)).toEqual(['one leader per epoch']);
  });

  it('notices a follower of somebody who was never established', () => {
    const { view, nodes } = newView();
    serve(new EpochLeaders(view), nodes[1], 'following', 1, nodes[0]);
    expect(invariants(view)).toEqual(['one leader per epoch']);
  });

  it('notices a leader that lacks what earlier epochs committed', () => {
    const { view, nodes } = newView();
    const checker = new EpochLeaders(view);
    commit(view, put(at(1, 1), 2));
    nodes[2].log.truncate(at(0, 0));
    serve(checker, nodes[1], 'leading', 2, nodes[1]);
    expect(invariants(view)).toEqual([]);
    serve(checker, nodes[2], 'leading', 3, nodes[2]);
    expect(invariants(view)).toEqual(['a new leader holds everything committed']);
  });

  it('notices an entry that did not come from the leader', () => {
    const { view, nodes } = newView();
    const checker = new EpochLeaders(view);
    serve(checker, nodes[0], 'leading', 1, nodes[0]);
    log(checker, nodes[0], put(at(1, 1), 2));
    log(checker, nodes[1], put(at(1, 1), 2));
    expect(invariants(view)).toEqual([]);
    log(checker, nodes[1], put(at(1, 2), 3));
    expect(invariants(view)).toEqual(['delivered implies proposed by the leader']);
  });
});

describe('EpochRecords', () => {
  it('notices epochs that go back or pass each other', () => {
    const { view, nodes } = newView();
    const checker = new EpochRecords(view);
    write(checker, nodes[0], { acceptedEpoch: toEpoch(3), currentEpoch: toEpoch(2) });
    expect(invariants(view)).toEqual([]);
    write(checker, nodes[0], { acceptedEpoch: toEpoch(2) });
    write(checker, nodes[0], { acceptedEpoch: toEpoch(3), currentEpoch: toEpoch(4) });
    expect(invariants(view)).toEqual(['epochs never go back', 'current epoch at most accepted']);
  });

  it('notices another ensemble id once an epoch was adopted', () => {
    const { view, nodes } = newView();
    const checker = new EpochRecords(view);
    const other = 'f'.repeat(32) as EnsembleId;
    write(checker, nodes[0], { acceptedEpoch: toEpoch(1) });
    write(checker, nodes[0], { ensembleId: other, currentEpoch: toEpoch(1) });
    expect(invariants(view)).toEqual([]);
    write(checker, nodes[0], { ensembleId });
    expect(invariants(view)).toEqual(['the ensemble id stays']);
  });

  it('notices a current epoch without the history that it began with', () => {
    const { view, nodes } = newView();
    const checker = new EpochRecords(view);
    const epochs = { acceptedEpoch: toEpoch(2), currentEpoch: toEpoch(2) };
    log(checker, nodes[0], put(at(1, 1), 2));
    write(checker, nodes[0], epochs);
    log(checker, nodes[1], put(at(1, 1), 2));
    write(checker, nodes[1], epochs);
    expect(invariants(view)).toEqual([]);
    log(checker, nodes[2], put(at(1, 1), 2), false);
    write(checker, nodes[2], epochs);
    expect(invariants(view)).toEqual(['current epoch implies its initial history']);
  });

  it('notices a node that serves outside its current epoch', () => {
    const { view, nodes } = newView();
    const checker = new EpochRecords(view);
    write(checker, nodes[0], { acceptedEpoch: toEpoch(2), currentEpoch: toEpoch(1) });
    serve(checker, nodes[0], 'following', 2, nodes[1]);
    expect(invariants(view)).toEqual(['serving only in the current epoch']);
  });
});

describe('LogShape', () => {
  it('notices a hole, an overlap and the start of an epoch in its middle', () => {
    const { view, nodes } = newView();
    const checker = new LogShape(view);
    log(checker, nodes[0], put(at(1, 1), 2));
    log(checker, nodes[0], put(at(1, 2), 3));
    log(checker, nodes[0], put(at(3, 1), 4));
    expect(invariants(view)).toEqual([]);
    checker.appending(nodes[0], put(at(3, 3), 5));
    checker.appending(nodes[0], put(at(3, 1), 4));
    checker.appending(nodes[0], put(at(4, 2), 5));
    expect(invariants(view)).toEqual(['log contiguous', 'log contiguous', 'log contiguous']);
  });

  it('notices two values of one zxid, on whatever nodes', () => {
    const { view, nodes } = newView();
    const checker = new LogShape(view);
    log(checker, nodes[0], put(at(1, 1), 2, 'a'));
    log(checker, nodes[1], put(at(1, 1), 2, 'a'));
    expect(invariants(view)).toEqual([]);
    log(checker, nodes[2], put(at(1, 1), 2, 'b'));
    expect(invariants(view)).toEqual(['one value per zxid']);
  });

  it('notices that something committed is truncated, or lost to a snapshot', () => {
    const { view, nodes } = newView();
    const checker = new LogShape(view);
    commit(view, put(at(1, 1), 2), put(at(1, 2), 3));
    nodes[0].log.append(put(at(1, 3), 4));
    checker.truncating(nodes[0], at(1, 2));
    checker.installing(nodes[0], at(1, 2));
    expect(invariants(view)).toEqual([]);
    checker.truncating(nodes[0], at(1, 1));
    checker.installing(nodes[0], at(1, 1));
    expect(invariants(view)).toEqual(['committed is never truncated', 'committed is never truncated']);
    checker.installing(nodes[1], at(1, 9));
    expect(invariants(view).at(-1)).toBe('a snapshot holds committed state');
  });
});

describe('Acknowledgements', () => {
  const say = (checker: Acknowledgements, nodes: readonly NodeView[], message: PeerMessage, link = 1): void =>
    checker.sent(nodes[0] as NodeView, nodes[1] as NodeView, link, message);

  it('notices words that are not durable yet', () => {
    const { view, nodes } = newView();
    const checker = new Acknowledgements(view);
    const ackEpoch = {
      type: 'ackEpoch',
      epoch: toEpoch(2),
      currentEpoch: toEpoch(1),
      lastZxid: at(1, 1),
      epochEnds: [],
      committed: at(0, 0),
    } as const;
    nodes[0].record = { ...blankRecord, ensembleId, acceptedEpoch: toEpoch(2), currentEpoch: toEpoch(2) };
    nodes[0].log.append(put(at(1, 1), 2));
    nodes[0].log.durable = at(1, 1);
    say(checker, nodes, ackEpoch);
    say(checker, nodes, { type: 'ackNewLeader', epoch: toEpoch(2), durable: at(1, 1) });
    say(checker, nodes, { type: 'ack', durable: at(1, 1) });
    expect(invariants(view)).toEqual([]);
    say(checker, nodes, { ...ackEpoch, epoch: toEpoch(3) });
    say(checker, nodes, { type: 'leaderInfo', epoch: toEpoch(3), ensembleId, admission: 'voter', seed: at(0, 0) });
    say(checker, nodes, { type: 'newLeader', epoch: toEpoch(3) });
    say(checker, nodes, { type: 'ackNewLeader', epoch: toEpoch(2), durable: at(1, 2) });
    say(checker, nodes, { type: 'ack', durable: at(1, 2) });
    expect(new Set(invariants(view))).toEqual(new Set(['durable before acknowledged']));
    expect(view.violations).toHaveLength(5);
  });

  it('notices a proposal that is acknowledged before NEWLEADER, and acknowledgements that go back', () => {
    const { view, nodes } = newView();
    const checker = new Acknowledgements(view);
    nodes[0].log.append(put(at(1, 1), 2));
    nodes[0].log.durable = at(1, 1);
    say(checker, nodes, { type: 'ack', durable: at(1, 1) });
    expect(invariants(view)).toEqual(['NEWLEADER is acknowledged before any proposal']);
    say(checker, nodes, { type: 'ack', durable: at(0, 0) });
    expect(invariants(view)).toContain('acknowledgements never go back');
  });

  it('notices a commit that no quorum holds', () => {
    const { view, nodes } = newView();
    const checker = new Acknowledgements(view);
    const batch = put(at(1, 1), 2);
    for (const node of nodes) node.record = { ...blankRecord, ensembleId };
    for (const node of nodes.slice(0, 2)) node.log.append(batch);
    nodes[0].log.durable = batch.last;
    nodes[1].log.durable = batch.last;
    say(checker, nodes, { type: 'commit', committed: batch.last });
    expect(invariants(view)).toEqual([]);
    nodes[0].log.append(put(at(1, 2), 3));
    nodes[0].log.durable = at(1, 2);
    say(checker, nodes, { type: 'commit', committed: at(1, 2) });
    say(checker, nodes, { type: 'upToDate', committed: at(1, 3) });
    expect(invariants(view)).toEqual(['committed is durable on a quorum', 'committed is known to its leader']);
  });
});

describe('Acknowledgements of those who should be silent', () => {
  const voter = { ...blankRecord, ensembleId, acceptedEpoch: toEpoch(2), currentEpoch: toEpoch(2) };
  const upTo = (zxid: Zxid) => ({ type: 'ack', durable: zxid }) as const;

  it('notices a commit on the word of a node that does not count', () => {
    const { view, nodes } = newView();
    const checker = new Acknowledgements(view);
    for (const node of nodes.slice(0, 2)) {
      node.record = voter;
      node.log.append(put(at(1, 1), 2));
      node.log.durable = at(1, 1);
    }
    checker.sent(nodes[0], nodes[1], 1, { type: 'commit', committed: at(1, 1) });
    expect(invariants(view)).toEqual([]);
    nodes[1].record = { ...voter, probation: true };
    for (const node of nodes.slice(0, 2)) {
      node.log.append(put(at(1, 2), 3));
      node.log.durable = at(1, 2);
    }
    checker.sent(nodes[0], nodes[1], 1, { type: 'commit', committed: at(1, 2) });
    expect(invariants(view)).toEqual(['only those who count make a quorum']);
  });

  it('notices a word for an epoch that was left', () => {
    const { view, nodes } = newView();
    const checker = new Acknowledgements(view);
    const promise = { type: 'ackEpoch', epoch: toEpoch(2), currentEpoch: toEpoch(2), epochEnds: [] } as const;
    nodes[0].record = voter;
    checker.sent(nodes[0], nodes[1], 1, { ...promise, lastZxid: at(0, 0), committed: at(0, 0) });
    checker.sent(nodes[0], nodes[1], 1, { type: 'ackNewLeader', epoch: toEpoch(2), durable: at(0, 0) });
    expect(invariants(view)).toEqual([]);
    nodes[0].record = { ...voter, acceptedEpoch: toEpoch(3) };
    checker.sent(nodes[0], nodes[1], 1, upTo(at(0, 0)));
    expect(invariants(view)).toEqual(['no word for an epoch that was left']);
  });

  it('notices a word after a failed write', () => {
    const { view, nodes } = newView();
    const checker = new Acknowledgements(view);
    nodes[0].record = voter;
    checker.sent(nodes[0], nodes[1], 1, { type: 'ackNewLeader', epoch: toEpoch(2), durable: at(0, 0) });
    nodes[0].failed = true;
    checker.sent(nodes[0], nodes[1], 1, { type: 'pong', nonce: 1 });
    expect(invariants(view)).toEqual([]);
    checker.sent(nodes[0], nodes[1], 1, upTo(at(0, 0)));
    expect(invariants(view)).toEqual(['no word after a failed write']);
  });

  it('notices a node that tells of more or less than its durable log', () => {
    const { view, nodes } = newView();
    const checker = new Acknowledgements(view);
    const info = { type: 'followerInfo', acceptedEpoch: toEpoch(1), currentEpoch: toEpoch(1), ensembleId } as const;
    const ballot = (lastZxid: Zxid, role: 'looking' | 'following') => ({
      role,
      round: 1,
      vote: { epoch: toEpoch(1), lastZxid, serverId: nodes[0].serverId },
      ensembleId,
      currentEpoch: toEpoch(1),
      probation: false,
    });
    log(new LogShape(view), nodes[0], put(at(1, 1), 2));
    checker.sent(nodes[0], nodes[1], 1, { ...info, lastZxid: at(1, 1), probation: false, seed: at(0, 0) });
    checker.voted(nodes[0], ballot(at(1, 1), 'looking'));
    checker.voted(nodes[0], ballot(at(1, 9), 'following'));
    expect(invariants(view)).toEqual([]);
    checker.sent(nodes[0], nodes[1], 1, { ...info, lastZxid: at(1, 2), probation: false, seed: at(0, 0) });
    checker.voted(nodes[0], ballot(at(0, 0), 'looking'));
    nodes[0].log.append(put(at(1, 2), 3));
    checker.voted(nodes[0], ballot(at(1, 1), 'looking'));
    expect(invariants(view)).toEqual(Array(3).fill('told where its log ends'));
  });
});

describe('SteadyLeader', () => {
  it('notices another epoch once everybody had settled in one', () => {
    const { view, nodes } = newView();
    const checker = new SteadyLeader(view);
    serve(checker, nodes[0], 'leading', 1, nodes[0]);
    serve(checker, nodes[1], 'leading', 2, nodes[1]);
    serve(checker, nodes[0], 'following', 2, nodes[1]);
    serve(checker, nodes[2], 'following', 2, nodes[1]);
    serve(checker, nodes[2], 'following', 2, nodes[1]);
    expect(invariants(view)).toEqual([]);
    serve(checker, nodes[2], 'leading', 3, nodes[2]);
    expect(invariants(view)).toEqual(['a flapping minority deposes nobody']);
  });
});

describe('PrimaryOrder', () => {
  const propose = (checker: PrimaryOrder, nodes: readonly NodeView[], epoch: number, counter: number): void =>
    checker.sent(nodes[0] as NodeView, nodes[1] as NodeView, 1, {
      type: 'proposal',
      batch: put(at(epoch, counter), 2),
      committed: at(0, 0),
    });

  it('notices proposals with a gap or out of order on one connection', () => {
    const { view, nodes } = newView();
    const checker = new PrimaryOrder(view);
    propose(checker, nodes, 1, 4);
    propose(checker, nodes, 1, 5);
    propose(checker, nodes, 2, 1);
    checker.sent(nodes[0], nodes[1], 1, { type: 'truncate', to: at(1, 4) });
    propose(checker, nodes, 1, 5);
    checker.sent(nodes[0], nodes[1], 1, { type: 'snapshot' });
    propose(checker, nodes, 3, 7);
    expect(invariants(view)).toEqual([]);
    propose(checker, nodes, 3, 9);
    propose(checker, nodes, 3, 9);
    expect(invariants(view)).toEqual(['proposals follow each other', 'proposals follow each other']);
  });

  it('notices a leader that proposes before it has applied earlier epochs', () => {
    const { view, nodes } = newView();
    const checker = new PrimaryOrder(view);
    nodes[0].log.append(put(at(1, 1), 2));
    nodes[0].record = { ...blankRecord, ensembleId, acceptedEpoch: toEpoch(2), currentEpoch: toEpoch(2) };
    nodes[0].role = 'leading';
    nodes[0].tree = { appliedZxid: at(1, 1) } as ReplicatedTree;
    propose(checker, nodes, 2, 1);
    expect(invariants(view)).toEqual([]);
    nodes[0].tree = { appliedZxid: at(0, 0) } as ReplicatedTree;
    propose(checker, nodes, 1, 1);
    propose(new PrimaryOrder(view), nodes, 2, 1);
    expect(invariants(view)).toContain('a leader applies what was before its first proposal');
  });
});

describe('Deliveries', () => {
  it('feeds the ledger with what is delivered first, and notices another history', () => {
    const { view, nodes } = newView();
    const checker = new Deliveries(view);
    for (const node of nodes.slice(0, 2)) log(checker, node, put(at(1, 1), 2, 'a'));
    apply(checker, nodes[0], at(1, 1));
    apply(checker, nodes[1], at(1, 1));
    expect(invariants(view)).toEqual([]);
    expect(view.ledger.revision).toBe(2);
    log(checker, nodes[2], put(at(1, 1), 2, 'b'));
    apply(checker, nodes[2], at(1, 1));
    expect(invariants(view)).toEqual(['committed prefixes are equal']);
  });

  it('notices what is applied before it is durable, here or on a quorum', () => {
    const { view, nodes } = newView();
    const checker = new Deliveries(view);
    log(checker, nodes[0], put(at(1, 1), 2), false);
    apply(checker, nodes[0], at(1, 1));
    expect(invariants(view)).toEqual(['applied is durable here', 'committed is durable on a quorum']);
  });

  it('notices a request that is committed twice', () => {
    const { view, nodes } = newView();
    const checker = new Deliveries(view);
    for (const node of nodes) {
      log(checker, node, put(at(1, 1), 2, 'a', 5));
      log(checker, node, put(at(1, 2), 3, 'a', 5));
    }
    apply(checker, nodes[0], at(1, 2));
    expect(invariants(view)).toEqual(['a request happens once']);
  });

  it('notices a revision that does not follow from the history', () => {
    const { view, nodes } = newView();
    commit(view, put(at(1, 1), 2));
    nodes[0].tree = { revision: 3 } as ReplicatedTree;
    apply(new Deliveries(view), nodes[0], at(1, 1));
    expect(invariants(view)).toEqual(['revision follows the history']);
  });
});
