// One core driven by hand, event by event: what a whole cluster shows only by chance.

import { beforeEach, describe, expect, test } from 'vitest';
import { type EnsembleId, type Epoch, epochOf, type ServerId, type Zxid, zxidOf } from '../shared/ids.js';
import type { ZabEffect } from './effects.js';
import type { DurableState, ZabEvent } from './events.js';
import type { Ballot, Batch, ElectionMessage, PeerMessage, Role } from './messages.js';
import { batchesInFlight, committedOf, createZab, nextZxid, step, type ZabState } from './zab.js';

const ensembleId = 'e'.repeat(32) as EnsembleId;
const self = 3 as ServerId;
const one = 1 as ServerId;
const two = 2 as ServerId;

function at(epoch: number, counter: number): Zxid {
  return zxidOf(epoch as Epoch, counter);
}

function batch(epoch: number, from: number, to = from): Batch {
  return { first: at(epoch, from), last: at(epoch, to), body: new Uint8Array(1) };
}

function durable(options: Partial<DurableState> = {}): DurableState {
  const lastZxid = options.lastZxid ?? at(4, 2);
  return {
    ensembleId,
    acceptedEpoch: 4 as Epoch,
    currentEpoch: 4 as Epoch,
    probation: false,
    seed: 0 as Zxid,
    logBase: 0 as Zxid,
    lastZxid,
    epochEnds: [{ epoch: epochOf(lastZxid), last: lastZxid }],
    applied: at(4, 1),
    ...options,
  };
}

class Bench {
  readonly state: ZabState;
  nowMs = 0;
  private round = 0;

  constructor(options: { readonly durable?: Partial<DurableState>; readonly members?: number } = {}) {
    const members = Array.from({ length: options.members ?? 3 }, (_, index) => (index + 1) as ServerId);
    this.state = createZab({
      self,
      members,
      seed: 1,
      nowMs: 0,
      timing: {
        pingIntervalMs: 100,
        syncLimitMs: 2000,
        initLimitMs: 10_000,
        electionFinalizeMs: 60,
        electionResendMinMs: 50,
        electionResendMaxMs: 500,
      },
      bootstrap: false,
      durable: durable(options.durable),
      newEnsembleId: ensembleId,
    });
  }

  give(event: ZabEvent): ZabEffect[] {
    return step(this.state, event);
  }

