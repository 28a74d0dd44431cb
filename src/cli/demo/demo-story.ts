// The demo itself: three nodes, a load, a dead leader, its return, and the proof that nothing was lost. Every claim that
// it prints was checked; what did not hold is counted.

import { formatZxid } from '../../shared/ids.js';
import { AcknowledgedLoad, lostWrites } from '../local-ensemble/acknowledged-load.js';
import { EnsembleView } from '../local-ensemble/ensemble-view.js';
import type { LocalEnsemble } from '../local-ensemble/local-ensemble.js';
import { until } from '../local-ensemble/until.js';
import type { DemoScreen } from './demo-screen.js';

export interface DemoOptions {
  readonly keys: number;
  /** Writes outstanding at a time. */
  readonly inFlight: number;
}

const prefix = 'demo/';
const patienceMs = 60_000;
const writeTimeoutMs = 30_000;
const heartbeatMs = 50;

interface Killing {
  readonly victim: number;
  readonly newLeader: number;
  /** From kill -9 to a node that says it leads and serves. */
  readonly leaderlessMs: number;
}

export class DemoStory {
  private readonly ensemble: LocalEnsemble;
  private readonly screen: DemoScreen;
  private readonly options: DemoOptions;
  private readonly view: EnsembleView;
  private failedChecks = 0;

  constructor(ensemble: LocalEnsemble, screen: DemoScreen, options: DemoOptions) {
    this.ensemble = ensemble;
    this.screen = screen;
    this.options = options;
    this.view = new EnsembleView(ensemble.requestAddresses);
  }

  /** Returns how many checks failed; throws when the story cannot go on. */
  async tell(): Promise<number> {
    try {
      const leader = await this.startNodes();
      const { load, killing } = await this.loadAndKill(leader);
      const returnedMs = await this.bringBack(killing.victim);
      await this.check(load);
      this.summarize(load, killing, returnedMs);
      return this.failedChecks;
    } finally {
      this.view.close();
    }
  }

  private async startNodes(): Promise<number> {
    const { screen, ensemble } = this;
    screen.heading('Three nodes, each a process of its own, elect a leader over UDP');
    const began = performance.now();
    await ensemble.start();
    const { leader, status } = await this.view.leadership(patienceMs);
    for (const [index, node] of ensemble.nodes.entries()) {
      const { ElectionAddr, MessageAddr, RequestAddr } = node.addresses;
      const role = index === leader ? 'leader  ' : 'follower';
      screen.line(
        `${node.name}  ${role}  election udp ${ElectionAddr}  members tcp ${MessageAddr}  clients tcp ${RequestAddr}  pid ${node.process?.pid}`,
      );
    }
    screen.line(
      `${this.nameOf(leader)} leads in epoch ${status.epoch}, ${ms(performance.now() - began)} after the processes were started`,
    );
    return leader;
  }

  private async loadAndKill(leader: number): Promise<{ load: AcknowledgedLoad; killing: Killing }> {
    const { screen, options } = this;
    const count = options.keys.toLocaleString('en-US');
    screen.heading(`${count} keys are written through whichever node answers; half way the leader is killed`);
    const bar = screen.bar(options.keys, 'keys');
    const began = performance.now();
    const load = new AcknowledgedLoad({
      peers: this.ensemble.requestAddresses,
      prefix,
      inFlight: options.inFlight,
      count: options.keys,
      timeoutMs: writeTimeoutMs,
    });
    const draw = (): void => {
      const done = load.acknowledged.size;
      bar(done, `${Math.round((done * 1000) / (performance.now() - began)).toLocaleString('en-US')} a second`);
    };
    const drawing = setInterval(draw, heartbeatMs);
    try {
      const half = Math.floor(options.keys / 2);
      await until(
        'half of the keys',
        { timeoutMs: patienceMs, everyMs: 2 },
        () => load.acknowledged.size >= half || undefined,
      );
      draw();
      const killing = await this.killLeader(leader);
      await load.finished;
      draw();
      this.expect(load.failures.length === 0, `every write was acknowledged, ${load.failures.length} failed`);
      for (const failure of new Set(load.failures)) screen.line(failure);
      screen.line(`the longest that clients waited for an acknowledgment: ${ms(load.longestGapMs)}`);
      return { load, killing };
    } finally {
      clearInterval(drawing);
    }
  }

  private async killLeader(victim: number): Promise<Killing> {
    const { screen } = this;
    const node = this.ensemble.node(victim);
    screen.strong(`kill -9 ${node.process?.pid}: ${node.name}, the leader, is gone`);
    const survivors = this.ensemble.nodes.map((_, index) => index).filter((index) => index !== victim);
    const killedAt = performance.now();
    node.process?.signal('SIGKILL');
    const { leader, status } = await this.view.anyLeader(patienceMs, survivors);
    const leaderlessMs = performance.now() - killedAt;
    screen.strong(`${this.nameOf(leader)} leads in epoch ${status.epoch}, ${ms(leaderlessMs)} after the kill`);
    return { victim, newLeader: leader, leaderlessMs };
  }

  private async bringBack(victim: number): Promise<number> {
    this.screen.heading('The old leader comes back and catches up');
    const began = performance.now();
    await this.ensemble.node(victim).process?.exited;
    await this.ensemble.node(victim).start();
    await this.view.leadership(patienceMs);
    await this.view.caughtUp(patienceMs);
    const elapsedMs = performance.now() - began;
    const status = await this.view.status(victim);
    const at = status === undefined ? '' : `, at zxid ${formatZxid(status.zxid)}`;
    this.screen.line(`${this.nameOf(victim)} follows and has caught up ${ms(elapsedMs)} after its start${at}`);
    return elapsedMs;
  }

  private async check(load: AcknowledgedLoad): Promise<void> {
    const { ensemble, view } = this;
    this.screen.heading('Is every acknowledged key on every node, and are the trees the same?');
    for (const [index, node] of ensemble.nodes.entries()) {
      const found = await view.records(index, prefix);
      const lost = lostWrites(load.acknowledged, found);
      const have = (load.acknowledged.size - lost.length).toLocaleString('en-US');
      this.expect(
        lost.length === 0,
        `${node.name} has ${have} of ${load.acknowledged.size.toLocaleString('en-US')} keys`,
      );
    }
    try {
      const digest = await view.commonDigest(patienceMs);
      this.expect(true, `the digests of all nodes agree at zxid ${formatZxid(digest.zxid)}: ${digest.digest}`);
    } catch (error) {
      this.expect(false, error instanceof Error ? error.message : String(error));
    }
  }

  private summarize(load: AcknowledgedLoad, killing: Killing, returnedMs: number): void {
    const { screen } = this;
    screen.heading('Summary');
    screen.line(`keys acknowledged          ${load.acknowledged.size.toLocaleString('en-US')}`);
    screen.line(`leader killed              ${this.nameOf(killing.victim)}`);
    screen.line(`new leader                 ${this.nameOf(killing.newLeader)}, after ${ms(killing.leaderlessMs)}`);
    screen.line(`longest wait of a client   ${ms(load.longestGapMs)}`);
    screen.line(`old leader caught up       after ${ms(returnedMs)}`);
    screen.verdict(
      this.failedChecks === 0,
      this.failedChecks === 0 ? 'nothing was lost' : `${this.failedChecks} checks failed`,
    );
  }

  private expect(held: boolean, text: string): void {
    if (!held) this.failedChecks++;
    this.screen.verdict(held, text);
  }

  private nameOf(index: number): string {
    return this.ensemble.node(index).name;
  }
}

function ms(milliseconds: number): string {
  return milliseconds < 10_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
