// What a mutation is: a known failure of replicated stores, brought back by putting something broken in the place of one
// small module (a leaf) of production code or between the driver and its disk. Production code knows nothing of it.

import type { InvariantName } from '../../src/simulator/checkers/invariants.js';
import type { FaultKind, RunPlan } from '../../src/simulator/run-plan.js';
import type { StorageMutation } from '../../src/simulator/simulated-node.js';

/** A module under src/, without its ending, and what takes the place of some of its exports. */
export interface Replacement {
  readonly leaf: string;
  readonly by: (original: object) => object;
}

export interface Mutation {
  /** Stable name of the switch; recorded seeds go by it. */
  readonly id: string;
  /** Where the failure is known from. */
  readonly source: string;
  /** What is broken, in a sentence. */
  readonly broken: string;
  readonly leaves?: readonly Replacement[];
  readonly storage?: StorageMutation;
  /** Harmless replacements that bring the failure within reach. They are there in the clean runs as well. */
  readonly world?: readonly Replacement[];
  readonly nodes: 3 | 5;
  /** Virtual time with faults. */
  readonly seconds: number;
  /** Faults that strike; those that the seed draws when undefined. */
  readonly faults?: readonly FaultKind[];
  /** Other conditions that the failure needs and a seed seldom draws. */
  readonly plan?: (plan: RunPlan) => RunPlan;
  /** Invariants of which one has to notice it. Others may come first in some seeds; those do not count. */
  readonly noticedBy: readonly InvariantName[];
}

/** `Leaf` is the module's type: `replace<typeof import('../../../src/zab/sync.js')>('zab/sync', …)`. */
export function replace<Leaf extends object>(leaf: string, by: (original: Leaf) => Partial<Leaf>): Replacement {
  return { leaf, by: (original) => by(original as Leaf) };
}

/** Passes everything on but what is replaced; getters stay live. */
export function wrap<T extends object>(inner: T, replaced: Partial<T>): T {
  return new Proxy(inner, {
    get: (target, name) => {
      if (name in replaced) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
