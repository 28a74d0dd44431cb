// A whole cluster of Zab cores in one process: disks, links and datagrams are queues, time is a number. What arrives next
// is decided by the caller: in order of sending, or at random. Nothing here is real, so every run can be repeated.

import { assert } from '../../src/shared/assert.js';
import { type Epoch, type ServerId, type Zxid, zxidZero } from '../../src/shared/ids.js';
import { SeededRandom } from '../../src/shared/random.js';
import type { ZabEffect } from '../../src/zab/effects.js';
import type { ZabEvent } from '../../src/zab/events.js';
import type { Batch, ElectionMessage, PeerMessage } from '../../src/zab/messages.js';
import { committedOf, createZab, nextZxid, step, type ZabState, type ZabTiming } from '../../src/zab/zab.js';
import { ClusterDisk, ensembleIdOf } from './cluster-disk.js';
import { Lanes } from './lanes.js';
import { Ledger } from './ledger.js';

export const tickMs = 20;

export interface ClusterNode {
  readonly id: ServerId;
  readonly disk: ClusterDisk;
  /** Disks that it had before. */
  readonly lost: ClusterDisk[];
  bootstrap: boolean;
  /** null: not running. */
  state: ZabState | null;
  boots: number;
  serving: boolean;
}

interface Link {
  readonly id: number;
  /** Follower, then leader. */
  readonly ends: readonly [ServerId, ServerId];
  readonly open: [boolean, boolean];
  /** The follower knows that it is open. */
  announced: boolean;
  /** The leader's messages that wait behind a snapshot; null: none runs. */
  behindSnapshot: PeerMessage[] | null;
}

export type Trace = (node: ServerId, effect: ZabEffect) => void;

export class Cluster {
  readonly nodes = new Map<ServerId, ClusterNode>();
  readonly ledger = new Ledger();
  readonly random: SeededRandom;
  private readonly timing: ZabTiming;
  nowMs = 0;
  /** Chances that a datagram is lost or doubled. */
  datagramLoss = 0;
  /** Chance that a datagram says something else than its sender meant: safety must not rest on what it says. */
  forgery = 0;
  trace: Trace = () => {};
  /** Nodes that halt are down afterwards; elsewhere a halt fails the run. */
  haltsAreExpected = false;
  private readonly lanes = new Lanes();
  private readonly links = new Map<number, Link>();
  private linkCount = 0;
  private bodies = 0;
  private requests = 0;

  constructor(options: { readonly nodes: number; readonly seed: number; readonly timing: ZabTiming }) {
    this.timing = options.timing;
    this.random = new SeededRandom(options.seed);
    for (let id = 1; id <= options.nodes; id++) {
      const node = {
        id: id as ServerId,
        disk: new ClusterDisk(),
        lost: [],
        bootstrap: false,
        state: null,
        boots: 0,
        serving: false,
      };
      this.nodes.set(node.id, node);
    }
  }

  node(id: number): ClusterNode {
    const node = this.nodes.get(id as ServerId);
    assert(node !== undefined, `There is no node ${id}`);
    return node;
  }

  /** Nodes that believe to lead and serve. */
  leaders(): readonly ClusterNode[] {
    return [...this.nodes.values()].filter(({ state, serving }) => serving && state?.role.role === 'leading');
  }

  start(id: number): void {
    const node = this.node(id);
    assert(node.state === null, `Node ${id} runs already`);
    node.boots++;
    node.state = createZab({
      self: node.id,
      members: [...this.nodes.keys()],
      seed: this.random.nextUint32(),
      nowMs: this.nowMs,
      timing: this.timing,
      bootstrap: node.bootstrap,
      durable: node.disk.boot(),
      newEnsembleId: ensembleIdOf(id),
    });
    this.handle(node, { type: 'tick', nowMs: this.nowMs });
  }

  /** `surviving` appends in flight reach the disk; of what was sent a part may be `lost` at random. */
  crash(id: number, surviving = 0, lost = false): void {
    const node = this.node(id);
    if (lost) this.lanes.loseTails(`tcp ${id} `, this.random);
    node.state = null;
    node.serving = false;
    node.disk.crash(surviving);
    this.ledger.forget(node.id);
    this.lanes.clear(`disk ${id}`);
    for (const link of this.links.values()) if (link.ends.includes(node.id)) this.shut(link, node.id);
  }

  wipe(id: number): void {
    const node = this.node(id);
    assert(node.state === null, `Node ${id} runs`);
    node.lost.push(Object.assign(new ClusterDisk(), node.disk));
    Object.assign(node.disk, new ClusterDisk());
  }

