// Connections between simulated members: handshakes that take a round trip and may fail, ordered links, cuts, stalls,
// deaths of processes and of machines. What travels is bytes; a tap shows each frame to the checkers as it is sent.

import type { Channel, PeerNetwork, PeerNetworkHandler } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';
import type { ServerId } from '../shared/ids.js';
import type { NetworkConditions } from './network-conditions.js';
import { LinkEnd, type LinkHost } from './simulated-link.js';
import type { NodeScheduler } from './virtual-clock.js';

/** `link` is the sender's. The frame must not be kept or changed. */
export type FrameTap = (from: number, to: number, channel: Channel, link: number, frame: Bytes) => void;

export interface PeerFabricOptions {
  readonly conditions: NetworkConditions;
  readonly serverIds: readonly ServerId[];
  /** A connection attempt that got no answer fails after this. */
  readonly connectTimeoutMs: number;
  readonly frameBytesMax: number;
  readonly tap?: FrameTap | undefined;
}

/** Everything that the peer networks of all nodes share. */
export class PeerFabric {
  readonly options: PeerFabricOptions;
  private readonly indexes = new Map<ServerId, number>();
  private readonly hosts: (SimulatedPeerNetwork | undefined)[];
  /** Machines that are off: a connection attempt gets no answer instead of a refusal. */
  private readonly off: boolean[];
  /** Links whose machine died without a word, by the node that died. */
  private readonly orphans: LinkEnd[][];

  constructor(options: PeerFabricOptions) {
    this.options = options;
    const nodes = options.serverIds.length;
    for (const [index, id] of options.serverIds.entries()) this.indexes.set(id, index);
    this.hosts = new Array<SimulatedPeerNetwork | undefined>(nodes).fill(undefined);
    this.off = new Array<boolean>(nodes).fill(false);
    this.orphans = options.serverIds.map(() => []);
  }

  /** The network of one boot of a node. Peers that still hold links to its former boot are reset soon. */
  bind(node: number, scheduler: NodeScheduler): SimulatedPeerNetwork {
    const host = new SimulatedPeerNetwork(this, node, scheduler);
    this.hosts[node] = host;
    this.off[node] = false;
    const orphans = this.orphans[node] as LinkEnd[];
    this.orphans[node] = [];
    for (const end of orphans) end.reset(this.options.conditions.resetMs());
    return host;
  }

  hostOf(node: number): SimulatedPeerNetwork | undefined {
    return this.hosts[node];
  }

  isOff(node: number): boolean {
    return this.off[node] === true;
  }

  indexOf(id: ServerId): number {
    const index = this.indexes.get(id);
    assert(index !== undefined, `Cannot reach server ${id}: not a member`);
    return index;
  }

  /** The process ends: its kernel closes its connections. */
  killProcess(node: number): void {
    const host = this.hosts[node];
    this.hosts[node] = undefined;
    for (const end of host?.links() ?? []) end.abort('process ended');
  }

  /** The machine stops: its peers hear nothing. */
  killMachine(node: number): void {
    const host = this.hosts[node];
    this.hosts[node] = undefined;
    this.off[node] = true;
    for (const end of host?.links() ?? []) {
      end.vanish();
      (this.orphans[node] as LinkEnd[]).push(end);
    }
  }

  /** All live ends, in a fixed order, for the fault plan to choose from. */
  allLinks(): LinkEnd[] {
    return this.hosts.flatMap((host) => (host === undefined ? [] : host.links()));
  }

  /** Ends what stalls, half-open connections and late resets would still do. */
  mend(): void {
    const ends = new Set([...this.orphans.flat(), ...this.allLinks()]);
    for (const end of [...ends]) if (end.peer !== undefined) ends.add(end.peer);
    for (const end of ends) end.mend();
  }

  pathOpened(): void {
    for (const end of this.allLinks()) {
      end.pathOpened();
      end.peer?.pathOpened();
    }
    for (const ends of this.orphans) for (const end of ends) end.peer?.pathOpened();
  }
}

