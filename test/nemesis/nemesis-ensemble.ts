// The nodes of a nemesis run: real processes with real disks on a network that can be cut. Knows which of them run, are
// paused, cut off or blank, and whether a quorum of them could serve. Does what the faults ask for and decides nothing.

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EnsembleView } from '../../src/cli/local-ensemble/ensemble-view.js';
import { memberFile, zabtreeExecutable } from '../../src/cli/local-ensemble/local-ensemble.js';
import { LocalNode, type NodeFile } from '../../src/cli/local-ensemble/local-node.js';
import type { ProcessExit } from '../../src/cli/local-ensemble/server-process.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import { type RunResult, runZabtree } from '../harness/run-zabtree.js';
import type { Chronicle } from './chronicle.js';
import { isCounted } from './disk-damage.js';
import type { NemesisNetwork } from './nemesis-network.js';
import type { SmallDisk } from './small-disk.js';

/** Logs that roll and forget soon, so that a short run has snapshots too. */
const settings = {
  Limits: {
    ValueBytesMax: 65_536,
    TransactionBytesMax: 262_144,
    BatchBytesMax: 262_144,
    LogSegmentBytes: 1_048_576,
    LogRetainBytesMax: 2_097_152,
    OverlayFlushBytes: 1_048_576,
  },
};
/** Clients have this long to meet damage before the node itself looks for it. */
const verifyingSoon = { Timing: { ScrubDelayMs: 1_500 } };
/** For whatever a node should do soon; the machine may be busy with other work. */
export const patienceMs = 60_000;
/** It takes seconds without a disturbance, and the faults go on meanwhile. */
const countedAgainMs = 300_000;

export interface NemesisEnsembleOptions {
  readonly directory: string;
  readonly network: NemesisNetwork;
  readonly smallDisk: SmallDisk | null;
  readonly chronicle: Chronicle;
  readonly onFinding: (text: string) => void;
}

interface Condition {
  up: boolean;
  /** A signal of ours ends it: no surprise. */
  ending: boolean;
  paused: boolean;
  diskFull: boolean;
  /** Its disk was lost or cleared, and it is not counted again yet. */
  blank: boolean;
}

export class NemesisEnsemble {
  readonly nodes: readonly LocalNode[];
  readonly view: EnsembleView;
  /** The node whose data is on the small disk. */
  readonly diskNode: number | null;
  readonly smallDisk: SmallDisk | null;
  private readonly network: NemesisNetwork;
  private readonly chronicle: Chronicle;
  private readonly onFinding: (text: string) => void;
  private readonly conditions: readonly Condition[];
  /** `from>to` -> how many faults cut it now. */
  private readonly cuts = new Map<string, number>();

  constructor(options: NemesisEnsembleOptions) {
    const { directory, network, smallDisk } = options;
    this.network = network;
    this.smallDisk = smallDisk;
    this.diskNode = smallDisk === null ? null : 0;
    this.chronicle = options.chronicle;
    this.onFinding = options.onFinding;
    const all = network.places.map(({ addresses }) => addresses);
    this.nodes = network.places.map(({ addresses, launcher }, index) => {
      return new LocalNode({
        name: `node${index + 1}`,
        executable: zabtreeExecutable,
        directory,
        ...(smallDisk !== null && index === this.diskNode ? { dataDirectory: smallDisk.dataDirectory } : {}),
        addresses,
        launcher,
        file: this.fileOf(index),
      });
    });
    this.conditions = this.nodes.map(() => ({
      up: false,
      ending: false,
      paused: false,
      diskFull: false,
      blank: false,
    }));
    this.view = new EnsembleView(all.map(({ RequestAddr }) => RequestAddr));
  }

  get size(): number {
    return this.nodes.length;
  }

  get requestAddresses(): readonly string[] {
    return this.nodes.map(({ addresses }) => addresses.RequestAddr);
  }