  /** Cuts datagrams, connections or both between two nodes. Connections stay open and silent. */
  cut(kind: 'udp' | 'tcp', a: number, b: number): void {
    this.lanes.hold(`${kind} ${a} ${b}`);
    this.lanes.hold(`${kind} ${b} ${a}`);
  }

  heal(): void {
    this.lanes.release((name) => !name.startsWith('disk'));
  }

  stopDisk(id: number): void {
    this.lanes.hold(`disk ${id}`);
  }

  startDisk(id: number): void {
    this.lanes.release((name) => name === `disk ${id}`);
  }

  /** One write of a stopped disk completes. */
  finishWrite(id: number): void {
    this.lanes.arriveFrom(`disk ${id}`);
  }

  /** Breaks every connection between two nodes, both sides at once. */
  reset(a: number, b: number): void {
    for (const link of this.links.values()) {
      if (link.ends.includes(a as ServerId) && link.ends.includes(b as ServerId)) this.breakLink(link);
    }
  }

  /** Node `id` hears nobody and is heard by nobody, and the others know it at once: it may believe to lead for a while. */
  isolate(id: number): void {
    for (const other of this.nodes.keys()) {
      if (other === id) continue;
      this.cut('udp', id, other);
      this.cut('tcp', id, other);
      for (const link of this.links.values()) {
        if (link.ends.includes(id as ServerId) && link.ends.includes(other)) {
          const side = link.ends[0] === other ? 0 : 1;
          const open = link.open[side];
          this.lose(link, other);
          if (open) this.lanes.push(`tcp ${other} ${id} ${link.id}`, () => this.lose(link, id as ServerId));
        }
      }
    }
  }

  propose(id: number, entries = 1): boolean {
    const node = this.node(id);
    const first = node.state === null ? null : nextZxid(node.state);
    if (first === null) return false;
    const body = new Uint8Array([++this.bodies % 256]);
    const batch = { first, last: (first + entries - 1) as Zxid, body };
    this.ledger.propose(batch);
    this.handle(node, { type: 'propose', batch });
    return true;
  }

  confirm(id: number): void {
    const node = this.node(id);
    const request = ++this.requests;
    if (!node.serving || node.state?.role.role !== 'leading') return;
    this.ledger.request(node.id, request);
    this.handle(node, { type: 'confirmLeadership', request });
  }

  flush(id: number): void {
    const node = this.node(id);
    if (node.state === null || [...this.links.values()].some((link) => link.behindSnapshot !== null)) return;
    this.handle(node, { type: 'logTrimmed', base: node.disk.flushAndTrim() });
  }

  event(id: number, event: ZabEvent): void {
    this.handle(this.node(id), event);
  }

  /** The open link on which `from` speaks to `to`, 0: none. */
  linkBetween(from: number, to: number): number {
    for (const link of this.links.values()) {
      if (link.ends.includes(from as ServerId) && link.ends.includes(to as ServerId) && link.open[0] && link.open[1])
        return link.id;
    }
    return 0;
  }

  tick(): void {
    this.nowMs += tickMs;
    for (const node of this.nodes.values())
      if (node.state !== null) this.handle(node, { type: 'tick', nowMs: this.nowMs });
  }

  /** Everything on its way arrives in the order of sending, and time passes. */
  run(durationMs: number): void {
    const untilMs = this.nowMs + durationMs;
    this.drain();
    while (this.nowMs < untilMs) {
      this.tick();
      this.drain();
    }
  }

  drain(): void {
    while (this.lanes.arriveInOrder()) {
      // Whatever arrives may send more.
    }
  }

  /** One arrival of a lane picked at random; false: nothing can arrive. */
  arriveAtRandom(): boolean {
    return this.lanes.arriveAtRandom(this.random);
  }

  private handle(node: ClusterNode, event: ZabEvent): void {
    const { state } = node;
    if (state === null) return;
    const committed = committedOf(state);
    const effects = step(state, event);
    const led = state.role.role === 'leading';
    if (led && committedOf(state) > committed) this.ledger.commit(committedOf(state), [...this.nodes.values()]);
    for (const effect of effects) {
      this.trace(node.id, effect);
      this.carryOut(node, state, effect);
    }
    this.ledger.observe(state, node.disk);
  }

  /** On the node's own disk, unless the process is gone by then. */
  private onDisk(node: ClusterNode, work: () => ZabEvent | null): void {
    const { boots } = node;
    this.lanes.push(`disk ${node.id}`, () => {
      if (node.state === null || node.boots !== boots) return;
      const event = work();
      if (event !== null) this.handle(node, event);
    });
  }