  pass(ms: number): ZabEffect[] {
    const effects: ZabEffect[] = [];
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; ) {
      this.nowMs += 20;
      effects.push(...this.give({ type: 'tick', nowMs: this.nowMs }));
    }
    return effects;
  }

  vote(from: ServerId, vote: Ballot, more: Partial<ElectionMessage> = {}): ZabEffect[] {
    const { record, role } = this.state;
    this.round = role.round;
    const standing = { ensembleId, currentEpoch: record.currentEpoch, probation: false };
    return this.give({
      type: 'datagram',
      from,
      message: { role: 'looking', round: this.round, vote, ...standing, ...more },
    });
  }

  say(peer: ServerId, link: number, message: PeerMessage): ZabEffect[] {
    return this.give({ type: 'message', peer, link, message });
  }

  get ballot(): Ballot {
    return { epoch: this.state.record.currentEpoch, lastZxid: this.state.history.durable, serverId: self };
  }

  /** Elected by the vote of server 1. */
  elect(): void {
    this.pass(20);
    this.vote(one, this.ballot);
    this.pass(100);
    expect(roleOf(this.state)).toBe('leading');
  }

  connect(
    peer: ServerId,
    link: number,
    info: { accepted?: number; current?: number; last?: Zxid; probation?: boolean } = {},
  ): ZabEffect[] {
    this.give({ type: 'connected', peer, link, outgoing: false });
    return this.say(peer, link, {
      type: 'followerInfo',
      acceptedEpoch: (info.accepted ?? 4) as Epoch,
      currentEpoch: (info.current ?? 4) as Epoch,
      lastZxid: info.last ?? at(4, 2),
      ensembleId,
      probation: info.probation ?? false,
      seed: 0 as Zxid,
    });
  }

  promise(peer: ServerId, link: number, last = at(4, 2), epoch = 5): ZabEffect[] {
    const epochEnds = [{ epoch: epochOf(last), last }];
    return this.say(peer, link, {
      type: 'ackEpoch',
      epoch: epoch as Epoch,
      currentEpoch: 4 as Epoch,
      lastZxid: last,
      epochEnds,
      committed: at(4, 1),
    });
  }

  /** Established in epoch 5 with server 1 on link 1. */
  establish(): void {
    this.elect();
    this.connect(one, 1);
    this.give({ type: 'persisted' });
    this.promise(one, 1);
    this.give({ type: 'persisted' });
    this.say(one, 1, { type: 'ackNewLeader', epoch: 5 as Epoch, durable: at(4, 2) });
    expect(nextZxid(this.state)).toBe(at(5, 1));
  }

  /** Follows server 1 on link 9 in epoch 5; has promised it. */
  follow(): void {
    this.pass(20);
    const standing: Ballot = { epoch: 4 as Epoch, lastZxid: at(4, 9), serverId: one };
    this.vote(one, standing, { role: 'leading' });
    this.vote(two, standing, { role: 'following' });
    this.give({ type: 'connected', peer: one, link: 9, outgoing: true });
    this.say(one, 9, { type: 'leaderInfo', epoch: 5 as Epoch, ensembleId, admission: 'voter', seed: 0 as Zxid });
    this.give({ type: 'persisted' });
    expect(roleOf(this.state)).toBe('following');
  }
}

function roleOf(state: ZabState): Role {
  return state.role.role;
}

function leaderOf(state: ZabState): ServerId | undefined {
  return state.role.role === 'following' ? state.role.leader : undefined;
}

function kinds(effects: readonly ZabEffect[]): readonly string[] {
  return effects.map((effect) => (effect.type === 'send' ? effect.message.type : effect.type));
}

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

describe('createZab()', () => {
  test('refuses a disk that contradicts itself', () => {
    expect(() => new Bench({ durable: { currentEpoch: 5 as Epoch } })).toThrow('above acceptedEpoch');
    expect(() => new Bench({ durable: { lastZxid: at(5, 1) } })).toThrow('above acceptedEpoch');
    expect(() => new Bench({ durable: { applied: at(4, 3) } })).toThrow('outside the log');
  });

  test('boots with a log ahead of currentEpoch: a synchronization was interrupted', () => {
    const interrupted = new Bench({ durable: { currentEpoch: 3 as Epoch } });
    const effects = interrupted.pass(20);
    const datagram = effects.find((effect) => effect.type === 'sendDatagram');
    expect(datagram?.message.vote).toEqual({ epoch: 3, lastZxid: at(4, 2), serverId: self });
  });
});

