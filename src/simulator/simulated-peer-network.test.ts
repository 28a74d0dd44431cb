import { describe, expect, it } from 'vitest';
import type { PeerNetworkHandler } from '../ensemble/ports.js';
import { toServerId } from '../shared/ids.js';
import { SeededRandom } from '../shared/random.js';
import { calmNetwork, NetworkConditions } from './network-conditions.js';
import { isolation } from './partition-shapes.js';
import { PeerFabric, type SimulatedPeerNetwork } from './simulated-peer-network.js';
import { NodeScheduler, VirtualClock } from './virtual-clock.js';

const serverIds = [toServerId(11), toServerId(12), toServerId(13)];

class Recorder implements PeerNetworkHandler {
  readonly lines: string[] = [];
  readonly frames: number[] = [];
  link = 0;
  opened(link: number, peer: number, channel: string, outgoing: boolean): void {
    this.link = link;
    this.lines.push(`opened ${peer} ${channel} ${outgoing ? 'out' : 'in'}`);
  }
  failed(peer: number, _channel: string, reason: string): void {
    this.lines.push(`failed ${peer} ${reason}`);
  }
  received(_link: number, frame: Uint8Array): void {
    this.frames.push(frame[0] as number);
  }
  closed(_link: number, reason: string): void {
    this.lines.push(`closed ${reason}`);
  }
  drained(): void {
    this.lines.push('drained');
  }
}

function world(): {
  clock: VirtualClock;
  conditions: NetworkConditions;
  fabric: PeerFabric;
  networks: SimulatedPeerNetwork[];
  recorders: Recorder[];
  schedulers: NodeScheduler[];
} {
  const clock = new VirtualClock();
  const profile = { ...calmNetwork, latencyMinMs: 1, latencyJitterMs: 5 };
  const conditions = new NetworkConditions(serverIds.length, profile, new SeededRandom(1));
  const fabric = new PeerFabric({ conditions, serverIds, connectTimeoutMs: 500, frameBytesMax: 2 ** 20 });
  conditions.onOpened = () => fabric.pathOpened();
  const schedulers = serverIds.map((_, node) => new NodeScheduler(clock, node, { originMs: 0, rate: 1 }));
  const networks = schedulers.map((scheduler, node) => fabric.bind(node, scheduler));
  const recorders = networks.map((network) => {
    const recorder = new Recorder();
    network.start(recorder);
    return recorder;
  });
  return { clock, conditions, fabric, networks, recorders, schedulers };
}

type World = ReturnType<typeof world>;

function connected(w: World): { from: SimulatedPeerNetwork; a: Recorder; b: Recorder } {
  const [from] = w.networks as [SimulatedPeerNetwork];
  const [a, b] = w.recorders as [Recorder, Recorder];
  from.connect(toServerId(12), 'quorum');
  w.clock.runUntil(w.clock.nowMs() + 50);
  return { from, a, b };
}

function sendNumbers(from: SimulatedPeerNetwork, link: number, count: number): void {
  for (let i = 0; i < count; i++) from.send(link, [new Uint8Array([i])]);
}