  node(index: number): LocalNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`Cannot use node ${index}: there are ${this.nodes.length}`);
    return node;
  }

  dataDirectory(index: number): string {
    return this.node(index).dataDirectory;
  }

  /** Returns once it is spawned; it counts as up when it says that it is ready. */
  async start(index: number): Promise<void> {
    const node = this.node(index);
    const before = node.log().length;
    const process = await node.start();
    const condition = this.condition(index);
    condition.ending = false;
    const ready = until(`${node.name} to be ready`, { timeoutMs: patienceMs, everyMs: 10 }, () => {
      if (process.ended !== null) return 'ended';
      return node.log().slice(before).includes('zabtree: ready: elections') ? 'ready' : undefined;
    });
    void ready.then(
      (state) => {
        condition.up = state === 'ready' && process.ended === null;
        this.weigh();
      },
      (error: Error) => this.onFinding(error.message),
    );
    void process.exited.then((exit) => {
      condition.up = false;
      this.weigh();
      if (!condition.ending)
        this.onFinding(`${node.name} ended by itself: ${JSON.stringify(exit)}, its log ends: ${this.logEnd(index)}`);
    });
  }

  /** Waits until the node has started; one that ended instead was reported. */
  async started(index: number): Promise<void> {
    const node = this.node(index);
    await until(`${node.name} to have started`, { timeoutMs: patienceMs, everyMs: 10 }, () =>
      this.condition(index).up || !node.running ? true : undefined,
    );
  }

  /** The process is expected to refuse; returns what it logged, or null when it was still there at the deadline. */
  async startAndRefuse(index: number): Promise<{ readonly log: string; readonly code: number | null } | null> {
    const node = this.node(index);
    const before = node.log().length;
    const process = await node.start();
    const deadline = new Promise<null>((resolve) => setTimeout(resolve, patienceMs / 3, null).unref());
    const exit = await Promise.race([process.exited, deadline]);
    if (exit === null) {
      await node.kill();
      return null;
    }
    return { log: node.log().slice(before), code: exit.code };
  }

  /**
   * Starts a node that is expected to end by itself, with a verification of its whole disk soon. How it ended; or what
   * happened instead, and then it was killed. While it runs it does not count as up.
   */
  async startDamaged(index: number): Promise<ProcessExit | 'verified' | 'late'> {
    const node = this.node(index);
    const before = node.log().length;
    this.condition(index).ending = true;
    node.configure(this.fileOf(index, verifyingSoon));
    try {
      const process = await node.start();
      const what = `${node.name} to verify its disk`;
      return await until(what, { timeoutMs: patienceMs, everyMs: 50 }, () => {
        if (process.ended !== null) return process.ended;
        return node.log().slice(before).includes('verified everything on disk') ? 'verified' : undefined;
      }).catch(() => 'late' as const);
    } finally {
      await node.kill();
      node.configure(this.fileOf(index));
    }
  }

  async kill(index: number): Promise<void> {
    this.condition(index).ending = true;
    await this.node(index).kill();
    this.condition(index).paused = false;
  }

  async stop(index: number): Promise<void> {
    this.condition(index).ending = true;
    await this.node(index).stop();
  }

  pause(index: number, isPaused: boolean): void {
    if (isPaused) this.node(index).pause();
    else this.node(index).resume();
    this.condition(index).paused = isPaused;
    this.weigh();
  }

  /** Of a node that does not run: a new disk in the place of its own. */
  replaceDisk(index: number): void {
    const directory = this.dataDirectory(index);
    for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
  }

  /** Runs `zabtree` once where the node lives, so that it reaches whom the node reaches. */
  command(index: number, words: readonly string[]): Promise<RunResult> {
    const launcher = this.network.places[index]?.launcher ?? [];
    return runZabtree(words, { launcher, timeoutMs: patienceMs });
  }

  /** Its data directory is empty. Returns once it runs; countedAgain() waits until it has all and is counted. */
  async startBlank(index: number): Promise<void> {
    this.condition(index).blank = true;
    await this.start(index);
  }

  async countedAgain(index: number): Promise<void> {
    const what = `node${index + 1} to be counted again after its disk was lost`;
    await until(
      what,
      { timeoutMs: countedAgainMs, everyMs: 100 },
      () => isCounted(this.dataDirectory(index)) || undefined,
    );
    this.condition(index).blank = false;
    this.weigh();
  }

  fullDisk(index: number, isFull: boolean): void {
    this.condition(index).diskFull = isFull;
    this.weigh();
  }

  /** Faults that overlap each cut for themselves: a direction is whole when the last of them is over. */
  async cut(from: number, to: number, isCut: boolean): Promise<void> {
    const name = `${from}>${to}`;
    const before = this.cuts.get(name) ?? 0;
    const now = before + (isCut ? 1 : -1);
    this.cuts.set(name, now);
    this.weigh();
    if (before === 0 || now === 0) await this.network.cut(from, to, now > 0);
  }

  /** The node that leads and serves now, as the nodes say; undefined when none does. */
  async leader(): Promise<number | undefined> {
    const answers = await Promise.all(this.nodes.map((_, index) => this.view.status(index)));
    let best: number | undefined;
    for (const [index, answer] of answers.entries()) {
      if (answer?.role !== 'leader' || !answer.serving) continue;
      if (best === undefined || answer.epoch > (answers[best]?.epoch ?? 0)) best = index;
    }
    return best;
  }

  logEnd(index: number): string {
    return this.node(index).log().trimEnd().split('\n').slice(-3).join(' | ');
  }

  /** Synchronous, for a process that dies. */
  readonly killNow = (): void => {
    for (const [index, node] of this.nodes.entries()) {
      this.condition(index).ending = true;
      node.process?.signal('SIGKILL');
    }
  };

  async close(): Promise<void> {
    this.view.close();
    this.killNow();
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  private fileOf(index: number, further: NodeFile = {}): NodeFile {
    const { places } = this.network;
    const place = places[index];
    if (place === undefined) throw new Error(`Cannot configure node ${index}: there are ${places.length}`);
    const { addresses, host } = place;
    const all = places.map((each) => each.addresses);
    return { ...memberFile(all, addresses), Host: { ...addresses, ...host }, ...settings, ...further };
  }

  private condition(index: number): Condition {
    const condition = this.conditions[index];
    if (condition === undefined) throw new Error(`Cannot use node ${index}: there are ${this.nodes.length}`);
    return condition;
  }

  /** Whether some node and those that it can talk to are a quorum of nodes that run and remember. */
  private weigh(): void {
    const able = [...this.conditions.keys()].filter((index) => {
      const { up, paused, blank, diskFull } = this.condition(index);
      return up && !paused && !blank && !diskFull;
    });
    const connected = (a: number, b: number): boolean =>
      a === b || ((this.cuts.get(`${a}>${b}`) ?? 0) === 0 && (this.cuts.get(`${b}>${a}`) ?? 0) === 0);
    const most = Math.max(0, ...able.map((leader) => able.filter((other) => connected(leader, other)).length));
    this.chronicle.quorum(most > this.size / 2);
  }
}