export class SimulatedPeerNetwork implements PeerNetwork, LinkHost {
  readonly node: number;
  readonly serverId: ServerId;
  readonly scheduler: NodeScheduler;
  handler: PeerNetworkHandler | undefined;
  private readonly fabric: PeerFabric;
  private readonly ends = new Map<number, LinkEnd>();
  private readonly announced = new Map<ServerId, string>();
  private lastLink = 0;

  constructor(fabric: PeerFabric, node: number, scheduler: NodeScheduler) {
    this.fabric = fabric;
    this.node = node;
    this.serverId = fabric.options.serverIds[node] as ServerId;
    this.scheduler = scheduler;
  }

  start(handler: PeerNetworkHandler): void {
    this.handler = handler;
  }

  connect(peer: ServerId, channel: Channel): void {
    const target = this.fabric.indexOf(peer);
    assert(target !== this.node, 'Cannot connect a node to itself');
    const { conditions, connectTimeoutMs } = this.fabric.options;
    let settled = false;
    const fail = (reason: string): void => {
      if (settled) return;
      settled = true;
      this.handler?.failed(peer, channel, reason);
    };
    this.scheduler.deliver(connectTimeoutMs, () => fail('no answer'));
    if (conditions.isBlocked(this.node, target) || this.fabric.isOff(target)) return;
    const there = this.fabric.hostOf(target);
    if (there === undefined || there.handler === undefined) {
      this.scheduler.deliver(conditions.delayMs() * 2, () => fail('connection refused'));
      return;
    }
    there.scheduler.deliver(conditions.delayMs(), () => {
      there.accept(this, channel, (end) => {
        if (settled || this.handler === undefined) {
          end.close('attempt was given up');
          return;
        }
        settled = true;
        this.openEnd(end, peer, true);
      });
    });
  }

  send(link: number, chunks: readonly Bytes[]): void {
    const end = this.ends.get(link);
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    const { frameBytesMax, tap } = this.fabric.options;
    assert(length <= frameBytesMax, `Cannot send a frame of ${length} bytes: at most ${frameBytesMax}`);
    if (end === undefined || end.peer === undefined || !this.scheduler.alive) return;
    const frame = new Uint8Array(length);
    let offset = 0;
    for (const chunk of chunks) {
      frame.set(chunk, offset);
      offset += chunk.length;
    }
    tap?.(this.node, end.peer.host.node, end.channel, link, frame);
    end.send(frame);
  }

  queuedBytes(link: number): number {
    return this.ends.get(link)?.queuedBytes() ?? 0;
  }

  close(link: number): void {
    this.ends.get(link)?.close('closed by peer');
  }

  requestAddressOf(peer: ServerId): string | undefined {
    return this.announced.get(peer);
  }

  stop(): void {
    for (const end of this.links()) end.close('peer stopped');
    this.handler = undefined;
  }

  forget(link: number): void {
    this.ends.delete(link);
  }

  links(): LinkEnd[] {
    return [...this.ends.values()];
  }

  /** Takes a connection, unless either process is gone by now, and answers; `answered` runs in the initiator's process. */
  private accept(initiator: SimulatedPeerNetwork, channel: Channel, answered: (end: LinkEnd) => void): void {
    if (this.handler === undefined || !initiator.scheduler.alive) return;
    const theirs = initiator.newEnd(channel);
    const mine = this.newEnd(channel);
    LinkEnd.pair(mine, theirs);
    mine.answer(() => answered(theirs));
    this.openEnd(mine, initiator.serverId, false);
  }

  private newEnd(channel: Channel): LinkEnd {
    this.lastLink += 1;
    const end = new LinkEnd(this, this.lastLink, channel, this.fabric.options.conditions);
    this.ends.set(end.link, end);
    return end;
  }

  private openEnd(end: LinkEnd, peer: ServerId, outgoing: boolean): void {
    end.open = true;
    this.announced.set(peer, `simulated:${this.fabric.indexOf(peer)}`);
    this.handler?.opened(end.link, peer, end.channel, outgoing);
  }
}
