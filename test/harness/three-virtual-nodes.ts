// Three whole nodes on virtual time in a quiet world: no faults but those that a test makes itself.

import { expect } from 'vitest';
import type { Limits } from '../../src/config/limits.js';
import { type AutoCompactionConfig, nodeConfigOf, type TimingConfig } from '../../src/config/node-config.js';
import { SeededRandom } from '../../src/shared/random.js';
import { drawPlan } from '../../src/simulator/run-plan.js';
import { SimulatedNode } from '../../src/simulator/simulated-node.js';
import { World } from '../../src/simulator/world.js';
import type { Command, CommandOutput, CommandResult } from '../../src/tree/command.js';

/** What a test wants other than usual. */
export interface ThreeVirtualNodesOptions {
  readonly timing?: Partial<TimingConfig>;
  readonly limits?: Partial<Limits>;
  readonly autoCompaction?: AutoCompactionConfig;
}

export class ThreeVirtualNodes {
  readonly world: World;
  readonly nodes: readonly SimulatedNode[];

  constructor(seed: number, options: ThreeVirtualNodesOptions = {}) {
    const drawn = drawPlan(new SeededRandom(seed), 3, { kinds: [], lossChance: 0 });
    const plan = {
      ...drawn,
      skews: drawn.skews.map(({ originMs }) => ({ originMs, rate: 1 })),
      timing: { ...drawn.timing, ...options.timing },
      limits: { ...drawn.limits, ...options.limits },
      compactEveryMs: 0,
    };
    const members = [0, 1, 2].map((index) => ({ electionAddr: `node${index}:1`, messageAddr: `node${index}:2` }));
    const configs = members.map((self, index) =>
      nodeConfigOf({
        self,
        peers: members.filter((other) => other !== self),
        requestAddr: `node${index}:3`,
        timing: plan.timing,
        limits: plan.limits,
        autoCompaction: options.autoCompaction,
      }),
    );
    const serverIds = configs.map((config) => config.self.id);
    this.world = new World({ serverIds, plan, random: new SeededRandom(seed), verbose: false });
    this.nodes = configs.map(
      (config, index) =>
        new SimulatedNode({
          world: this.world,
          view: this.world.view.node(index),
          config,
          random: new SeededRandom(seed + index),
          plan,
          mutation: undefined,
        }),
    );
  }

  get nowMs(): number {
    return this.world.clock.nowMs();
  }

  get leader(): SimulatedNode | undefined {
    return this.nodes.find((node) => node.running && node.view.serving && node.view.role === 'leading');
  }

  get follower(): SimulatedNode {
    return this.nodes.find(
      (node) => node.running && node.view.serving && node.view.role === 'following',
    ) as SimulatedNode;
  }

  async pass(milliseconds: number): Promise<void> {
    await this.world.clock.runPromisesUntil(this.nowMs + milliseconds);
  }

  async until(holds: () => boolean, boundMs = 30_000): Promise<void> {
    const lastMs = this.nowMs + boundMs;
    while (!holds()) {
      expect(this.nowMs, 'waited for too long').toBeLessThan(lastMs);
      await this.pass(20);
    }
  }

  async led(): Promise<void> {
    const serves = (node: SimulatedNode): boolean => node.down || node.view.serving;
    await this.until(() => this.leader !== undefined && this.nodes.every(serves));
  }

  async submit(node: SimulatedNode, command: Command): Promise<CommandResult> {
    const target = node.reachable;
    let told: CommandResult | undefined;
    target?.scheduler.deliver(0, () => {
      target.ensemble.submit({ command }, target.scheduler.nowMs() + 5_000, (result) => {
        told = result;
      });
    });
    await this.until(() => told !== undefined);
    return told as CommandResult;
  }

  async output(command: Command): Promise<CommandOutput | undefined> {
    return (await this.submit(this.follower, command)).output;
  }
}