describe('simulated peer network', () => {
  it('tells nobody when one side gives a connection up, until that machine refuses it', () => {
    const w = world();
    const { from, a, b } = connected(w);
    const there = w.networks[1] as SimulatedPeerNetwork;
    there.links()[0]?.loseSight(3_000);
    w.clock.runUntil(200);
    expect(b.lines.at(-1)).toBe('closed connection timed out');
    sendNumbers(from, a.link, 3);
    w.clock.runUntil(2_000);
    expect(b.frames).toEqual([]);
    expect(a.lines.at(-1)).toBe('opened 12 quorum out');
    w.clock.runUntil(4_000);
    expect(a.lines.at(-1)).toBe('closed connection reset');
  });

  it('opens both ends and delivers frames in order, however latency varies', () => {
    const w = world();
    const { from, a, b } = connected(w);
    expect(a.lines).toEqual(['opened 12 quorum out']);
    expect(b.lines).toEqual(['opened 11 quorum in']);
    sendNumbers(from, a.link, 100);
    w.clock.runUntil(200);
    expect(b.frames).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('delivers what the accepting side sends at once only after the asking side is open', () => {
    const w = world();
    const [, acceptor] = w.networks as [SimulatedPeerNetwork, SimulatedPeerNetwork];
    const [a, b] = w.recorders as [Recorder, Recorder];
    const opened = b.opened.bind(b);
    b.opened = (link, peer, channel, outgoing) => {
      opened(link, peer, channel, outgoing);
      acceptor.send(link, [new Uint8Array([7])]);
    };
    connected(w);
    expect(a.lines).toEqual(['opened 12 quorum out']);
    expect(a.frames).toEqual([7]);
  });

  it('holds frames while the path is blocked and delivers them in order afterwards', () => {
    const w = world();
    const { from, a, b } = connected(w);
    w.conditions.sever(isolation(new Set([0])));
    sendNumbers(from, a.link, 10);
    w.clock.runUntil(400);
    expect(b.frames).toEqual([]);
    w.conditions.heal();
    w.clock.runUntil(1000);
    expect(b.frames).toEqual(Array.from({ length: 10 }, (_, i) => i));
  });

  it('delivers a prefix of what is under way when a link is cut, and tells both sides', () => {
    const w = world();
    const { from, a, b } = connected(w);
    sendNumbers(from, a.link, 50);
    w.fabric.allLinks()[0]?.cut();
    w.clock.runUntil(200);
    expect(b.frames).toEqual(Array.from({ length: b.frames.length }, (_, i) => i));
    expect(b.frames.length).toBeLessThan(50);
    expect(a.lines.at(-1)).toBe('closed connection cut');
    expect(b.lines.at(-1)).toBe('closed connection cut');
  });

  it('tells the other side behind the frames under way when one side closes, and the closing side nothing', () => {
    const w = world();
    const { from, a, b } = connected(w);
    sendNumbers(from, a.link, 5);
    from.close(a.link);
    w.clock.runUntil(200);
    expect(b.frames).toHaveLength(5);
    expect(b.lines.at(-1)).toBe('closed closed by peer');
    expect(a.lines).toEqual(['opened 12 quorum out']);
  });

  it('tells peers when a process dies, and nothing when a machine does until it is back', () => {
    const w = world();
    const { a, b } = connected(w);
    w.networks[2]?.connect(toServerId(12), 'bulk');
    w.clock.runUntil(w.clock.nowMs() + 50);
    w.schedulers[1]?.kill();
    w.fabric.killMachine(1);
    w.clock.runUntil(5_000);
    expect(a.lines).toEqual(['opened 12 quorum out']);
    w.fabric.bind(1, new NodeScheduler(w.clock, 1, { originMs: 0, rate: 1 })).start(b);
    w.clock.runUntil(10_000);
    expect(a.lines.at(-1)).toBe('closed connection reset');
    const c = connected(w);
    w.schedulers[0]?.kill();
    w.fabric.killProcess(0);
    w.clock.runUntil(20_000);
    expect(c.b.lines.at(-1)).toBe('closed process ended');
  });

  it('refuses when nobody listens, and times out when nothing answers', () => {
    const w = world();
    const [a] = w.recorders as [Recorder];
    w.fabric.killProcess(1);
    w.fabric.killMachine(2);
    w.networks[0]?.connect(toServerId(12), 'quorum');
    w.networks[0]?.connect(toServerId(13), 'quorum');
    w.clock.runUntil(2_000);
    expect(a.lines).toEqual(['failed 12 connection refused', 'failed 13 no answer']);
  });

  it('counts what a stalled receiver does not take as queued, and tells when it has drained', () => {
    const w = world();
    const { from, a, b } = connected(w);
    w.fabric.allLinks()[0]?.stall(300);
    for (let i = 0; i < 10; i++) from.send(a.link, [new Uint8Array(100 * 1024)]);
    expect(from.queuedBytes(a.link)).toBe(1000 * 1024 - 256 * 1024);
    w.clock.runUntil(200);
    expect(b.frames).toHaveLength(0);
    w.clock.runUntil(1_000);
    expect(b.frames).toHaveLength(10);
    expect(from.queuedBytes(a.link)).toBe(0);
    expect(a.lines.at(-1)).toBe('drained');
  });
});