describe('step() as a leader', () => {
  test('steps down for a longer history before it is established, and not after', () => {
    bench.elect();
    expect(kinds(bench.connect(one, 1, { last: at(4, 3) }))).toContain('roleChanged');
    expect(roleOf(bench.state)).toBe('looking');
    const established = new Bench();
    established.establish();
    established.connect(two, 2, { last: at(4, 3) });
    expect(roleOf(established.state)).toBe('leading');
    expect(established.promise(two, 2, at(4, 3))).toContainEqual({
      type: 'synchronize',
      peer: two,
      link: 2,
      plan: { kind: 'truncate', to: at(4, 2) },
      through: at(4, 2),
    });
  });

  test('does not count the promise of one who had already accepted this epoch', () => {
    bench.elect();
    bench.connect(one, 1);
    bench.connect(two, 2, { accepted: 5 });
    bench.give({ type: 'persisted' });
    expect(bench.state.role).toMatchObject({ phase: 'discovering', epoch: 5 });
    bench.promise(two, 2);
    expect(bench.state.role).toMatchObject({ phase: 'discovering' });
    bench.promise(one, 1);
    expect(bench.state.role).toMatchObject({ phase: 'crowning' });
  });

  test('synchronizes nobody before its own currentEpoch is durable', () => {
    bench.elect();
    bench.connect(one, 1);
    bench.give({ type: 'persisted' });
    expect(kinds(bench.promise(one, 1))).toEqual(['persist']);
    expect(kinds(bench.give({ type: 'persisted' }))).toEqual(['synchronize', 'newLeader']);
  });

  test('delivers its whole initial history before it serves', () => {
    bench.establish();
    expect(committedOf(bench.state)).toBe(at(4, 2));
    expect(bench.state.delivered).toBe(at(4, 2));
  });

  test('commits a batch when a quorum has it, its own disk or not, and delivers what its own disk has', () => {
    bench.establish();
    expect(kinds(bench.give({ type: 'propose', batch: batch(5, 1, 3) }))).toEqual(['sendProposal', 'append']);
    expect(batchesInFlight(bench.state)).toBe(1);
    bench.say(one, 1, { type: 'ack', durable: at(5, 3) });
    expect(committedOf(bench.state)).toBe(at(4, 2));
    expect(bench.give({ type: 'logDurable', through: at(5, 3) })).toEqual([
      { type: 'send', peer: one, link: 1, message: { type: 'commit', committed: at(5, 3) } },
      { type: 'deliver', through: at(5, 3) },
    ]);
    expect(batchesInFlight(bench.state)).toBe(0);
  });

  test('commits no part of a batch, whatever a follower acknowledges', () => {
    bench.establish();
    bench.give({ type: 'propose', batch: batch(5, 1, 3) });
    bench.give({ type: 'logDurable', through: at(5, 3) });
    bench.say(one, 1, { type: 'ack', durable: at(5, 2) });
    expect(committedOf(bench.state)).toBe(at(4, 2));
  });

  test('does not count a follower on probation', () => {
    const five = new Bench({ members: 5 });
    five.pass(20);
    five.vote(one, five.ballot);
    five.vote(two, five.ballot);
    five.pass(100);
    five.connect(one, 1);
    five.connect(two, 2, { probation: true });
    five.pass(600);
    expect(five.state.role).toMatchObject({ phase: 'gathering' });
    five.connect(4 as ServerId, 4);
    five.give({ type: 'persisted' });
    five.promise(one, 1);
    five.promise(two, 2);
    expect(five.state.role).toMatchObject({ phase: 'discovering' });
    five.promise(4 as ServerId, 4);
    five.give({ type: 'persisted' });
    const newLeader = { type: 'ackNewLeader', epoch: 5 as Epoch, durable: at(4, 2) } as const;
    five.say(one, 1, newLeader);
    five.say(two, 2, newLeader);
    expect(nextZxid(five.state)).toBeNull();
    five.say(4 as ServerId, 4, newLeader);
    expect(nextZxid(five.state)).toBe(at(5, 1));
    five.give({ type: 'propose', batch: batch(5, 1) });
    five.give({ type: 'logDurable', through: at(5, 1) });
    five.say(one, 1, { type: 'ack', durable: at(5, 1) });
    five.say(two, 2, { type: 'ack', durable: at(5, 1) });
    expect(committedOf(five.state)).toBe(at(4, 2));
    five.say(two, 2, { type: 'voterReady', epoch: 5 as Epoch });
    expect(committedOf(five.state)).toBe(at(5, 1));
  });

  test('confirms leadership only by answers to a ping sent after the question', () => {
    bench.establish();
    const asked = bench.give({ type: 'confirmLeadership', request: 7 });
    expect(kinds(asked)).toEqual(['ping']);
    const ping = asked[0]?.type === 'send' && asked[0].message.type === 'ping' ? asked[0].message : undefined;
    const nonce = ping?.nonce ?? 0;
    expect(bench.say(one, 1, { type: 'pong', nonce: nonce - 1 })).toEqual([]);
    bench.give({ type: 'confirmLeadership', request: 8 });
    const answered = bench.say(one, 1, { type: 'pong', nonce });
    expect(answered[0]).toEqual({ type: 'leadershipConfirmed', request: 7 });
    expect(kinds(answered)).toEqual(['leadershipConfirmed', 'ping']);
    expect(bench.say(one, 1, { type: 'pong', nonce: nonce + 1 })).toEqual([
      { type: 'leadershipConfirmed', request: 8 },
    ]);
  });

  test('gives up as soon as its connected followers are no quorum', () => {
    bench.establish();
    bench.give({ type: 'disconnected', peer: one, link: 1 });
    expect(roleOf(bench.state)).toBe('looking');
    expect(nextZxid(bench.state)).toBeNull();
  });

  test('gives up when nobody answers, and not because its own process stood still', () => {
    bench.establish();
    bench.nowMs += 60_000;
    bench.give({ type: 'tick', nowMs: bench.nowMs });
    expect(roleOf(bench.state)).toBe('leading');
    bench.pass(2100);
    expect(roleOf(bench.state)).toBe('looking');
  });

  test('casts no ballot before what it proposed is on its own disk', () => {
    bench.establish();
    bench.give({ type: 'propose', batch: batch(5, 1) });
    expect(kinds(bench.give({ type: 'disconnected', peer: one, link: 1 }))).not.toContain('sendDatagram');
    expect(kinds(bench.pass(500))).not.toContain('sendDatagram');
    const effects = bench.give({ type: 'logDurable', through: at(5, 1) });
    const datagram = effects.find((effect) => effect.type === 'sendDatagram');
    expect(datagram?.message.vote).toEqual({ epoch: 5, lastZxid: at(5, 1), serverId: self });
  });

  test('synchronizes a follower with everything it has proposed, durable or not', () => {
    bench.establish();
    bench.give({ type: 'propose', batch: batch(5, 1) });
    bench.connect(two, 2);
    const effects = bench.promise(two, 2);
    expect(effects).toContainEqual(expect.objectContaining({ type: 'synchronize', through: at(5, 1) }));
    const live = bench.give({ type: 'propose', batch: batch(5, 2) })[0];
    const links = live?.type === 'sendProposal' ? live.links.map(({ link }) => link) : [];
    expect(links).toEqual([1, 2]);
  });

  test('ignores what comes from a link that was replaced', () => {
    bench.establish();
    bench.give({ type: 'propose', batch: batch(5, 1) });
    bench.give({ type: 'logDurable', through: at(5, 1) });
    expect(kinds(bench.give({ type: 'connected', peer: one, link: 2, outgoing: false }))).toContain('disconnect');
    expect(bench.say(one, 1, { type: 'ack', durable: at(5, 1) })).toEqual([]);
    bench.give({ type: 'disconnected', peer: one, link: 1 });
    expect(committedOf(bench.state)).toBe(at(4, 2));
  });

  test('stops the node when the driver proposes out of turn', () => {
    bench.establish();
    expect(() => bench.give({ type: 'propose', batch: batch(5, 2) })).toThrow('Cannot append');
    expect(() => new Bench().give({ type: 'propose', batch: batch(5, 1) })).toThrow('does not lead');
  });
});

