// The simulator with some modules of production code replaced: loads it anew, so that every importer gets the
// replacements, and runs one seed of a mutation or of the same run without it.

import { vi } from 'vitest';
import type { Violation } from '../../src/simulator/checkers/ensemble-view.js';
import type { InvariantName } from '../../src/simulator/checkers/invariants.js';
import { type Mutation, type Replacement, replace } from './mutation.js';

type Simulator = typeof import('../../src/simulator/simulation.js');

export interface Verdict {
  readonly violations: readonly Violation[];
  /** The first violation that counts for the mutation. */
  readonly noticed: Violation | undefined;
}

interface LoadedSimulator {
  /** What its next run is like. */
  conditions: Mutation;
  readonly simulator: Simulator;
}

export class MutatedSimulator {
  /** One for all that need no other modules. */
  private static plain: Promise<LoadedSimulator> | undefined;
  private readonly mutation: Mutation;
  private readonly clean: boolean;
  private readonly loaded: LoadedSimulator;

  static async load(mutation: Mutation): Promise<MutatedSimulator> {
    const { world = [], leaves = [] } = mutation;
    return new MutatedSimulator(mutation, false, await MutatedSimulator.loadedWith(mutation, [...world, ...leaves]));
  }

  /** The same runs without what is broken. */
  static async loadClean(mutation: Mutation): Promise<MutatedSimulator> {
    return new MutatedSimulator(mutation, true, await MutatedSimulator.loadedWith(mutation, mutation.world ?? []));
  }

  private static loadedWith(mutation: Mutation, replacements: readonly Replacement[]): Promise<LoadedSimulator> {
    if (replacements.length > 0) return load(mutation, replacements);
    MutatedSimulator.plain ??= load(mutation, []);
    return MutatedSimulator.plain;
  }

  private constructor(mutation: Mutation, clean: boolean, loaded: LoadedSimulator) {
    this.mutation = mutation;
    this.clean = clean;
    this.loaded = loaded;
  }

  async run(seed: number): Promise<Verdict> {
    const { nodes, seconds, faults, storage, noticedBy } = this.mutation;
    this.loaded.conditions = this.mutation;
    const { violations } = await this.loaded.simulator.runSimulation({
      seed,
      nodes,
      durationMs: seconds * 1000,
      ...(faults === undefined ? {} : { faults: { kinds: faults } }),
      ...(storage === undefined || this.clean ? {} : { mutation: storage }),
    });
    const noticed = violations.find(({ invariant }) => noticedBy.includes(invariant as InvariantName));
    return { violations, noticed };
  }
}

/** Mean time between two faults, at least and at most: runs are short, so something happens in each. */
const faultEveryMinMs = 150;
const faultEverySpanMs = 400;

/** What a run is like with and without the mutation. */
function planOf(mutation: () => Mutation): Replacement {
  return replace<typeof import('../../src/simulator/run-plan.js')>('simulator/run-plan', ({ drawPlan }) => ({
    drawPlan: (...given) => {
      const { faults, plan } = mutation();
      const draws = drawPlan(...given);
      const eventful = {
        ...draws,
        faults: faults ?? draws.faults,
        faultEveryMs: faultEveryMinMs + (draws.faultEveryMs % faultEverySpanMs),
      };
      return plan === undefined ? eventful : plan(eventful);
    },
  }));
}

async function load(mutation: Mutation, replacements: readonly Replacement[]): Promise<LoadedSimulator> {
  const loaded = { conditions: mutation };
  return Object.assign(loaded, { simulator: await loadWith([planOf(() => loaded.conditions), ...replacements]) });
}

async function loadWith(replacements: readonly Replacement[]): Promise<Simulator> {
  const byLeaf = new Map<string, Replacement[]>();
  for (const replacement of replacements) {
    byLeaf.set(replacement.leaf, [...(byLeaf.get(replacement.leaf) ?? []), replacement]);
  }
  vi.resetModules();
  for (const [leaf, stacked] of byLeaf) {
    vi.doMock(pathOf(leaf), async (importOriginal) => {
      let exports = { ...(await importOriginal<object>()) };
      for (const { by } of stacked) exports = { ...exports, ...by(exports) };
      return exports;
    });
  }
  try {
    return await import('../../src/simulator/simulation.js');
  } finally {
    for (const leaf of byLeaf.keys()) vi.doUnmock(pathOf(leaf));
  }
}

function pathOf(leaf: string): string {
  return `../../src/${leaf}.js`;
}
