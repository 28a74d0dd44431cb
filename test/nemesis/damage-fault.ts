// One damaged disk from the damage to the end: the node must refuse as the documentation says, and come back by the very
// command that its refusal names, run as a real process. Reports where it does otherwise, and then goes on with a new disk.

import { exitCodes } from '../../src/cli/exit-codes.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import type { SeededRandom } from '../../src/shared/random.js';
import { rebuildCommandIn } from '../harness/named-command.js';
import type { RunResult } from '../harness/run-zabtree.js';
import type { Chronicle } from './chronicle.js';
import { type Damage, type DamageKind, damage, treeOf } from './disk-damage.js';
import type { NemesisEnsemble } from './nemesis-ensemble.js';

export interface DamageFaultOptions {
  readonly ensemble: NemesisEnsemble;
  readonly chronicle: Chronicle;
  readonly onFinding: (text: string) => void;
}

/** The others must be a quorum without the node at some moment of this time, while other faults go on. */
const rebuildMs = 300_000;
const rebuildEveryMs = 250;
/** A node that LMDB ends by a signal finds out after five such boots at the latest (docs/operations.md). */
const bootsMax = 7;
const crashSignals: readonly NodeJS.Signals[] = ['SIGSEGV', 'SIGBUS', 'SIGABRT'];

export class DamageFault {
  private readonly options: DamageFaultOptions;
  private readonly node: number;
  private inflicted: Damage | null = null;

  constructor(options: DamageFaultOptions, node: number) {
    this.options = options;
    this.node = node;
  }

  /** Kills the node and damages its disk; returns what was done. Null: there was nothing to damage, and it runs again. */
  async inflict(kind: DamageKind, random: SeededRandom): Promise<string | null> {
    const { ensemble } = this.options;
    await ensemble.kill(this.node);
    this.inflicted = await damage(ensemble.dataDirectory(this.node), kind, random);
    if (this.inflicted === null) await ensemble.start(this.node);
    return this.inflicted?.detail ?? null;
  }

  /** Returns once the node runs, and counts, with nothing damaged. True: it had to be rebuilt. */
  async followUp(): Promise<boolean> {
    if (this.inflicted === null) throw new Error('Cannot follow up damage: none was inflicted');
    const { expected, detail } = this.inflicted;
    if (expected === 'harmless') {
      await this.options.ensemble.start(this.node);
      return false;
    }
    const refuses = expected === 'refusal' || (await this.met(expected, detail));
    // Damage that nobody has met must not lie in wait for the faults that follow.
    await this.rebuild(
      refuses ? await this.refused() : ['rebuild', '--config', this.options.ensemble.node(this.node).configFile],
    );
    return true;
  }

  /** Lets the node run into what is damaged. True: from now on it must refuse. */
  private async met(expected: 'met' | 'perhaps met', detail: string): Promise<boolean> {
    const { ensemble, chronicle, onFinding } = this.options;
    const directory = ensemble.dataDirectory(this.node);
    const tree = treeOf(directory);
    for (let boot = 1; boot <= bootsMax; boot++) {
      const end = await ensemble.startDamaged(this.node);
      if (end === 'verified' || end === 'late') {
        // A snapshot may have come and taken the tree's place.
        const mustMeet = expected === 'met' && treeOf(directory) === tree;
        if (end === 'late' || mustMeet) onFinding(`${this.name} did not meet its damage (${end}): ${detail}`);
        else chronicle.note(`  ${this.name} did not meet it while it verified its disk`);
        return false;
      }
      chronicle.note(`  ${this.name} ended by itself with ${end.signal ?? `code ${end.code}`}`);
      if (end.code === exitCodes.damaged) return true;
      if (end.signal === null || !crashSignals.includes(end.signal)) {
        onFinding(
          `${this.name} ended with ${end.signal ?? end.code} over damage: ${detail}; ${ensemble.logEnd(this.node)}`,
        );
        return false;
      }
    }
    onFinding(`${this.name} was not refused after ${bootsMax} boots that a signal ended: ${detail}`);
    return false;
  }

  private get name(): string {
    return `node${this.node + 1}`;
  }

  /** Starts the node, which must refuse. Returns the command that it names; undefined when it did not do as it should. */
  private async refused(): Promise<string[] | undefined> {
    const { ensemble, chronicle, onFinding } = this.options;
    const refusal = await ensemble.startAndRefuse(this.node);
    if (refusal === null) {
      onFinding(`${this.name} started in spite of damage: ${this.inflicted?.detail}`);
      return undefined;
    }
    const { code, log } = refusal;
    if (code !== exitCodes.damaged)
      onFinding(`${this.name} ended with ${code} after damage, expected ${exitCodes.damaged}: ${log}`);
    const command = rebuildCommandIn(log);
    if (!/Cannot .+: /.test(log) || command === undefined) {
      onFinding(`${this.name} does not say what is wrong and how to rebuild it after damage: ${log}`);
      return command;
    }
    chronicle.note(`  ${this.name} refuses: ${/Cannot .+/.exec(log)?.[0]}`);
    return command;
  }

  private async rebuild(command: readonly string[] | undefined): Promise<void> {
    if (command === undefined) this.options.ensemble.replaceDisk(this.node);
    else await this.runRebuild([...command, '--yes', '--discard']);
    await refill(this.options, this.node);
  }

  /** Again and again while the others are no quorum, which other faults may be the reason of. */
  private async runRebuild(words: readonly string[]): Promise<void> {
    const { ensemble, chronicle, onFinding } = this.options;
    const beganMs = performance.now();
    let attempts = 0;
    const attempt = async (): Promise<RunResult | undefined> => {
      attempts += 1;
      const result = await ensemble.command(this.node, words);
      return result.code === exitCodes.unavailable ? undefined : result;
    };
    let reason: string;
    try {
      const options = { timeoutMs: rebuildMs, everyMs: rebuildEveryMs };
      const { code, signal, stderr } = await until('the others to be a quorum', options, attempt);
      if (code === exitCodes.ok) {
        const tookMs = Math.round(performance.now() - beganMs);
        chronicle.note(`  zabtree rebuild has cleared the disk of ${this.name}: attempt ${attempts}, ${tookMs} ms`);
        return;
      }
      reason = `ended with ${signal ?? code}: ${stderr}`;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    onFinding(`"zabtree ${words.join(' ')}" of ${this.name}: ${reason}`);
    ensemble.replaceDisk(this.node);
  }
}

/** Starts a node whose disk was cleared, and waits until the others have filled it and count it. */
export async function refill({ ensemble, chronicle }: DamageFaultOptions, node: number): Promise<void> {
  await ensemble.startBlank(node);
  const beganMs = performance.now();
  await ensemble.countedAgain(node);
  chronicle.note(`node${node + 1} is counted again after ${Math.round(performance.now() - beganMs)} ms`);
}