describe('step() as a follower', () => {
  test('acknowledges newLeader after everything before it and currentEpoch are durable', () => {
    bench.follow();
    expect(kinds(bench.say(one, 9, { type: 'proposal', batch: batch(4, 3), committed: at(4, 3) }))).toEqual(['append']);
    expect(bench.say(one, 9, { type: 'newLeader', epoch: 5 as Epoch })).toEqual([]);
    expect(kinds(bench.say(one, 9, { type: 'proposal', batch: batch(5, 1), committed: at(4, 3) }))).toEqual(['append']);
    expect(kinds(bench.give({ type: 'logDurable', through: at(4, 3) }))).toEqual(['persist']);
    expect(bench.give({ type: 'logDurable', through: at(5, 1) })).toEqual([]);
    expect(bench.give({ type: 'persisted' })).toEqual([
      { type: 'send', peer: one, link: 9, message: { type: 'ackNewLeader', epoch: 5, durable: at(5, 1) } },
    ]);
    expect(kinds(bench.say(one, 9, { type: 'upToDate', committed: at(4, 3) }))).toEqual(['deliver', 'roleChanged']);
    expect(leaderOf(bench.state)).toBe(one);
  });

  test('holds what follows a truncation until its log is truncated', () => {
    bench.follow();
    expect(bench.say(one, 9, { type: 'truncate', to: at(4, 1) })).toEqual([{ type: 'truncateLog', to: at(4, 1) }]);
    expect(bench.say(one, 9, { type: 'proposal', batch: batch(5, 1), committed: at(4, 1) })).toEqual([]);
    expect(kinds(bench.say(one, 9, { type: 'ping', nonce: 1, committed: at(4, 1) }))).toEqual(['pong']);
    expect(kinds(bench.give({ type: 'truncated', to: at(4, 1) }))).toEqual(['append']);
  });

  test.each<[string, PeerMessage]>([
    ['a truncation of what it delivered', { type: 'truncate', to: 0 as Zxid }],
    ['a gap', { type: 'proposal', batch: batch(4, 4), committed: at(4, 1) }],
    ['a duplicate while it is synchronized', { type: 'proposal', batch: batch(4, 2), committed: at(4, 1) }],
    ['an entry of a later epoch', { type: 'proposal', batch: batch(6, 1), committed: at(4, 1) }],
    ['newLeader of another epoch', { type: 'newLeader', epoch: 6 as Epoch }],
    ['upToDate before newLeader', { type: 'upToDate', committed: at(4, 2) }],
    ["a follower's message", { type: 'ack', durable: at(4, 2) }],
    ['a second offer', { type: 'leaderInfo', epoch: 6 as Epoch, ensembleId, admission: 'voter', seed: 0 as Zxid }],
  ])('leaves a leader that sends %s', (_, message) => {
    bench.follow();
    const effects = bench.say(one, 9, message);
    expect(effects).toContainEqual(expect.objectContaining({ type: 'disconnect', peer: one, link: 9 }));
    expect(roleOf(bench.state)).toBe('looking');
  });

  test('refuses an epoch older than the one that it promised', () => {
    bench.pass(20);
    const standing: Ballot = { epoch: 4 as Epoch, lastZxid: at(4, 9), serverId: one };
    bench.vote(one, standing, { role: 'leading' });
    bench.vote(two, standing, { role: 'following' });
    bench.give({ type: 'connected', peer: one, link: 9, outgoing: true });
    const effects = bench.say(one, 9, {
      type: 'leaderInfo',
      epoch: 3 as Epoch,
      ensembleId,
      admission: 'voter',
      seed: 0 as Zxid,
    });
    expect(kinds(effects)).toContain('disconnect');
    expect(kinds(effects)).not.toContain('persist');
  });

  test('does not answer for a promise that became durable after it turned away', () => {
    bench.pass(20);
    const standing: Ballot = { epoch: 4 as Epoch, lastZxid: at(4, 9), serverId: one };
    bench.vote(one, standing, { role: 'leading' });
    bench.vote(two, standing, { role: 'following' });
    bench.give({ type: 'connected', peer: one, link: 9, outgoing: true });
    bench.say(one, 9, { type: 'leaderInfo', epoch: 5 as Epoch, ensembleId, admission: 'voter', seed: 0 as Zxid });
    bench.give({ type: 'disconnected', peer: one, link: 9 });
    const effects = bench.give({ type: 'persisted' });
    expect(kinds(effects)).not.toContain('ackEpoch');
    expect(kinds(effects)).toContain('sendDatagram');
    expect(bench.state.record.acceptedEpoch).toBe(5);
  });

  test('takes a snapshot that was installed after its link was gone as its new state', () => {
    bench.follow();
    expect(kinds(bench.say(one, 9, { type: 'snapshot' }))).toEqual(['receiveSnapshot']);
    expect(kinds(bench.give({ type: 'disconnected', peer: one, link: 9 }))).not.toContain('sendDatagram');
    const effects = bench.give({ type: 'snapshotInstalled', link: 9, zxid: at(5, 7), ensembleId });
    const datagram = effects.find((effect) => effect.type === 'sendDatagram');
    expect(datagram?.message.vote).toEqual({ epoch: 4, lastZxid: at(5, 7), serverId: self });
  });

  test('looks for a leader again when its snapshot was abandoned, and not before', () => {
    bench.follow();
    bench.say(one, 9, { type: 'snapshot' });
    bench.give({ type: 'disconnected', peer: one, link: 9 });
    expect(kinds(bench.pass(200))).not.toContain('sendDatagram');
    expect(kinds(bench.give({ type: 'snapshotAbandoned', link: 9 }))).toContain('sendDatagram');
  });

  test('halts rather than go back behind what it delivered', () => {
    bench.follow();
    bench.say(one, 9, { type: 'snapshot' });
    const effects = bench.give({ type: 'snapshotInstalled', link: 9, zxid: 0 as Zxid, ensembleId });
    expect(kinds(effects)).toEqual(['halt']);
    expect(bench.pass(100)).toEqual([]);
  });
});