  private carryOut(node: ClusterNode, state: ZabState, effect: ZabEffect): void {
    const { disk } = node;
    switch (effect.type) {
      case 'sendDatagram':
        this.sendDatagram(node, effect);
        return;
      case 'connect':
        {
          const { boots } = node;
          this.lanes.push(`tcp ${node.id} ${effect.peer}`, () => this.dial(node, effect.peer, boots));
        }
        return;
      case 'disconnect':
        this.closeLink(node, effect.link);
        return;
      case 'send':
        this.sendMessage(node.id, effect.link, effect.message);
        return;
      case 'sendProposal':
        for (const { link } of effect.links) {
          this.sendMessage(node.id, link, { type: 'proposal', batch: effect.batch, committed: effect.committed });
        }
        return;
      case 'synchronize':
        this.synchronize(node, effect);
        return;
      case 'persist':
        this.onDisk(node, () => {
          disk.persist(effect.record);
          return { type: 'persisted' };
        });
        return;
      case 'append': {
        this.ledger.append(effect.batch);
        disk.append(effect.batch);
        this.onDisk(node, () => {
          disk.fsync(effect.batch.last);
          return { type: 'logDurable', through: effect.batch.last };
        });
        return;
      }
      case 'truncateLog':
        this.onDisk(node, () => {
          this.ledger.truncate(disk, effect.to);
          disk.truncate(effect.to);
          return { type: 'truncated', to: effect.to };
        });
        return;
      case 'receiveSnapshot':
        this.receiveSnapshot(node, effect);
        return;
      case 'deliver':
        this.ledger.deliver(node.id, disk.applied.length, disk.deliver(effect.through));
        return;
      case 'roleChanged':
        node.serving = effect.serving;
        if (effect.role !== 'leading') this.ledger.forget(node.id);
        return;
      case 'leadershipConfirmed':
        this.ledger.confirm(node.id, effect.request, committedOf(state));
        return;
      case 'note':
        return;
      case 'halt':
        if (!this.haltsAreExpected) throw new Error(`Node ${node.id} halts: ${effect.reason}`);
        this.crash(node.id);
        return;
    }
  }

  private sendDatagram(node: ClusterNode, effect: Extract<ZabEffect, { type: 'sendDatagram' }>): void {
    if (this.random.chance(this.datagramLoss) || this.lanes.isHeld(`udp ${node.id} ${effect.to}`)) return;
    const message = this.random.chance(this.forgery) ? this.forge(effect.message) : effect.message;
    this.lanes.push(`udp ${node.id} ${effect.to}`, () => {
      this.handle(this.node(effect.to), { type: 'datagram', from: node.id, message });
    });
  }

  private forge(message: ElectionMessage): ElectionMessage {
    const serverId = (1 + this.random.below(this.nodes.size)) as ServerId;
    const role = (['looking', 'following', 'leading'] as const)[this.random.below(3)] ?? 'looking';
    // Mostly the true ballot of somebody who should not win: that one then believes to be elected.
    const { disk } = this.node(serverId);
    const vote = { epoch: disk.record.currentEpoch, lastZxid: disk.durable, serverId };
    if (this.random.chance(0.2)) vote.epoch = (this.random.below(12) + 1) as Epoch;
    return { ...message, role, vote, round: message.round + this.random.below(2) };
  }

  private dial(node: ClusterNode, peer: ServerId, boots: number): void {
    if (node.state === null || node.boots !== boots) return;
    const target = this.node(peer);
    const id = ++this.linkCount;
    const running = target.state !== null;
    const link: Link = { id, ends: [node.id, peer], open: [running, running], announced: false, behindSnapshot: null };
    this.links.set(id, link);
    if (running) this.handle(target, { type: 'connected', peer: node.id, link: id, outgoing: false });
    this.lanes.push(`tcp ${peer} ${node.id} ${id}`, () => {
      if (node.boots !== boots) return;
      link.announced = true;
      const event = link.open[0]
        ? ({ type: 'connected', peer, link: id, outgoing: true } as const)
        : ({ type: 'disconnected', peer, link: 0 } as const);
      this.handle(node, event);
    });
  }

  private sendMessage(from: ServerId, linkId: number, message: PeerMessage): void {
    const link = this.links.get(linkId);
    if (link === undefined) return;
    if (link.behindSnapshot !== null && from === link.ends[1] && message.type !== 'ping')
      link.behindSnapshot.push(message);
    else this.transmit(from, link, message);
  }

