// The commands of a scenario file and what they do to a cluster. `commands` lists them.

import { assert } from '../../src/shared/assert.js';
import { type Epoch, type ServerId, type Zxid, zxidOf } from '../../src/shared/ids.js';
import { describe as describeState } from '../../src/zab/invariants.js';
import type { Batch, PeerMessage } from '../../src/zab/messages.js';
import type { ZabTiming } from '../../src/zab/zab.js';
import { Cluster, tickMs } from './cluster.js';
import { ensembleIdOf } from './cluster-disk.js';
import { type TraceOptions, traceLine } from './trace.js';

const timing: ZabTiming = {
  pingIntervalMs: 100,
  syncLimitMs: 2000,
  initLimitMs: 10_000,
  electionFinalizeMs: 60,
  electionResendMinMs: 50,
  electionResendMaxMs: 500,
};

const settleLimitMs = 30_000;

export class Story {
  private cluster = new Cluster({ nodes: 0, seed: 1, timing });
  private lines: string[] = [];
  private muted = false;
  private readonly traced: TraceOptions = { votes: false, pings: false };
  private readonly commands: Readonly<Record<string, (args: readonly string[]) => void>> = {
    nodes: (args) => this.createNodes(args),
    bootstrap: (args) =>
      this.each(args, (id) => {
        this.cluster.node(id).bootstrap = true;
      }),
    disk: (args) => this.prepareDisk(args),
    start: (args) => this.each(args, (id) => this.cluster.start(id)),
    crash: (args) => this.each(args, (id) => this.cluster.crash(id)),
    wipe: (args) => this.each(args, (id) => this.cluster.wipe(id)),
    run: (args) => this.cluster.run(Number(args[0])),
    settle: () => this.settle(),
    propose: (args) => this.propose(args),
    confirm: (args) => this.each(args, (id) => this.cluster.confirm(id)),
    abdicate: (args) =>
      this.each(args, (id) => this.cluster.event(id, { type: 'abdicate', reason: 'the operator asked' })),
    flush: (args) => this.each(args, (id) => this.cluster.flush(id)),
    'stop-disk': (args) => this.each(args, (id) => this.cluster.stopDisk(id)),
    'start-disk': (args) => this.each(args, (id) => this.cluster.startDisk(id)),
    'finish-write': (args) => this.each(args, (id) => this.cluster.finishWrite(id)),
    cut: (args) => this.cut(args),
    heal: () => this.cluster.heal(),
    reset: ([a, b]) => this.cluster.reset(Number(a), Number(b)),
    datagram: (args) => this.datagram(args),
    message: (args) => this.message(args),
    trace: (args) => this.setTrace(args, true),
    untrace: (args) => this.setTrace(args, false),
    mute: () => {
      this.muted = true;
    },
    unmute: () => {
      this.muted = false;
    },
    status: () => this.status(),
  };