describe('step() in an election', () => {
  test('decides at once when every member agrees and waits a little when only a quorum does', () => {
    bench.pass(20);
    bench.vote(one, bench.ballot);
    expect(roleOf(bench.state)).toBe('looking');
    bench.vote(two, bench.ballot);
    expect(roleOf(bench.state)).toBe('leading');
  });

  test('does not count the votes of a blank or returned node', () => {
    bench.pass(20);
    bench.vote(one, bench.ballot, { ensembleId: null, currentEpoch: 0 as Epoch });
    bench.vote(two, bench.ballot, { probation: true });
    bench.pass(500);
    expect(roleOf(bench.state)).toBe('looking');
  });

  test('a leader is joined only when it says so itself and a quorum stands behind it', () => {
    const standing: Ballot = { epoch: 4 as Epoch, lastZxid: at(4, 9), serverId: one };
    bench.pass(20);
    bench.vote(two, standing, { role: 'following', round: 99 });
    bench.pass(200);
    expect(roleOf(bench.state)).toBe('looking');
    bench.vote(one, standing, { role: 'leading', round: 99 });
    expect(leaderOf(bench.state)).toBe(one);
  });

  test('adopts a higher round and the better ballot, answers a lower one', () => {
    const better: Ballot = { epoch: 4 as Epoch, lastZxid: at(4, 3), serverId: one };
    bench.pass(20);
    const adopted = bench.vote(one, better, { round: 8 });
    expect(adopted.find((effect) => effect.type === 'sendDatagram')?.message).toMatchObject({ round: 8, vote: better });
    const answered = bench.vote(two, bench.ballot, { round: 2 });
    expect(answered).toHaveLength(1);
    expect(answered[0]).toMatchObject({ type: 'sendDatagram', to: two, message: { round: 8 } });
  });

  test('ignores a round that would use up the counter, strangers and other ensembles', () => {
    bench.pass(20);
    const foreign = 'f'.repeat(32) as EnsembleId;
    expect(bench.vote(one, bench.ballot, { round: 2 ** 50 })).toEqual([]);
    expect(bench.vote(9 as ServerId, bench.ballot)).toEqual([]);
    expect(kinds(bench.vote(one, bench.ballot, { ensembleId: foreign }))).toEqual(['note']);
  });
});