  private transmit(from: ServerId, link: Link, message: PeerMessage): void {
    const side = link.ends[0] === from ? 0 : 1;
    const to = link.ends[1 - side] ?? from;
    if (!link.open[side]) return;
    this.lanes.push(`tcp ${from} ${to} ${link.id}`, () => {
      if (link.open[1 - side]) this.handle(this.node(to), { type: 'message', peer: from, link: link.id, message });
    });
  }

  /** This side hears nothing more; the other learns of it behind what was sent. */
  private closeLink(node: ClusterNode, linkId: number): void {
    const link = this.links.get(linkId);
    if (link !== undefined) this.shut(link, node.id);
    this.abandonSnapshot(node, linkId);
  }

  private shut(link: Link, by: ServerId): void {
    const side = link.ends[0] === by ? 0 : 1;
    const other = link.ends[1 - side] ?? by;
    if (!link.open[side]) return;
    link.open[side] = false;
    link.behindSnapshot = null;
    this.lanes.push(`tcp ${by} ${other} ${link.id}`, () => this.lose(link, other));
  }

  private lose(link: Link, end: ServerId): void {
    const side = link.ends[0] === end ? 0 : 1;
    if (!link.open[side]) return;
    link.open[side] = false;
    link.behindSnapshot = null;
    const node = this.node(end);
    if (side === 0 && !link.announced) return;
    this.handle(node, { type: 'disconnected', peer: link.ends[1 - side] ?? end, link: link.id });
    this.abandonSnapshot(node, link.id);
  }

  private breakLink(link: Link): void {
    for (const end of link.ends) this.lose(link, end);
  }

  private synchronize(leader: ClusterNode, effect: Extract<ZabEffect, { type: 'synchronize' }>): void {
    const { plan, through } = effect;
    const link = this.links.get(effect.link);
    if (link === undefined) return;
    if (plan.kind === 'snapshot') {
      this.transmit(leader.id, link, { type: 'snapshot' });
      link.behindSnapshot = [];
      return;
    }
    if (plan.kind === 'truncate') this.transmit(leader.id, link, { type: 'truncate', to: plan.to });
    const after = plan.kind === 'truncate' ? plan.to : plan.after;
    this.sendLog(leader, link, after, through);
  }

  private sendLog(leader: ClusterNode, link: Link, after: Zxid, through: Zxid): void {
    assert(after >= leader.disk.base, 'the log to be sent is trimmed');
    const batches: Batch[] = leader.disk.log.filter(({ last }) => last > after && last <= through);
    for (const batch of batches) this.transmit(leader.id, link, { type: 'proposal', batch, committed: zxidZero });
  }

  private receiveSnapshot(node: ClusterNode, effect: Extract<ZabEffect, { type: 'receiveSnapshot' }>): void {
    const link = this.links.get(effect.link);
    this.lanes.push(`tcp ${effect.peer} ${node.id} bulk`, () => {
      const leader = this.node(effect.peer);
      if (link === undefined || !link.open[0] || !link.open[1] || leader.state === null) return;
      const image = { applied: [...leader.disk.applied] };
      this.onDisk(node, () => {
        if (node.state?.disk?.type !== 'snapshot' || node.state.disk.link !== effect.link) return null;
        node.disk.install(image, effect.record);
        const ensembleId = effect.record.ensembleId;
        assert(ensembleId !== null, 'a snapshot without an ensemble');
        const behind = link.behindSnapshot;
        link.behindSnapshot = null;
        if (behind !== null) {
          this.sendLog(
            leader,
            link,
            node.disk.appliedZxid,
            leader.state === null ? zxidZero : this.syncEnd(leader, node.id),
          );
          for (const message of behind) this.transmit(leader.id, link, message);
        }
        return { type: 'snapshotInstalled', link: effect.link, zxid: node.disk.appliedZxid, ensembleId };
      });
    });
  }

  /** What `synchronize` was told to send up to. */
  private syncEnd(leader: ClusterNode, follower: ServerId): Zxid {
    const role = leader.state?.role;
    return role?.role === 'leading' ? (role.followers.get(follower)?.syncEnd ?? zxidZero) : zxidZero;
  }

  private abandonSnapshot(node: ClusterNode, linkId: number): void {
    this.onDisk(node, () => {
      const work = node.state?.disk;
      return work?.type === 'snapshot' && work.link === linkId ? { type: 'snapshotAbandoned', link: linkId } : null;
    });
  }
}