  /** Carries out a block of commands and returns what it caused. */
  perform(block: string): string {
    this.lines = [];
    for (const line of block.split('\n')) {
      const [name, ...args] = line.replace(/#.*/, '').trim().split(/\s+/);
      if (name === undefined || name === '') continue;
      const command = this.commands[name];
      if (command === undefined) throw new Error(`Unknown command "${name}"`);
      command(args);
      this.cluster.drain();
    }
    return this.lines.join('\n');
  }

  private each(args: readonly string[], act: (id: number) => void): void {
    const ids = args[0] === 'all' ? [...this.cluster.nodes.keys()] : args.map(Number);
    for (const id of ids) act(id);
  }

  private createNodes([count, seed]: readonly string[]): void {
    this.cluster = new Cluster({ nodes: Number(count), seed: Number(seed ?? 1), timing });
    this.cluster.haltsAreExpected = true;
    this.cluster.trace = (node, effect) => {
      const line = traceLine(node, effect, this.traced);
      if (line !== undefined && !this.muted) this.lines.push(line);
    };
  }

  /**
   * `disk 1 ensemble=1 accepted=2 current=2 log=1.1-3,1.4,2.1 applied=1.3`: what this node finds at its start. `disk 1 seed=7`:
   * it was restored from snapshot 7.
   */
  private prepareDisk([id, ...settings]: readonly string[]): void {
    const { disk } = this.cluster.node(Number(id));
    for (const setting of settings) {
      const [name, value = ''] = setting.split('=');
      if (name === 'ensemble') disk.record = { ...disk.record, ensembleId: ensembleIdOf(Number(value)) };
      else if (name === 'accepted') disk.record = { ...disk.record, acceptedEpoch: Number(value) as Epoch };
      else if (name === 'current') disk.record = { ...disk.record, currentEpoch: Number(value) as Epoch };
      else if (name === 'probation') disk.record = { ...disk.record, probation: true };
      else if (name === 'seed') disk.restore(zxidFrom(`0.${value}`));
      else if (name === 'log') for (const range of value.split(',')) disk.append(batchOf(range));
      else if (name === 'applied') disk.applied = disk.log.filter(({ last }) => last <= zxidFrom(value));
      else throw new Error(`Unknown setting "${name}"`);
    }
    disk.durableCount = disk.log.length;
    disk.flushedCount = disk.applied.length;
    // Nobody has delivered that to anybody.
    if (disk.restored !== undefined) return;
    for (const batch of disk.log) this.cluster.ledger.found(batch);
    this.cluster.ledger.deliver(this.cluster.node(Number(id)).id, 0, disk.applied);
  }

  /** Runs until one leader serves and every running node follows it in service. */
  private settle(): void {
    const untilMs = this.cluster.nowMs + settleLimitMs;
    const running = [...this.cluster.nodes.values()].filter(({ state }) => state !== null);
    while (this.cluster.nowMs < untilMs) {
      this.cluster.run(tickMs);
      if (this.cluster.leaders().length === 1 && running.every(({ serving }) => serving)) return;
    }
    this.lines.push('not settled');
  }

  /** `propose 1 3`: node 1 proposes three batches; `propose 1 1 5`: one batch of five entries. */
  private propose([id, count = '1', entries = '1']: readonly string[]): void {
    for (let i = 0; i < Number(count); i++) {
      if (!this.cluster.propose(Number(id), Number(entries))) this.lines.push(`${id} may not propose`);
      this.cluster.drain();
    }
  }

  /** `cut 1 2`, `cut udp 1 2`, `cut tcp 1 2`. */
  private cut(args: readonly string[]): void {
    const kind = args[0];
    const kinds: readonly ('udp' | 'tcp')[] = kind === 'udp' || kind === 'tcp' ? [kind] : ['udp', 'tcp'];
    const [a, b] = args.slice(-2).map(Number);
    for (const each of kinds) this.cluster.cut(each, a ?? 0, b ?? 0);
  }

  /** `datagram 3 1 round=1000000`: node 1 hears this from node 3, which votes for itself. */
  private datagram([from, to, round]: readonly string[]): void {
    const { disk, id } = this.cluster.node(Number(from));
    this.cluster.event(Number(to), {
      type: 'datagram',
      from: id,
      message: {
        role: 'looking',
        round: Number(round?.split('=')[1]),
        vote: { epoch: disk.record.currentEpoch, lastZxid: disk.durable, serverId: id },
        ensembleId: disk.record.ensembleId,
        currentEpoch: disk.record.currentEpoch,
        probation: disk.record.probation,
      },
    });
  }

  /** `message 3 1 {json}`: on the open link between them node 1 hears this from node 3. */
  private message([from, to, ...json]: readonly string[]): void {
    const message = JSON.parse(json.join(' ')) as PeerMessage;
    const link = this.cluster.linkBetween(Number(from), Number(to));
    assert(link !== 0, `No connection between ${from} and ${to}`);
    this.cluster.event(Number(to), { type: 'message', peer: Number(from) as ServerId, link, message });
  }

  private setTrace(args: readonly string[], on: boolean): void {
    for (const what of args) {
      if (what === 'votes' || what === 'pings') this.traced[what] = on;
      else throw new Error(`Cannot trace "${what}"`);
    }
  }

  private status(): void {
    for (const { id, state, disk } of this.cluster.nodes.values()) {
      const probation = disk.record.probation ? ' on probation' : '';
      this.lines.push(state === null ? `${id} is down` : `${describeState(state)}${probation}`);
    }
  }
}

function zxidFrom(text: string): Zxid {
  const [epoch, counter] = text.split('.').map(Number);
  return zxidOf((epoch ?? 0) as Epoch, counter ?? 0);
}

/** `1.4` is a batch of one entry, `1.1-3` one of three. The same text is the same batch on every node. */
function batchOf(text: string): Batch {
  const [start = '', end] = text.split('-');
  const first = zxidFrom(start);
  const last = end === undefined ? first : zxidOf(Math.floor(first / 2 ** 32) as Epoch, Number(end));
  const known = batches.get(text);
  if (known !== undefined) return known;
  const batch = { first, last, body: new Uint8Array(0) };
  batches.set(text, batch);
  return batch;
}

const batches = new Map<string, Batch>();
